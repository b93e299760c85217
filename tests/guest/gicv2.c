// SPDX-License-Identifier: GPL-2.0-only
/*
 * A GICv2 (IHI 0048B), in the kernel or in vmm: what registers hold, and each kind of interrupt on the
 * right CPU. Lines `gic:` are the same for every such controller; what may differ is not printed.
 */
#include "tests/guest/lib/lib.h"

enum { CTLR = GICD, TYPER = GICD + 4, IGROUPR = GICD + 0x80, ISENABLER = GICD + 0x100 };
enum { ICENABLER = GICD + 0x180, ISPENDR = GICD + 0x200, ICPENDR = GICD + 0x280 };
enum { ISACTIVER = GICD + 0x300, ICACTIVER = GICD + 0x380, IPRIORITYR = GICD + 0x400 };
enum { ITARGETSR = GICD + 0x800, ICFGR = GICD + 0xc00, SGIR = GICD + 0xf00 };
enum { CPENDSGIR = GICD + 0xf10, SPENDSGIR = GICD + 0xf20 };
enum { C_CTLR = GICC, PMR = GICC + 4, BPR = GICC + 8, IAR = GICC + 0xc, EOIR = GICC + 0x10 };
enum { RPR = GICC + 0x14, HPPIR = GICC + 0x18, ABPR = GICC + 0x1c };
enum { DIR = GICC + 0x1000 };
enum { SPI = 80, OTHER = 81, NONE = 1023, WAIT_MS = 5000 };

/* --- registers, without interrupts ------------------------------------------------------------- */

static void show(const char *name, u64 addr)
{
	print("gic: %s %08x\n", name, r32(addr));
}

static void show_registers(void)
{
	print("gic: typer %x\n", r32(TYPER) & 0xff);
	show("isenabler0", ISENABLER);
	show("isenabler1", ISENABLER + 4);
	show("icfgr0", ICFGR);
	show("icfgr1", ICFGR + 4);
	show("icfgr5", ICFGR + 20);
	show("itargetsr0", ITARGETSR);
	show("itargetsr20", ITARGETSR + SPI);
	w32(IPRIORITYR + SPI, 0xffffffff);
	show("ipriorityr20", IPRIORITYR + SPI);
	mmio_write(IPRIORITYR + SPI + 1, 1, 0x47);
	show("ipriorityr20 by a byte", IPRIORITYR + SPI);
	w32(ITARGETSR + SPI, 0xffffffff);
	show("itargetsr20", ITARGETSR + SPI);
	w32(ITARGETSR, 0);
	show("itargetsr0", ITARGETSR);
	w32(ICFGR + 20, 0xffffffff);
	show("icfgr5", ICFGR + 20);
	w32(ICFGR + 20, 0);
	show("icfgr5", ICFGR + 20);
	w32(ICFGR, 0);
	show("icfgr0", ICFGR);
	w32(ISPENDR, 0xffff);
	show("ispendr0 of SGIs", ISPENDR);
	w32(SPENDSGIR + 4, 0x00000100);
	show("ispendr0", ISPENDR);
	show("cpendsgir1", CPENDSGIR + 4);
	w32(CPENDSGIR + 4, ~0U);
	show("ispendr0", ISPENDR);
	w32(PMR, 0xff);
	show("pmr", PMR);
	w32(BPR, 0);
	show("bpr", BPR);
	w32(BPR, 7);
	show("bpr", BPR);
	w32(BPR, 2);
	w32(ABPR, 7);
	show("abpr", ABPR);
	w32(ABPR, 3);
	w32(C_CTLR, 0x21f);
	show("gicc ctlr", C_CTLR);
	w32(C_CTLR, 0);
}

/* Accesses that a GIC does not have: they read as zero and change nothing. */
static void check_widths(void)
{
	u32 before = r32(IPRIORITYR + SPI);

	mmio_write(IPRIORITYR + SPI, 2, 0);
	mmio_write(ISENABLER + SPI / 8, 1, 0xff);
	check(r32(IPRIORITYR + SPI) == before && !(r32(ISENABLER + 8) & 1 << SPI % 32),
	      "other widths", "%x, was %x; enabled %x", r32(IPRIORITYR + SPI), before,
	      r32(ISENABLER + 8));
}

/* --- polled: IAR tells what comes ---------------------------------------------------------------- */

