// SPDX-License-Identifier: GPL-2.0-only
/* Running and standing still: what the vCPUs' threads are asked for, and how they are waited for. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "devices/vmgenid.h"
#include "firmware/psci.h"
#include "vmm/vm.h"

/* Every parked vCPU looks again what is wanted of it. Under run_lock. */
static void wake_all(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->ncpus; i++)
		if (vm->vcpus[i].started)
			pthread_cond_signal(&vm->vcpus[i].wake);
}

static void kick_all(struct vm *vm, const struct vcpu *but)
{
	for (unsigned int i = 0; i < vm->ncpus; i++)
		if (&vm->vcpus[i] != but && vm->vcpus[i].started)
			vcpu_kick(&vm->vcpus[i]);
}

void vm_ask(struct vm *vm, enum vm_request request)
{
	pthread_mutex_lock(&vm->run_lock);
	vm->request = request;
	if (request != VM_RUN)
		kick_all(vm, NULL);
	wake_all(vm);
	/* One that holds the others waits for them no more. */
	pthread_cond_broadcast(&vm->all_parked);
	pthread_mutex_unlock(&vm->run_lock);
}

static unsigned int started_threads(const struct vm *vm)
{
	unsigned int threads = 0;

	for (unsigned int i = 0; i < vm->ncpus; i++)
		threads += vm->vcpus[i].started;
	return threads;
}

static uint64_t real_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void vm_pause(struct vm *vm)
{
	vm_ask(vm, VM_PAUSE);
	pthread_mutex_lock(&vm->run_lock);
	while (vm->parked < started_threads(vm))
		pthread_cond_wait(&vm->all_parked, &vm->run_lock);
	pthread_mutex_unlock(&vm->run_lock);
	stores_flush(&vm->coalesce.stores);
	if (!vm->clock_stopped) {
		vm->clock_stopped = !regs_clock_read(&vm->vcpus[0].kvm, &vm->clock);
		vm->clock_moved = false;
		vm->stopped_at = real_ns();
	}
}

/* Not where the host's clock says that no time has passed. */
void vm_advance_clock(struct vm *vm)
{
	uint64_t now = real_ns();

	if (!vm->clock_stopped || now <= vm->stopped_at)
		return;
	clock_advance(&vm->clock, now - vm->stopped_at, regs_clock_hz());
	vm->stopped_at = now;
}

void vm_resume(struct vm *vm)
{
	struct clock clock = vm->clock;

	/* Where it stood still here the physical counter is left alone: to shift it makes each read of it an exit. */
	clock.has_phys &= vm->clock_moved;
	if (vm->clock_stopped && regs_clock_write(&vm->vcpus[0].kvm, &clock))
		log_line(vm->log, LOG_WARNING, "the guest's clock cannot be set");
	vm->clock_stopped = false;
	if (vm->generation)
		vmgenid_renew(vm->generation);
	vm->generation = NULL;
	vm_ask(vm, VM_RUN);
}

/* Only the loop thread changes the request: it needs no lock to read it. */
bool vm_paused(const struct vm *vm)
{
	return vm->request == VM_PAUSE;
}

void vm_wake(struct vm *vm, unsigned int cpu)
{
	pthread_mutex_lock(&vm->run_lock);
	pthread_cond_signal(&vm->vcpus[cpu].wake);
	pthread_mutex_unlock(&vm->run_lock);
}

bool vm_hold_others(struct vm *vm, const struct vcpu *self)
{
	bool held;

	pthread_mutex_lock(&vm->run_lock);
	while (vm->holder == vm) {
		vm->waiting++;
		pthread_cond_broadcast(&vm->all_parked);
		pthread_cond_wait(&vm->all_parked, &vm->run_lock);
		vm->waiting--;
	}
	held = vm->request != VM_STOP && !vm->holder;
	if (held)
		vm->holder = self;
	if (held)
		kick_all(vm, self);
	while (held && vm->parked < started_threads(vm) - 1) {
		pthread_cond_wait(&vm->all_parked, &vm->run_lock);
		held = vm->request != VM_STOP;
	}
	if (!held && vm->holder == self)
		vm->holder = NULL;
	pthread_mutex_unlock(&vm->run_lock);
	return held;
}

void vm_release_others(struct vm *vm)
{
	pthread_mutex_lock(&vm->run_lock);
	vm->holder = NULL;
	wake_all(vm);
	pthread_cond_broadcast(&vm->all_parked);
	pthread_mutex_unlock(&vm->run_lock);
}

/* A vCPU holds the others but briefly, and waits for nobody else meanwhile. */
bool vm_hold(struct vm *vm)
{
	bool held;

	pthread_mutex_lock(&vm->run_lock);
	while (vm->holder)
		pthread_cond_wait(&vm->all_parked, &vm->run_lock);
	held = vm->powered && vm->request != VM_STOP;
	if (held) {
		vm->holder = vm;
		kick_all(vm, NULL);
	}
	while (held && vm->parked + vm->waiting < started_threads(vm))
		pthread_cond_wait(&vm->all_parked, &vm->run_lock);
	pthread_mutex_unlock(&vm->run_lock);
	return held;
}

void vm_release(struct vm *vm)
{
	vm_release_others(vm);
}

/* Under run_lock, which vm_wake() takes after PSCI has changed its mind: no wake is lost. */
static bool must_wait(struct vm *vm, struct vcpu *vcpu)
{
	if (vm->request == VM_STOP)
		return false;
	if (vm->request == VM_PAUSE || vcpu->ended || (vm->holder && vm->holder != vcpu))
		return true;
	if (vcpu->off && psci_cpu_take(vm->fw->psci, vcpu->kvm.id, &vcpu->entry, &vcpu->context)) {
		vcpu->off = false;
		vcpu->start = true;
	}
	return vcpu->off;
}

bool vm_park(struct vm *vm, struct vcpu *vcpu)
{
	bool go;

	pthread_mutex_lock(&vm->run_lock);
	vm->parked++;
	pthread_cond_broadcast(&vm->all_parked);
	while (must_wait(vm, vcpu))
		pthread_cond_wait(&vcpu->wake, &vm->run_lock);
	go = vm->request != VM_STOP;
	vm->parked--;
	/* Under the lock: a kick after this one is for a later request. */
	__atomic_store_n(&vcpu->kvm.run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&vm->run_lock);
	return go;
}

enum vm_end vm_run(struct vm *vm, bool paused)
{
	if (!paused)
		vm_resume(vm);
	loop_run(vm->loop);
	vm_pause(vm);
	return vm->end;
}

void vm_interrupt(struct vm *vm)
{
	loop_stop(vm->loop);
}

void vm_end(struct vm *vm, enum vm_end why, int code)
{
	int none = VM_END_NONE;

	if (!atomic_compare_exchange_strong(&vm->end, &none, why))
		return;
	vm->quit_code = code;
	loop_stop(vm->loop);
}
