// SPDX-License-Identifier: GPL-2.0-only
/* For benchmarks: n= accesses to the serial port that exit to userspace, and nothing else.
 * op=read (default) reads a register, op=write writes one, op=char prints as a polling console
 * does. */
#include "tests/guest/lib/lib.h"

enum { UART_DR = UART, UART_FR = UART + 0x18, UART_ILPR = UART + 0x20, FR_TXFF = 0x20 };

static void polled_char(u64 i)
{
	while (r32(UART_FR) & FR_TXFF)
		;
	w32(UART_DR, i % 64 ? 'x' : '\n');
}

void guest(void)
{
	u64 n = arg_number("n", 1000);
	bool write = arg_is("op", "write"), print = arg_is("op", "char");

	while (n--) {
		if (print)
			polled_char(n);
		else if (write)
			w32(UART_ILPR, 0);
		else
			r32(UART_FR);
	}
	power_off();
}
