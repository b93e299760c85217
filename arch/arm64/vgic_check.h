/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_VGIC_CHECK_H
#define ARCH_ARM64_VGIC_CHECK_H

#include "arch/arm64/gic_table.h"
#include "vmm/kvm.h"

/* The steps of gic_table.h, done by the host's KVM: a VM a case, whose vCPUs run three
 * instructions at most. */
struct vgic_result {
	const struct gic_case *from;
	const struct gic_step *step;
	const char *skipped; /* why the step was not done; NULL: it was */
	int answer; /* 0 or -errno */
	uint64_t value; /* what was read */
};

/* Calls report() after each step. `kvm` is open, without a VM, or with one that is left alone. 0,
 * or -errno with `fail` when there cannot even be a VM. */
int vgic_check(const struct kvm *kvm, void (*report)(void *arg, const struct vgic_result *result),
	       void *arg, struct fail *fail);

#endif
