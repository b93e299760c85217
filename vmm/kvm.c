// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/core/bus.h"

static int call(int fd, unsigned long request, const void *arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? -errno : ret;
}

static int call_value(int fd, unsigned long request, unsigned long arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? -errno : ret;
}

int kvm_open(struct kvm *kvm)
{
	int size;

	kvm->vm_fd = -1;
	kvm->sys_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm->sys_fd < 0)
		return -errno;
	if (call_value(kvm->sys_fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		kvm_close(kvm);
		return -EPROTO;
	}
	size = call_value(kvm->sys_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < (int)sizeof(struct kvm_run)) {
		kvm_close(kvm);
		return size < 0 ? size : -EPROTO;
	}
	kvm->run_size = size;
	return 0;
}

void kvm_close(struct kvm *kvm)
{
	kvm_vm_close(kvm);
	if (kvm->sys_fd >= 0)
		close(kvm->sys_fd);
	kvm->sys_fd = -1;
}

int kvm_vm_open(struct kvm *kvm, unsigned long type)
{
	int fd;

	/* A signal interrupts it where it registers with the process's memory. */
	do
		fd = call_value(kvm->sys_fd, KVM_CREATE_VM, type);
	while (fd == -EINTR);
	if (fd < 0)
		return fd;
	kvm->vm_fd = fd;
	return 0;
}

void kvm_vm_close(struct kvm *kvm)
{
	if (kvm->vm_fd >= 0)
		close(kvm->vm_fd);
	kvm->vm_fd = -1;
}

int kvm_cap(const struct kvm *kvm, unsigned int cap)
{
	int ret = call_value(kvm->vm_fd >= 0 ? kvm->vm_fd : kvm->sys_fd, KVM_CHECK_EXTENSION, cap);

	return ret < 0 ? 0 : ret;
}

int kvm_enable_cap(const struct kvm *kvm, unsigned int cap, uint64_t arg0)
{
	struct kvm_enable_cap enable = { .cap = cap, .args = { arg0 } };

	return call(kvm->vm_fd, KVM_ENABLE_CAP, &enable);
}

int kvm_memslot(const struct kvm *kvm, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size,
		void *host)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)host,
	};

	return call(kvm->vm_fd, KVM_SET_USER_MEMORY_REGION, &region);
}

int kvm_log_get(const struct kvm *kvm, uint32_t slot, uint64_t *bits)
{
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = bits };

	return call(kvm->vm_fd, KVM_GET_DIRTY_LOG, &log);
}

int kvm_log_clear(const struct kvm *kvm, uint32_t slot, uint64_t first, uint64_t pages,
		  uint64_t *bits)
{
	struct kvm_clear_dirty_log log = {
		.slot = slot,
		.num_pages = (uint32_t)pages,
		.first_page = first,
		.dirty_bitmap = bits,
	};

	return call(kvm->vm_fd, KVM_CLEAR_DIRTY_LOG, &log);
}

int kvm_irq_line(const struct kvm *kvm, uint32_t irq, bool level)
{
	struct kvm_irq_level line = { .irq = irq, .level = level };

	return call(kvm->vm_fd, KVM_IRQ_LINE, &line);
}

int kvm_irqfd(const struct kvm *kvm, int fd, uint32_t gsi, bool on)
{
	struct kvm_irqfd irqfd = {
		.fd = fd,
		.gsi = gsi,
		.flags = on ? 0 : KVM_IRQFD_FLAG_DEASSIGN,
	};

	return call(kvm->vm_fd, KVM_IRQFD, &irqfd);
}

int kvm_coalesce(const struct kvm *kvm, uint64_t addr, uint32_t size, bool on)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = addr, .size = size };

	return call(kvm->vm_fd, on ? KVM_REGISTER_COALESCED_MMIO : KVM_UNREGISTER_COALESCED_MMIO,
		    &zone);
}

int kvm_signal_msi(const struct kvm *kvm, uint64_t addr, uint32_t data, uint32_t device)
{
	struct kvm_msi msi = {
		.address_lo = (uint32_t)addr,
		.address_hi = (uint32_t)(addr >> 32),
		.data = data,
		.devid = device,
		.flags = KVM_MSI_VALID_DEVID,
	};
	int ret = call(kvm->vm_fd, KVM_SIGNAL_MSI, &msi);

	/* 0: the guest blocks it. */
	return ret < 0 ? ret : ret ? 0 : -ENOENT;
}

int kvm_irq_routes(const struct kvm *kvm, const struct kvm_irq_routing *table)
{
	return call(kvm->vm_fd, KVM_SET_GSI_ROUTING, table);
}

