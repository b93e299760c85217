// SPDX-License-Identifier: GPL-2.0-only
#include "devices/pl011_priv.h"
#include "vmm/core/regpage.h"
#include "vmm/core/stores.h"

/*
 * A character on a polled console is a load of UARTFR and a store to UARTDR: two exits. In a burst
 * it is none, but for one store in a queue's length. The first store to UARTDR exits and asks for
 * the burst, the loop begins it, and some ticks without output end it, so an idle guest wakes
 * nobody. A byte waits for a tick at most.
 *
 * Only while the transmit interrupt is masked, since a queued store raises none; and while the
 * console has room for all that the queue can hold, since UARTFR is not looked at on the way.
 */
enum { TICK_NS = 5000000, IDLE_TICKS = 4, QUIET_TICKS = 20 };
enum { DR_SIZE = 4, BATCH = 256 };

static struct stores *queue(const struct pl011 *d)
{
	return d->dev.env.stores;
}

static bool has_room(struct pl011 *d)
{
	return !d->tx.len && (!d->chr || chardev_space(d->chr) >= queue(d)->room);
}

static bool wanted(struct pl011 *d)
{
	return queue(d) && queue(d)->room && !d->burst.refused && !(d->reg[IMSC] & INT_TX) &&
	       has_room(d);
}

unsigned int burst_take(struct pl011 *d)
{
	struct stores *stores = queue(d);
	uint8_t batch[BATCH];
	unsigned int n = 0;
	size_t len = 0;
	uint64_t val;
	gpa_t addr;

	for (; stores->take(stores, &addr, &val); n++) {
		/* Offsets 1 to 3 are watched too; there is nothing. */
		if (addr == d->dev.env.base + UARTDR)
			batch[len++] = (uint8_t)val;
		if (len == BATCH) {
			pl011_send(d, batch, len);
			len = 0;
		}
	}
	if (len)
		pl011_send(d, batch, len);
	/* Otherwise the next stores exit, and find UARTFR as it is. */
	if (n && has_room(d))
		stores->give_back(stores);
	return n;
}

static void show(struct pl011 *d, bool on)
{
	if (d->burst.visible == on)
		return;
	d->burst.visible = on;
	if (on)
		regpage_show(d->dev.env.page);
	else
		regpage_hide(d->dev.env.page);
}

static void arm_tick(struct pl011 *d)
{
	loop_timer_set(d->dev.env.loop, &d->burst.tick, loop_now_ns() + TICK_NS);
}

static void begin(struct pl011 *d)
{
	struct burst *b = &d->burst;

	if (queue(d)->watch(queue(d), d->dev.env.base + UARTDR, DR_SIZE, true)) {
		b->refused = true;
		return;
	}
	b->on = true;
	b->idle = 0;
	if (!d->rx.len && !b->quiet)
		show(d, true);
	arm_tick(d);
}

/* When the kernel has stopped watching, what is queued is the last. */
static void end(struct pl011 *d)
{
	struct stores *stores = queue(d);

	if (!d->burst.on)
		return;
	loop_timer_cancel(d->dev.env.loop, &d->burst.tick);
	stores->watch(stores, d->dev.env.base + UARTDR, DR_SIZE, false);
	burst_drain(d);
	stores->give_back(stores);
	d->burst.on = false;
}

static void on_turn(struct loop_work *work)
{
	struct pl011 *d = container_of(work, struct pl011, burst.turn);

	if (!wanted(d))
		end(d);
	else if (!d->burst.on)
		begin(d);
}

static void on_tick(struct loop_timer *timer)
{
	struct pl011 *d = container_of(timer, struct pl011, burst.tick);
	struct burst *b = &d->burst;

	b->idle = burst_drain(d) ? 0 : b->idle + 1;
	if (b->quiet)
		b->quiet--;
	if (!wanted(d) || b->idle >= IDLE_TICKS) {
		end(d);
		return;
	}
	if (!d->rx.len && !b->quiet)
		show(d, true);
	arm_tick(d);
}

void burst_check(struct pl011 *d)
{
	if (wanted(d) != d->burst.on)
		loop_post(d->dev.env.loop, &d->burst.turn);
}

void burst_input(struct pl011 *d)
{
	d->burst.quiet = QUIET_TICKS;
	show(d, false);
}

void burst_end(struct pl011 *d)
{
	loop_post_cancel(d->dev.env.loop, &d->burst.turn);
	end(d);
	d->burst.quiet = 0;
	show(d, false);
}

static void drain(struct device *dev)
{
	burst_drain(container_of(dev, struct pl011, dev));
}

void burst_init(struct pl011 *d)
{
	d->burst.turn = (struct loop_work){ .dev = &d->dev, .fn = on_turn };
	d->burst.tick = (struct loop_timer){ .dev = &d->dev, .fn = on_tick };
	/* Shown from the first burst on, not from the start of the machine. */
	regpage_hide(d->dev.env.page);
	if (!queue(d))
		return;
	queue(d)->dev = &d->dev;
	queue(d)->drain = drain;
}
