// SPDX-License-Identifier: GPL-2.0-only
/* Reads the clock (PL031, DDI0224) for ever: each read is an exit, so whoever counts them sees that it
 * runs. */
#include "tests/guest/lib/lib.h"

enum { RTC_DR = 0x09010000 };

void guest(void)
{
	uart_open();
	print("ready\n");
	for (;;)
		r32(RTC_DR);
}
