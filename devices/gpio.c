// SPDX-License-Identifier: GPL-2.0-only
#include "devices/gpio.h"

#include <errno.h>
#include <linux/input-event-codes.h>
#include <stdlib.h>
#include <string.h>

#include "devices/primecell.h"
#include "vmm/core/bus.h"
#include "vmm/core/fdt.h"
#include "vmm/core/loop.h"
#include "vmm/core/state.h"

/* Offsets: ARM DDI 0190, chapter 3. GPIODATA takes a mask of lines from the address. */
enum { DATA_END = 0x400, RIS = 0x414, MIS = 0x418, IC = 0x41c };
enum { PERIPHID = 0x00041061, KEY = 1 << GPIO_KEY_LINE };

/* One bit a line. IS: level, not edge; IBE: both edges; IEV: rising, or high; IE: unmasked;
 * AFSEL: hardware control, which nothing here uses. */
enum reg { DIR, IS, IBE, IEV, IE, AFSEL, NREGS };

static const struct reg_info {
	const char *name;
	uint16_t off;
} regs[NREGS] = {
	[DIR] = { "dir", 0x400 }, [IS] = { "is", 0x404 }, [IBE] = { "ibe", 0x408 },
	[IEV] = { "iev", 0x40c }, [IE] = { "ie", 0x410 }, [AFSEL] = { "afsel", 0x420 },
};

struct gpio {
	struct device dev;
	struct loop_timer release;
	bool seen; /* the guest has found the key pressed */
	uint8_t reg[NREGS];
	uint8_t in; /* what the world drives */
	uint8_t out; /* what the guest wrote to output lines */
	uint8_t edges; /* latched until IC clears them */
};

static uint8_t levels(const struct gpio *d)
{
	return (d->in & ~d->reg[DIR]) | (d->out & d->reg[DIR]);
}

static uint8_t raw_ints(const struct gpio *d)
{
	uint8_t wanted = ~(levels(d) ^ d->reg[IEV]);

	return (d->edges & ~d->reg[IS]) | (wanted & d->reg[IS]);
}

static void update_irq(struct gpio *d)
{
	irq_set(&d->dev.env.irq, raw_ints(d) & d->reg[IE]);
}

/* After anything that may have moved a line from where it was `before`. */
static void notice_edges(struct gpio *d, uint8_t before)
{
	uint8_t now = levels(d);
	uint8_t either = d->reg[IBE], right = ~(now ^ d->reg[IEV]);

	d->edges |= (now ^ before) & (either | right) & ~d->reg[IS];
	update_irq(d);
}

/* --- the power key ---------------------------------------------------------------------------- */

static void drive_key(struct gpio *d, bool pressed)
{
	uint8_t before = levels(d);

	d->in = pressed ? d->in | KEY : d->in & ~KEY;
	notice_edges(d, before);
}

static void key_release(struct loop_timer *timer)
{
	drive_key(container_of(timer, struct gpio, release), false);
}

/* Counted from the guest's first look: one that is slow must not find the key let go again. */
static void release_later(struct gpio *d)
{
	d->seen = true;
	loop_timer_set(d->dev.env.loop, &d->release, loop_now_ns() + GPIO_KEY_MS * 1000000ULL);
}

void gpio_power_key(struct device *dev)
{
	struct gpio *d = container_of(dev, struct gpio, dev);

	pthread_mutex_lock(&dev->lock);
	if (!(d->in & KEY)) {
		d->seen = false;
		drive_key(d, true);
	} else if (d->seen) {
		release_later(d);
	}
	pthread_mutex_unlock(&dev->lock);
}

/* --- registers -------------------------------------------------------------------------------- */

static enum reg find_reg(uint64_t off)
{
	enum reg r = 0;

	while (r < NREGS && regs[r].off != off)
		r++;
	return r;
}

static uint64_t gpio_read(struct device *dev, uint64_t off, unsigned int size)
{
	struct gpio *d = container_of(dev, struct gpio, dev);
	enum reg r;

	(void)size;
	if (off & 3)
		return 0;
	if (off < DATA_END) {
		uint8_t val = levels(d) & off >> 2;

		if (val & d->in & KEY && !d->seen)
			release_later(d);
		return val;
	}
	if (off >= PRIMECELL_ID)
		return primecell_id(PERIPHID, off);
	if (off == RIS)
		return raw_ints(d);
	if (off == MIS)
		return raw_ints(d) & d->reg[IE];
	r = find_reg(off);
	return r < NREGS ? d->reg[r] : 0;
}

