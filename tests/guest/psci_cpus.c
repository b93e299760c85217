// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUs switched on and off, rounds= times each: CPU_ON, AFFINITY_INFO through all states, CPU_OFF,
 * and at once CPU_ON again; then all CPUs but the last race to switch that one on.
 */
#include "tests/guest/lib/psci.h"

enum { WAIT_MS = 10000, STATES = 3 };

/* The context id is the index of the stack (lib/start.S), and so it can vary: CPU + CPUs * n. */
static volatile struct {
	u64 context; /* given to the last CPU_ON */
	u64 got; /* as found in x0 */
	unsigned int starts;
	bool leave, bad_state;
	bool race; /* joins the race instead of waiting to leave */
} cpu[CPUS_MAX];

static volatile unsigned int racing, won, lost, odd;
static volatile unsigned int gate;

static long info(unsigned int i)
{
	return firmware(PSCI_AFFINITY_INFO, machine.mpidr[i], 0, 0);
}

static long on(unsigned int i, u64 context)
{
	return firmware(PSCI_CPU_ON, machine.mpidr[i], (u64)secondary_entry, context);
}

static void count_on(unsigned int target)
{
	long r = on(target, target);

	if (r == 0)
		__atomic_add_fetch(&won, 1, __ATOMIC_SEQ_CST);
	else if (r == PSCI_ALREADY_ON || r == ON_PENDING)
		__atomic_add_fetch(&lost, 1, __ATOMIC_SEQ_CST);
	else
		__atomic_add_fetch(&odd, 1, __ATOMIC_SEQ_CST);
}

static void take_part(unsigned int target)
{
	unsigned int closed = gate;

	__atomic_add_fetch(&racing, 1, __ATOMIC_SEQ_CST);
	while (gate == closed)
		;
	count_on(target);
}

void cpu_main(unsigned int context)
{
	unsigned int me = context % machine.cpus;

	cpu[me].got = context;
	/* Reset state: EL1 with SP_EL1, everything masked; the MMU is checked by psci_suspend.c. */
	cpu[me].bad_state = sysreg_read(daif) != 0x3c0 || sysreg_read(currentel) != 4;
	cpu[me].starts++;
	while (!cpu[me].leave)
		if (cpu[me].race) {
			cpu[me].race = false;
			take_part(machine.cpus - 1);
		}
}

/* --- on and off ------------------------------------------------------------------------------- */

static struct {
	unsigned int seen[STATES]; /* answers of AFFINITY_INFO */
	unsigned int again[2]; /* CPU_ON meanwhile: ON_PENDING, ALREADY_ON */
	unsigned int refused, backwards, wrong_context, wrong_state, late;
} tally;

/* Until AFFINITY_INFO says `last`. Before that only `before` is right, and what a state has left
 * does not come back. */
static void follow(unsigned int i, long before, long last)
{
	u64 end = ticks() + ticks_of_ms(WAIT_MS);
	long state;

	do {
		state = info(i);
		if (state >= 0 && state < STATES)
			tally.seen[state]++;
		tally.backwards += state != before && state != last;
	} while (state != last && ticks() < end);
	tally.late += state != last;
}

static void switch_on(unsigned int i, u64 context)
{
	unsigned int starts = cpu[i].starts;
	long r;

	cpu[i].context = context;
	r = on(i, context);
	tally.refused += r != 0;
	r = on(i, context);
	tally.again[0] += r == ON_PENDING;
	tally.again[1] += r == PSCI_ALREADY_ON;
	follow(i, PSCI_STATE_ON_PENDING, PSCI_ON);
	tally.late += !wait_for(cpu[i].starts == starts + 1, WAIT_MS);
	tally.wrong_context += cpu[i].got != context;
	tally.wrong_state += cpu[i].bad_state;
}

static void switch_off(unsigned int i)
{
	cpu[i].leave = true;
	follow(i, PSCI_ON, PSCI_OFF);
	cpu[i].leave = false;
}

static void check_rounds(unsigned int rounds)
{
	unsigned int n = machine.cpus;

	for (unsigned int round = 0; round < rounds; round++) {
		u64 add = round % (CPUS_MAX / n) * n;

		for (unsigned int i = 1; i < n; i++)
			switch_on(i, i + add);
		for (unsigned int i = 1; i < n; i++)
			switch_off(i);
	}
	print("cpus: on %u off %u on_pending %u\n", tally.seen[PSCI_ON], tally.seen[PSCI_OFF],
	      tally.seen[PSCI_STATE_ON_PENDING]);
	print("cpus: on again: pending %u already on %u\n", tally.again[0], tally.again[1]);
	check(!tally.refused && !tally.late, "on and off", "%u refused, %u late", tally.refused,
	      tally.late);
	check(!tally.backwards, "affinity info", "%u answers out of order", tally.backwards);
	check(tally.again[0] + tally.again[1] == rounds * (n - 1), "on again",
	      "%u of %u answers are right", tally.again[0] + tally.again[1], rounds * (n - 1));
	check(!tally.wrong_context, "context id", "%u wrong", tally.wrong_context);
	check(!tally.wrong_state, "state at the entry", "%u wrong", tally.wrong_state);
	check(psci_in_kernel() || tally.seen[PSCI_STATE_ON_PENDING], "on pending", "never seen");
}

/* --- the race --------------------------------------------------------------------------------- */

static void check_race(unsigned int rounds)
{
	unsigned int last = machine.cpus - 1, bad = 0, late = 0;

	for (unsigned int i = 1; i < last; i++)
		switch_on(i, i);
	for (unsigned int round = 0; round < rounds; round++) {
		unsigned int starts = cpu[last].starts;

		racing = won = lost = 0;
		for (unsigned int i = 1; i < last; i++)
			cpu[i].race = true;
		late += !wait_for(racing == last - 1, WAIT_MS);
		gate++;
		count_on(last);
		late += !wait_for(won + lost + odd == last, WAIT_MS);
		bad += won != 1 || lost != last - 1;
		late += !wait_for(cpu[last].starts == starts + 1, WAIT_MS);
		switch_off(last);
	}
	check(!bad && !odd && !late, "race", "%u rounds without one winner, %u late", bad, late);
	for (unsigned int i = 1; i < last; i++)
		switch_off(i);
}

void guest(void)
{
	unsigned int rounds = arg_number("rounds", 1000);

	check_rounds(rounds);
	check_race(rounds / 10);
}
