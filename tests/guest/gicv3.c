// SPDX-License-Identifier: GPL-2.0-only
/*
 * A GICv3 (IHI 0069, 4.8): each kind of interrupt but LPIs, priorities and preemption, and the two
 * steps of EOImode. With interrupts masked in the CPU: ICC_IAR1_EL1 tells what comes.
 */
#include "tests/guest/lib/lib.h"

enum { ISPENDR = GICD + 0x200, ICPENDR = GICD + 0x280, IPRIORITYR = GICD + 0x400 };
enum { ISACTIVER = GICD + 0x300, RD_IPRIORITYR = 0x10400 };
enum { SPI = 80, OTHER = 81, SGI = 5, NONE = 1023 };

#define ICC_PMR	   s3_0_c4_c6_0
#define ICC_DIR	   s3_0_c12_c11_1
#define ICC_RPR	   s3_0_c12_c11_3
#define ICC_IAR1   s3_0_c12_c12_0
#define ICC_EOIR1  s3_0_c12_c12_1
#define ICC_HPPIR1 s3_0_c12_c12_2
#define ICC_BPR1   s3_0_c12_c12_3
#define ICC_CTLR   s3_0_c12_c12_4
#define EOIMODE	   2

static void pend(unsigned int intid)
{
	w32(ISPENDR + intid / 32 * 4, 1U << intid % 32);
	barrier();
}

static void prepare(unsigned int intid, u8 priority, bool edge)
{
	gic_enable(0, intid, edge);
	mmio_write(IPRIORITYR + intid, 1, priority);
	w32(ICPENDR + intid / 32 * 4, 1U << intid % 32);
	barrier();
}

/* Acknowledges what comes within a while; a read has its effect. */
static u32 take(u64 ms)
{
	u64 until = ticks() + ticks_of_ms(ms);
	u32 iar;

	do
		iar = sysreg_read(ICC_IAR1) & 0xffffff;
	while (iar == NONE && ticks() < until);
	return iar;
}

static void end(unsigned int intid)
{
	sysreg_write(ICC_EOIR1, intid);
}

static void comes(const char *name, unsigned int intid, unsigned int running)
{
	u32 got = take(2000), rpr = sysreg_read(ICC_RPR) & 0xf8;

	check(got == intid && rpr == running, name, "%u, running at %x", got, rpr);
}

static void nothing(const char *name)
{
	u32 got = take(20);

	check(got == NONE, name, "%u comes", got);
}

static void priorities(void)
{
	prepare(SPI, 0x80, true);
	prepare(OTHER, 0x40, true);
	pend(SPI);
	pend(OTHER);
	check((sysreg_read(ICC_HPPIR1) & 0xffffff) == OTHER, "the highest pending", "HPPIR says %x",
	      (u32)sysreg_read(ICC_HPPIR1));
	comes("the higher of two", OTHER, 0x40);
	nothing("the lower must wait");
	end(OTHER);
	comes("the lower of two", SPI, 0x80);
	pend(OTHER);
	comes("the higher preempts", OTHER, 0x40);
	end(OTHER);
	end(SPI);
}

static void groups_of_priorities(void)
{
	u64 bpr = sysreg_read(ICC_BPR1);

	/* Bit 7 alone: both are the same to it. */
	sysreg_write(ICC_BPR1, 7);
	prepare(SPI, 0x60, true);
	pend(SPI);
	comes("in one group", SPI, 0);
	pend(OTHER);
	nothing("it does not preempt");
	end(SPI);
	comes("it comes after", OTHER, 0);
	end(OTHER);
	sysreg_write(ICC_BPR1, bpr);
	prepare(SPI, 0x80, true);
}

static void masked(void)
{
	sysreg_write(ICC_PMR, 0x80);
	pend(SPI);
	nothing("masked");
	sysreg_write(ICC_PMR, 0x88);
	comes("not masked", SPI, 0x80);
	end(SPI);
	sysreg_write(ICC_PMR, 0xff);
}

static void eoi_mode(void)
{
	u64 ctlr = sysreg_read(ICC_CTLR);
	u32 bit = 1U << SPI % 32;

	sysreg_write(ICC_CTLR, ctlr | EOIMODE);
	pend(SPI);
	comes("EOImode: taken", SPI, 0x80);
	end(SPI);
	pend(SPI);
	nothing("EOImode: dropped, still active");
	check(r32(ISACTIVER + SPI / 32 * 4) & bit, "EOImode: says so", "GICD_ISACTIVER does not");
	sysreg_write(ICC_DIR, SPI);
	comes("EOImode: deactivated", SPI, 0x80);
	end(SPI);
	sysreg_write(ICC_DIR, SPI);
	check(!(r32(ISACTIVER + SPI / 32 * 4) & bit), "EOImode: no longer active",
	      "GICD_ISACTIVER says that it is");
	sysreg_write(ICC_CTLR, ctlr);
}

static void private_ones(void)
{
	u64 rd = gic_redistributor(0);

	gic_enable(0, SGI, true);
	mmio_write(rd + RD_IPRIORITYR + SGI, 1, 0x60);
	gic_sgi(0, SGI);
	comes("SGI", SGI, 0x60);
	end(SGI);
	gic_enable(0, INTID_VTIMER, false);
	mmio_write(rd + RD_IPRIORITYR + INTID_VTIMER, 1, 0x70);
	sysreg_write(cntv_cval_el0, ticks() + ticks_of_ms(1));
	sysreg_write(cntv_ctl_el0, 1);
	comes("PPI, a level", INTID_VTIMER, 0x70);
	end(INTID_VTIMER);
	comes("PPI, again while it is high", INTID_VTIMER, 0x70);
	sysreg_write(cntv_ctl_el0, 0);
	end(INTID_VTIMER);
	nothing("PPI, low");
}

void guest(void)
{
	gic_init(0);
	priorities();
	groups_of_priorities();
	masked();
	eoi_mode();
	prepare(SPI, 0x80, false);
	pend(SPI);
	comes("SPI, a level", SPI, 0x80);
	end(SPI);
	nothing("SPI, a level that is gone");
	private_ones();
}
