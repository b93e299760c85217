// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/vm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "arch/arm64/hypercall.h"
#include "arch/arm64/layout.h"
#include "arch/arm64/vgic.h"
#include "arch/arm64/vgic_hidden.h"
#include "firmware/psci.h"

_Static_assert((int)GUEST_RAM_MAX + (int)PAGES_MAX <= (int)HIDDEN_SLOT, "KVM's memory slots");

static const char *kvm_hint(int err)
{
	switch (-err) {
	case ENOENT:
		return "this machine's kernel has no KVM; load it, or use an arm64 host with "
		       "virtualization";
	case EACCES:
	case EPERM:
		return "join the group that owns it, or run as root";
	default:
		return "see the kernel's log";
	}
}

static int doorbell_hook(void *arg, const struct doorbell *db, bool on)
{
	struct vm *vm = arg;

	return vm->kvm.vm_fd < 0 ? -ENODEV : kvm_ioeventfd(&vm->kvm, db, on);
}

int vm_create(struct log *log, struct vm **out, struct fail *fail)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	int err;

	if (!vm)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	vm->log = log;
	vm->kvm.sys_fd = -1;
	vm->kvm.vm_fd = -1;
	vm->request = VM_PAUSE;
	pthread_mutex_init(&vm->run_lock, NULL);
	pthread_cond_init(&vm->all_parked, NULL);
	pages_init(&vm->pages, &vm->kvm);
	coalesce_init(&vm->coalesce, &vm->kvm);
	bus_init(&vm->bus);
	vm->bus.doorbell_hook = doorbell_hook;
	vm->bus.doorbell_arg = vm;
	err = kvm_open(&vm->kvm);
	if (err) {
		fail_set(fail, EXIT_HOST, err, "cannot open /dev/kvm: %s; %s", strerror(-err),
			 kvm_hint(err));
		goto out;
	}
	err = loop_create(&vm->loop);
	if (err) {
		fail_set(fail, EXIT_HOST, err, "cannot make the event loop: %s", strerror(-err));
		goto out;
	}
	*out = vm;
	return 0;
out:
	vm_destroy(vm);
	return err;
}

void vm_destroy_devices(struct vm *vm)
{
	if (!vm)
		return;
	vm_power_off(vm);
	while (vm->ndevices) {
		struct device *dev = vm->devices[--vm->ndevices];

		dev->ops->destroy(dev);
	}
}

void vm_destroy(struct vm *vm)
{
	if (!vm)
		return;
	vm_destroy_devices(vm);
	kvm_vm_close(&vm->kvm);
	if (vm->chip)
		vm->chip->ops->destroy(vm->chip);
	loop_destroy(vm->loop);
	bus_fini(&vm->bus);
	for (unsigned int i = 0; i < vm->mem.nram; i++)
		munmap(vm->mem.ram[i].host, vm->mem.ram[i].size);
	guest_mem_destroy(&vm->mem);
	pages_fini(&vm->pages);
	kvm_close(&vm->kvm);
	pthread_cond_destroy(&vm->all_parked);
	pthread_mutex_destroy(&vm->run_lock);
	free(vm->vcpus);
	free(vm);
}

