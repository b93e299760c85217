// SPDX-License-Identifier: GPL-2.0-only
/* For benchmarks: n= PSCI calls (DEN0022), and nothing else. op=version (default) is PSCI_VERSION;
 * op=on has each CPU but the boot CPU switch on the next one and itself off, in a ring. */
#include "tests/guest/lib/lib.h"

static volatile u64 left;

static void start(unsigned int cpu)
{
	/* It may not have come to its CPU_OFF yet: lets it run, should all share one CPU. */
	while (cpu_on(cpu) == PSCI_ALREADY_ON) {
		sysreg_write(cntv_tval_el0, ticks_of_ms(1) / 20);
		sysreg_write(cntv_ctl_el0, 1);
		wfi();
		sysreg_write(cntv_ctl_el0, 0);
	}
}

void cpu_main(unsigned int cpu)
{
	if (!left)
		power_off();
	left--;
	start(cpu + 1 < machine.cpus ? cpu + 1 : 1);
}

void guest(void)
{
	u64 n = arg_number("n", 1000);

	if (arg_is("op", "on") && machine.cpus > 2) {
		left = n;
		start(1);
		psci(PSCI_CPU_OFF, 0, 0, 0);
	}
	while (n--)
		psci(PSCI_VERSION, 0, 0, 0);
	power_off();
}
