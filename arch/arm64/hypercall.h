/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_HYPERCALL_H
#define ARCH_ARM64_HYPERCALL_H

#include <stdbool.h>

#include "firmware/smccc.h"
#include "vmm/core/fail.h"
#include "vmm/kvm.h"

/*
 * Firmware calls that KVM hands to userspace: HVC and SMC exits to and from firmware/smccc.
 * Documentation/virt/kvm/devices/vm.rst, KVM_ARM_VM_SMCCC_FILTER.
 */

/* Whether this host's KVM can forward calls at all (Linux 6.4 and later). Needs the VM. */
bool hypercall_supported(const struct kvm *kvm);

/* Asks KVM for the calls of every service that `fw` has: a new VM, before its first run. 0 or
 * -errno with a sentence. */
int hypercall_filter(const struct kvm *kvm, const struct smccc *fw, struct fail *fail);

/* After KVM_EXIT_HYPERCALL: reads the arguments, serves the call, writes the results. call->cpu is
 * set by the caller, who then does what call->action says. 0 or -errno of a register access. */
int hypercall_serve(const struct kvm_vcpu *vcpu, const struct smccc *fw, struct smccc_call *call);

#endif
