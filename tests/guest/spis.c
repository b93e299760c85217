// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every SPI that the distributor says it has comes once for each time it is made pending, as an edge
 * and as a level, and no other with it. Boot argument spis=N: how many there have to be.
 */
#include "tests/guest/lib/lib.h"

enum { GICD_TYPER = GICD + 0x4, GICD_ISPENDR = GICD + 0x200, FIRST = 32, LIMIT = 1020 };

static volatile unsigned int count[LIMIT], others;

static void on_irq(unsigned int intid)
{
	if (intid >= FIRST)
		count[intid]++;
	else
		others++;
}

static void check_all(unsigned int n, bool edge, const char *name)
{
	unsigned int missing = 0, extra = 0, first = 0;

	for (unsigned int intid = FIRST; intid < FIRST + n; intid++) {
		gic_enable(0, intid, edge);
		count[intid] = 0;
	}
	for (unsigned int intid = FIRST; intid < FIRST + n; intid++) {
		w32(GICD_ISPENDR + intid / 32 * 4, 1U << intid % 32);
		if (!wait_for(count[intid], 2000) && !missing++)
			first = intid;
	}
	for (unsigned int intid = FIRST; intid < FIRST + n; intid++)
		extra += count[intid] > 1;
	check(!missing && !extra && !others, name, "%u missing from %u on, %u twice, %u others",
	      missing, first, extra, others);
}

void guest(void)
{
	unsigned int n = (r32(GICD_TYPER) & 31) * 32;

	irq_handler = on_irq;
	gic_init(0);
	irq_enable();
	check(n == arg_number("spis", 0), "number", "GICD_TYPER says %u", n);
	check_all(n, true, "edges");
	check_all(n, false, "levels");
	irq_disable();
}