static void gpio_write(struct device *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct gpio *d = container_of(dev, struct gpio, dev);
	uint8_t before = levels(d), mask;
	enum reg r = find_reg(off);

	(void)size;
	if (off & 3)
		return;
	if (off < DATA_END) {
		mask = off >> 2 & d->reg[DIR];
		d->out = (d->out & ~mask) | (val & mask);
	} else if (off == IC) {
		d->edges &= ~val;
	} else if (r < NREGS) {
		d->reg[r] = (uint8_t)val;
	}
	notice_edges(d, before);
}

/* --- life ------------------------------------------------------------------------------------- */

static void gpio_reset(struct device *dev)
{
	struct gpio *d = container_of(dev, struct gpio, dev);

	loop_timer_cancel(dev->env.loop, &d->release);
	memset(d->reg, 0, sizeof(d->reg));
	d->in = d->out = d->edges = 0;
	update_irq(d);
}

static void gpio_state(struct device *dev, struct state *s)
{
	struct gpio *d = container_of(dev, struct gpio, dev);

	for (enum reg r = 0; r < NREGS; r++)
		state_u8(s, regs[r].name, &d->reg[r]);
	state_u8(s, "in", &d->in);
	state_check(s, !(d->in & ~KEY), "in");
	state_u8(s, "out", &d->out);
	state_u8(s, "edges", &d->edges);
	if (!s->loading)
		return;
	if (s->err)
		gpio_reset(dev);
	if (d->in & KEY)
		release_later(d);
	else
		loop_timer_cancel(dev->env.loop, &d->release);
	update_irq(d);
}

static void describe_key(struct fdt *fdt, uint32_t phandle)
{
	dt_node(fdt, "gpio-keys");
	dt_str(fdt, "compatible", "gpio-keys");
	dt_node(fdt, "key-power");
	dt_str(fdt, "label", "Power");
	dt_u32(fdt, "linux,code", KEY_POWER);
	dt_cells(fdt, "gpios", phandle, GPIO_KEY_LINE, 0);
	dt_end(fdt);
	dt_end(fdt);
}

static void gpio_describe(struct device *dev, struct fdt *fdt)
{
	uint32_t phandle = dt_phandle(fdt);

	dt_node(fdt, "gpio@%llx", (unsigned long long)dev->env.base);
	dt_strs(fdt, "compatible", "arm,pl061", "arm,primecell");
	dt_reg(fdt, dev->env.base, GPIO_SIZE);
	dt_interrupt(fdt, &dev->env.irq);
	dt_u32(fdt, "clocks", FDT_PHANDLE_CLOCK);
	dt_str(fdt, "clock-names", "apb_pclk");
	dt_empty(fdt, "gpio-controller");
	dt_u32(fdt, "#gpio-cells", 2);
	dt_empty(fdt, "interrupt-controller");
	dt_u32(fdt, "#interrupt-cells", 2);
	/* Not in the binding, but dtc 1.6 warns of an interrupt provider without it. */
	dt_u32(fdt, "#address-cells", 0);
	dt_u32(fdt, "phandle", phandle);
	dt_end(fdt);
	describe_key(fdt, phandle);
}

static void gpio_destroy(struct device *dev)
{
	struct gpio *d = container_of(dev, struct gpio, dev);

	loop_timer_cancel(dev->env.loop, &d->release);
	device_fini(dev);
	free(d);
}

static const struct device_ops gpio_ops = {
	.reset = gpio_reset,
	.state = gpio_state,
	.describe = gpio_describe,
	.destroy = gpio_destroy,
};

int gpio_create(const struct device_env *env, struct device **out, struct fail *fail)
{
	struct gpio *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory for the power key");
	device_init(&d->dev, &gpio_ops, "gpio", env);
	d->release = (struct loop_timer){ .dev = &d->dev, .fn = key_release };
	err = bus_add(env->bus, &(struct region){ .base = env->base,
						  .size = GPIO_SIZE,
						  .widths = WIDTH_1 | WIDTH_2 | WIDTH_4,
						  .dev = &d->dev,
						  .read = gpio_read,
						  .write = gpio_write });
	if (err) {
		gpio_destroy(&d->dev);
		return fail_set(fail, EXIT_HOST, err, "no place for the power key: %s",
				strerror(-err));
	}
	gpio_reset(&d->dev);
	*out = &d->dev;
	return 0;
}
