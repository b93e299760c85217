// SPDX-License-Identifier: GPL-2.0-only
#include "devices/pl011.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/pl011_priv.h"
#include "devices/primecell.h"
#include "vmm/core/bus.h"
#include "vmm/core/fdt.h"
#include "vmm/core/regpage.h"
#include "vmm/core/state.h"

enum { FR_CTS = 0x01, FR_DSR = 0x02, FR_DCD = 0x04, FR_BUSY = 0x08 };
enum { FR_RXFE = 0x10, FR_TXFF = 0x20, FR_RXFF = 0x40, FR_TXFE = 0x80 };
enum { LCR_H_FEN = 0x10, CR_UARTEN = 0x001, CR_RXE = 0x200 };
enum { PERIPHID = 0x00141011 };

static const struct reg_info {
	const char *name;
	uint16_t off, mask, reset;
} regs[NREGS] = {
	[ILPR] = { "ilpr", 0x20, 0xff, 0 },   [IBRD] = { "ibrd", 0x24, 0xffff, 0 },
	[FBRD] = { "fbrd", 0x28, 0x3f, 0 },   [LCR_H] = { "lcr_h", 0x2c, 0xff, 0 },
	[CR] = { "cr", 0x30, 0xff87, 0x300 }, [IFLS] = { "ifls", 0x34, 0x3f, 0x12 },
	[IMSC] = { "imsc", 0x38, 0x7ff, 0 },  [DMACR] = { "dmacr", 0x48, 0x7, 0 },
};

static void fifo_drop(struct fifo *f, uint32_t n)
{
	f->len -= n;
	if (f->len)
		memmove(f->data, f->data + n, f->len);
}

/* With LCR_H.FEN clear the FIFOs are one byte deep. Bytes that are in at that time stay. */
static uint32_t depth(const struct pl011 *d)
{
	return d->reg[LCR_H] & LCR_H_FEN ? FIFO_DEPTH : 1;
}

/* UARTIFLS: eighths 1, 2, 4, 6, 7 of the depth; the reserved encodings mean the last. */
static uint32_t level(const struct pl011 *d, unsigned int shift)
{
	static const uint8_t bytes[8] = { 2, 4, 8, 12, 14, 14, 14, 14 };

	return bytes[d->reg[IFLS] >> shift & 7];
}

static uint32_t tx_level(const struct pl011 *d)
{
	return depth(d) == 1 ? 0 : level(d, 0);
}

static uint32_t rx_level(const struct pl011 *d)
{
	return depth(d) == 1 ? 1 : level(d, 3);
}

static uint32_t flags(const struct pl011 *d)
{
	uint32_t fr = FR_CTS | FR_DSR | FR_DCD;

	fr |= d->rx.len == 0 ? FR_RXFE : d->rx.len >= depth(d) ? FR_RXFF : 0;
	fr |= d->tx.len == 0 ? FR_TXFE : FR_BUSY;
	return fr | (d->tx.len >= depth(d) ? FR_TXFF : 0);
}

/*
 * The transmit interrupt is an event that UARTICR clears. The receive interrupts are conditions:
 * the time-out is over as soon as there is a byte, and would be again right after UARTICR, so that
 * a driver that clears late never loses one.
 */
static uint32_t raw_ints(const struct pl011 *d)
{
	return (d->tx_int ? INT_TX : 0) | (d->rx.len ? INT_RT : 0) |
	       (d->rx.len >= rx_level(d) ? INT_RX : 0);
}

static void put(struct pl011 *d, uint64_t off, uint32_t val)
{
	regpage_put(d->dev.env.page, d->dev.env.base + off, val);
}

/* What follows from the rest: the page, and the interrupt line. */
static void settle(struct pl011 *d)
{
	put(d, UARTFR, flags(d));
	put(d, UARTRIS, raw_ints(d));
	put(d, UARTMIS, raw_ints(d) & d->reg[IMSC]);
	irq_set(&d->dev.env.irq, raw_ints(d) & d->reg[IMSC]);
}

/* --- output ----------------------------------------------------------------------------------- */

static void tx_drain(struct pl011 *d)
{
	fifo_drop(&d->tx, d->chr ? chardev_write(d->chr, d->tx.data, d->tx.len) : d->tx.len);
	d->tx_int = d->tx.len <= tx_level(d);
}

/* UARTCR does not matter: early consoles write without setting it, and expect to be seen. */
void pl011_send(struct pl011 *d, const uint8_t *data, size_t len)
{
	size_t sent = 0;

	if (!d->tx.len)
		sent = d->chr ? chardev_write(d->chr, data, len) : len;
	/* Against FR.TXFF: lost, as in hardware. */
	while (sent < len && d->tx.len < depth(d))
		d->tx.data[d->tx.len++] = data[sent++];
	tx_drain(d);
	settle(d);
}

static void pl011_room(struct chardev_user *user)
{
	struct pl011 *d = container_of(user, struct pl011, user);

	if (!d->tx.len)
		return;
	tx_drain(d);
	settle(d);
}

/* --- input ------------------------------------------------------------------------------------ */

static size_t pl011_input(struct chardev_user *user, const uint8_t *data, size_t len)
{
	struct pl011 *d = container_of(user, struct pl011, user);
	const uint32_t on = CR_UARTEN | CR_RXE;
	uint32_t room = depth(d) > d->rx.len ? depth(d) - d->rx.len : 0;

	if ((d->reg[CR] & on) != on)
		return 0;
	if (len > room)
		len = room;
	if (!len)
		return 0;
	burst_input(d);
	memcpy(d->rx.data + d->rx.len, data, len);
	d->rx.len += (uint32_t)len;
	settle(d);
	return len;
}

