// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/vcpu.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "arch/arm64/cpu.h"
#include "arch/arm64/hypercall.h"
#include "firmware/psci.h"
#include "vmm/vcpu_irq.h"
#include "vmm/vcpu_mmio.h"
#include "vmm/vm.h"

static int kick_signal(void)
{
	return SIGRTMIN;
}

/* The signal only interrupts the system call; immediate_exit is what says why. */
static void on_kick(int sig)
{
	(void)sig;
}

void vcpu_kick_setup(void)
{
	struct sigaction action = { .sa_handler = on_kick };

	sigaction(kick_signal(), &action, NULL);
}

void vcpu_kick(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->kvm.run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(vcpu->thread, kick_signal());
}

static const char *const exit_names[VCPU_EXIT_KINDS] = {
	[VCPU_EXIT_MMIO_READ] = "mmio_read", [VCPU_EXIT_MMIO_WRITE] = "mmio_write",
	[VCPU_EXIT_NISV] = "nisv",	     [VCPU_EXIT_HYPERCALL] = "hypercall",
	[VCPU_EXIT_SYSTEM] = "system_event", [VCPU_EXIT_SIGNAL] = "signal",
};

const char *vcpu_exit_name(enum vcpu_exit kind)
{
	return exit_names[kind];
}

/* The machine ends by this vCPU: it runs no further, whatever the others do. */
static void end(struct vcpu *vcpu, enum vm_end why)
{
	vcpu->ended = true;
	vm_end(vcpu->vm, why, 0);
}

static void crash(struct vcpu *vcpu, const char *what, uint64_t detail)
{
	log_line(vcpu->vm->log, LOG_ERROR, "vCPU %u: the kernel cannot run the guest: %s 0x%llx",
		 vcpu->kvm.id, what, (unsigned long long)detail);
	end(vcpu, VM_END_CRASH);
}

/* From reset, where CPU_ON or a suspend said. */
static void start(struct vcpu *vcpu)
{
	int err = cpu_restart(&vcpu->kvm, &vcpu->vm->model, vcpu->entry, vcpu->context);

	vcpu->start = false;
	if (err)
		crash(vcpu, "cannot start it: error", (uint64_t)-err);
	vcpu_irq_reset(vcpu);
}

static void check(struct vcpu *vcpu, const char *what, int err)
{
	if (err)
		crash(vcpu, what, (uint64_t)-err);
}

/* The kernel waits for an interrupt as in WFI, and says so by KVM_SYSTEM_EVENT_WAKEUP. */
static void suspend(struct vcpu *vcpu)
{
	check(vcpu, "cannot suspend: error", kvm_mp_state_set(&vcpu->kvm, KVM_MP_STATE_SUSPENDED));
}

static void handle_hypercall(struct vcpu *vcpu)
{
	struct smccc_call call = { .cpu = vcpu->kvm.id };

	vcpu->exits[VCPU_EXIT_HYPERCALL]++;
	check(vcpu, "firmware call: register error",
	      hypercall_serve(&vcpu->kvm, vcpu->vm->fw, &call));
	if (call.wake >= 0)
		vm_wake(vcpu->vm, (unsigned int)call.wake);
	switch (call.action) {
	case SMCCC_CONTINUE:
		break;
	case SMCCC_CPU_OFF:
		vcpu->off = true;
		break;
	case SMCCC_STANDBY:
	case SMCCC_POWERDOWN:
	case SMCCC_SYSTEM_SUSPEND:
		suspend(vcpu);
		break;
	case SMCCC_STOP:
		end(vcpu, call.end == SMCCC_END_RESET || call.end == SMCCC_END_RESET2 ? VM_END_RESET
										      : VM_END_OFF);
		break;
	}
}

/* Whether all other CPUs are off, by the kernel's PSCI. Of two that ask at once, one sees the other
 * on. */
static int others_off(struct vcpu *vcpu, bool *off)
{
	struct vm *vm = vcpu->vm;
	int err = 0;

	*off = vm_hold_others(vm, vcpu);
	if (!*off)
		return 0;
	for (unsigned int i = 0; !err && *off && i < vm->ncpus; i++) {
		uint32_t state = KVM_MP_STATE_STOPPED;

		if (&vm->vcpus[i] != vcpu)
			err = kvm_mp_state_get(&vm->vcpus[i].kvm, &state);
		*off = state == KVM_MP_STATE_STOPPED;
	}
	vm_release_others(vm);
	return err;
}

