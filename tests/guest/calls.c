// SPDX-License-Identifier: GPL-2.0-only
/* For benchmarks: n= PSCI calls (DEN0022). op=version (default) is PSCI_VERSION. op=on is CPU_ON, by
 * a chain in which each CPU switches on the next one and itself off; the last one prints the
 * nanoseconds since the first call. */
#include "tests/guest/lib/lib.h"

static u64 n, begin;

void cpu_main(unsigned int cpu)
{
	if (cpu == n)
		print("calls: %lu ns\n", (ticks() - begin) * 1000 / ticks_of_ms(1) * 1000);
	if (cpu == n || cpu_on(cpu + 1))
		power_off();
}

static void start_chain(void)
{
	if (n >= machine.cpus) {
		print("FAIL calls: n=%lu needs more CPUs\n", n);
		return;
	}
	begin = ticks();
	if (cpu_on(1) == 0)
		psci(PSCI_CPU_OFF, 0, 0, 0);
}

void guest(void)
{
	n = arg_number("n", 1000);
	if (arg_is("op", "on"))
		start_chain();
	else
		for (u64 i = 0; i < n; i++)
			psci(PSCI_VERSION, 0, 0, 0);
	power_off();
}
