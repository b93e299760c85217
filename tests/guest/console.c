// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PL011 (DDI0183) both ways: identification, a line polled, then bulk input and output by
 * interrupts. Input: one line for the polled part, then lines that come back as "echo: LINE",
 * up to the line "quit".
 */
#include "tests/guest/lib/lib.h"

enum {
	DR = UART,
	FR = UART + 0x18,
	IFLS = UART + 0x34,
	IMSC = UART + 0x38,
	RIS = UART + 0x3c,
	MIS = UART + 0x40,
	ICR = UART + 0x44,
	ID = UART + 0xfe0,
	FR_RXFE = 1 << 4,
	FR_TXFF = 1 << 5,
	FR_TXFE = 1 << 7,
	INT_RX = 1 << 4,
	INT_TX = 1 << 5,
	INT_RT = 1 << 6,
	QUEUE = 1 << 16,
};

static volatile unsigned int rx_irqs, tx_irqs, other_irqs;
static volatile struct {
	u8 data[QUEUE];
	u32 in, out;
} rx, tx;

static void on_uart(void)
{
	u32 mis = r32(MIS);

	rx_irqs += (mis & (INT_RX | INT_RT)) != 0;
	tx_irqs += (mis & INT_TX) != 0;
	w32(ICR, mis);
	while (!(r32(FR) & FR_RXFE) && rx.in - rx.out < QUEUE) {
		rx.data[rx.in % QUEUE] = r32(DR);
		rx.in++;
	}
	while (tx.in != tx.out && !(r32(FR) & FR_TXFF)) {
		w32(DR, tx.data[tx.out % QUEUE]);
		tx.out++;
	}
	if (tx.in == tx.out)
		w32(IMSC, r32(IMSC) & ~INT_TX);
}

static void on_irq(unsigned int intid)
{
	if (intid == INTID_UART)
		on_uart();
	else
		other_irqs++;
}

/* Queues a byte; the interrupt handler sends it. */
static void send(u8 c)
{
	while (tx.in - tx.out == QUEUE)
		wfi();
	irq_disable();
	tx.data[tx.in % QUEUE] = c;
	tx.in++;
	w32(IMSC, r32(IMSC) | INT_TX);
	/* The transmit interrupt is the FIFO falling through its mark: start it off by hand. */
	on_uart();
	irq_enable();
}

static u8 receive(void)
{
	u8 c;

	irq_disable();
	while (rx.in == rx.out) {
		wfi(); /* also ends for a masked interrupt */
		irq_enable();
		irq_disable();
	}
	c = rx.data[rx.out % QUEUE];
	rx.out++;
	irq_enable();
	return c;
}

static void check_id(void)
{
	static const u8 want[8] = { 0x11, 0x10, 0, 0, 0x0d, 0xf0, 0x05, 0xb1 };
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < 8; i++)
		if (i != 2) /* the revision */
			wrong += r32(ID + i * 4) != want[i];
	check(!wrong && (r32(ID + 8) & 15) == 4, "uart id", "%u bytes differ", wrong);
	check(r32(FR) & FR_TXFE, "uart flags", "FR %x", r32(FR));
}

static void polled_line(void)
{
	char line[256];

	getline(line, sizeof(line));
	print("polled: %s\n", line);
}

/* Collects a line and sends it back; false at "quit". */
static bool echo_line(void)
{
	static char line[QUEUE];
	const char *prefix = "echo: ";
	u32 n = 0;

	for (u8 c; (c = receive()) != '\n';)
		if (n < QUEUE - 1)
			line[n++] = c;
	line[n] = 0;
	if (n == 4 && !memcmp(line, "quit", 4))
		return false;
	while (*prefix)
		send(*prefix++);
	for (u32 i = 0; i < n; i++)
		send(line[i]);
	send('\n');
	return true;
}

static void by_interrupt(void)
{
	irq_handler = on_irq;
	gic_init(0);
	gic_enable(0, INTID_UART, false);
	w32(IFLS, 2 << 3 | 2);
	w32(ICR, 0x7ff);
	w32(IMSC, INT_RX | INT_RT);
	on_uart(); /* what came before has had its interrupt cleared */
	irq_enable();
	while (echo_line())
		;
	while (tx.in != tx.out)
		;
	irq_disable();
	w32(IMSC, 0);
}

void guest(void)
{
	check_id();
	uart_open();
	print("ready\n");
	polled_line();
	by_interrupt();
	check(rx_irqs > 0, "receive interrupts", "none");
	print("console: %u receive, %u transmit interrupts\n", rx_irqs, tx_irqs);
	check(!other_irqs, "no other interrupt", "%u", other_irqs);
	w32(IMSC, INT_TX);
	w32(ICR, INT_TX);
	check(!(r32(MIS) & INT_TX), "transmit interrupt clears", "MIS %x, RIS %x", r32(MIS),
	      r32(RIS));
}
