/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_MMIO_INSN_H
#define ARCH_ARM64_MMIO_INSN_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/arm64/mmio_decode.h"
#include "vmm/core/mem.h"
#include "vmm/kvm.h"

/*
 * Accesses to devices for which the CPU gives no syndrome (ESR_EL2.ISV = 0: pairs, writeback, SIMD,
 * exclusives, DC ZVA): the instruction is read through the guest's page tables and done here.
 */
struct mmio_guest {
	const struct kvm_vcpu *vcpu;
	const struct guest_mem *mem;
	bool sve; /* the vCPU has SVE: its V registers are read and written as Z registers */
	/* One access of 1, 2, 4 or 8 bytes: 0, or -errno, which ends the instruction there. */
	int (*access)(void *arg, gpa_t addr, unsigned int size, bool write, uint64_t *val);
	void *arg;
};

/*
 * Does the vCPU's current instruction, which accesses `ipa` (the address of the exit), and steps
 * over it. Elements are accessed in order, 16-byte ones as two of 8 bytes, DC ZVA as stores of 8
 * bytes. A store exclusive that gets here succeeds. 0; -EFAULT for what is not emulated, with
 * nothing done; what `access` returned, with no register changed; other -errno from KVM.
 */
int mmio_insn_emulate(const struct mmio_guest *guest, gpa_t ipa, bool write);

/* What the current instruction is: 0, -EFAULT (cannot be read, is no load or store) or -errno. */
int mmio_insn_fetch(const struct mmio_guest *guest, struct mmio_insn *insn);

#endif
