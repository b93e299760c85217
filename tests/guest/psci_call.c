// SPDX-License-Identifier: GPL-2.0-only
/*
 * One firmware call, n= times, from CPU cpu=: fn= with a=, b= and c=; a=self is the boot CPU's
 * MPIDR. Tells what each returned; one that ends the machine returns nothing.
 */
#include "tests/guest/lib/psci.h"

enum { CALLS_MAX = 16, WAIT_MS = 10000 };

static volatile long results[CALLS_MAX];
static volatile bool called;

static unsigned int ncalls(void)
{
	unsigned int n = arg_number("n", 1);

	return n < CALLS_MAX ? n : CALLS_MAX;
}

void cpu_main(unsigned int cpu)
{
	u64 a = arg_is("a", "self") ? machine.mpidr[0] : arg_number("a", 0);

	(void)cpu;
	for (unsigned int i = 0; i < ncalls(); i++)
		results[i] =
			firmware(arg_number("fn", 0), a, arg_number("b", 0), arg_number("c", 0));
	called = true;
}

void guest(void)
{
	unsigned int cpu = arg_number("cpu", 0);

	print("calls\n");
	if (cpu == 0)
		cpu_main(0);
	else if (cpu_on(cpu) || !wait_for(called, WAIT_MS))
		print("FAIL call: cpu %u does not start\n", cpu);
	for (unsigned int i = 0; i < ncalls(); i++)
		print("returned %ld\n", results[i]);
}
