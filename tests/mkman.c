// SPDX-License-Identifier: GPL-2.0-only
/* Prints the manual page on the build machine, which need not be able to run vmm. */
#include "vmm/commands.h"

int main(void)
{
	return cmd_man(0, 0);
}
