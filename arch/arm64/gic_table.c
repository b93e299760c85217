// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/gic_table.h"

#include <errno.h>

/* The steps, one macro an operation; the last argument is the answer. */
#define PROBE(device, err)                                             \
	{                                                              \
		GIC_OP_PROBE, 0, false, GIC_DEVICE_##device, err, 0, 0 \
	}
#define CREATE(device, err)                                             \
	{                                                               \
		GIC_OP_CREATE, 0, false, GIC_DEVICE_##device, err, 0, 0 \
	}
#define VCPU(id, err)                                \
	{                                            \
		GIC_OP_VCPU, 0, false, id, err, 0, 0 \
	}
#define HAS(frame, err)                                \
	{                                              \
		GIC_OP_HAS, frame, false, 0, err, 0, 0 \
	}
#define PLACE(frame, addr, err)                             \
	{                                                   \
		GIC_OP_PLACE, frame, false, addr, err, 0, 0 \
	}
#define PLACE_TOP(frame, dist, err)                        \
	{                                                  \
		GIC_OP_PLACE, frame, true, dist, err, 0, 0 \
	}
#define REGION(count, base, flags, index, err)                                            \
	{                                                                                 \
		GIC_OP_REGION, 0, false, GIC_REGION(count, base, flags, index), err, 0, 0 \
	}
#define REGION_TOP(count, dist, flags, index, err)                                       \
	{                                                                                \
		GIC_OP_REGION, 0, true, GIC_REGION(count, dist, flags, index), err, 0, 0 \
	}
#define REGION_GET(index, err, value)                             \
	{                                                         \
		GIC_OP_REGION_GET, 0, false, index, err, 0, value \
	}
#define NULL_REGION(err)                            \
	{                                           \
		GIC_OP_NULL, 0, false, 0, err, 0, 0 \
	}
#define IRQS(n, err)                                \
	{                                           \
		GIC_OP_IRQS, 0, false, n, err, 0, 0 \
	}
#define INIT                                      \
	{                                         \
		GIC_OP_INIT, 0, false, 0, 0, 0, 0 \
	}
#define TYPER(id, value)                                \
	{                                               \
		GIC_OP_TYPER, 0, false, id, 0, 0, value \
	}
#define NO_TYPER(id, err)                             \
	{                                             \
		GIC_OP_TYPER, 0, false, id, err, 0, 0 \
	}
#define RUN(id, err)                                \
	{                                           \
		GIC_OP_RUN, 0, false, id, err, 0, 0 \
	}
#define END                                      \
	{                                        \
		GIC_OP_END, 0, false, 0, 0, 0, 0 \
	}

#define STEPS static const struct gic_step

STEPS one_vcpu[] = { VCPU(0, 0), END };
STEPS four_vcpus[] = { VCPU(0, 0), VCPU(1, 0), VCPU(2, 0), VCPU(3, 0), END };
STEPS three_more[] = { VCPU(1, 0), VCPU(2, 0), VCPU(3, 0), END };
STEPS six_vcpus[] = { VCPU(0, 0), VCPU(3, 0), VCPU(5, 0), VCPU(4, 0), VCPU(1, 0), VCPU(2, 0), END };
STEPS create[] = { CREATE(THIS, 0), END };

/* Both versions where a host has them: the second is refused, by one errno or the other. */
STEPS device[] = {
	PROBE(NONE, -ENODEV),
	PROBE(THIS, 0),
	CREATE(THIS, 0),
	CREATE(THIS, -EEXIST),
	PROBE(THIS, 0),
	{ GIC_OP_CREATE, 0, false, GIC_DEVICE_OTHER, -EINVAL, -EEXIST, 0 },
	END,
};

/* --- GICv3 ------------------------------------------------------------------------------------ */

/* Ends with a distributor over the redistributors, which shows when a vCPU first runs. */
STEPS v3_dist_redist[] = {
	HAS(GIC_V3_DIST, 0),
	HAS(GIC_V3_REDIST, 0),
	HAS(GIC_FRAMES, -ENXIO),
	PLACE(GIC_V3_DIST, 0x1000, -EINVAL),
	PLACE(GIC_V3_REDIST, 0x1000, -EINVAL),
	PLACE_TOP(GIC_V3_DIST, 0, -E2BIG),
	PLACE_TOP(GIC_V3_REDIST, 0, -E2BIG),
	PLACE_TOP(GIC_V3_REDIST, 0x10000, -E2BIG),
	PLACE(GIC_V3_REDIST, 0, 0),
	PLACE(GIC_V3_REDIST, 0xe0000, -EEXIST),
	REGION(4, 0x100000, 0, 0, -EINVAL),
	PLACE(GIC_V3_DIST, 0x60000, 0),
	PLACE(GIC_V3_DIST, 0x200000, -EEXIST),
	END,
};

