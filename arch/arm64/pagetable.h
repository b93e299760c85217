/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_PAGETABLE_H
#define ARCH_ARM64_PAGETABLE_H

#include <stdint.h>

#include "vmm/core/mem.h"

/*
 * The guest's stage 1 translation (EL1&0 regime, VMSAv8-64), done in software: KVM has no call for
 * it on arm64. Arm ARM (DDI 0487), D8.2 and D8.3. Portable.
 */
struct pagetable {
	uint64_t sctlr, tcr, ttbr0, ttbr1; /* the _EL1 registers */
};

/*
 * Where `va` is: 0, or -EFAULT when nothing maps it, when a table is not in guest RAM, or when the
 * tables are big-endian, which are not followed. Without an MMU (SCTLR.M = 0) it is where it says.
 * Each descriptor is read once, at most five. Permissions and the access flag are not looked at: the CPU has just done so.
 */
int pagetable_walk(const struct guest_mem *mem, const struct pagetable *pt, uint64_t va,
		   gpa_t *gpa);

#endif
