// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts that must not be lost: a word goes round all CPUs by SGIs, each of which waits in WFI for
 * it, while timers end those waits at any moment. n= rounds.
 */
#include "tests/guest/lib/lib.h"

enum { SGI = 1, QUIET_MS = 10000, TICK_US = 3000 };

static volatile u64 words, timers[8], others;
static volatile bool up[8], leave;

static unsigned int me(void)
{
	return sysreg_read(mpidr_el1) & 0xff;
}

static void tick(void)
{
	sysreg_write(cntv_cval_el0, ticks() + ticks_of_ms(1) * TICK_US / 1000);
	sysreg_write(cntv_ctl_el0, 1);
}

static void on_irq(unsigned int intid)
{
	unsigned int cpu = me();

	if (intid == INTID_VTIMER) {
		timers[cpu]++;
		tick();
	} else if (intid == SGI) {
		words++;
		gic_sgi((cpu + 1) % machine.cpus, SGI);
	} else {
		others++;
	}
}

static void begin(unsigned int cpu)
{
	gic_init(cpu);
	gic_enable(cpu, SGI, true);
	gic_enable(cpu, INTID_VTIMER, false);
	tick();
	irq_enable();
	up[cpu] = true;
}

void cpu_main(unsigned int cpu)
{
	begin(cpu);
	while (!leave)
		wfi();
	irq_disable();
}

/* This CPU waits, too: its timer ends each wait, and it looks whether the word still goes round. */
static bool rounds(u64 n)
{
	u64 seen = words, since = ticks();

	while (words < n * machine.cpus) {
		wfi();
		if (words != seen) {
			seen = words;
			since = ticks();
		} else if (ticks() - since > ticks_of_ms(QUIET_MS)) {
			return false;
		}
	}
	return true;
}

void guest(void)
{
	u64 n = arg_number("n", 1000), least = ~0UL;
	bool good;

	irq_handler = on_irq;
	begin(0);
	for (unsigned int cpu = 1; cpu < machine.cpus; cpu++) {
		cpu_on(cpu);
		check(wait_for(up[cpu], QUIET_MS), "up", "cpu %u", cpu);
	}
	gic_sgi(0, SGI);
	good = rounds(n);
	for (unsigned int cpu = 0; cpu < machine.cpus; cpu++)
		least = timers[cpu] < least ? timers[cpu] : least;
	check(good, "rounds", "%lu of %lu words", words, n * machine.cpus);
	check(least && !others, "timers", "at least %lu, %lu other interrupts", least, others);
	print("storm: %lu words, %lu ticks\n", words, least);
}
