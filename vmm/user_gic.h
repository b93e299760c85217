/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_USER_GIC_H
#define VMM_USER_GIC_H

#include "arch/arm64/gic_plan.h"
#include "vmm/core/fail.h"

struct vm;

/*
 * The GICv2 of devices/gicv2.h as the VM's interrupt controller, for a host whose KVM has none: its
 * wires to the vCPUs are those of vmm/vcpu_irq.h. Sets vm->chip and vm->gic, its frames on vm->bus. 0, or an errno of gic_plan() or gicv2_create().
 */
int user_gic_create(struct vm *vm, const struct gic_want *want, struct fail *fail);

#endif
