/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_VGIC_H
#define ARCH_ARM64_VGIC_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/fail.h"
#include "vmm/core/irqchip.h"
#include "vmm/kvm.h"

/* The in-kernel interrupt controller: GICv2 or GICv3, whichever the host has. */
struct vgic;

enum vgic_version { VGIC_AUTO, VGIC_V2, VGIC_V3 };

/* Where redistributors of CPUs beyond LAYOUT_GICR_CPUS go: from `high_base`, above RAM. */
struct vgic_config {
	enum vgic_version version;
	unsigned int cpus;
	uint64_t high_base;
};

/*
 * Resolves VGIC_AUTO and checks that this host can make the controller with that many CPUs, before
 * anything is created; needs the VM. EXIT_CONFIG with a sentence that names the alternatives.
 */
int vgic_plan(const struct kvm *kvm, struct vgic_config *cfg, struct fail *fail);

/* Address just above all of the controller's frames beyond RAM; high_base if there are none. */
uint64_t vgic_high_end(const struct vgic_config *cfg);

/* The object that devices connect to. No kernel resource yet. 0 or -ENOMEM. */
int vgic_create(const struct vgic_config *cfg, struct irqchip **out);

/*
 * Creates the controller in `kvm`, for a new VM: vgic_attach() before the vCPUs exist, then
 * vgic_start() after all of them do, which also hands every connected edge line's eventfd to the
 * kernel. vgic_detach() ends it, before the VM is closed. `kvm` is borrowed in between.
 */
int vgic_attach(struct irqchip *chip, const struct kvm *kvm, struct fail *fail);
int vgic_start(struct irqchip *chip, struct fail *fail);
void vgic_detach(struct irqchip *chip);

/* Whether the kernel's controller answers at `addr`. */
bool vgic_owns(struct irqchip *chip, uint64_t addr);

/* "gicv2" or "gicv3". */
const char *vgic_name(enum vgic_version version);

#endif
