// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/cpu.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "arch/arm64/layout.h"

#define CORE_REG(field) \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(field))

enum { PSCI_VERSION_0_1 = 1 }; /* as PSCI_VERSION would return it */

unsigned int cpu_ipa_bits(uint64_t top)
{
	unsigned int bits = 32;

	while (bits < 64 && (top - 1) >> bits)
		bits++;
	return bits;
}

static void add_feature(struct cpu_model *model, unsigned int feature)
{
	model->init.features[feature / 32] |= 1u << feature % 32;
}

int cpu_plan(const struct kvm *kvm, bool pmu, struct cpu_model *model, struct fail *fail)
{
	int err = kvm_preferred_target(kvm, &model->init);

	if (err)
		return fail_set(fail, EXIT_HOST, err, "KVM offers no CPU for guests: %s",
				strerror(-err));
	if (pmu && !kvm_cap(kvm, KVM_CAP_ARM_PMU_V3))
		return fail_set(fail, EXIT_CONFIG, -ENODEV,
				"--pmu: this host's KVM has no PMUv3 for guests; leave it out");
	model->pmu = pmu;
	model->sve = kvm_cap(kvm, KVM_CAP_ARM_SVE) > 0;
	model->pauth = kvm_cap(kvm, KVM_CAP_ARM_PTRAUTH_ADDRESS) > 0 &&
		       kvm_cap(kvm, KVM_CAP_ARM_PTRAUTH_GENERIC) > 0;
	model->pvtime = kvm_cap(kvm, KVM_CAP_STEAL_TIME) > 0;
	add_feature(model, KVM_ARM_VCPU_PSCI_0_2);
	if (model->pmu)
		add_feature(model, KVM_ARM_VCPU_PMU_V3);
	if (model->sve)
		add_feature(model, KVM_ARM_VCPU_SVE);
	if (model->pauth) {
		add_feature(model, KVM_ARM_VCPU_PTRAUTH_ADDRESS);
		add_feature(model, KVM_ARM_VCPU_PTRAUTH_GENERIC);
	}
	return 0;
}

void cpu_plan_like(struct cpu_model *model, const struct cpu_traits *like, struct findings *refused)
{
	const struct {
		const char *name;
		bool *has;
		bool wants;
		unsigned int features;
	} parts[] = {
		{ "SVE", &model->sve, like->sve, 1u << KVM_ARM_VCPU_SVE },
		{ "pointer authentication", &model->pauth, like->pauth,
		  1u << KVM_ARM_VCPU_PTRAUTH_ADDRESS | 1u << KVM_ARM_VCPU_PTRAUTH_GENERIC },
		{ "stolen time", &model->pvtime, like->pvtime, 0 },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].wants && !*parts[i].has)
			findings_add(refused, "the guest has %s, this host's KVM does not",
				     parts[i].name);
		if (!parts[i].wants)
			model->init.features[0] &= ~parts[i].features;
		*parts[i].has &= parts[i].wants;
	}
	model->has_vls = like->has_vls && model->sve;
	memcpy(model->vls, like->vls, sizeof(model->vls));
}

static int max_psci(const struct kvm *kvm, const struct cpu_model *model, uint64_t *version)
{
	struct kvm scratch = { .sys_fd = kvm->sys_fd, .vm_fd = -1, .run_size = kvm->run_size };
	struct kvm_vcpu vcpu = { .fd = -1 };
	int err = kvm_vm_open(&scratch, 0);

	if (!err)
		err = kvm_vcpu_open(&scratch, 0, &vcpu);
	if (!err)
		err = kvm_vcpu_init(&vcpu, &model->init);
	if (!err)
		err = kvm_reg_get(&vcpu, KVM_REG_ARM_PSCI_VERSION, version);
	kvm_vcpu_close(&vcpu);
	kvm_vm_close(&scratch);
	return err;
}

int cpu_plan_psci(const struct kvm *kvm, uint32_t version, struct cpu_model *model,
		  struct fail *fail)
{
	uint64_t max = 0;
	int err = max_psci(kvm, model, &max);

	if (err)
		return fail_set(fail, EXIT_HOST, err, "cannot ask KVM for its PSCI version: %s",
				strerror(-err));
	if (version > max)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--psci-version %u.%u: the PSCI of this host's kernel ends at "
				"%u.%u; use that, or --psci user where the host has it",
				version >> 16, version & 0xffff, (unsigned int)(max >> 16),
				(unsigned int)(max & 0xffff));
	model->psci_version = version ? version : (uint32_t)max;
	if (version == PSCI_VERSION_0_1)
		model->init.features[0] &= ~(1u << KVM_ARM_VCPU_PSCI_0_2);
	return 0;
}

static int set_psci_version(const struct kvm_vcpu *vcpu, const struct cpu_model *model)
{
	uint64_t version = model->psci_version;

	if (model->user_psci || version <= PSCI_VERSION_0_1)
		return 0;
	return kvm_reg_set(vcpu, KVM_REG_ARM_PSCI_VERSION, &version);
}

