/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FAKE_KVM_H
#define TESTS_FAKE_KVM_H

#include "vmm/kvm.h"

enum { FAKE_KVM_CALLS = 32 };

/* Stands in for the kernel behind vmm/kvm.h: answers as told and records what it is asked. */
struct fake_kvm {
	struct kvm kvm; /* vm_fd: 0 or more while there is a VM */
	int cap; /* what each capability is */
	int err; /* what each call returns */
	struct fake_slot {
		uint32_t slot, flags;
		uint64_t gpa, size;
		void *host;
	} slots[FAKE_KVM_CALLS];
	unsigned int nslots;
	struct fake_zone {
		uint64_t addr;
		uint32_t size;
		bool on;
	} zones[FAKE_KVM_CALLS];
	unsigned int nzones;
};

#endif
