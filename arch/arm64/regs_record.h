/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_REGS_RECORD_H
#define ARCH_ARM64_REGS_RECORD_H

#include <stdint.h>

#include "arch/arm64/reg_id.h"

/* The registers of a vCPU as one record of state (regs_state.h): each its id, and its value in its own
 * size, little-endian. Portable; the record may be hostile. */
enum { REGS_STATE_MAX = 128 << 10 }; /* bytes of the record */
enum { REG_SIZE_MAX = 256 }; /* bytes of the longest: an SVE register of 2048 bits */

/* Calls `fn` with each register's id, value and size in bytes. 0, or -EPROTO for what is no such record. */
int regs_each(const uint8_t *record, uint32_t len,
	      void (*fn)(void *arg, uint64_t id, const uint8_t *value, uint32_t size), void *arg);

/* SVE vector lengths have to be known before KVM_ARM_VCPU_FINALIZE. -ENOENT: the guest has no SVE. */
int regs_find_vls(const uint8_t *record, uint32_t len, uint64_t vls[REG_VLS_WORDS]);

#endif