int cpu_init(const struct kvm_vcpu *vcpu, const struct cpu_model *model, struct fail *fail)
{
	struct kvm_vcpu_init init = model->init;
	int err;

	if (vcpu->id && !model->user_psci)
		init.features[0] |= 1u << KVM_ARM_VCPU_POWER_OFF;
	err = kvm_vcpu_init(vcpu, &init);
	/* Where they cannot be, the host's own are left: loading compares them. */
	if (!err && model->has_vls)
		kvm_reg_set(vcpu, KVM_REG_ARM64_SVE_VLS, model->vls);
	if (!err && model->sve)
		err = kvm_vcpu_finalize(vcpu, KVM_ARM_VCPU_SVE);
	if (!err)
		err = set_psci_version(vcpu, model);
	if (err)
		return fail_set(fail, EXIT_HOST, err, "cannot initialise vCPU %u: %s", vcpu->id,
				strerror(-err));
	return 0;
}

int cpu_restart(const struct kvm_vcpu *vcpu, const struct cpu_model *model, uint64_t pc,
		uint64_t x0)
{
	int err = kvm_vcpu_init(vcpu, &model->init);

	if (!err)
		err = kvm_reg_set(vcpu, CORE_REG(regs.pc), &pc);
	return err ? err : kvm_reg_set(vcpu, cpu_xreg(0), &x0);
}

uint64_t cpu_xreg(unsigned int n)
{
	return CORE_REG(regs.regs[0]) + n * (sizeof(uint64_t) / sizeof(uint32_t));
}

int cpu_init_pmu(const struct kvm_vcpu *vcpu, const struct cpu_model *model, struct fail *fail)
{
	int irq = LAYOUT_PPI_PMU;
	int err = 0;

	if (!model->pmu)
		return 0;
	/* Without a controller of its own KVM knows no number, and tells the line's level. */
	if (!model->user_gic)
		err = kvm_attr_set(vcpu->fd, KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_PMU_V3_IRQ,
				   &irq);
	if (!err)
		err = kvm_attr_set(vcpu->fd, KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_PMU_V3_INIT,
				   NULL);
	if (err)
		return fail_set(fail, EXIT_HOST, err, "cannot initialise the PMU of vCPU %u: %s",
				vcpu->id, strerror(-err));
	return 0;
}

int cpu_init_pvtime(const struct kvm_vcpu *vcpu, const struct cpu_model *model, struct fail *fail)
{
	uint64_t ipa = LAYOUT_PVTIME_BASE + (uint64_t)vcpu->id * LAYOUT_PVTIME_STRIDE;
	int err;

	if (!model->pvtime || ipa >= LAYOUT_PVTIME_BASE + LAYOUT_PVTIME_SIZE)
		return 0;
	err = kvm_attr_set(vcpu->fd, KVM_ARM_VCPU_PVTIME_CTRL, KVM_ARM_VCPU_PVTIME_IPA, &ipa);
	if (err)
		return fail_set(fail, EXIT_HOST, err, "cannot give vCPU %u its stolen time: %s",
				vcpu->id, strerror(-err));
	return 0;
}

int cpu_set_boot(const struct kvm_vcpu *vcpu, uint64_t pc, uint64_t dtb, struct fail *fail)
{
	const uint64_t zero = 0;
	const struct {
		uint64_t id;
		const uint64_t *value;
	} regs[] = {
		{ CORE_REG(regs.pc), &pc },	   { CORE_REG(regs.regs[0]), &dtb },
		{ CORE_REG(regs.regs[1]), &zero }, { CORE_REG(regs.regs[2]), &zero },
		{ CORE_REG(regs.regs[3]), &zero },
	};

	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
		int err = kvm_reg_set(vcpu, regs[i].id, regs[i].value);

		if (err)
			return fail_set(fail, EXIT_HOST, err, "cannot set register 0x%llx: %s",
					(unsigned long long)regs[i].id, strerror(-err));
	}
	return 0;
}

/* A kernel that hides the feature from guests costs some cache maintenance, not correctness. */
bool cpu_coherent(const struct kvm_vcpu *vcpu)
{
	enum { FWB_SHIFT = 40 };
	uint64_t mmfr2 = 0;

	if (kvm_reg_get(vcpu, ARM64_SYS_REG(3, 0, 0, 7, 2), &mmfr2))
		return false;
	return mmfr2 >> FWB_SHIFT & 0xf;
}

void cpu_clean_line(const void *p)
{
	__asm__ volatile("dc cvac, %0\n\tdsb sy" : : "r"(p) : "memory");
}

uint64_t cpu_mpidr(uint32_t id)
{
	return (id & 0xf) | (uint64_t)(id >> 4 & 0xff) << 8 | (uint64_t)(id >> 12 & 0xff) << 16;
}

static uint64_t core_reg(const struct kvm_vcpu *vcpu, uint64_t id)
{
	uint64_t value = 0;

	kvm_reg_get(vcpu, id, &value);
	return value;
}

void cpu_dump(const struct kvm_vcpu *vcpu, FILE *out)
{
	fprintf(out, "vCPU %u: pc %016llx pstate %08llx sp_el1 %016llx\n", vcpu->id,
		(unsigned long long)core_reg(vcpu, CORE_REG(regs.pc)),
		(unsigned long long)core_reg(vcpu, CORE_REG(regs.pstate)),
		(unsigned long long)core_reg(vcpu, CORE_REG(sp_el1)));
	for (unsigned int i = 0; i < 31; i++)
		fprintf(out, "x%-2u %016llx%s", i, (unsigned long long)core_reg(vcpu, cpu_xreg(i)),
			i % 4 == 3 || i == 30 ? "\n" : "  ");
}