STEPS v3_overlap_at_run[] = { RUN(3, -EINVAL), END };

STEPS v3_regions[] = {
	REGION(4, 0x100000, 2, 0, -EINVAL),
	REGION(0, 0x100000, 0, 0, -EINVAL),
	REGION(2, 0x200000, 0, 1, -EINVAL),
	REGION(2, 0x201000, 0, 1, -EINVAL),
	REGION(2, 0x200000, 0, 0, 0),
	REGION(2, 0x200000, 0, 1, -EINVAL),
	REGION(1, 0x210000, 0, 2, -EINVAL),
	REGION(1, 0x240000, 0, 2, -EINVAL),
	REGION(1, 0x240000, 0, 1, 0),
	REGION_TOP(1, 0, 0, 2, -E2BIG),
	REGION_TOP(2, 0x30000, 0, 2, -E2BIG),
	PLACE(GIC_V3_REDIST, 0x260000, -EINVAL),
	REGION_GET(0, 0, GIC_REGION(2, 0x200000, 0, 0)),
	REGION_GET(1, 0, GIC_REGION(1, 0x240000, 0, 1)),
	REGION_GET(2, -ENOENT, 0),
	PLACE(GIC_V3_DIST, 0x260000, 0),
	REGION(1, 0x260000, 0, 2, -EINVAL),
	END,
};

STEPS v3_one_too_few[] = { INIT, RUN(3, -ENXIO), END };
STEPS v3_no_init[] = { REGION(1, 0x280000, 0, 2, 0), RUN(3, -EBUSY), END };
STEPS v3_complete[] = {
	NULL_REGION(-EFAULT), REGION(1, 0x280000, 0, 2, 0), INIT, VCPU(4, -EBUSY), RUN(3, 0), END,
};

STEPS v3_typer[] = {
	VCPU(3, 0),
	NO_TYPER(1, -EINVAL),
	VCPU(1, 0),
	NO_TYPER(1, -EBUSY),
	VCPU(2, 0),
	INIT,
	TYPER(0, 0x000),
	TYPER(1, 0x100),
	TYPER(2, 0x200),
	TYPER(3, 0x300),
	REGION(2, 0x200000, 0, 0, 0),
	TYPER(0, 0x000),
	TYPER(3, 0x310),
	REGION(10, 0x100000, 0, 1, -EINVAL),
	TYPER(1, 0x100),
	TYPER(2, 0x200),
	REGION(10, 0x20000, 0, 1, 0),
	TYPER(1, 0x100),
	TYPER(2, 0x210),
	END,
};

/* The last of a region is not the Last where another region goes on. */
STEPS v3_last_regions[] = {
	INIT,
	REGION(2, 0x100000, 0, 0, 0),
	REGION(2, 0x240000, 0, 1, 0),
	REGION(2, 0x200000, 0, 2, 0),
	TYPER(0, 0x000),
	TYPER(1, 0x100),
	TYPER(2, 0x200),
	TYPER(3, 0x310),
	TYPER(5, 0x500),
	TYPER(4, 0x410),
	END,
};

STEPS v3_last_single[] = {
	INIT,
	PLACE(GIC_V3_REDIST, 0x10000, 0),
	TYPER(0, 0x000),
	TYPER(3, 0x300),
	TYPER(5, 0x500),
	TYPER(4, 0x400),
	TYPER(1, 0x100),
	TYPER(2, 0x210),
	END,
};

/* Room for three redistributors below the end, four vCPUs. */
STEPS v3_top_redist[] = { PLACE(GIC_V3_DIST, 0, 0), PLACE_TOP(GIC_V3_REDIST, 0x60000, 0), END };
STEPS v3_top_run[] = { INIT, RUN(2, -EINVAL), END };

