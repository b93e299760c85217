// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/regs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* In the order of writing: the version first, since it says what the others may hold. */
static const uint64_t firmware[] = {
	KVM_REG_ARM_PSCI_VERSION,
	KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_1,
	KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2,
	KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_3,
	KVM_REG_ARM_STD_BMAP,
	KVM_REG_ARM_STD_HYP_BMAP,
	KVM_REG_ARM_VENDOR_HYP_BMAP,
	KVM_REG_ARM_VENDOR_HYP_BMAP_2,
};

enum { NFIRMWARE = sizeof(firmware) / sizeof(firmware[0]) };

_Static_assert((int)NFIRMWARE <= (int)REGS_FIRMWARE_MAX, "room for all");

static bool listed(const struct kvm_reg_list *list, uint64_t id)
{
	for (uint64_t i = 0; i < list->n; i++)
		if (list->reg[i] == id)
			return true;
	return false;
}

int regs_firmware_read(const struct kvm_vcpu *vcpu, struct reg_value regs[REGS_FIRMWARE_MAX])
{
	struct kvm_reg_list *list;
	int n = 0, err = kvm_reg_list(vcpu, &list);

	for (int i = 0; !err && i < NFIRMWARE; i++) {
		if (!listed(list, firmware[i]))
			continue;
		regs[n].id = firmware[i];
		err = kvm_reg_get(vcpu, regs[n].id, &regs[n].value);
		n++;
	}
	free(list);
	return err ? err : n;
}

int regs_firmware_write(const struct kvm_vcpu *vcpu, const struct reg_value *regs, unsigned int n,
			struct fail *fail)
{
	for (unsigned int i = 0; i < n; i++) {
		const char *name = regs_firmware_name(regs[i].id);
		int err = name ? kvm_reg_set(vcpu, regs[i].id, &regs[i].value) : -ENOENT;

		if (err)
			return fail_set(fail, EXIT_SNAPSHOT, err,
					"this host does not take the firmware register %s (0x%llx) "
					"with value 0x%llx: %s",
					name ? name : "of unknown name",
					(unsigned long long)regs[i].id,
					(unsigned long long)regs[i].value, strerror(-err));
	}
	return 0;
}
