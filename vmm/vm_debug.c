// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/vm_debug.h"

#include <time.h>

#include "arch/arm64/debug.h"
#include "vmm/kvm_stats.h"

/* What the kernel calls them. Its own MMIO is doorbells, and the interrupt controller's registers. */
enum { STAT_BLOCKING, STAT_WFI, STAT_MMIO_KERNEL, NSTATS };
static const char *const stat_names[NSTATS] = { "blocking", "wfi_exit_stat", "mmio_exit_kernel" };

static uint64_t thread_ns(const struct vcpu *vcpu)
{
	struct timespec ts = { 0 };
	clockid_t clock;

	if (!vcpu->started || pthread_getcpuclockid(vcpu->thread, &clock) ||
	    clock_gettime(clock, &ts))
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Writes alone count as I/O: a guest that polls a register spins. */
static uint64_t writes(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->exits[VCPU_EXIT_MMIO_WRITE], __ATOMIC_RELAXED);
}

/* Once after each power-on: the vCPUs stand still for it. False where the kernel does not count. */
static bool open_stats(struct vm *vm)
{
	bool paused = vm_paused(vm);
	int err = 0;

	if (!vm->vcpus || vm->vcpus[vm->ncpus - 1].stats.n)
		return vm->vcpus;
	if (!paused)
		vm_pause(vm);
	for (unsigned int i = 0; !err && i < vm->ncpus; i++)
		if (!vm->vcpus[i].stats.n)
			err = kvm_stats_open(&vm->vcpus[i].stats, &vm->vcpus[i].kvm, stat_names,
					     NSTATS);
	if (!paused)
		vm_resume(vm);
	return !err;
}

void vm_activity(struct vm *vm, struct json_out *out)
{
	/* To take interrupts is no I/O. Their count first: all of it is in the vCPUs'. */
	uint64_t stats[NSTATS], io = -__atomic_load_n(&vm->chip->writes, __ATOMIC_RELAXED);

	if (!open_stats(vm))
		return;
	json_open(out, "cpus", '[');
	for (unsigned int i = 0; i < vm->ncpus; i++) {
		const struct vcpu *vcpu = &vm->vcpus[i];

		if (kvm_stats_read(&vcpu->stats, stats))
			continue;
		io += writes(vcpu) + stats[STAT_MMIO_KERNEL];
		json_open(out, NULL, '{');
		json_bool(out, "waits", stats[STAT_BLOCKING]);
		json_uint(out, "nwaits", stats[STAT_WFI]);
		json_uint(out, "ran_ns", thread_ns(vcpu));
		json_close(out, '}');
	}
	json_close(out, ']');
	json_uint(out, "io", io);
}

static const char *state_of(const struct vcpu *vcpu)
{
	uint32_t state = KVM_MP_STATE_RUNNABLE;

	if (vcpu->off)
		return "off";
	kvm_mp_state_get(&vcpu->kvm, &state);
	return state == KVM_MP_STATE_STOPPED	 ? "off"
	       : state == KVM_MP_STATE_SUSPENDED ? "suspended"
						 : "on";
}

static void put_sections(struct vm *vm, struct json_out *out)
{
	json_open(out, "sections", '[');
	if (vm->chip->ops->debug)
		vm->chip->ops->debug(vm->chip, out);
	for (unsigned int i = 0; i < vm->ndevices; i++) {
		struct device *dev = vm->devices[i];

		if (!dev->ops->debug)
			continue;
		json_open(out, NULL, '{');
		json_str(out, "section", dev->name);
		pthread_mutex_lock(&dev->lock);
		dev->ops->debug(dev, out);
		pthread_mutex_unlock(&dev->lock);
		json_close(out, '}');
	}
	json_close(out, ']');
}

void vm_debug(struct vm *vm, struct json_out *out)
{
	bool paused = vm_paused(vm);

	if (!paused)
		vm_pause(vm);
	json_open(out, "cpus", '[');
	for (unsigned int i = 0; vm->vcpus && i < vm->ncpus; i++) {
		json_open(out, NULL, '{');
		json_uint(out, "cpu", i);
		json_str(out, "state", state_of(&vm->vcpus[i]));
		/* The last quarter is for those, and for the devices. */
		cpu_debug(&vm->vcpus[i].kvm, &vm->mem, out->len > out->cap / 4 * 3, out);
		json_close(out, '}');
	}
	json_close(out, ']');
	put_sections(vm, out);
	if (!paused)
		vm_resume(vm);
}