STEPS v3_its[] = {
	CREATE(ITS, 0),
	PLACE(GIC_V3_ITS, 0x401000, -EINVAL),
	PLACE_TOP(GIC_V3_ITS, 0, -E2BIG),
	PLACE_TOP(GIC_V3_ITS, 0x10000, -E2BIG),
	PLACE(GIC_V3_ITS, 0x400000, 0),
	PLACE(GIC_V3_ITS, 0x300000, -EEXIST),
	END,
};

/* --- GICv2 ------------------------------------------------------------------------------------ */

STEPS v2_dist_cpuif[] = {
	HAS(GIC_V2_DIST, 0),
	HAS(GIC_V2_CPUIF, 0),
	HAS(GIC_FRAMES, -ENXIO),
	PLACE(GIC_V2_DIST, 0x100, -EINVAL),
	PLACE(GIC_V2_CPUIF, 0x100, -EINVAL),
	PLACE_TOP(GIC_V2_DIST, 0, -E2BIG),
	PLACE_TOP(GIC_V2_CPUIF, 0, -E2BIG),
	PLACE_TOP(GIC_V2_CPUIF, 0x1000, -E2BIG),
	PLACE(GIC_V2_CPUIF, 0, 0),
	PLACE(GIC_V2_CPUIF, 0xe0000, -EEXIST),
	PLACE(GIC_V2_DIST, 0x1000, 0),
	PLACE(GIC_V2_DIST, 0x200000, -EEXIST),
	END,
};
STEPS v2_overlap_at_run[] = { RUN(3, -EINVAL), END };
STEPS v2_complete[] = { PLACE(GIC_V2_DIST, 0, 0), PLACE(GIC_V2_CPUIF, 0x1000, 0), RUN(3, 0), END };
STEPS v2_half[] = { PLACE(GIC_V2_DIST, 0, 0), RUN(3, -ENXIO), END };
STEPS v2_cpus[] = { VCPU(7, 0), VCPU(8, -EINVAL), END };

/* --- both ------------------------------------------------------------------------------------- */

STEPS irqs[] = {
	IRQS(0, -EINVAL),
	IRQS(32, -EINVAL),
	IRQS(65, -EINVAL),
	IRQS(1024, -EINVAL),
	IRQS(992, 0),
	IRQS(64, -EBUSY),
	END,
};

#define V2 GIC_MODEL_V2
#define V3 GIC_MODEL_V3

const struct gic_case gic_table[] = {
	{ "GICv3 device", V3, { four_vcpus, device } },
	{ "GICv3, vCPUs first", V3, { four_vcpus, create, v3_dist_redist, v3_overlap_at_run } },
	{ "GICv3, GIC first",
	  V3,
	  { one_vcpu, create, v3_dist_redist, three_more, v3_overlap_at_run } },
	{ "GICv3 regions, one too few", V3, { four_vcpus, create, v3_regions, v3_one_too_few } },
	{ "GICv3 regions, no INIT", V3, { four_vcpus, create, v3_regions, v3_no_init } },
	{ "GICv3 regions, complete", V3, { four_vcpus, create, v3_regions, v3_complete } },
	{ "GICR_TYPER", V3, { one_vcpu, create, v3_typer } },
	{ "GICR_TYPER.Last, regions", V3, { six_vcpus, create, v3_last_regions } },
	{ "GICR_TYPER.Last, one region", V3, { six_vcpus, create, v3_last_single } },
	{ "GICR at the top", V3, { one_vcpu, create, v3_top_redist, three_more, v3_top_run } },
	{ "ITS", V3, { four_vcpus, create, v3_its } },
	{ "GICv3 interrupts", V3, { one_vcpu, create, irqs } },
	{ "GICv2 device", V2, { four_vcpus, device } },
	{ "GICv2, vCPUs first", V2, { four_vcpus, create, v2_dist_cpuif, v2_overlap_at_run } },
	{ "GICv2, GIC first",
	  V2,
	  { one_vcpu, create, v2_dist_cpuif, three_more, v2_overlap_at_run } },
	{ "GICv2 complete", V2, { four_vcpus, create, v2_complete } },
	{ "GICv2 half", V2, { four_vcpus, create, v2_half } },
	{ "GICv2 CPUs", V2, { one_vcpu, create, v2_cpus } },
	{ "GICv2 interrupts", V2, { one_vcpu, create, irqs } },
	{ 0 },
};
