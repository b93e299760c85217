// SPDX-License-Identifier: GPL-2.0-only
/* Prints on the build machine, which need not be able to run vmm, what vmm prints of itself: the manual
 * page, or with a shell's name its completion script. */
#include "vmm/commands.h"

int main(int argc, char **argv)
{
	return argc > 1 ? cmd_completion(argc - 1, argv + 1) : cmd_man(0, NULL);
}
