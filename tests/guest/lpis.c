// SPDX-License-Identifier: GPL-2.0-only
/* For benchmarks: lpis= events mapped, then n= of op=int (each until its interrupt has come), op=inv
 * or op=invall (each until the ITS has taken it). Prints the nanoseconds that these took. */
#include "tests/guest/lib/its.h"

/* KVM's ITS looks for devices and for their events one by one: neither are very many. */
enum { BITS = 8, EVENTS = 1 << BITS };

static u64 itt[LPIS] __attribute__((aligned(256)));
static volatile unsigned int count;

static void on_irq(unsigned int intid)
{
	count += intid >= LPI;
}

static void map(u32 lpis)
{
	memset((void *)its_config, 0xa0 | LPI_ENABLED, LPIS);
	its_mapc(0, 0, true);
	for (u32 i = 0; i < lpis; i++) {
		if (i % EVENTS == 0)
			its_mapd(i / EVENTS, BITS, (u64)&itt[i], true);
		its_mapti(i / EVENTS, i % EVENTS, LPI + i, 0);
	}
	if (!its_sync())
		print("FAIL lpis: not mapped\n");
}

static void once(u32 event)
{
	unsigned int before = count;

	if (arg_is("op", "invall"))
		its_invall(0);
	else
		its_event(arg_is("op", "inv") ? INV : INT, event / EVENTS, event % EVENTS);
	its_sync();
	if (arg_is("op", "int") && !wait_for(count != before, 5000))
		print("FAIL lpis: event %u does not come\n", event);
}

void guest(void)
{
	u64 n = arg_number("n", 100);
	u32 lpis = arg_number("lpis", 16);
	u64 begin;

	irq_handler = on_irq;
	gic_init(0);
	its_init();
	irq_enable();
	map(lpis);
	begin = ticks();
	for (u64 i = 0; i < n; i++)
		once(i * 257 % lpis);
	print("lpis: %lu ns\n", (ticks() - begin) * 1000 / ticks_of_ms(1) * 1000);
	power_off();
}
