/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_REGS_STATE_H
#define ARCH_ARM64_REGS_STATE_H

#include <stdint.h>

#include "arch/arm64/regs_record.h"
#include "vmm/core/findings.h"
#include "vmm/core/state.h"
#include "vmm/kvm.h"

/*
 * A vCPU's registers as state: all that KVM_GET_REG_LIST names, each with its id and in its own
 * size, in one record (regs_record.h). It holds what no vCPU's own is, too, with two exceptions: the counters, which
 * are the machine's (struct clock), and the bits that the hardware derives from them.
 */
/*
 * Saves, or loads into a vCPU that is initialised and has not run; no vCPU runs meanwhile. A register
 * that this host does not take, or not with that value, is added to `refused` with both values, and
 * loading goes on, so that the list is whole.
 * A register that the host does not have counts only if its value is neither zero nor what KVM's
 * reset leaves there: that is what a feature shows that the guest never used.
 */
void regs_state(const struct kvm_vcpu *vcpu, struct state *s, struct findings *refused);

/* The machine's counters, as CNTVCT_EL0 and CNTPCT_EL0 read. */
struct clock {
	uint64_t virt, phys;
	bool has_phys; /* the host can set it (Linux 6.4) */
};

/* Of a VM of which no vCPU runs, by its first one. 0 or -errno. */
int regs_clock_read(const struct kvm_vcpu *vcpu, struct clock *clock);
/* Both counters go on from there, for all vCPUs. */
int regs_clock_write(const struct kvm_vcpu *vcpu, const struct clock *clock);

/* Both counters as they are `ns` later, at `hz` ticks a second. */
void clock_advance(struct clock *clock, uint64_t ns, uint32_t hz);

/* Ticks a second of both counters, as CNTFRQ_EL0 reads on this host. */
uint32_t regs_clock_hz(void);

#endif
