// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/dt.h"

#include "arch/arm64/cpu.h"
#include "arch/arm64/layout.h"
#include "vmm/core/fdt.h"

enum { GIC_PPI = 1, IRQ_TYPE_LEVEL_HIGH = 4 };

/* Interrupt cell 2: a GICv2 wants the mask of CPUs in bits 15:8 beside the trigger. */
static uint32_t ppi_flags(unsigned int cpus, bool gicv2)
{
	uint32_t mask = gicv2 ? ((1u << cpus) - 1) & 0xff : 0;

	return mask << 8 | IRQ_TYPE_LEVEL_HIGH;
}

static void describe_cpus(struct fdt *fdt, unsigned int cpus)
{
	dt_node(fdt, "cpus");
	dt_u32(fdt, "#address-cells", 1);
	dt_u32(fdt, "#size-cells", 0);
	for (unsigned int i = 0; i < cpus; i++) {
		uint32_t mpidr = (uint32_t)cpu_mpidr(i);

		dt_node(fdt, "cpu@%x", mpidr);
		dt_str(fdt, "device_type", "cpu");
		dt_str(fdt, "compatible", "arm,armv8");
		if (cpus > 1)
			dt_str(fdt, "enable-method", "psci");
		dt_u32(fdt, "reg", mpidr);
		dt_end(fdt);
	}
	dt_end(fdt);
}

void dt_arm64(struct fdt *fdt, unsigned int cpus, bool gicv2, bool pmu)
{
	uint32_t flags = ppi_flags(cpus, gicv2);

	describe_cpus(fdt, cpus);
	dt_node(fdt, "timer");
	dt_str(fdt, "compatible", "arm,armv8-timer");
	dt_cells(fdt, "interrupts", GIC_PPI, LAYOUT_PPI_SEC_TIMER - 16, flags, GIC_PPI,
		 LAYOUT_PPI_PHYS_TIMER - 16, flags, GIC_PPI, LAYOUT_PPI_VIRT_TIMER - 16, flags,
		 GIC_PPI, LAYOUT_PPI_HYP_TIMER - 16, flags);
	dt_empty(fdt, "always-on");
	dt_end(fdt);
	if (!pmu)
		return;
	dt_node(fdt, "pmu");
	dt_str(fdt, "compatible", "arm,armv8-pmuv3");
	dt_cells(fdt, "interrupts", GIC_PPI, LAYOUT_PPI_PMU - 16, flags);
	dt_end(fdt);
}
