// SPDX-License-Identifier: GPL-2.0-only
/* For benchmarks: n= accesses that exit to userspace, and nothing else. Prints nothing.
 * write=1 writes (the RTC's load register) instead of reading (its counter). */
#include "tests/guest/lib/lib.h"

enum { RTC_DR = RTC, RTC_LR = RTC + 8 };

void guest(void)
{
	u64 n = arg_number("n", 1000);
	bool write = arg_number("write", 0);

	while (n--) {
		if (write)
			w32(RTC_LR, 0);
		else
			r32(RTC_DR);
	}
	power_off();
}
