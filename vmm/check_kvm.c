// SPDX-License-Identifier: GPL-2.0-only
/* What KVM offers. Documentation/virt/kvm/api.rst describes each capability. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "firmware/psci.h"
#include "vmm/check.h"

void check_yes(struct check_result *result, bool yes)
{
	snprintf(result->value, sizeof(result->value), "%s", yes ? "yes" : "no");
	result->lacks = !yes;
}

static void ask_version(const struct check_host *host, long arg, struct check_result *result)
{
	struct utsname name = { 0 };

	(void)host, (void)arg;
	uname(&name);
	snprintf(result->value, sizeof(result->value), "Linux %.60s, API %d", name.release,
		 KVM_API_VERSION);
}

static void ask_cap(const struct check_host *host, long arg, struct check_result *result)
{
	check_yes(result, kvm_cap(host->kvm, (unsigned int)arg) > 0);
}

/* The value of a capability is a size or a mask. */
static void ask_number(const struct check_host *host, long arg, struct check_result *result)
{
	int value = kvm_cap(host->kvm, (unsigned int)arg);

	snprintf(result->value, sizeof(result->value), "%d", value);
	result->lacks = !value;
}

enum { ASK_V2, ASK_V3, ASK_ITS };

static void ask_gic(const struct check_host *host, long arg, struct check_result *result)
{
	check_yes(result, arg == ASK_V2	  ? host->gic.v2
			  : arg == ASK_V3 ? host->gic.v3
					  : host->gic.its);
}

static void ask_irqchip(const struct check_host *host, long arg, struct check_result *result)
{
	struct gic_want want = { .kind = GIC_AUTO, .cpus = 1 };

	(void)arg;
	result->lacks = gic_choose(&host->gic, &want, NULL) != 0;
	snprintf(result->value, sizeof(result->value), "%s",
		 result->lacks ? "none" : gic_kind_words[want.kind]);
}

static void ask_filter(const struct check_host *host, long arg, struct check_result *result)
{
	(void)arg;
	check_yes(result, host->forwards);
}

static void ask_kernel_psci(const struct check_host *host, long arg, struct check_result *result)
{
	(void)arg;
	snprintf(result->value, sizeof(result->value), "%s", psci_version_name(host->kernel_psci));
}

static void ask_user_psci(const struct check_host *host, long arg, struct check_result *result)
{
	(void)arg;
	result->lacks = !host->forwards;
	snprintf(result->value, sizeof(result->value), "%s",
		 host->forwards ? psci_version_name(PSCI_LATEST) : "no");
}

#define NO_FORWARD                                                                                \
	"no --psci user, --trace or --inject, and the kernel's PSCI version is the newest there " \
	"is; Linux 6.4 and later have it"
#define OWN_GIC "the host's own interrupt controller decides that"

