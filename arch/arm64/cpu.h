/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_CPU_H
#define ARCH_ARM64_CPU_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "vmm/core/fail.h"
#include "vmm/kvm.h"

/* What all vCPUs of a machine are made of, decided once before any exists. */
struct cpu_model {
	struct kvm_vcpu_init init; /* target and features for KVM_ARM_VCPU_INIT */
	bool sve, pauth, pmu;
};

/* IPA bits that addresses below `top` need, at least the 32 that KVM wants. */
unsigned int cpu_ipa_bits(uint64_t top);

/* Takes what the host offers: pointer authentication and SVE where it has them, a PMU only when
 * `pmu` asks for it (EXIT_CONFIG if the host has none). Needs the VM, before its vCPUs. */
int cpu_plan(const struct kvm *kvm, bool pmu, struct cpu_model *model, struct fail *fail);

/* KVM_ARM_VCPU_INIT and what must follow it. CPU 0 starts at once, the others wait for CPU_ON. */
int cpu_init(const struct kvm_vcpu *vcpu, const struct cpu_model *model, struct fail *fail);

/* The vCPU's PMU, after the interrupt controller is initialised; nothing without `pmu`. */
int cpu_init_pmu(const struct kvm_vcpu *vcpu, const struct cpu_model *model, struct fail *fail);

/* The boot protocol's state of CPU 0 (Documentation/arch/arm64/booting.rst): pc, x0 = device tree,
 * x1 to x3 = 0. */
int cpu_set_boot(const struct kvm_vcpu *vcpu, uint64_t pc, uint64_t dtb, struct fail *fail);

/* MPIDR_EL1 affinity bits as KVM assigns them to vCPU `id`. */
uint64_t cpu_mpidr(uint32_t id);

/* Prints pc, sp, pstate and the general registers, for a VM that crashed. */
void cpu_dump(const struct kvm_vcpu *vcpu, FILE *out);

#endif
