// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arch/arm64/cpu.h"
#include "arch/arm64/hypercall.h"
#include "arch/arm64/regs.h"
#include "firmware/psci.h"
#include "vmm/commands.h"
#include "vmm/core/log.h"
#include "vmm/core/opts.h"
#include "vmm/vm.h"

struct host_config {
	bool registers;
};

static const struct opt host_options[] = {
	{ "registers", 0, OPT_FLAG, NULL, NULL,
	  "only the registers of the kernel's own firmware services",
	  .offset = offsetof(struct host_config, registers) },
	{ 0 },
};

/* Capabilities in the order of printing; Documentation/virt/kvm/api.rst describes each. */
static const struct {
	const char *name;
	unsigned int cap;
	bool number; /* what KVM_CHECK_EXTENSION returns is a size or a mask, not just yes */
} caps[] = {
	{ "ipa bits", KVM_CAP_ARM_VM_IPA_SIZE, true },
	{ "max vcpus", KVM_CAP_MAX_VCPUS, true },
	{ "memory slots", KVM_CAP_NR_MEMSLOTS, true },
	{ "sve", KVM_CAP_ARM_SVE, false },
	{ "pauth", KVM_CAP_ARM_PTRAUTH_ADDRESS, false },
	{ "pmu", KVM_CAP_ARM_PMU_V3, false },
	{ "mte", KVM_CAP_ARM_MTE, false },
	{ "el1 32-bit", KVM_CAP_ARM_EL1_32BIT, false },
	{ "el2", KVM_CAP_ARM_EL2, false },
	{ "stolen time", KVM_CAP_STEAL_TIME, false },
	{ "counter offset", KVM_CAP_COUNTER_OFFSET, false },
	{ "system suspend", KVM_CAP_ARM_SYSTEM_SUSPEND, false },
	{ "writable id registers", KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES, false },
	{ "hardware breakpoints", KVM_CAP_GUEST_DEBUG_HW_BPS, true },
	{ "hardware watchpoints", KVM_CAP_GUEST_DEBUG_HW_WPS, true },
	{ "userspace irqchip", KVM_CAP_ARM_USER_IRQ, false },
	{ "irqfd", KVM_CAP_IRQFD, false },
	{ "irqfd resample", KVM_CAP_IRQFD_RESAMPLE, false },
	{ "irq routes", KVM_CAP_IRQ_ROUTING, true },
	{ "ioeventfd", KVM_CAP_IOEVENTFD, false },
	{ "coalesced mmio", KVM_CAP_COALESCED_MMIO, false },
	{ "readonly memory", KVM_CAP_READONLY_MEM, false },
	{ "nisv exits", KVM_CAP_ARM_NISV_TO_USER, false },
	{ "abort injection", KVM_CAP_ARM_INJECT_EXT_DABT, false },
	{ "manual dirty log", KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, true },
	{ "dirty ring", KVM_CAP_DIRTY_LOG_RING_ACQ_REL, true },
	{ "dirty ring with bitmap", KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP, false },
	{ "guest memfd", KVM_CAP_GUEST_MEMFD, false },
};

static const struct {
	const char *name;
	uint32_t type;
} devices[] = {
	{ "gicv2", KVM_DEV_TYPE_ARM_VGIC_V2 },
	{ "gicv3", KVM_DEV_TYPE_ARM_VGIC_V3 },
	{ "its", KVM_DEV_TYPE_ARM_VGIC_ITS },
};

static void print_yes(const char *name, bool yes)
{
	printf("%s: %s\n", name, yes ? "yes" : "no");
}

static void print_caps(const struct kvm *kvm)
{
	printf("kvm api: %d\n", KVM_API_VERSION);
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		int value = kvm_cap(kvm, caps[i].cap);

		if (caps[i].number)
			printf("%s: %d\n", caps[i].name, value);
		else
			print_yes(caps[i].name, value > 0);
	}
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		print_yes(devices[i].name, kvm_device_test(kvm, devices[i].type));
}

static int print_psci(const struct kvm *kvm, struct cpu_model *model, struct fail *fail)
{
	bool user = hypercall_supported(kvm);
	int err = cpu_plan_psci(kvm, 0, model, fail);

	if (err)
		return err;
	print_yes("smccc filter", user);
	printf("psci in the kernel: %s\n", psci_version_name(model->psci_version));
	printf("psci in userspace: %s\n", user ? psci_version_name(PSCI_LATEST) : "no");
	return 0;
}

static int print_registers(const struct kvm *kvm, const struct cpu_model *model, struct fail *fail)
{
	struct reg_value regs[REGS_FIRMWARE_MAX];
	struct kvm_vcpu vcpu = { .fd = -1 };
	int n = kvm_vcpu_open(kvm, 0, &vcpu);

	if (!n)
		n = cpu_init(&vcpu, model, fail);
	if (!n)
		n = regs_firmware_read(&vcpu, regs);
	for (int i = 0; i < n; i++)
		printf("%s: 0x%llx\n", regs_firmware_name(regs[i].id),
		       (unsigned long long)regs[i].value);
	kvm_vcpu_close(&vcpu);
	return n < 0 ? fail_set(fail, EXIT_HOST, n, "KVM does not tell its firmware registers: %s",
				strerror(-n))
		     : 0;
}

/* A VM is made, as what KVM offers may depend on it; nothing runs. */
static int print_host(const struct host_config *cfg, struct vm *vm, struct fail *fail)
{
	struct cpu_model model = { 0 };
	int err = vm_open_kvm(vm, cpu_ipa_bits(1), fail);

	if (!err)
		err = cpu_plan(&vm->kvm, false, &model, fail);
	if (!err && !cfg->registers) {
		print_caps(&vm->kvm);
		err = print_psci(&vm->kvm, &model, fail);
	}
	return err ? err : print_registers(&vm->kvm, &model, fail);
}

static int parse(int argc, char **argv, struct host_config *cfg, struct fail *fail)
{
	int words = opts_parse(host_options, argc, argv, cfg, fail);

	if (words > 0)
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "'%s' is no option of vmm host",
				argv[0]);
	return words;
}

int cmd_host(int argc, char **argv)
{
	struct log log = { .fd = STDERR_FILENO, .level = LOG_WARNING, .prefix = "vmm: " };
	struct host_config cfg = { 0 };
	struct fail fail = { 0 };
	struct vm *vm = NULL;

	if (argc == 1 && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))) {
		puts("usage: vmm host [OPTIONS]\n\n"
		     "Says what this host's KVM offers, a `name: value` a line.\n");
		opts_help(host_options, stdout);
		return EXIT_OK;
	}
	if (!parse(argc, argv, &cfg, &fail) && !vm_create(&log, &vm, &fail))
		print_host(&cfg, vm, &fail);
	vm_destroy(vm);
	if (fail.text[0])
		fprintf(stderr, "vmm: %s\n", fail.text);
	return fail.text[0] ? (int)fail.code : EXIT_OK;
}
