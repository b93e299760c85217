// SPDX-License-Identifier: GPL-2.0-only
/* Reads the clock (PL031, DDI0224) for ever: each read is an exit, so whoever counts them sees that it
 * runs. With idle=1 it sleeps instead. */
#include "tests/guest/lib/lib.h"

void guest(void)
{
	uart_open();
	print("ready\n");
	for (;;)
		if (arg_number("idle", 0))
			wfi();
		else
			r32(RTC);
}