static void prepare(unsigned int intid, u8 priority, bool edge)
{
	u32 bit = 1U << intid % 32, shift = intid % 16 * 2;
	u64 word = intid / 32 * 4, config = ICFGR + intid / 16 * 4;

	w32(ICENABLER + word, bit);
	w32(config, (r32(config) & ~(2U << shift)) | (edge ? 2U << shift : 0));
	mmio_write(IPRIORITYR + intid, 1, priority);
	mmio_write(ITARGETSR + intid, 1, 1);
	w32(ICPENDR + word, bit);
	w32(ICACTIVER + word, bit);
	w32(ISENABLER + word, bit);
	barrier();
}

static void pend(unsigned int intid)
{
	w32(ISPENDR + intid / 32 * 4, 1U << intid % 32);
	barrier();
}

/* Acknowledges what comes; a read has its effect, so wait_for() is not for it. */
static u32 take(u64 ms)
{
	u64 until = ticks() + ticks_of_ms(ms);
	u32 iar;

	do
		iar = r32(IAR);
	while (iar == NONE && ticks() < until);
	return iar;
}

/* What IAR says next, and what the running priority is then. */
static void show_next(const char *name)
{
	u32 got = take(100);

	print("gic: %s: %u from %u, running %x\n", name, got & 0x3ff, got >> 10 & 7,
	      r32(RPR) & 0xf8);
}

static void show_none(const char *name)
{
	print("gic: %s: %u\n", name, r32(IAR));
}

static void end(unsigned int intid)
{
	w32(EOIR, intid);
	barrier();
}

static void priorities(void)
{
	w32(CTLR, 1);
	w32(C_CTLR, 1);
	prepare(SPI, 0x80, true);
	prepare(OTHER, 0x40, true);
	pend(SPI);
	pend(OTHER);
	show_next("the higher of two");
	show_none("the lower must wait");
	end(OTHER);
	show_next("the lower of two");
	pend(OTHER);
	show_next("the higher preempts");
	end(OTHER);
	end(SPI);
	w32(BPR, 7);
	pend(SPI);
	show_next("in one group");
	pend(OTHER);
	show_none("it does not preempt");
	end(SPI);
	show_next("it comes after");
	end(OTHER);
	w32(BPR, 2);
	w32(PMR, 0x80);
	pend(SPI);
	show_none("masked");
	w32(PMR, 0x88);
	barrier();
	show_next("not masked");
	end(SPI);
	w32(PMR, 0xf8);
	show_none("nothing is left");
}

static void eoi_mode(void)
{
	w32(C_CTLR, 0x201);
	prepare(SPI, 0x80, true);
	pend(SPI);
	show_next("EOImode: taken");
	end(SPI);
	pend(SPI);
	show_none("EOImode: dropped, still active");
	show("isactiver2", ISACTIVER + 8);
	w32(DIR, SPI);
	barrier();
	show_next("EOImode: deactivated");
	end(SPI);
	w32(DIR, SPI);
	show("isactiver2", ISACTIVER + 8);
	w32(C_CTLR, 1);
	show_none("EOImode: nothing is left");
}

/* Group 1, by all enables that there may be for it. The alias registers are missing in the GICv2 that
 * QEMU lends to its guests' guests. */
static void groups(void)
{
	w32(CTLR, 3);
	w32(C_CTLR, 3);
	prepare(SPI, 0x80, true);
	w32(IGROUPR + 8, 1U << SPI % 32);
	pend(SPI);
	wait_for(r32(HPPIR) != NONE, 100);
	show("group 1, hppir", HPPIR);
	show_none("group 1, by IAR");
	w32(C_CTLR, 7);
	show_next("group 1, by IAR with AckCtl");
	end(SPI);
	w32(IGROUPR + 8, 0);
	w32(C_CTLR, 1);
	w32(CTLR, 1);
	show_none("groups: nothing is left");
}

static void sgis_to_self(void)
{
	w32(SGIR, 2U << 24 | 3);
	barrier();
	show_next("SGI to itself");
	end(3);
	w32(SGIR, 1U << 16 | 4);
	w32(SGIR, 1U << 16 | 4);
	barrier();
	show_next("SGI twice");
	end(4);
	show_none("is one");
	w32(SGIR, 3U << 24 | 1U << 16 | 5);
	barrier();
	show_none("SGI of mode 3");
	w32(ICENABLER, 1U << 6);
	w32(SGIR, 2U << 24 | 6);
	barrier();
	show_none("SGI not enabled");
	w32(ISENABLER, 1U << 6);
	barrier();
	show_next("SGI enabled");
	end(6);
}

