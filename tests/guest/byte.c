// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fills `dirty` pages of RAM and waits for a byte, asleep, or writing to the first `load` of them over
 * and over; then it powers off: a machine to be saved, restored and sent, that has nothing else to do.
 */
#include "tests/guest/lib/lib.h"

enum { UART_FR = UART + 0x18, FR_RXFE = 1 << 4, UART_IMSC = UART + 0x38, RX_OR_TIMEOUT = 0x50 };

static void fill(u64 pages, u64 value)
{
	for (u64 i = 0; i < pages; i++)
		*(volatile u64 *)(RAM + machine.ram_size / 4 + i * 4096) = value + i;
}

void guest(void)
{
	u64 load = arg_number("load", 0);

	uart_open();
	fill(arg_number("dirty", 0), 1);
	gic_init(0);
	gic_enable(0, INTID_UART, false);
	w32(UART_IMSC, RX_OR_TIMEOUT);
	print("ready\n");
	for (u64 round = 2; r32(UART_FR) & FR_RXFE; round++)
		if (load)
			fill(load, round);
		else
			wfi();
}
