/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_STACK_H
#define ARCH_ARM64_STACK_H

#include "arch/arm64/pagetable.h"

enum { STACK_FRAMES_MAX = 32 };

/*
 * Who called whom, by the frame records that x29 leads to (AAPCS64, 6.4.6), read through the guest's page
 * tables: the return addresses, the innermost first, without pointer authentication codes. Ends at a zero
 * x29, at one that is misaligned or not mapped, or at a frame that does not lie above the last one.
 * Returns how many there are. Portable.
 */
unsigned int stack_walk(const struct guest_mem *mem, const struct pagetable *pt, uint64_t fp,
			uint64_t frames[STACK_FRAMES_MAX]);

#endif
