/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_REGS_H
#define ARCH_ARM64_REGS_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/core/fail.h"
#include "vmm/kvm.h"

/*
 * Which registers of a vCPU are state, and in which order they are set. So far the *firmware*
 * pseudo-registers of the kernel's own services: KVM_REG_ARM_FW and KVM_REG_ARM_FW_FEAT_BMAP
 * (Documentation/virt/kvm/arm/fw-pseudo-registers.rst). They belong to the whole VM, though every
 * vCPU shows them, and are written before the first run.
 */
struct reg_value {
	uint64_t id;
	uint64_t value;
};

enum { REGS_FIRMWARE_MAX = 16 };

/* Reads those that this host's KVM_GET_REG_LIST names, in the order in which they are to be
 * written: returns their number, or -errno. The vCPU is initialised. */
int regs_firmware_read(const struct kvm_vcpu *vcpu, struct reg_value regs[REGS_FIRMWARE_MAX]);

/* Writes them: 0, or -errno with a sentence (EXIT_SNAPSHOT) that names the register and the value
 * that this host does not take. */
int regs_firmware_write(const struct kvm_vcpu *vcpu, const struct reg_value *regs, unsigned int n,
			struct fail *fail);

/* A register's name for people: as the architecture calls it ("MIDR_EL1", "x0"), "S3_0_C0_C4_7" for
 * a system register that is not known, or its id. */
void regs_name(uint64_t id, char *name, size_t size);

/* "psci_version", "smccc_workaround_1" ...; NULL for an id that is no known firmware register. */
const char *regs_firmware_name(uint64_t id);

#endif
