/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_VGIC_HIDDEN_H
#define ARCH_ARM64_VGIC_HIDDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/kvm.h"

/*
 * The hidden ITS: one of the kernel's that no guest is told of. It only makes LPIs of messages, as
 * commands say that are written from here. Its frame is behind everything else in the guest's
 * addresses, and behind it its queue and tables, in memory that the guest can read and that is none
 * of its RAM (no DMA, no dirty log, not saved). A guest that writes to the frame disturbs its own
 * LPIs.
 *
 * KVM takes commands by its device's attributes while no vCPU is in KVM_RUN, and carries them out
 * before the call returns. What it keeps in its tables is of no use: KVM_DEV_ARM_ITS_SAVE_TABLES
 * cannot write them.
 */
enum { HIDDEN_SLOT = 30 }; /* KVM's memory slot, above those of RAM and pages */

struct hidden_its {
	const struct kvm *kvm;
	int fd; /* its KVM device, borrowed; -1: not started */
	uint64_t base; /* its frame */
	uint8_t *mem; /* owned, or NULL */
	uint64_t at; /* offset of the next command in its queue */
	bool enabled;
};

/* Behind all else, `base` for its frame. 0 or -ENOMEM. */
int hidden_its_init(struct hidden_its *its, uint64_t base);
void hidden_its_fini(struct hidden_its *its);

/* The initialised KVM device `fd` with nothing mapped; no vCPU runs yet. 0 or -errno. Ends with the
 * VM. */
int hidden_its_start(struct hidden_its *its, const struct kvm *kvm, int fd);
void hidden_its_stop(struct hidden_its *its);

/* All with no vCPU in KVM_RUN; 0 or -errno. It forgets everything and is disabled. */
int hidden_its_restart(struct hidden_its *its);
/* Commands of four words each (IHI 0069, 5.3), whether it is enabled or not. */
int hidden_its_run(struct hidden_its *its, const uint64_t (*commands)[4], size_t n);
int hidden_its_enable(struct hidden_its *its, bool enable);

#endif
