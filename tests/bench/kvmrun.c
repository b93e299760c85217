// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvmrun N [write]: a guest with the CPU features and the interrupt controller that vmm gives it
 * makes N MMIO accesses and powers off; each is completed and nothing else. What no VMM can go
 * below.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/bench/bare.h"

enum { RAM = 0x40000000, RAM_SIZE = 0x200000, STOLEN_TIME = RAM + 0x100000, UART = 0x09000000 };

static const uint32_t reads[] = {
	0xb9400022, /* ldr w2, [x1] */
	0xf1000400, /* subs x0, x0, #1 */
	0x54ffffc1, /* b.ne -8 */
	0x52800100, /* mov w0, #8: PSCI SYSTEM_OFF */
	0x72b08000, /* movk w0, #0x8400, lsl #16 */
	0xd4000002, /* hvc #0 */
};
static const uint32_t str_w2 = 0xb9000022; /* str w2, [x1] */

static void set_attr(int fd, uint32_t group, uint64_t attr, uint64_t value)
{
	struct kvm_device_attr a = { .group = group, .attr = attr, .addr = (uintptr_t)&value };

	must("SET_DEVICE_ATTR", ioctl(fd, KVM_SET_DEVICE_ATTR, &a));
}

static int make_gic(int vm)
{
	struct kvm_create_device dev = { .type = KVM_DEV_TYPE_ARM_VGIC_V3 };

	must("vGICv3", ioctl(vm, KVM_CREATE_DEVICE, &dev));
	set_attr((int)dev.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, 0x08000000);
	set_attr((int)dev.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST, 0x080a0000);
	return (int)dev.fd;
}

static void make_ram(int vm, int writes)
{
	uint32_t *ram =
		mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region slot = {
		.guest_phys_addr = RAM,
		.memory_size = RAM_SIZE,
		.userspace_addr = (uintptr_t)ram,
	};

	memcpy(ram, reads, sizeof(reads));
	if (writes)
		ram[0] = str_w2;
	must("memory", ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot));
}

static int make_vcpu(int vm)
{
	struct kvm_vcpu_init init;
	int vcpu = must("CREATE_VCPU", ioctl(vm, KVM_CREATE_VCPU, 0));
	int sve = KVM_ARM_VCPU_SVE;

	must("PREFERRED_TARGET", ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init));
	init.features[0] |= 1u << KVM_ARM_VCPU_PSCI_0_2;
	if (ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_ARM_SVE) > 0)
		init.features[0] |= 1u << KVM_ARM_VCPU_SVE;
	if (ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_ARM_PTRAUTH_ADDRESS) > 0)
		init.features[0] |=
			1u << KVM_ARM_VCPU_PTRAUTH_ADDRESS | 1u << KVM_ARM_VCPU_PTRAUTH_GENERIC;
	must("VCPU_INIT", ioctl(vcpu, KVM_ARM_VCPU_INIT, &init));
	if (init.features[0] & 1u << KVM_ARM_VCPU_SVE)
		must("VCPU_FINALIZE", ioctl(vcpu, KVM_ARM_VCPU_FINALIZE, &sve));
	if (ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_STEAL_TIME) > 0)
		set_attr(vcpu, KVM_ARM_VCPU_PVTIME_CTRL, KVM_ARM_VCPU_PVTIME_IPA, STOLEN_TIME);
	return vcpu;
}

int main(int argc, char **argv)
{
	int kvm = must("/dev/kvm", open("/dev/kvm", O_RDWR));
	int vm = must("CREATE_VM", ioctl(kvm, KVM_CREATE_VM, 0));
	int gic = make_gic(vm), vcpu;
	struct kvm_run *run;

	if (argc < 2)
		return 2;
	make_ram(vm, argc > 2);
	vcpu = make_vcpu(vm);
	run = mmap(NULL, (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
		   MAP_SHARED, vcpu, 0);
	set_attr(gic, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, 0);
	set_reg(vcpu, KVM_REG_ARM_CORE_REG(regs.regs[0]), strtoull(argv[1], NULL, 0));
	set_reg(vcpu, KVM_REG_ARM_CORE_REG(regs.regs[1]), UART);
	set_reg(vcpu, KVM_REG_ARM_CORE_REG(regs.pc), RAM);
	do
		must("KVM_RUN", ioctl(vcpu, KVM_RUN, 0));
	while (run->exit_reason == KVM_EXIT_MMIO);
	return run->exit_reason != KVM_EXIT_SYSTEM_EVENT;
}
