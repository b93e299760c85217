/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_CPU_TRAITS_H
#define ARCH_ARM64_CPU_TRAITS_H

#include <stdbool.h>

#include "arch/arm64/reg_id.h"

/* Of the CPUs of a machine, what has to be known before any is made. Portable. */
struct cpu_traits {
	bool sve, pauth, pvtime;
	/* SVE vector lengths, as KVM_REG_ARM64_SVE_VLS; otherwise all of the host's. */
	bool has_vls;
	uint64_t vls[REG_VLS_WORDS];
};

#endif
