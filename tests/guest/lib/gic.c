// SPDX-License-Identifier: GPL-2.0-only
/* Just enough of GICv2 (IHI0048) and GICv3 (IHI0069) to take interrupts. */
#include "tests/guest/lib/lib.h"

enum {
	CTLR = 0x000,
	IGROUPR = 0x080,
	ISENABLER = 0x100,
	ITARGETSR = 0x800,
	ICFGR = 0xc00,
	SGIR = 0xf00, /* v2 */
	IROUTER = 0x6000, /* v3 */
	GICR_TYPER = 0x008,
	GICR_WAKER = 0x014,
	GICR_STRIDE = 0x20000,
	GICR_SGI = 0x10000,
	GICC_CTLR = GICC + 0x0,
	GICC_PMR = GICC + 0x4,
	GICC_IAR = GICC + 0xc,
	GICC_EOIR = GICC + 0x10,
};

#define ICC_PMR	    s3_0_c4_c6_0
#define ICC_SGI1R   s3_0_c12_c11_5
#define ICC_IAR1    s3_0_c12_c12_0
#define ICC_EOIR1   s3_0_c12_c12_1
#define ICC_SRE	    s3_0_c12_c12_5
#define ICC_IGRPEN1 s3_0_c12_c12_7

#define AFFINITY 0xff00ffffffUL

u64 gic_redistributor(unsigned int cpu)
{
	u64 aff = machine.mpidr[cpu] & AFFINITY;

	aff = (aff >> 32) << 24 | (aff & 0xffffff);
	for (u64 base = GICR;; base += GICR_STRIDE) {
		u64 typer = mmio_read(base + GICR_TYPER, 8);

		if (typer >> 32 == aff)
			return base;
		if (typer & 1 << 4) /* Last */
			break;
	}
	print("FAIL gic: no redistributor for cpu %u\n", cpu);
	power_off();
}

static void init_v3(unsigned int cpu)
{
	u64 rd = gic_redistributor(cpu);

	if (cpu == 0)
		w32(GICD + CTLR, 1 << 4 | 1 << 1); /* ARE, group 1 */
	w32(rd + GICR_WAKER, 0);
	while (r32(rd + GICR_WAKER) & 1 << 2)
		;
	w32(rd + GICR_SGI + IGROUPR, ~0U);
	sysreg_write(ICC_SRE, sysreg_read(ICC_SRE) | 1);
	sysreg_write(ICC_PMR, 0xff);
	sysreg_write(ICC_IGRPEN1, 1);
}

void gic_init(unsigned int cpu)
{
	if (machine.gic == 3) {
		init_v3(cpu);
		return;
	}
	if (cpu == 0)
		w32(GICD + CTLR, 1);
	w32(GICC_PMR, 0xff);
	w32(GICC_CTLR, 1);
}

void gic_enable(unsigned int cpu, unsigned int intid, bool edge)
{
	u64 base = GICD;
	u32 config;

	if (machine.gic == 3 && intid < 32)
		base = gic_redistributor(cpu) + GICR_SGI;
	config = r32(base + ICFGR + intid / 16 * 4) & ~(2U << intid % 16 * 2);
	if (intid >= 32)
		w32(base + ICFGR + intid / 16 * 4, config | (edge ? 2U << intid % 16 * 2 : 0));
	if (machine.gic == 3) {
		if (intid >= 32) {
			w32(base + IGROUPR + intid / 32 * 4, ~0U);
			mmio_write(base + IROUTER + intid * 8, 8, machine.mpidr[cpu] & AFFINITY);
		}
	} else if (intid >= 32) {
		mmio_write(base + ITARGETSR + intid, 1, 1 << cpu);
	}
	w32(base + ISENABLER + intid / 32 * 4, 1U << intid % 32);
	barrier();
}

void gic_sgi(unsigned int to_cpu, unsigned int intid)
{
	u64 aff = machine.mpidr[to_cpu];

	barrier();
	if (machine.gic == 3)
		sysreg_write(ICC_SGI1R, (aff >> 32 & 0xff) << 48 | (aff >> 16 & 0xff) << 32 |
						(u64)intid << 24 | (aff >> 8 & 0xff) << 16 |
						1UL << (aff & 15));
	else
		w32(GICD + SGIR, 1U << 16 << to_cpu | intid);
}

void gic_dispatch(void)
{
	u32 iar = machine.gic == 3 ? sysreg_read(ICC_IAR1) : r32(GICC_IAR);
	unsigned int intid = machine.gic == 3 ? iar & 0xffffff : iar & 0x3ff;

	if (intid >= 1020 && intid < 1024)
		return;
	if (irq_handler)
		irq_handler(intid);
	if (machine.gic == 3)
		sysreg_write(ICC_EOIR1, iar);
	else
		w32(GICC_EOIR, iar);
}
