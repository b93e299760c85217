/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DEVICES_PL011_PRIV_H
#define DEVICES_PL011_PRIV_H

#include "devices/pl011.h"
#include "vmm/core/chardev.h"
#include "vmm/core/loop.h"

/* Private to pl011*.c: the device, and what makes its polled output cheap. */

/* Offsets and bits: ARM DDI 0183, chapter 3. */
enum { UARTDR = 0x00, UARTFR = 0x18, UARTRIS = 0x3c, UARTMIS = 0x40, UARTICR = 0x44 };
enum { INT_RX = 0x10, INT_TX = 0x20, INT_RT = 0x40 };
enum { FIFO_DEPTH = 16 };

/* Registers that only hold what was written. UARTRSR stays zero (no errors), so it is not here. */
enum pl011_reg { ILPR, IBRD, FBRD, LCR_H, CR, IFLS, IMSC, DMACR, NREGS };

struct fifo {
	uint8_t data[FIFO_DEPTH]; /* oldest first */
	uint32_t len;
};

/*
 * A burst of polled output: UARTDR is watched (stores are queued by the kernel) and the page is
 * shown (UARTFR is read without an exit). Derived state: a device that is saved or reset has none.
 */
struct burst {
	bool on; /* watched; the tick is armed */
	bool visible; /* the page is shown, only while nothing has been received; may outlive `on` */
	bool refused; /* the host could not watch, once */
	unsigned int idle; /* ticks without output */
	unsigned int quiet; /* ticks to go without input before the page is shown again */
	struct loop_work turn; /* begins or ends it, as the registers are then */
	struct loop_timer tick;
};

struct pl011 {
	struct device dev;
	struct chardev *chr; /* or NULL */
	struct chardev_user user;
	uint32_t reg[NREGS];
	struct fifo rx, tx; /* tx: what the console had no room for */
	bool tx_int; /* UARTRIS.TXRIS */
	struct burst burst;
};

/* Sends bytes as stores to UARTDR do. */
void pl011_send(struct pl011 *d, const uint8_t *data, size_t len);

/* --- pl011_burst.c; all under the device's lock ------------------------------------------------ */

void burst_init(struct pl011 *d);
/* Sends what is queued: how many stores there were. Only while it is on. */
unsigned int burst_take(struct pl011 *d);
/* The same at any time: before any access is handled, and any save. */
static inline unsigned int burst_drain(struct pl011 *d)
{
	return d->burst.on ? burst_take(d) : 0;
}
/* A store to UARTDR, or to a register that decides, has been handled. Any thread. */
void burst_check(struct pl011 *d);
/* Input comes: from now on loads must exit. Not on a vCPU's thread. */
void burst_input(struct pl011 *d);
/* Ends it for good or until the next store; no vCPU runs. */
void burst_end(struct pl011 *d);

#endif
