/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_BENCH_BARE_H
#define TESTS_BENCH_BARE_H

#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

/* KVM without a VMM: each call succeeds, or the program ends. */

static inline int must(const char *what, int ret)
{
	if (ret >= 0)
		return ret;
	perror(what);
	exit(1);
}

static inline void set_reg(int vcpu, uint64_t index, uint64_t value)
{
	struct kvm_one_reg reg = {
		.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | index,
		.addr = (uintptr_t)&value,
	};

	must("SET_ONE_REG", ioctl(vcpu, KVM_SET_ONE_REG, &reg));
}

#endif
