// SPDX-License-Identifier: GPL-2.0-only
/* For benchmarks: n= accesses to the serial port that exit to userspace, and nothing else.
 * op=read (default) reads a register, op=write writes one, op=char prints as a polling console
 * does, op=ipi sends itself an SGI and takes it. */
#include "tests/guest/lib/lib.h"

enum { UART_DR = UART, UART_FR = UART + 0x18, UART_ILPR = UART + 0x20, FR_TXFF = 0x20 };

static void polled_char(u64 i)
{
	while (r32(UART_FR) & FR_TXFF)
		;
	w32(UART_DR, i % 64 ? 'x' : '\n');
}

static volatile u64 taken;

static void on_irq(unsigned int intid)
{
	(void)intid;
	taken++;
}

static void self_ipi(void)
{
	u64 before = taken;

	gic_sgi(0, 1);
	while (taken == before)
		;
}

void guest(void)
{
	u64 n = arg_number("n", 1000);
	bool write = arg_is("op", "write"), print = arg_is("op", "char"), ipi = arg_is("op", "ipi");

	if (ipi) {
		irq_handler = on_irq;
		gic_init(0);
		gic_enable(0, 1, true);
		irq_enable();
	}
	while (n--) {
		if (ipi)
			self_ipi();
		else if (print)
			polled_char(n);
		else if (write)
			w32(UART_ILPR, 0);
		else
			r32(UART_FR);
	}
	power_off();
}
