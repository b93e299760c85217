/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_DEBUG_H
#define ARCH_ARM64_DEBUG_H

#include "vmm/core/json.h"
#include "vmm/core/mem.h"
#include "vmm/kvm.h"

/*
 * What a person who debugs a guest asks first of a vCPU, which does not run: adds the members
 * "registers", "x" (rows of four, by the first one's number), "stack" (return addresses) and, when a
 * timer is armed and will expire, "timer_ns" until then, and "timer_late_ns" since one has. With `brief` only pc and timer.
 */
void cpu_debug(const struct kvm_vcpu *vcpu, const struct guest_mem *mem, bool brief,
	       struct json_out *out);

#endif
