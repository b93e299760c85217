/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_VCPU_MMIO_H
#define VMM_VCPU_MMIO_H

struct vcpu;

/*
 * A vCPU's accesses to devices. Both return 0, -EINTR when the access was completed already and
 * the thread is to look at what the VM requests, -ECANCELED when --unmapped ends the machine (a
 * line was said), or -errno from KVM. On the vCPU's own thread.
 */
int vcpu_mmio(struct vcpu *vcpu); /* KVM_EXIT_MMIO */
int vcpu_nisv(struct vcpu *vcpu); /* KVM_EXIT_ARM_NISV */

#endif
