/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_GIC_LAYOUT_H
#define ARCH_ARM64_GIC_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/fail.h"

/*
 * Where the frames of an in-kernel interrupt controller are, under the rules of KVM's vGIC
 * (Documentation/virt/kvm/devices/arm-vgic.rst, arm-vgic-v3.rst, arm-vgic-its.rst): what it would
 * refuse is refused here with the same errno, before any ioctl, in a sentence that names the frame.
 * Pure data, no KVM.
 */
enum gic_model { GIC_MODEL_V2, GIC_MODEL_V3 };

/* GIC_REDIST is the older way of saying it: one region, as large as there are vCPUs. */
enum gic_frame { GIC_V2_DIST, GIC_V2_CPUIF, GIC_V3_DIST, GIC_V3_REDIST, GIC_V3_ITS, GIC_FRAMES };

enum {
	GIC_CPUS_MAX = 512,
	GIC_V2_CPUS_MAX = 8,
	GIC_REGIONS_MAX = 16, /* ours; KVM has no limit but its 12-bit index */
	GIC_SPIS_MIN = 32,
	GIC_SPIS_MAX = 960, /* KVM takes at most 992 interrupts, in whole words of 32 */
};
#define GIC_REDIST_SIZE 0x20000ULL
#define GIC_UNSET	(~0ULL)

/* GICR_TYPER, low word (IHI0069 12.11.36): Processor_Number is bits 23:8. */
enum { GIC_TYPER_PLPIS = 1, GIC_TYPER_LAST = 1 << 4 };

struct gic_region {
	uint64_t base;
	uint32_t count; /* redistributors; 0: one for each vCPU (GIC_V3_REDIST) */
	uint32_t used;
};

struct gic_cpu {
	uint32_t id;
	int32_t region; /* -1: no redistributor yet */
	uint32_t index; /* in the region */
};

struct gic_layout {
	enum gic_model model;
	unsigned int ipa_bits;
	bool initialised; /* KVM_DEV_ARM_VGIC_CTRL_INIT has been */
	uint64_t frames[GIC_FRAMES]; /* base or GIC_UNSET; GIC_V3_REDIST is a region instead */
	struct gic_region regions[GIC_REGIONS_MAX]; /* the position is the index */
	unsigned int nregions;
	struct gic_cpu cpus[GIC_CPUS_MAX]; /* in the order of their creation */
	unsigned int ncpus;
};

/* Nothing placed, no vCPU; `ipa_bits` is 32 to 52. */
void gic_layout_init(struct gic_layout *layout, enum gic_model model, unsigned int ipa_bits);

/*
 * Places one frame: 0; -ENXIO (not of this model), -EEXIST (already placed), -EINVAL (misaligned,
 * wraps, overlaps), -E2BIG (beyond the guest's addresses). Here and below the layout is unchanged
 * when an errno is returned, and `fail` (EXIT_CONFIG; may be NULL) says what is wrong with what.
 */
int gic_layout_place(struct gic_layout *layout, enum gic_frame frame, uint64_t base,
		     struct fail *fail);

/*
 * Adds a region of `count` redistributors; as KVM does, base bits 15:0 are ignored. -EINVAL also
 * for a count of zero, `flags` that are not, an index that is not the next, and a mix with
 * GIC_V3_REDIST. -ENOSPC beyond GIC_REGIONS_MAX.
 */
int gic_layout_region(struct gic_layout *layout, uint32_t count, uint64_t base, uint32_t flags,
		      uint32_t index, struct fail *fail);

/* The region as KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION encodes it, which is also how it is set.
 * -ENOENT: no such index. */
int gic_layout_region_attr(const struct gic_layout *layout, uint32_t index, uint64_t *attr);

/* A vCPU comes to be and takes the next free redistributor, if there is one. -EINVAL (id too large
 * for the model, or in use; its redistributor would not fit), -EBUSY (after the initialisation). */
int gic_layout_add_cpu(struct gic_layout *layout, uint32_t id, struct fail *fail);

/*
 * What KVM checks when a vCPU first runs: -ENXIO (a frame or a redistributor is missing), -EINVAL
 * (frames overlap; stricter than KVM also for the ITS), -EBUSY (GICv3, not initialised).
 */
int gic_layout_check(const struct gic_layout *layout, struct fail *fail);

/* The low word of GICR_TYPER: -EINVAL (no such vCPU), -EBUSY (not initialised). */
int gic_layout_typer(const struct gic_layout *layout, uint32_t id, uint32_t *typer);

/* Whether a frame or a region answers at `addr`. */
bool gic_layout_owns(const struct gic_layout *layout, uint64_t addr);

/* Bytes of a frame; 0 for GIC_V3_REDIST. Bytes of a region. */
uint64_t gic_frame_size(enum gic_frame frame);
uint64_t gic_region_size(const struct gic_layout *layout, unsigned int index);

#endif
