/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_GIC_DT_H
#define ARCH_ARM64_GIC_DT_H

#include "arch/arm64/gic_layout.h"
#include "vmm/core/irqchip.h"

/* Adds the controller's node (arm,gic.yaml, arm,gic-v3.yaml), phandle FDT_PHANDLE_GIC; in it that of
 * its ITS if it has one and `its` says so, and that of the frame, if there is one. */
void gic_describe(const struct gic_layout *layout, bool its, const struct irqchip_frame *frame,
		  struct fdt *fdt);

#endif