static void rx_resume(struct pl011 *d)
{
	if (d->chr)
		chardev_resume(d->chr);
}

static uint8_t rx_get(struct pl011 *d)
{
	uint8_t byte = d->rx.data[0];

	if (!d->rx.len)
		return 0;
	fifo_drop(&d->rx, 1);
	if (!d->rx.len)
		rx_resume(d);
	settle(d);
	return byte;
}

/* --- registers --------------------------------------------------------------------------------- */

static enum pl011_reg find_reg(uint64_t off)
{
	enum pl011_reg r = 0;

	while (r < NREGS && regs[r].off != off)
		r++;
	return r;
}

/* All but UARTDR has no side effect, and is read as the page is: any bytes of it. */
static uint64_t pl011_read(struct device *dev, uint64_t off, unsigned int size)
{
	struct pl011 *d = container_of(dev, struct pl011, dev);

	burst_drain(d);
	if (off == UARTDR && size <= 4)
		return rx_get(d);
	return regpage_get(dev->env.page, dev->env.base + off, size);
}

/* Any width up to 32 bits, at multiples of four. */
static void pl011_write(struct device *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct pl011 *d = container_of(dev, struct pl011, dev);
	enum pl011_reg r = find_reg(off);
	uint8_t byte = (uint8_t)val;

	burst_drain(d);
	if (size > 4)
		return;
	if (off == UARTDR)
		pl011_send(d, &byte, 1);
	else if (off == UARTICR)
		d->tx_int = d->tx_int && !(val & INT_TX);
	else if (r < NREGS)
		put(d, off, d->reg[r] = val & regs[r].mask);
	if (r == CR || r == LCR_H)
		rx_resume(d);
	settle(d);
	if (off == UARTDR || r == IMSC)
		burst_check(d);
}

/* --- life ------------------------------------------------------------------------------------- */

static void put_all(struct pl011 *d)
{
	for (enum pl011_reg r = 0; r < NREGS; r++)
		put(d, regs[r].off, d->reg[r]);
	settle(d);
}

/* Bytes that wait for the console were sent before the reset and still go out. */
static void pl011_reset(struct device *dev)
{
	struct pl011 *d = container_of(dev, struct pl011, dev);

	burst_end(d);
	for (enum pl011_reg r = 0; r < NREGS; r++)
		d->reg[r] = regs[r].reset;
	d->rx.len = 0;
	d->tx_int = false;
	put_all(d);
}

static void pl011_state(struct device *dev, struct state *s)
{
	struct pl011 *d = container_of(dev, struct pl011, dev);

	if (s->loading)
		burst_end(d);
	else
		burst_drain(d);
	for (enum pl011_reg r = 0; r < NREGS; r++) {
		state_u32(s, regs[r].name, &d->reg[r]);
		state_check(s, !(d->reg[r] & ~regs[r].mask), regs[r].name);
	}
	state_blob(s, "rx", d->rx.data, &d->rx.len, FIFO_DEPTH);
	state_blob(s, "tx", d->tx.data, &d->tx.len, FIFO_DEPTH);
	state_bool(s, "tx_int", &d->tx_int);
	if (!s->loading)
		return;
	if (s->err)
		pl011_reset(dev);
	if (d->tx.len)
		tx_drain(d);
	rx_resume(d);
	put_all(d);
}

static void pl011_describe(struct device *dev, struct fdt *fdt)
{
	dt_node(fdt, "serial@%llx", (unsigned long long)dev->env.base);
	dt_strs(fdt, "compatible", "arm,pl011", "arm,primecell");
	dt_reg(fdt, dev->env.base, PL011_SIZE);
	dt_interrupt(fdt, &dev->env.irq);
	dt_cells(fdt, "clocks", FDT_PHANDLE_CLOCK, FDT_PHANDLE_CLOCK);
	dt_strs(fdt, "clock-names", "uartclk", "apb_pclk");
	dt_end(fdt);
}

static void pl011_destroy(struct device *dev)
{
	struct pl011 *d = container_of(dev, struct pl011, dev);

	burst_end(d);
	if (d->chr)
		chardev_connect(d->chr, NULL);
	device_fini(dev);
	free(d);
}

static const struct device_ops pl011_ops = {
	.reset = pl011_reset,
	.state = pl011_state,
	.describe = pl011_describe,
	.destroy = pl011_destroy,
};

int pl011_create(const struct device_env *env, struct chardev *chr, struct device **out,
		 struct fail *fail)
{
	struct pl011 *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory for the serial port");
	device_init(&d->dev, &pl011_ops, "pl011", env);
	burst_init(d);
	err = bus_add(env->bus, &(struct region){ .base = env->base,
						  .size = PL011_SIZE,
						  .widths = WIDTH_ALL | WIDTH_UNALIGNED,
						  .dev = &d->dev,
						  .read = pl011_read,
						  .write = pl011_write });
	if (err) {
		pl011_destroy(&d->dev);
		return fail_set(fail, EXIT_HOST, err, "no place for the serial port: %s",
				strerror(-err));
	}
	for (uint64_t off = PRIMECELL_ID; off < PL011_SIZE; off += 4)
		put(d, off, (uint32_t)primecell_id(PERIPHID, off));
	pl011_reset(&d->dev);
	d->user = (struct chardev_user){ &d->dev, pl011_input, pl011_room, NULL };
	d->chr = chr;
	if (chr)
		chardev_connect(chr, &d->user);
	*out = &d->dev;
	return 0;
}
