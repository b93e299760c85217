// SPDX-License-Identifier: GPL-2.0-only
/* All CPUs of the device tree by PSCI (DEN0022): on, interrupts between them, off, on again. */
#include "tests/guest/lib/lib.h"

enum { SGI_TO_SECONDARY = 3, SGI_TO_BOOT = 5, WAIT_MS = 10000 };

static volatile struct {
	unsigned int starts;
	u64 mpidr;
	bool leave, got_sgi;
} cpu[CPUS_MAX];
static volatile unsigned int answers;

static unsigned int this_cpu(void)
{
	u64 mpidr = sysreg_read(mpidr_el1) & 0xff00ffffff;

	for (unsigned int i = 0; i < machine.cpus; i++)
		if (machine.mpidr[i] == mpidr)
			return i;
	return CPUS_MAX;
}

static void on_irq(unsigned int intid)
{
	unsigned int me = this_cpu();

	if (me == 0) {
		answers += intid == SGI_TO_BOOT;
		return;
	}
	cpu[me].got_sgi = intid == SGI_TO_SECONDARY;
	gic_sgi(0, SGI_TO_BOOT);
}

void cpu_main(unsigned int me)
{
	cpu[me].mpidr = sysreg_read(mpidr_el1) & 0xff00ffffff;
	gic_init(me);
	gic_enable(me, SGI_TO_SECONDARY, true);
	irq_enable();
	cpu[me].starts++;
	while (!cpu[me].leave)
		wfi();
	irq_disable();
}

static long affinity_info(unsigned int i)
{
	return psci(PSCI_AFFINITY_INFO, machine.mpidr[i], 0, 0);
}

static void start_all(unsigned int time)
{
	unsigned int n = machine.cpus, good = 0, bad_id = 0;

	for (unsigned int i = 1; i < n; i++) {
		long r = cpu_on(i);

		if (r)
			print("FAIL cpu_on: cpu %u returned %ld\n", i, r);
	}
	for (unsigned int i = 1; i < n; i++) {
		good += wait_for(cpu[i].starts == time, WAIT_MS);
		bad_id += cpu[i].mpidr != machine.mpidr[i];
	}
	check(good == n - 1, "cpu_on", "%u of %u started", good, n - 1);
	check(!bad_id, "mpidr", "%u differ from the device tree", bad_id);
}

/* One at a time: an SGI that is still pending when the next one comes is one interrupt. */
static void talk_to_all(void)
{
	unsigned int n = machine.cpus;
	unsigned int before = answers, good = 0;

	for (unsigned int i = 1; i < n; i++) {
		cpu[i].got_sgi = false;
		gic_sgi(i, SGI_TO_SECONDARY);
		good += wait_for(answers == before + i, WAIT_MS) && cpu[i].got_sgi;
	}
	check(good == n - 1, "sgi", "%u of %u answered", good, n - 1);
}

static void stop_all(void)
{
	unsigned int n = machine.cpus, off = 0;

	for (unsigned int i = 1; i < n; i++) {
		cpu[i].leave = true;
		gic_sgi(i, SGI_TO_SECONDARY); /* ends its WFI */
		off += wait_for(affinity_info(i) == PSCI_OFF, WAIT_MS);
		cpu[i].leave = false;
	}
	check(off == n - 1, "cpu_off", "%u of %u are off", off, n - 1);
}

static void check_refusals(void)
{
	long r = psci(PSCI_CPU_ON, machine.mpidr[0], (u64)secondary_entry, 0);

	check(r == PSCI_ALREADY_ON, "cpu_on of a running cpu", "returned %ld", r);
	r = psci(PSCI_CPU_ON, 0xff00fe0f0fUL, (u64)secondary_entry, 0);
	check(r == PSCI_INVALID, "cpu_on of no cpu", "returned %ld", r);
	check(affinity_info(0) == PSCI_ON, "affinity_info of the boot cpu", "%ld",
	      affinity_info(0));
	r = psci(0x840000f0, 0, 0, 0);
	check(r == -1, "unknown function", "returned %ld", r);
}

void guest(void)
{
	long version = psci(PSCI_VERSION, 0, 0, 0);

	print("smp: psci %ld.%ld\nsmp: %u cpus\n", version >> 16, version & 0xffff, machine.cpus);
	check(version >= 0x2, "psci version", "%lx", (u64)version);
	irq_handler = on_irq;
	gic_init(0);
	gic_enable(0, SGI_TO_BOOT, true);
	irq_enable();
	check_refusals();
	for (unsigned int time = 1; time <= 2; time++) {
		start_all(time);
		talk_to_all();
		stop_all();
	}
}
