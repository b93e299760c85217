/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_REG_ID_H
#define ARCH_ARM64_REG_ID_H

#include <stdint.h>

/*
 * The ids of registers, as KVM_GET_REG_LIST of an arm64 host gives them (Documentation/virt/kvm/api.rst,
 * 4.68) and saved machines hold them: here so that any machine can read those. regs_state.c holds them
 * against the kernel's own header.
 */
#define REG_ID(size, group, bits) \
	(0x6000000000000000ULL | (uint64_t)(size) << 52 | (uint64_t)(group) << 16 | (bits))

/* Bits 55:52: log2 of the bytes. */
enum { REG_U32 = 2, REG_U64 = 3, REG_U128 = 4, REG_U256 = 5, REG_U512 = 6, REG_U2048 = 8 };
/* Bits 27:16. */
enum {
	REG_CORE = 0x10, /* an offset in struct kvm_regs, in 32-bit words */
	REG_CACHE_SIZE = 0x11, /* CCSIDR_EL1, by what CSSELR_EL1 selects */
	REG_SYSTEM = 0x13, /* op0, op1, CRn, CRm, op2: 2, 3, 4, 4 and 3 bits */
	REG_FIRMWARE = 0x14,
	REG_SVE = 0x15,
	REG_FIRMWARE_FEATURES = 0x16,
};

#define REG_SYS(op0, op1, crn, crm, op2) \
	REG_ID(REG_U64, REG_SYSTEM, (op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))

/* Words of struct kvm_regs. */
enum {
	REG_CORE_X = 0,
	REG_CORE_SP_EL0 = 62,
	REG_CORE_PC = 64,
	REG_CORE_PSTATE = 66,
	REG_CORE_SP_EL1 = 68,
	REG_CORE_ELR_EL1 = 70,
	REG_CORE_SPSR = 72,
	REG_CORE_V = 84,
	REG_CORE_FPSR = 212,
	REG_CORE_FPCR = 213,
};

/* Not what their encodings say: api.rst, "ARM registers". */
#define REG_CNTV_CTL  REG_SYS(3, 3, 14, 3, 1)
#define REG_CNTV_CVAL REG_SYS(3, 3, 14, 0, 2)
#define REG_CNTVCT    REG_SYS(3, 3, 14, 3, 2)
#define REG_CNTP_CTL  REG_SYS(3, 3, 14, 2, 1)
#define REG_CNTP_CVAL REG_SYS(3, 3, 14, 2, 2)
#define REG_CNTPCT    REG_SYS(3, 3, 14, 0, 1)

/* Low bits of SVE registers: their number is above bit 5. */
enum { REG_SVE_P = 0x400, REG_SVE_FFR = 0x600 };
/* A bit a length, from 128 bits on. */
enum { REG_VLS_WORDS = 8 };
#define REG_SVE_LENGTHS REG_ID(REG_U512, REG_SVE, 0xffff)

#define REG_FW(n)	   REG_ID(REG_U64, REG_FIRMWARE, n)
#define REG_FW_FEATURES(n) REG_ID(REG_U64, REG_FIRMWARE_FEATURES, n)

static inline unsigned int reg_group(uint64_t id)
{
	return id >> 16 & 0xfff;
}

static inline uint32_t reg_size(uint64_t id)
{
	return 1u << (id >> 52 & 15);
}

#endif
