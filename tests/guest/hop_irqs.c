// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts of every kind that are pending when the machine is saved come once after it, and none
 * else: SGIs, a PPI, a level and an edge SPI, LPIs (its=1), and the physical timer (cntp=1), due
 * later. Every other hop is within a handler, whose interrupt is active then. `q` ends it.
 */
#include "tests/guest/lib/its.h"

enum { HOLD = 2, SGI = 3, PPI = 20, PTIMER = 30, SPI = 96, EDGE = 97, EVENTS = 4, TIMER_MS = 20 };
enum {
	ICFGR = 0xc00,
	LEVELS = 128, /* and the 15 after it */
	ISPENDR = 0x200,
	GICR_SGI_FRAME = 0x10000,
	GAP_MS = 5000
};

static u64 itt[EVENTS] __attribute__((aligned(256)));
static volatile unsigned int came[128], lpis[EVENTS], others;
static volatile unsigned int hop;
static volatile int byte;
static bool its, timer;

/* What has to come, once each. */
static const unsigned int kinds[] = { SGI, PPI, SPI, EDGE, PTIMER };
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static bool expected(unsigned int intid)
{
	return intid != PTIMER || timer;
}

static void pend(unsigned int intid)
{
	u64 base = machine.gic == 3 && intid < 32 ? gic_redistributor(0) + GICR_SGI_FRAME : GICD;

	w32(base + ISPENDR + intid / 32 * 4, 1u << intid % 32);
}

static void pend_all(void)
{
	gic_sgi(0, SGI);
	pend(PPI);
	pend(SPI);
	pend(EDGE);
	for (u32 event = 0; its && event < EVENTS; event++)
		its_event(INT, 0, event);
	if (its)
		its_sync();
	if (timer) {
		sysreg_write(cntp_cval_el0, sysreg_read(cntpct_el0) + ticks_of_ms(TIMER_MS));
		sysreg_write(cntp_ctl_el0, 1);
	}
}

/* The machine is saved, and restored, while this waits. */
static void hop_here(void)
{
	pend_all();
	print("hop %u\n", hop);
	byte = getc();
}

static void on_irq(unsigned int intid)
{
	if (intid == PTIMER)
		sysreg_write(cntp_ctl_el0, 0);
	if (intid == HOLD)
		hop_here();
	else if (intid >= LPI && intid < LPI + EVENTS)
		lpis[intid - LPI]++;
	else if (intid < 128)
		came[intid]++;
	else
		others++;
}

static bool all_came(void)
{
	bool all = true;

	for (unsigned int i = 0; i < KINDS; i++)
		all &= came[kinds[i]] == expected(kinds[i]);
	for (unsigned int i = 0; i < EVENTS; i++)
		all &= lpis[i] == its;
	return all;
}

static void judge(void)
{
	wait_for(all_came(), GAP_MS);
	/* And not again. */
	wait_for(false, 1);
	for (unsigned int i = 0; i < KINDS; i++)
		check(came[kinds[i]] == expected(kinds[i]), "once",
		      "interrupt %u came %u times at %u", kinds[i], came[kinds[i]], hop);
	for (unsigned int i = 0; i < EVENTS; i++)
		check(lpis[i] == its, "LPI once", "event %u came %u times at %u", i, lpis[i], hop);
	for (unsigned int i = 0; i < KINDS; i++)
		came[kinds[i]] = 0;
	for (unsigned int i = 0; i < EVENTS; i++)
		lpis[i] = 0;
	for (unsigned int i = 0; i < 128; i++)
		others += came[i];
	check(!others, "no other", "%u at %u", others, hop);
	check(!r32(GICD + ICFGR + LEVELS / 4), "all level", "%x at %u",
	      r32(GICD + ICFGR + LEVELS / 4), hop);
}

static void hop_once(void)
{
	irq_disable();
	if (hop % 2) {
		gic_sgi(0, HOLD);
		irq_enable();
		wait_for(byte, GAP_MS);
	} else {
		hop_here();
		irq_enable();
	}
	judge();
}

static void init(void)
{
	irq_handler = on_irq;
	its = arg_number("its", 0);
	timer = arg_number("cntp", 0);
	gic_init(0);
	for (unsigned int i = 0; i < KINDS; i++)
		gic_enable(0, kinds[i], kinds[i] == EDGE);
	gic_enable(0, HOLD, true);
	w32(GICD + ICFGR + LEVELS / 4, 0);
	if (!its)
		return;
	its_init();
	memset((void *)its_config, 0xa0 | LPI_ENABLED, EVENTS);
	its_mapc(0, 0, true);
	its_mapd(0, 2, (u64)itt, true);
	for (u32 event = 0; event < EVENTS; event++)
		its_mapti(0, event, LPI + event, 0);
	check(its_sync(), "ITS", "does not take its commands");
}

void guest(void)
{
	uart_open();
	init();
	do {
		byte = 0;
		hop++;
		hop_once();
	} while (byte != 'q');
}
