/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_KVM_STATS_H
#define VMM_KVM_STATS_H

#include "vmm/kvm.h"

/* What the kernel counts of a vCPU, read without disturbing it (KVM_GET_STATS_FD). */
enum { KVM_STATS_MAX = 4 };

struct kvm_stats {
	int fd;
	unsigned int n; /* 0: not open */
	uint64_t at[KVM_STATS_MAX]; /* where each value is */
};

/*
 * Finds the values of these names of the kernel's. The vCPU must not be in KVM_RUN, which would be waited
 * for. 0, or -errno: -ENOENT if it does not count one of them, -ENOTTY or -EINVAL if it counts nothing.
 */
int kvm_stats_open(struct kvm_stats *stats, const struct kvm_vcpu *vcpu, const char *const *names,
		   unsigned int n);
/* All of them, at any time: 0 or -errno. */
int kvm_stats_read(const struct kvm_stats *stats, uint64_t *values);
void kvm_stats_close(struct kvm_stats *stats); /* none is fine */

#endif