/* Aligned as guest and host huge pages want it: the unaligned rest is given back. */
static void *map_ram(uint64_t size)
{
	uint64_t all = size + LAYOUT_RAM_ALIGN;
	uint8_t *map = mmap(NULL, all, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t head;

	if (map == MAP_FAILED)
		return NULL;
	head = -(uintptr_t)map & (LAYOUT_RAM_ALIGN - 1);
	if (head)
		munmap(map, head);
	munmap(map + head + size, LAYOUT_RAM_ALIGN - head);
	madvise(map + head, size, MADV_HUGEPAGE);
	return map + head;
}

int vm_add_ram(struct vm *vm, gpa_t base, uint64_t size, struct fail *fail)
{
	void *host = map_ram(size);
	int err = host ? guest_mem_add(&vm->mem, base, size, host) : -errno;

	if (!err) {
		guest_mem_set_sparse(&vm->mem, base);
		return 0;
	}
	if (host)
		munmap(host, size);
	return fail_set(fail, EXIT_CONFIG, err,
			"cannot map %llu MiB of guest memory: %s; use a smaller --mem",
			(unsigned long long)(size >> 20), strerror(-err));
}

/* To give a file's pages back would show the file again. */
static int clear_mapping(struct guest_ram *ram)
{
	if (mmap(ram->host, ram->size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		return -1;
	madvise(ram->host, ram->size, MADV_HUGEPAGE);
	ram->sparse = true;
	return 0;
}

int vm_clear_ram(struct vm *vm, struct fail *fail)
{
	for (unsigned int i = 0; i < vm->mem.nram; i++) {
		struct guest_ram *ram = &vm->mem.ram[i];

		if (ram->sparse ? madvise(ram->host, ram->size, MADV_DONTNEED) : clear_mapping(ram))
			return fail_set(fail, EXIT_HOST, -errno, "cannot clear guest memory: %s",
					strerror(errno));
	}
	return 0;
}

unsigned int vm_ipa_max(const struct vm *vm)
{
	unsigned int max = (unsigned int)kvm_cap(&vm->kvm, KVM_CAP_ARM_VM_IPA_SIZE);

	return max ? max : 40;
}

int vm_open_kvm(struct vm *vm, unsigned int ipa_bits, struct fail *fail)
{
	unsigned int max = vm_ipa_max(vm);
	int err;

	if (ipa_bits > max)
		return fail_set(fail, EXIT_CONFIG, -E2BIG,
				"--mem: the machine's addresses need %u bits, this host's KVM has "
				"%u; use a smaller --mem",
				ipa_bits, max);
	err = kvm_vm_open(&vm->kvm, KVM_VM_TYPE_ARM_IPA_SIZE(ipa_bits));
	if (err)
		return fail_set(fail, EXIT_HOST, err, "KVM cannot create a VM: %s", strerror(-err));
	vm->ipa_bits = ipa_bits;
	return 0;
}

int vm_add_device(struct vm *vm, struct device *dev, struct fail *fail)
{
	int err = vm->ndevices == VM_DEVICES_MAX ? -ENOSPC : 0;

	if (!err) {
		vm->devices[vm->ndevices++] = dev;
		err = vm->chip->ops->connect(vm->chip, &dev->env.irq);
	} else {
		dev->ops->destroy(dev);
	}
	if (err)
		return fail_set(fail, EXIT_HOST, err, "cannot add device %u: %s", vm->ndevices,
				strerror(-err));
	return 0;
}

static int set_memslots(struct vm *vm, struct fail *fail)
{
	for (unsigned int i = 0; i < vm->mem.nram; i++) {
		const struct guest_ram *ram = &vm->mem.ram[i];
		int err = kvm_memslot(&vm->kvm, i, 0, ram->base, ram->size, ram->host);

		if (err)
			return fail_set(fail, err == -EINVAL ? EXIT_CONFIG : EXIT_HOST, err,
					"KVM refuses %llu MiB of memory at 0x%llx: %s; "
					"try a smaller --mem",
					(unsigned long long)(ram->size >> 20),
					(unsigned long long)ram->base, strerror(-err));
	}
	return 0;
}

static int make_vcpus(struct vm *vm, struct fail *fail)
{
	for (unsigned int i = 0; i < vm->ncpus; i++) {
		struct vcpu *vcpu = &vm->vcpus[i];
		int err;

		*vcpu = (struct vcpu){ .vm = vm,
				       .wake = PTHREAD_COND_INITIALIZER,
				       .accesses.cpu = i,
				       .off = vm->fw && i };
		err = kvm_vcpu_open(&vm->kvm, i, &vcpu->kvm);
		if (err)
			return fail_set(fail, EXIT_HOST, err, "KVM cannot create vCPU %u: %s", i,
					strerror(-err));
		err = cpu_init(&vcpu->kvm, &vm->model, fail);
		if (err)
			return err;
	}
	return 0;
}

/* The order that KVM wants: controller, vCPUs, controller's end, then what needs it. */
static int make_kernel_half(struct vm *vm, struct fail *fail)
{
	int err = set_memslots(vm, fail);

	/* Absent on old kernels: then such an access stops the VM with an error. */
	if (!err && kvm_cap(&vm->kvm, KVM_CAP_ARM_NISV_TO_USER))
		kvm_enable_cap(&vm->kvm, KVM_CAP_ARM_NISV_TO_USER, 0);
	/* Absent on old kernels: then their PSCI has no SYSTEM_SUSPEND. */
	if (!err && kvm_cap(&vm->kvm, KVM_CAP_ARM_SYSTEM_SUSPEND))
		kvm_enable_cap(&vm->kvm, KVM_CAP_ARM_SYSTEM_SUSPEND, 0);
	if (!err && vm->fw)
		err = hypercall_filter(&vm->kvm, vm->fw, fail);
	if (!err)
		err = vm->gic->attach(vm->chip, &vm->kvm, fail);
	if (!err)
		err = make_vcpus(vm, fail);
	if (!err)
		err = vm->gic->start(vm->chip, fail);
	for (unsigned int i = 0; !err && i < vm->ncpus; i++)
		err = cpu_init_pmu(&vm->vcpus[i].kvm, &vm->model, fail);
	for (unsigned int i = 0; !err && i < vm->ncpus; i++)
		err = cpu_init_pvtime(&vm->vcpus[i].kvm, &vm->model, fail);
	return err;
}

int vm_power_on(struct vm *vm, uint64_t pc, uint64_t x0, struct fail *fail)
{
	int err = vm->kvm.vm_fd < 0 ? vm_open_kvm(vm, vm->ipa_bits, fail) : 0;

	if (err)
		return err;
	if (!vm->vcpus)
		vm->vcpus = calloc(vm->ncpus, sizeof(*vm->vcpus));
	if (!vm->vcpus)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	vm->powered = true;
	vm->end = VM_END_NONE;
	vm->request = VM_PAUSE;
	vm->parked = 0;
	vm->clock_stopped = false;
	if (vm->fw)
		psci_reset(vm->fw->psci);
	err = make_kernel_half(vm, fail);
	if (!err)
		err = cpu_set_boot(&vm->vcpus[0].kvm, pc, x0, fail);
	pages_on(&vm->pages, cpu_coherent(&vm->vcpus[0].kvm) ? NULL : cpu_clean_line);
	coalesce_on(&vm->coalesce, &vm->vcpus[0].kvm);
	bus_doorbells_replay(&vm->bus);
	for (unsigned int i = 0; !err && i < vm->ncpus; i++) {
		err = vcpu_start(&vm->vcpus[i]);
		if (err)
			fail_set(fail, EXIT_HOST, err, "cannot start the thread of vCPU %u: %s", i,
				 strerror(-err));
	}
	if (err)
		vm_power_off(vm);
	return err;
}

void vm_power_off(struct vm *vm)
{
	if (!vm->powered)
		return;
	vm_ask(vm, VM_STOP);
	for (unsigned int i = 0; i < vm->ncpus; i++) {
		if (vm->vcpus[i].started)
			pthread_join(vm->vcpus[i].thread, NULL);
		vm->vcpus[i].started = false;
	}
	coalesce_off(&vm->coalesce);
	/* Not before: a vCPU's thread may look at other vCPUs. */
	for (unsigned int i = 0; i < vm->ncpus; i++) {
		kvm_stats_close(&vm->vcpus[i].stats);
		kvm_vcpu_close(&vm->vcpus[i].kvm);
	}
	vm->gic->detach(vm->chip);
	kvm_vm_close(&vm->kvm);
	pages_off(&vm->pages);
	vm->powered = false;
}
