// SPDX-License-Identifier: GPL-2.0-only
/*
 * The redistributors of more CPUs than fit below the UART: 123 in the first region, the others from
 * the end of RAM on. Boot argument cpus=N: how many there have to be; only the first one runs.
 */
#include "tests/guest/lib/lib.h"

enum { TYPER = 0x8, LAST = 1 << 4, PLPIS = 1, FRAME = 0x20000, FIRST_REGION = 123 };

/* As KVM numbers CPUs: Aff0 counts to 16. */
static u64 affinity(unsigned int id)
{
	return (id & 15) | (u64)(id >> 4) << 8;
}

/* How many redistributors follow each other in the right order, from CPU `first` on, to a Last. */
static unsigned int walk(u64 base, unsigned int first, unsigned int limit)
{
	for (unsigned int i = 0; i < limit; i++) {
		u64 typer = mmio_read(base + i * FRAME + TYPER, 8);
		unsigned int id = first + i;

		if (typer >> 32 != affinity(id) || (typer >> 8 & 0xffff) != id)
			return i;
		if (typer & LAST)
			return i + 1;
	}
	return limit + 1;
}

void guest(void)
{
	unsigned int cpus = arg_number("cpus", 1), high = cpus - FIRST_REGION, n;
	bool its = arg_number("its", 0);

	n = walk(GICR, 0, FIRST_REGION);
	check(n == FIRST_REGION, "first region", "%u redistributors", n);
	n = walk(RAM + machine.ram_size, FIRST_REGION, high);
	check(n == high, "second region", "%u redistributors, not %u", n, high);
	check((mmio_read(GICR + TYPER, 8) & PLPIS) == its, "LPIs", "GICR_TYPER %lx",
	      mmio_read(GICR + TYPER, 8));
}
