// SPDX-License-Identifier: GPL-2.0-only
#include "devices/pl031.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "devices/primecell.h"
#include "vmm/core/bus.h"
#include "vmm/core/fdt.h"
#include "vmm/core/loop.h"
#include "vmm/core/state.h"

/* Offsets: ARM DDI 0224, chapter 3. */
enum { RTCDR = 0x00, RTCMR = 0x04, RTCLR = 0x08, RTCCR = 0x0c };
enum { RTCIMSC = 0x10, RTCRIS = 0x14, RTCMIS = 0x18, RTCICR = 0x1c };
enum { PERIPHID = 0x00141031 };

static const uint64_t NS = 1000000000;
static const uint64_t NO_ALARM = UINT64_MAX;

struct pl031 {
	struct device dev;
	struct loop_timer timer;
	uint32_t offset; /* of the counter, against the host's seconds, modulo 2^32 */
	uint32_t match, load;
	bool mask, raised; /* RTCIMSC, RTCRIS */
	uint64_t alarm; /* host's second at which the counter meets `match`, or NO_ALARM */
};

static uint64_t host_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec;
}

static uint32_t counter(const struct pl031 *d)
{
	return (uint32_t)(host_ns() / NS) + d->offset;
}

/* Raises the alarm if it is due, and drives line and timer. The timer is there only for an
 * interrupt that can be delivered: RTCRIS is worked out when it is read. */
static void settle(struct pl031 *d)
{
	struct loop *loop = d->dev.env.loop;
	uint64_t now = host_ns(), left;

	if (d->alarm != NO_ALARM && now / NS >= d->alarm) {
		d->alarm = NO_ALARM;
		d->raised = true;
	}
	irq_set(&d->dev.env.irq, d->raised && d->mask);
	if (d->raised || !d->mask || d->alarm == NO_ALARM) {
		loop_timer_cancel(loop, &d->timer);
		return;
	}
	/* A loaded alarm can be anything; the counter wraps within 2^32 seconds. */
	left = d->alarm - now / NS;
	left = (left < UINT32_MAX ? left : UINT32_MAX) * NS - now % NS;
	loop_timer_set(loop, &d->timer, loop_now_ns() + left);
}

/* Also when the clocks disagree and it is not yet time: then it is set again. */
static void pl031_timer(struct loop_timer *timer)
{
	settle(container_of(timer, struct pl031, timer));
}

static void set_alarm(struct pl031 *d)
{
	uint64_t now = host_ns() / NS;

	d->alarm = now + (uint32_t)(d->match - d->offset - (uint32_t)now);
}

static uint64_t pl031_read(struct device *dev, uint64_t off, unsigned int size)
{
	struct pl031 *d = container_of(dev, struct pl031, dev);

	(void)size;
	if (off & 3)
		return 0;
	if (off >= PRIMECELL_ID)
		return primecell_id(PERIPHID, off);
	switch (off) {
	case RTCDR:
		return counter(d);
	case RTCMR:
		return d->match;
	case RTCLR:
		return d->load;
	case RTCCR:
		return 1; /* always running: once started it cannot be stopped */
	case RTCIMSC:
		return d->mask;
	case RTCRIS:
		settle(d);
		return d->raised;
	case RTCMIS:
		settle(d);
		return d->raised && d->mask;
	}
	return 0;
}

static void pl031_write(struct device *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct pl031 *d = container_of(dev, struct pl031, dev);

	(void)size;
	settle(d); /* what is due by the values until now */
	switch (off) {
	case RTCMR:
		d->match = (uint32_t)val;
		set_alarm(d);
		break;
	case RTCLR:
		d->load = (uint32_t)val;
		d->offset = d->load - (uint32_t)(host_ns() / NS);
		set_alarm(d);
		break;
	case RTCIMSC:
		d->mask = val & 1;
		break;
	case RTCICR:
		d->raised = d->raised && !(val & 1);
		break;
	}
	settle(d);
}

static void pl031_reset(struct device *dev)
{
	struct pl031 *d = container_of(dev, struct pl031, dev);

	d->offset = d->match = d->load = 0;
	d->mask = d->raised = false;
	d->alarm = NO_ALARM;
	settle(d);
}

static void pl031_state(struct device *dev, struct state *s)
{
	struct pl031 *d = container_of(dev, struct pl031, dev);

	state_u32(s, "offset", &d->offset);
	state_u32(s, "match", &d->match);
	state_u32(s, "load", &d->load);
	state_bool(s, "mask", &d->mask);
	state_bool(s, "raised", &d->raised);
	state_u64(s, "alarm", &d->alarm);
	if (!s->loading)
		return;
	if (s->err)
		pl031_reset(dev);
	settle(d);
}

static void pl031_describe(struct device *dev, struct fdt *fdt)
{
	dt_node(fdt, "rtc@%llx", (unsigned long long)dev->env.base);
	dt_strs(fdt, "compatible", "arm,pl031", "arm,primecell");
	dt_reg(fdt, dev->env.base, PL031_SIZE);
	dt_interrupt(fdt, &dev->env.irq);
	dt_u32(fdt, "clocks", FDT_PHANDLE_CLOCK);
	dt_str(fdt, "clock-names", "apb_pclk");
	dt_end(fdt);
}

static void pl031_destroy(struct device *dev)
{
	struct pl031 *d = container_of(dev, struct pl031, dev);

	loop_timer_cancel(dev->env.loop, &d->timer);
	device_fini(dev);
	free(d);
}

static const struct device_ops pl031_ops = {
	.reset = pl031_reset,
	.state = pl031_state,
	.describe = pl031_describe,
	.destroy = pl031_destroy,
};

int pl031_create(const struct device_env *env, struct device **out, struct fail *fail)
{
	struct pl031 *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory for the clock");
	device_init(&d->dev, &pl031_ops, "pl031", env);
	d->timer = (struct loop_timer){ .dev = &d->dev, .fn = pl031_timer };
	err = bus_add(env->bus, &(struct region){ .base = env->base,
						  .size = PL031_SIZE,
						  .widths = WIDTH_1 | WIDTH_2 | WIDTH_4,
						  .dev = &d->dev,
						  .read = pl031_read,
						  .write = pl031_write });
	if (err) {
		pl031_destroy(&d->dev);
		return fail_set(fail, EXIT_HOST, err, "no place for the clock: %s", strerror(-err));
	}
	pl031_reset(&d->dev);
	*out = &d->dev;
	return 0;
}
