/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/bus.h"
#include "vmm/core/log.h"
#include "vmm/kvm.h"
#include "vmm/kvm_stats.h"

struct vm;

/* Counted by the vCPU's own thread, read by others for statistics. */
enum vcpu_exit {
	VCPU_EXIT_MMIO_READ,
	VCPU_EXIT_MMIO_WRITE,
	VCPU_EXIT_NISV,
	VCPU_EXIT_HYPERCALL,
	VCPU_EXIT_SYSTEM,
	VCPU_EXIT_SIGNAL,
	VCPU_EXIT_KINDS,
};

/* One vCPU and its thread. */
struct vcpu {
	struct kvm_vcpu kvm;
	struct vm *vm;
	pthread_t thread;
	/* With vm->run_lock. One each, or a CPU_ON would wake every CPU that is off. */
	pthread_cond_t wake;
	bool started;
	bool ended; /* its thread's own: runs no further */
	/* Off, by our own PSCI: its thread waits for CPU_ON, then starts where that says. */
	bool off, start;
	bool suspended; /* in the kernel's SYSTEM_SUSPEND: starts when woken */
	uint64_t entry, context;
	/* Of an interrupt controller in userspace (vcpu_irq.h): what it drives, what of it KVM was told,
	 * and the device_irq_level that it was told. */
	_Atomic unsigned int inputs;
	unsigned int driven;
	uint64_t lines;
	struct bus_user accesses;
	uint64_t exits[VCPU_EXIT_KINDS];
	struct kvm_stats stats; /* opened by who first asks (vm_debug.c) */
	struct log_limit unclaimed;
	bool kernel_extends; /* the kernel was seen to sign-extend what a load reads */
};

/* Starts the thread; it waits until vm_resume(). 0 or -errno. */
int vcpu_start(struct vcpu *vcpu);

/* Makes KVM_RUN return soon, with the last MMIO access completed; the thread then looks at what
 * the VM requests, and at its inputs. Holds vm->run_lock, or has changed the inputs. */
void vcpu_kick(struct vcpu *vcpu);

/* Sets up the signal that kicks; once a process, before any vCPU starts. */
void vcpu_kick_setup(void);

const char *vcpu_exit_name(enum vcpu_exit kind);

#endif