int kvm_ioeventfd(const struct kvm *kvm, const struct doorbell *db, bool on)
{
	struct kvm_ioeventfd io = {
		.datamatch = db->value,
		.addr = db->addr,
		.len = db->size,
		.fd = db->fd,
		.flags = (db->match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0) |
			 (on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
	};

	return call(kvm->vm_fd, KVM_IOEVENTFD, &io);
}

int kvm_device_create(const struct kvm *kvm, uint32_t type)
{
	struct kvm_create_device device = { .type = type };
	int ret = call(kvm->vm_fd, KVM_CREATE_DEVICE, &device);

	return ret < 0 ? ret : (int)device.fd;
}

int kvm_device_test(const struct kvm *kvm, uint32_t type)
{
	struct kvm_create_device device = { .type = type, .flags = KVM_CREATE_DEVICE_TEST };

	return call(kvm->vm_fd, KVM_CREATE_DEVICE, &device);
}

static int attr(int fd, unsigned long request, uint32_t group, uint64_t which, const void *value)
{
	struct kvm_device_attr attr = {
		.group = group,
		.attr = which,
		.addr = (uintptr_t)value,
	};

	return call(fd, request, &attr);
}

int kvm_attr_set(int fd, uint32_t group, uint64_t which, const void *value)
{
	return attr(fd, KVM_SET_DEVICE_ATTR, group, which, value);
}

int kvm_attr_get(int fd, uint32_t group, uint64_t which, void *value)
{
	return attr(fd, KVM_GET_DEVICE_ATTR, group, which, value);
}

int kvm_attr_test(int fd, uint32_t group, uint64_t which)
{
	return attr(fd, KVM_HAS_DEVICE_ATTR, group, which, NULL);
}

int kvm_preferred_target(const struct kvm *kvm, struct kvm_vcpu_init *init)
{
	return call(kvm->vm_fd, KVM_ARM_PREFERRED_TARGET, init);
}

int kvm_vcpu_open(const struct kvm *kvm, uint32_t id, struct kvm_vcpu *vcpu)
{
	int fd = call_value(kvm->vm_fd, KVM_CREATE_VCPU, id);
	void *run;

	if (fd < 0)
		return fd;
	run = mmap(NULL, kvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (run == MAP_FAILED) {
		int err = -errno;

		close(fd);
		return err;
	}
	*vcpu = (struct kvm_vcpu){ .fd = fd, .id = id, .run = run, .run_size = kvm->run_size };
	return 0;
}

void kvm_vcpu_close(struct kvm_vcpu *vcpu)
{
	if (vcpu->run)
		munmap(vcpu->run, vcpu->run_size);
	if (vcpu->run && vcpu->fd >= 0)
		close(vcpu->fd);
	*vcpu = (struct kvm_vcpu){ .fd = -1, .id = vcpu->id };
}

int kvm_vcpu_init(const struct kvm_vcpu *vcpu, const struct kvm_vcpu_init *init)
{
	return call(vcpu->fd, KVM_ARM_VCPU_INIT, init);
}

int kvm_vcpu_finalize(const struct kvm_vcpu *vcpu, int feature)
{
	return call(vcpu->fd, KVM_ARM_VCPU_FINALIZE, &feature);
}

int kvm_vcpu_run(const struct kvm_vcpu *vcpu)
{
	return call_value(vcpu->fd, KVM_RUN, 0);
}

int kvm_reg_get(const struct kvm_vcpu *vcpu, uint64_t id, void *value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)value };

	return call(vcpu->fd, KVM_GET_ONE_REG, &reg);
}

int kvm_reg_set(const struct kvm_vcpu *vcpu, uint64_t id, const void *value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)value };

	return call(vcpu->fd, KVM_SET_ONE_REG, &reg);
}

int kvm_reg_list(const struct kvm_vcpu *vcpu, struct kvm_reg_list **list)
{
	struct kvm_reg_list probe = { .n = 0 };
	int err;

	*list = NULL;
	/* With too little room it fails with E2BIG and tells the number. */
	err = call(vcpu->fd, KVM_GET_REG_LIST, &probe);
	if (err && err != -E2BIG)
		return err;
	*list = malloc(sizeof(probe) + probe.n * sizeof(probe.reg[0]));
	if (!*list)
		return -ENOMEM;
	(*list)->n = probe.n;
	err = call(vcpu->fd, KVM_GET_REG_LIST, *list);
	if (err) {
		free(*list);
		*list = NULL;
	}
	return err;
}

int kvm_mp_state_set(const struct kvm_vcpu *vcpu, uint32_t state)
{
	struct kvm_mp_state mp = { .mp_state = state };

	return call(vcpu->fd, KVM_SET_MP_STATE, &mp);
}

int kvm_mp_state_get(const struct kvm_vcpu *vcpu, uint32_t *state)
{
	struct kvm_mp_state mp = { 0 };
	int err = call(vcpu->fd, KVM_GET_MP_STATE, &mp);

	*state = mp.mp_state;
	return err;
}

int kvm_vcpu_events_get(const struct kvm_vcpu *vcpu, struct kvm_vcpu_events *events)
{
	return call(vcpu->fd, KVM_GET_VCPU_EVENTS, events);
}

int kvm_vcpu_events_set(const struct kvm_vcpu *vcpu, const struct kvm_vcpu_events *events)
{
	return call(vcpu->fd, KVM_SET_VCPU_EVENTS, events);
}