/* --- lines: a timer's PPI, a device's level ------------------------------------------------------ */

static void ppi(void)
{
	mmio_write(IPRIORITYR + INTID_VTIMER, 1, 0x20);
	w32(ISENABLER, 1U << INTID_VTIMER);
	sysreg_write(cntv_cval_el0, ticks());
	sysreg_write(cntv_ctl_el0, 1);
	print("gic: timer: %u\n", wait_for(r32(HPPIR) == INTID_VTIMER, WAIT_MS));
	show_next("timer, taken");
	end(INTID_VTIMER);
	show_next("timer, not acknowledged at its source");
	sysreg_write(cntv_ctl_el0, 0);
	end(INTID_VTIMER);
	print("gic: timer, gone: %u\n", wait_for(r32(HPPIR) == NONE, WAIT_MS));
	w32(ICENABLER, 1U << INTID_VTIMER);
}

/* The RTC's alarm is a level until it is cleared. */
static void level(void)
{
	enum { DR = RTC, MR = RTC + 4, IMSC = RTC + 0x10, ICR = RTC + 0x1c };

	prepare(INTID_RTC, 0x60, false);
	w32(ICR, 1);
	w32(MR, r32(DR));
	w32(IMSC, 1);
	print("gic: level: %u\n", wait_for(r32(HPPIR) == INTID_RTC, 10000));
	show_next("level, taken");
	end(INTID_RTC);
	show_next("level, still high");
	w32(ICPENDR + 4, 1U << INTID_RTC % 32);
	w32(ICR, 1);
	end(INTID_RTC);
	print("gic: level, gone: %u\n", wait_for(r32(HPPIR) == NONE, WAIT_MS));
	w32(IMSC, 0);
}

/* --- interrupts between CPUs ---------------------------------------------------------------------- */

static volatile u32 seen[8];
static volatile bool up[8], leave;

void cpu_main(unsigned int me)
{
	w32(PMR, 0xf8);
	w32(C_CTLR, 1);
	if (me == 1) {
		show("itargetsr0 of CPU 1", ITARGETSR);
		show("isenabler0 of CPU 1", ISENABLER);
	}
	up[me] = true;
	while (!leave) {
		u32 iar;

		wfi(); /* masked: it ends all the same */
		iar = r32(IAR);
		if ((iar & 0x3ff) >= 1020)
			continue;
		seen[me] = iar;
		w32(EOIR, iar);
		w32(SGIR, 1U << 16 | 9);
	}
}

static void answer(const char *name, unsigned int cpu)
{
	u32 iar = take(WAIT_MS);

	print("gic: %s: %u from %u, answer %u from %u\n", name, seen[cpu] & 0x3ff,
	      seen[cpu] >> 10 & 7, iar & 0x3ff, iar >> 10 & 7);
	w32(EOIR, iar);
	seen[cpu] = 0;
}

static void between_cpus(void)
{
	w32(ISENABLER, 1U << 9);
	for (unsigned int cpu = 1; cpu < machine.cpus; cpu++) {
		cpu_on(cpu);
		wait_for(up[cpu], WAIT_MS);
		w32(SGIR, 1U << 16 << cpu | 7);
		answer("SGI", cpu);
		prepare(SPI, 0x80, true);
		mmio_write(ITARGETSR + SPI, 1, 1 << cpu);
		pend(SPI);
		answer("SPI", cpu);
	}
	leave = true;
	for (unsigned int cpu = 1; cpu < machine.cpus; cpu++) {
		w32(SGIR, 1U << 16 << cpu | 7);
		answer("the last", cpu);
	}
}

void guest(void)
{
	if (!check(machine.gic == 2, "GICv2", "it is version %u", machine.gic))
		return;
	show_registers();
	check_widths();
	w32(CTLR, 1);
	w32(C_CTLR, 1);
	priorities();
	eoi_mode();
	groups();
	sgis_to_self();
	ppi();
	level();
	between_cpus();
	ok("end");
}
