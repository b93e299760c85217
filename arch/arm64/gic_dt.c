// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/gic_dt.h"

#include "vmm/core/fdt.h"

static void add_reg(uint32_t *cells, unsigned int *n, uint64_t base, uint64_t size)
{
	cells[(*n)++] = base >> 32;
	cells[(*n)++] = (uint32_t)base;
	cells[(*n)++] = size >> 32;
	cells[(*n)++] = (uint32_t)size;
}

/* Distributor, then CPU interface or redistributor regions (arm,gic.yaml, arm,gic-v3.yaml). */
static void describe_frames(const struct gic_layout *layout, struct fdt *fdt)
{
	const enum gic_frame dist = layout->model == GIC_MODEL_V2 ? GIC_V2_DIST : GIC_V3_DIST;
	uint32_t cells[4 * (2 + GIC_REGIONS_MAX)];
	unsigned int n = 0;

	add_reg(cells, &n, layout->frames[dist], gic_frame_size(dist));
	if (layout->model == GIC_MODEL_V2)
		add_reg(cells, &n, layout->frames[GIC_V2_CPUIF], gic_frame_size(GIC_V2_CPUIF));
	for (unsigned int i = 0; i < layout->nregions; i++)
		add_reg(cells, &n, layout->regions[i].base, gic_region_size(layout, i));
	dt_cells_n(fdt, "reg", cells, n);
	if (layout->nregions > 1)
		dt_u32(fdt, "#redistributor-regions", layout->nregions);
}

static void describe_its(uint64_t base, struct fdt *fdt)
{
	dt_node(fdt, "msi-controller@%llx", (unsigned long long)base);
	dt_str(fdt, "compatible", "arm,gic-v3-its");
	dt_reg(fdt, base, gic_frame_size(GIC_V3_ITS));
	dt_empty(fdt, "msi-controller");
	dt_u32(fdt, "#msi-cells", 1);
	dt_u32(fdt, "phandle", FDT_PHANDLE_MSI);
	dt_end(fdt);
}

void gic_describe(const struct gic_layout *layout, bool its, const struct irqchip_frame *frame,
		  struct fdt *fdt)
{
	bool v2 = layout->model == GIC_MODEL_V2;

	dt_node(fdt, "interrupt-controller@%llx",
		(unsigned long long)layout->frames[v2 ? GIC_V2_DIST : GIC_V3_DIST]);
	dt_str(fdt, "compatible", v2 ? "arm,cortex-a15-gic" : "arm,gic-v3");
	describe_frames(layout, fdt);
	dt_empty(fdt, "interrupt-controller");
	dt_u32(fdt, "#interrupt-cells", 3);
	dt_u32(fdt, "#address-cells", 2);
	dt_u32(fdt, "#size-cells", 2);
	dt_empty(fdt, "ranges");
	dt_u32(fdt, "phandle", FDT_PHANDLE_GIC);
	if (its && layout->frames[GIC_V3_ITS] != GIC_UNSET)
		describe_its(layout->frames[GIC_V3_ITS], fdt);
	if (frame->dev)
		frame->describe(frame->dev, fdt);
	dt_end(fdt);
}
