// SPDX-License-Identifier: GPL-2.0-only
/* For benchmarks: lpis= events mapped, then n= of op=int (each until its interrupt has come), op=inv
 * or op=invall (each until the ITS has taken it). */
#include "tests/guest/lib/its.h"

enum { DEVICE = 8, BITS = 16 };

static u64 itt[1 << BITS] __attribute__((aligned(256)));
static volatile unsigned int count;

static void on_irq(unsigned int intid)
{
	count += intid >= LPI;
}

static void map(u32 lpis)
{
	memset((void *)its_config, 0xa0 | LPI_ENABLED, LPIS);
	its_mapc(0, 0, true);
	its_mapd(DEVICE, BITS, (u64)itt, true);
	for (u32 i = 0; i < lpis; i++)
		its_mapti(DEVICE, i, LPI + i, 0);
	if (!its_sync())
		print("FAIL lpis: not mapped\n");
}

static void once(u32 event)
{
	unsigned int before = count;

	if (arg_is("op", "invall"))
		its_invall(0);
	else
		its_event(arg_is("op", "inv") ? INV : INT, DEVICE, event);
	its_sync();
	if (arg_is("op", "int") && !wait_for(count != before, 5000))
		print("FAIL lpis: event %u does not come\n", event);
}

void guest(void)
{
	u64 n = arg_number("n", 100);
	u32 lpis = arg_number("lpis", 16);

	irq_handler = on_irq;
	gic_init(0);
	its_init();
	irq_enable();
	map(lpis);
	for (u64 i = 0; i < n; i++)
		once(i % lpis);
	power_off();
}
