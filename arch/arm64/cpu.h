/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_CPU_H
#define ARCH_ARM64_CPU_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "arch/arm64/cpu_traits.h"
#include "vmm/core/fail.h"
#include "vmm/core/findings.h"
#include "vmm/kvm.h"

/* What all vCPUs of a machine are made of, decided once before any exists. */
struct cpu_model {
	struct kvm_vcpu_init init; /* target and features for KVM_ARM_VCPU_INIT */
	bool sve, pauth, pmu, pvtime;
	bool user_psci; /* CPUs are switched on by our own PSCI */
	bool user_gic; /* no interrupt controller in the kernel */
	uint32_t psci_version; /* of the kernel's PSCI; 0: its default */
	/* SVE vector lengths, as KVM_REG_ARM64_SVE_VLS; otherwise all of the host's. */
	bool has_vls;
	uint64_t vls[KVM_ARM64_SVE_VLS_WORDS];
};

/* IPA bits that addresses below `top` need, at least the 32 that KVM wants. */
unsigned int cpu_ipa_bits(uint64_t top);

/*
 * Takes what the host offers: pointer authentication and SVE where it has them, a PMU only when
 * `pmu` asks for it (EXIT_CONFIG if the host has none). Needs the VM, before its vCPUs.
 */
int cpu_plan(const struct kvm *kvm, bool pmu, struct cpu_model *model, struct fail *fail);

/* Restricts the model to what `like` has. What `like` has and this host does not is added to
 * `refused`. */
void cpu_plan_like(struct cpu_model *model, const struct cpu_traits *like,
		   struct findings *refused);

/*
 * The PSCI version that the kernel's own implementation shows, for cpu_init(): 0 is its default,
 * 0x1 (version 0.1) the absence of a feature. EXIT_CONFIG with its maximum if it cannot. Makes a
 * VM of its own to find out.
 */
int cpu_plan_psci(const struct kvm *kvm, uint32_t version, struct cpu_model *model,
		  struct fail *fail);

/* KVM_ARM_VCPU_INIT and what must follow it. CPU 0 starts at once; the others wait for a CPU_ON
 * that the kernel serves, unless model->user_psci: then their threads wait. */
int cpu_init(const struct kvm_vcpu *vcpu, const struct cpu_model *model, struct fail *fail);

/* The vCPU's PMU, after the interrupt controller is initialised; nothing without `pmu`. */
int cpu_init_pmu(const struct kvm_vcpu *vcpu, const struct cpu_model *model, struct fail *fail);

/* Tells the kernel where this vCPU's stolen time goes, in memory at LAYOUT_PVTIME_BASE that exists;
 * nothing without `pvtime`. The guest asks for it by firmware calls that the kernel serves. */
int cpu_init_pvtime(const struct kvm_vcpu *vcpu, const struct cpu_model *model, struct fail *fail);

/* The boot protocol's state of CPU 0 (Documentation/arch/arm64/booting.rst): pc, x0 = device tree,
 * x1 to x3 = 0. */
int cpu_set_boot(const struct kvm_vcpu *vcpu, uint64_t pc, uint64_t dtb, struct fail *fail);

/* The architectural reset of a CPU that may have run, and its start. 0 or -errno. */
int cpu_restart(const struct kvm_vcpu *vcpu, const struct cpu_model *model, uint64_t pc,
		uint64_t x0);

/* ONE_REG id of x0 to x30. */
uint64_t cpu_xreg(unsigned int n);

/* Whether what the host writes is seen by loads of the guest whatever memory type its tables say
 * (FEAT_S2FWB). If not, cpu_clean_line() after each store, before an interrupt or a vCPU's start. */
bool cpu_coherent(const struct kvm_vcpu *vcpu);
void cpu_clean_line(const void *p);

/* MPIDR_EL1 affinity bits as KVM assigns them to vCPU `id`. */
uint64_t cpu_mpidr(uint32_t id);

/* Prints pc, sp, pstate and the general registers, for a VM that crashed. */
void cpu_dump(const struct kvm_vcpu *vcpu, FILE *out);

#endif
