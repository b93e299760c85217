// SPDX-License-Identifier: GPL-2.0-only
/*
 * PSCI 0.1: three functions, by the ids that the device tree carries (KVM's own), and nothing that
 * came with 0.2. There is no SYSTEM_OFF: the guest cannot end by itself. Needs 2 CPUs; mode= as in
 * lib/psci.h. The kernel's PSCI lacks CPU_SUSPEND.
 */
#include "tests/guest/lib/psci.h"

#define ID_CPU_SUSPEND 0x95c1ba5eUL
#define ID_CPU_OFF     0x95c1ba5fUL
#define ID_CPU_ON      0x95c1ba60UL
#define ID_MIGRATE     0x95c1ba61UL

enum { ROUNDS = 20, WAIT_MS = 10000 };

static volatile unsigned int starts;

static long call(u64 id, u64 a, u64 b, u64 c)
{
	return (int)psci(id, a, b, c);
}

/* x0 is undefined in 0.1: the entry point has to bring the CPU's index itself. */
void entry_1(void);
__asm__(".text\n"
	".globl entry_1\n"
	"entry_1:\n"
	"	mov	x0, #1\n"
	"	b	secondary_entry\n");

void cpu_main(unsigned int cpu)
{
	(void)cpu;
	starts++;
	call(ID_CPU_OFF, 0, 0, 0);
}

/* Until the last round's CPU_OFF has come through. */
static bool switch_on(void)
{
	u64 end = ticks() + ticks_of_ms(WAIT_MS);
	long r;

	do
		r = call(ID_CPU_ON, machine.mpidr[1], (u64)entry_1, 0);
	while (r == PSCI_INVALID && ticks() < end);
	return r == 0;
}

static void check_on_off(void)
{
	unsigned int good = 0;

	for (unsigned int i = 1; i <= ROUNDS; i++)
		good += switch_on() && wait_for(starts == i, WAIT_MS);
	check(good == ROUNDS, "on and off", "%u of %u", good, ROUNDS);
}

static void check_standby(void)
{
	u64 at = ticks() + ticks_of_ms(20);
	long r;

	gic_init(0);
	gic_enable(0, INTID_VTIMER, false);
	sysreg_write(cntv_cval_el0, at);
	sysreg_write(cntv_ctl_el0, 1);
	r = call(ID_CPU_SUSPEND, 0, 0, 0);
	if (psci_in_kernel())
		check(r == NOT_SUPPORTED, "standby", "returned %ld", r);
	else
		check(r == 0 && ticks() >= at, "standby", "returned %ld", r);
	sysreg_write(cntv_ctl_el0, 0);
}

void guest(void)
{
	long r = call(PSCI_VERSION, 0, 0, 0);

	check(r == NOT_SUPPORTED, "no PSCI_VERSION", "returned %ld", r);
	r = call(PSCI_CPU_ON, machine.mpidr[1], (u64)secondary_entry, 1);
	check(r == NOT_SUPPORTED, "no CPU_ON of 0.2", "returned %ld", r);
	r = call(PSCI_SYSTEM_OFF, 0, 0, 0);
	check(r == NOT_SUPPORTED, "no SYSTEM_OFF", "returned %ld", r);
	r = call(ID_MIGRATE, 0, 0, 0);
	check(r == NOT_SUPPORTED, "migrate", "returned %ld", r);
	r = call(ID_CPU_ON, 0xff00fe0f0fUL, (u64)entry_1, 0);
	check(r == PSCI_INVALID, "on: no such cpu", "returned %ld", r);
	r = call(ID_CPU_ON, machine.mpidr[0], (u64)entry_1, 0);
	check(r == PSCI_INVALID, "on: self", "returned %ld", r);
	check_on_off();
	check_standby();
}
