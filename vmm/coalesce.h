/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_COALESCE_H
#define VMM_COALESCE_H

#include "vmm/core/stores.h"
#include "vmm/kvm.h"

/*
 * KVM's coalesced MMIO as a queue of stores (vmm/core/stores.h): one ring a VM, a page that every
 * vCPU's shared area has. The kernel moves `last`, we move `first`.
 */
struct coalesce {
	struct stores stores;
	const struct kvm *kvm;
	struct kvm_coalesced_mmio_ring *ring; /* the kernel's; NULL while there is no VM */
	uint32_t max; /* entries in the ring, one of which stays free */
	uint32_t next; /* the entry to take next: at or behind `first` */
};

void coalesce_init(struct coalesce *c, const struct kvm *kvm);
/* The VM has its first vCPU, whose shared area stays until coalesce_off(). Without the capability
 * there is no queue. */
void coalesce_on(struct coalesce *c, const struct kvm_vcpu *vcpu);
/* The vCPUs have ended: takes what is left. The caller holds no device's lock. */
void coalesce_off(struct coalesce *c);

#endif
