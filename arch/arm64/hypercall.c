// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/hypercall.h"

#include <string.h>

#include "arch/arm64/cpu.h"

bool hypercall_supported(const struct kvm *kvm)
{
	return !kvm_attr_test(kvm->vm_fd, KVM_ARM_VM_SMCCC_CTRL, KVM_ARM_VM_SMCCC_FILTER);
}

static bool has_service(const struct smccc *fw, enum smccc_service service)
{
	return (service == SMCCC_PSCI && fw->psci) || (service == SMCCC_TRNG && fw->trng);
}

int hypercall_filter(const struct kvm *kvm, const struct smccc *fw, struct fail *fail)
{
	for (const struct smccc_range *range = smccc_ranges; range->count; range++) {
		const struct kvm_smccc_filter filter = {
			.base = range->base,
			.nr_functions = range->count,
			.action = KVM_SMCCC_FILTER_FWD_TO_USER,
		};
		int err;

		if (!has_service(fw, range->service))
			continue;
		err = kvm_attr_set(kvm->vm_fd, KVM_ARM_VM_SMCCC_CTRL, KVM_ARM_VM_SMCCC_FILTER,
				   &filter);
		if (err)
			return fail_set(fail, EXIT_HOST, err,
					"KVM does not forward the firmware calls 0x%x: %s; use "
					"--psci kernel",
					range->base, strerror(-err));
	}
	return 0;
}

int hypercall_serve(const struct kvm_vcpu *vcpu, const struct smccc *fw, struct smccc_call *call)
{
	unsigned int nargs;
	int err = 0;

	call->x[0] = vcpu->run->hypercall.nr;
	call->smc = vcpu->run->hypercall.flags & KVM_HYPERCALL_EXIT_SMC;
	nargs = smccc_nargs(fw, (uint32_t)call->x[0]);
	for (unsigned int i = 1; !err && i <= nargs; i++)
		err = kvm_reg_get(vcpu, cpu_xreg(i), &call->x[i]);
	if (err)
		return err;
	smccc_call(fw, call);
	for (unsigned int i = 0; !err && i < call->nresults; i++)
		err = kvm_reg_set(vcpu, cpu_xreg(i), &call->x[i]);
	return err;
}