const struct check_item check_kvm_items[] = {
	{ "kvm", ask_version, 0, NULL },
	{ "gicv2", ask_gic, ASK_V2, "no --irqchip gicv2 and gicv2m; " OWN_GIC },
	{ "gicv3", ask_gic, ASK_V3, "at most 8 CPUs, no --irqchip gicv3; " OWN_GIC },
	{ "its", ask_gic, ASK_ITS, "no --irqchip gicv3-its; " OWN_GIC },
	{ "irqchip auto", ask_irqchip, 0, "vmm run has no interrupt controller; " OWN_GIC },
	{ "ipa bits", ask_number, KVM_CAP_ARM_VM_IPA_SIZE,
	  "guests have 40; Linux 4.20 and later can tell" },
	{ "max vcpus", ask_number, KVM_CAP_MAX_VCPUS, "no guest" },
	{ "memory slots", ask_number, KVM_CAP_NR_MEMSLOTS, "no guest" },
	{ "smccc filter", ask_filter, 0, NO_FORWARD },
	{ "psci in the kernel", ask_kernel_psci, 0, NULL },
	{ "psci in userspace", ask_user_psci, 0, NO_FORWARD },
	{ "sve", ask_cap, KVM_CAP_ARM_SVE, "guests have none; the CPU and its kernel decide that" },
	{ "pauth", ask_cap, KVM_CAP_ARM_PTRAUTH_ADDRESS,
	  "guests have no pointer authentication; the CPU decides that" },
	{ "mte", ask_cap, KVM_CAP_ARM_MTE, "guests have no memory tags; the CPU decides that" },
	{ "pmu", ask_cap, KVM_CAP_ARM_PMU_V3,
	  "no --pmu; the host's kernel needs a driver for its own PMU" },
	{ "el1 32-bit", ask_cap, KVM_CAP_ARM_EL1_32BIT, "no 32-bit guests; the CPU decides that" },
	{ "el2", ask_cap, KVM_CAP_ARM_EL2,
	  "guests are no hypervisors; Linux 6.16 or later with kvm-arm.mode=nested on a CPU that "
	  "can" },
	{ "stolen time", ask_cap, KVM_CAP_STEAL_TIME,
	  "guests do not see it; Linux 5.10 and later have it" },
	{ "counter offset", ask_cap, KVM_CAP_COUNTER_OFFSET,
	  "the counters of a VM are set one by one; Linux 6.4 and later have it" },
	{ "system suspend", ask_cap, KVM_CAP_ARM_SYSTEM_SUSPEND,
	  "no SYSTEM_SUSPEND with --psci kernel; Linux 5.19 and later have it" },
	{ "writable id registers", ask_cap, KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES,
	  "a guest's CPU is the host's; Linux 6.7 and later have it" },
	{ "hardware breakpoints", ask_number, KVM_CAP_GUEST_DEBUG_HW_BPS,
	  "guests are debugged with software breakpoints; the CPU decides that" },
	{ "hardware watchpoints", ask_number, KVM_CAP_GUEST_DEBUG_HW_WPS,
	  "no watchpoints on guests; the CPU decides that" },
	{ "userspace irqchip", ask_cap, KVM_CAP_ARM_USER_IRQ,
	  "an interrupt controller of KVM is needed; Linux 4.12 and later have it" },
	{ "irqfd", ask_cap, KVM_CAP_IRQFD, "no guest; build the host's kernel with it" },
	{ "irqfd resample", ask_cap, KVM_CAP_IRQFD_RESAMPLE,
	  "level-triggered interrupts go through vmm; Linux 3.19 and later have it" },
	{ "irq routes", ask_number, KVM_CAP_IRQ_ROUTING,
	  "messages go through vmm; Linux 4.8 and later have it" },
	{ "ioeventfd", ask_cap, KVM_CAP_IOEVENTFD,
	  "each doorbell is an exit; build the host's kernel with it" },
	{ "coalesced mmio", ask_cap, KVM_CAP_COALESCED_MMIO,
	  "each character on the serial console is an exit; Linux 5.4 and later have it" },
	{ "readonly memory", ask_cap, KVM_CAP_READONLY_MEM,
	  "each read of a device's register is an exit; Linux 3.19 and later have it" },
	{ "nisv exits", ask_cap, KVM_CAP_ARM_NISV_TO_USER,
	  "accesses without a syndrome end the guest; Linux 5.5 and later have it" },
	{ "abort injection", ask_cap, KVM_CAP_ARM_INJECT_EXT_DABT,
	  "no --unmapped abort; Linux 5.5 and later have it" },
	{ "manual dirty log", ask_number, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
	  "migration of large guests stalls them longer; Linux 5.5 and later have it" },
	{ "dirty ring", ask_number, KVM_CAP_DIRTY_LOG_RING_ACQ_REL,
	  "not used: migration reads the dirty log; Linux 6.2 and later have it" },
	{ "dirty ring with bitmap", ask_cap, KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP,
	  "not used, either; Linux 6.2 and later have it" },
	{ "guest memfd", ask_cap, KVM_CAP_GUEST_MEMFD,
	  "guest memory is always mapped; Linux 6.18 and later have it" },
	{ 0 },
};
