/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_VCPU_IRQ_H
#define VMM_VCPU_IRQ_H

#include <stdbool.h>

struct vcpu;

/*
 * The wires between a vCPU and an interrupt controller in userspace: its inputs IRQ and FIQ
 * (KVM_ARM_IRQ_CPU_IRQ, _FIQ), and the lines of its timers and its PMU.
 *
 * KVM keeps the inputs in the vCPU's HCR_EL2, and changes other bits of that word without a lock each
 * time the vCPU is scheduled: what another thread sets then is lost, and the interrupt with it. So
 * only the vCPU's own thread tells KVM, outside of KVM_RUN; others say what is wanted and kick it.
 */

/* Any thread, one at a time: the controller's lock. Does nothing to a vCPU that has no thread yet but
 * what it will see. */
void vcpu_irq_drive(struct vcpu *vcpu, unsigned int input, bool level);

/* Its own thread, before each KVM_RUN. */
void vcpu_irq_enter(struct vcpu *vcpu);

/* Its own thread, after each KVM_RUN with its result, which is returned: 0 instead of -EINTR where
 * KVM came back only to tell that a line has changed. Drives the lines, so it comes before the exit
 * is handled, which may be the end of that interrupt. */
int vcpu_irq_exit(struct vcpu *vcpu, int err);

/* KVM_ARM_VCPU_INIT has lowered its inputs. */
void vcpu_irq_reset(struct vcpu *vcpu);

#endif