/*
 * The kernel's PSCI leaves SYSTEM_SUSPEND to us, its refusals included (DEN0022, SYSTEM_SUSPEND):
 * x1 and x2 say where to go on.
 */
static void handle_suspend(struct vcpu *vcpu)
{
	uint64_t result = 0;
	bool alone;
	int err = kvm_reg_get(&vcpu->kvm, cpu_xreg(1), &vcpu->entry);

	if (!err)
		err = kvm_reg_get(&vcpu->kvm, cpu_xreg(2), &vcpu->context);
	if (!err)
		err = others_off(vcpu, &alone);
	if (!err && !alone)
		result = (uint64_t)PSCI_DENIED;
	else if (!err && !psci_entry_in(&vcpu->vm->mem, vcpu->entry))
		result = (uint64_t)PSCI_INVALID_ADDRESS;
	if (!err && result)
		err = kvm_reg_set(&vcpu->kvm, cpu_xreg(0), &result);
	check(vcpu, "SYSTEM_SUSPEND: register error", err);
	if (err || result)
		return;
	vcpu->suspended = true;
	suspend(vcpu);
}

/* An interrupt came: goes on behind the call, or as if newly switched on. */
static void handle_wakeup(struct vcpu *vcpu)
{
	const struct smccc *fw = vcpu->vm->fw;
	bool restart = vcpu->suspended;

	if (fw)
		restart = psci_cpu_woken(fw->psci, vcpu->kvm.id, &vcpu->entry, &vcpu->context);
	vcpu->suspended = false;
	if (restart)
		start(vcpu);
	else
		check(vcpu, "cannot wake up: error",
		      kvm_mp_state_set(&vcpu->kvm, KVM_MP_STATE_RUNNABLE));
}

static void handle_system_event(struct vcpu *vcpu)
{
	uint32_t type = vcpu->kvm.run->system_event.type;

	vcpu->exits[VCPU_EXIT_SYSTEM]++;
	switch (type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		end(vcpu, VM_END_OFF);
		break;
	case KVM_SYSTEM_EVENT_RESET:
		end(vcpu, VM_END_RESET);
		break;
	case KVM_SYSTEM_EVENT_SUSPEND:
		handle_suspend(vcpu);
		break;
	case KVM_SYSTEM_EVENT_WAKEUP:
		handle_wakeup(vcpu);
		break;
	default:
		log_line(vcpu->vm->log, LOG_ERROR, "vCPU %u: system event %u: the guest crashed",
			 vcpu->kvm.id, type);
		end(vcpu, VM_END_CRASH);
	}
}

/* 0, or -errno as kvm_vcpu_run() has it. */
static int handle_exit(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->kvm.run;
	int err = 0;

	switch (run->exit_reason) {
	case KVM_EXIT_MMIO:
		err = vcpu_mmio(vcpu);
		break;
	case KVM_EXIT_ARM_NISV:
		err = vcpu_nisv(vcpu);
		break;
	case KVM_EXIT_HYPERCALL:
		handle_hypercall(vcpu);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		handle_system_event(vcpu);
		break;
	case KVM_EXIT_INTR:
		break;
	case KVM_EXIT_FAIL_ENTRY:
		crash(vcpu, "entry failed, hardware reason",
		      run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		crash(vcpu, "internal error", run->internal.suberror);
		break;
	default:
		crash(vcpu, "unexpected exit reason", run->exit_reason);
	}
	if (err != -ECANCELED)
		return err;
	end(vcpu, VM_END_CRASH);
	return 0;
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *vcpu = arg;
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", vcpu->kvm.id);
	pthread_setname_np(pthread_self(), name);
	while (vm_park(vcpu->vm, vcpu)) {
		int err = 0;

		if (vcpu->start)
			start(vcpu);
		/* Out of here by a kick, the end, or being switched off. */
		do {
			vcpu_irq_enter(vcpu);
			err = vcpu_irq_exit(vcpu, kvm_vcpu_run(&vcpu->kvm));
			if (!err)
				err = handle_exit(vcpu);
			if (err && err != -EINTR && err != -EAGAIN)
				crash(vcpu, strerror(-err), -err);
		} while (!err && !vcpu->ended && !vcpu->off);
		vcpu->exits[VCPU_EXIT_SIGNAL] += err != 0;
	}
	return NULL;
}

int vcpu_start(struct vcpu *vcpu)
{
	sigset_t all, old;
	int err;

	/* Everything but the kick belongs to the loop thread. */
	sigfillset(&all);
	sigdelset(&all, kick_signal());
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	vcpu->started = !err;
	return -err;
}
