/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_GIC_TABLE_H
#define ARCH_ARM64_GIC_TABLE_H

#include <stddef.h>

#include "arch/arm64/gic_layout.h"

/*
 * What KVM's vGIC answers while it is set up, step by step: each address, region, register and
 * first run, good and bad, with the errno or the value that follows. One table for two subjects:
 * the host's KVM (vgic_check.h) and our own prediction of it (gic_layout.h).
 */
enum gic_op {
	GIC_OP_END,
	GIC_OP_PROBE, /* KVM_CREATE_DEVICE_TEST; arg: enum gic_device */
	GIC_OP_CREATE, /* KVM_CREATE_DEVICE */
	GIC_OP_VCPU, /* makes the vCPU with id arg */
	GIC_OP_HAS, /* is there the address attribute of `frame`? GIC_FRAMES: attribute -1 */
	GIC_OP_PLACE, /* `frame` at address arg */
	GIC_OP_REGION, /* GIC_REGION(count, base, flags, index) */
	GIC_OP_REGION_GET, /* arg: index; gives GIC_REGION() */
	GIC_OP_NULL, /* a region whose value is at address NULL */
	GIC_OP_IRQS, /* arg: interrupts, SGIs and PPIs included */
	GIC_OP_INIT,
	GIC_OP_TYPER, /* arg: vCPU id; gives the low word of its GICR_TYPER */
	GIC_OP_RUN, /* arg: vCPU id; its first run, which ends by itself */
};

enum gic_device { GIC_DEVICE_NONE, GIC_DEVICE_THIS, GIC_DEVICE_OTHER, GIC_DEVICE_ITS };

#define GIC_REGION(count, base, flags, index) \
	((uint64_t)(count) << 52 | (base) | (uint64_t)(flags) << 12 | (index))

struct gic_step {
	enum gic_op op;
	enum gic_frame frame;
	bool top; /* the address is arg bytes below the end of the guest's addresses */
	uint64_t arg;
	int expect; /* 0 or -errno */
	int also; /* the answer of other kernels, or 0 */
	uint64_t value; /* what is read */
};

/* A machine of its own: its parts follow one another. GIC_OP_END ends a part, NULL the parts. */
struct gic_case {
	const char *name;
	enum gic_model model;
	const struct gic_step *parts[6];
};

/* Ends with a case without a name. */
extern const struct gic_case gic_table[];

/* The step's argument where addresses have `ipa_bits`. */
uint64_t gic_step_arg(const struct gic_step *step, unsigned int ipa_bits);

/* "GICR region 1: 2 at 0x200000, flags 0x2", for a person. */
void gic_step_text(const struct gic_step *step, char *buf, size_t size);

/* Whether the answer, and for 0 the value, is what the table expects. */
bool gic_step_holds(const struct gic_step *step, int answer, uint64_t value);

/*
 * The step done by our own rules: 0 or -errno as `*answer`, what is read in `*value`. False where
 * the step is not about the layout, and KVM alone can answer.
 */
bool gic_step_predict(struct gic_layout *layout, const struct gic_step *step, int *answer,
		      uint64_t *value);

#endif
