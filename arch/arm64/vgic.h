/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_VGIC_H
#define ARCH_ARM64_VGIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arm64/gic_plan.h"
#include "vmm/core/fail.h"
#include "vmm/core/irqchip.h"
#include "vmm/kvm.h"

/* The in-kernel interrupt controller, in the shape that gic_plan.h gives it: GICv2, or GICv3 with
 * one redistributor region or two, with or without an ITS. */
struct vgic;

/* What a controller needs done for each new VM; of the in-kernel one, the functions below. */
struct gic_half {
	int (*attach)(struct irqchip *chip, const struct kvm *kvm, struct fail *fail);
	int (*start)(struct irqchip *chip, struct fail *fail);
	void (*detach)(struct irqchip *chip);
	bool (*owns)(struct irqchip *chip, uint64_t addr);
};
extern const struct gic_half vgic_half;

/* What this host's KVM can make, by KVM_CREATE_DEVICE_TEST; needs the VM. */
struct gic_host vgic_host(const struct kvm *kvm);

/* The object that devices connect to, its frames placed (errors of gic_plan()). No kernel resource
 * yet. `want->kind` is not GIC_AUTO. */
int vgic_create(const struct gic_want *want, struct irqchip **out, struct fail *fail);

/*
 * Creates the controller in `kvm`, for a new VM: vgic_attach() before the vCPUs exist or after, then
 * vgic_start() when all of them do, which also hands the eventfds of connected lines to the kernel.
 * vgic_detach() ends it, before the VM is closed. `kvm` is borrowed in between.
 */
int vgic_attach(struct irqchip *chip, const struct kvm *kvm, struct fail *fail);
int vgic_start(struct irqchip *chip, struct fail *fail);
void vgic_detach(struct irqchip *chip);

/* Whether the kernel's controller answers at `addr`. */
bool vgic_owns(struct irqchip *chip, uint64_t addr);

/* The descriptor of the controller's KVM device, for its attributes; -1 while detached. */
int vgic_device(struct irqchip *chip);
int vgic_its_device(struct irqchip *chip);

/*
 * With want->user_its the kernel's ITS is hidden (vgic_hidden.h), and the guest's is a device of the
 * machine's: what that one sends on. All 0 or -errno, -ENXIO while detached; the first three with no
 * vCPU in KVM_RUN. Commands are of four words (IHI 0069, 5.3).
 */
int vgic_hidden_restart(struct irqchip *chip);
int vgic_hidden_commands(struct irqchip *chip, const uint64_t (*commands)[4], size_t n,
			 bool enabled);
/* LPIs are below *intids, by the redistributors' GICR_PROPBASER. */
int vgic_hidden_intids(struct irqchip *chip, uint32_t *intids);
int vgic_hidden_message(struct irqchip *chip, uint32_t device, uint32_t event);

/* What KVM calls a frame: an attribute of KVM_DEV_ARM_VGIC_GRP_ADDR. */
uint64_t vgic_frame_attr(enum gic_frame frame);

/* An attribute of KVM_DEV_ARM_VGIC_GRP_REDIST_REGS: a register of vCPU `id`'s redistributor. */
uint64_t vgic_redist_attr(uint32_t id, uint32_t offset);

#endif
