// SPDX-License-Identifier: GPL-2.0-only
/* Ends the machine by the call fn= with a= and b=. One that returns is told. */
#include "tests/guest/lib/psci.h"

void guest(void)
{
	print("calls\n");
	print("returned %ld\n",
	      firmware(arg_number("fn", 0), arg_number("a", 0), arg_number("b", 0), 0));
}
