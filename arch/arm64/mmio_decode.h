/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_MMIO_DECODE_H
#define ARCH_ARM64_MMIO_DECODE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A64 loads and stores as a description: pure and portable. Arm ARM (DDI 0487), C4.1.94 "Loads and
 * stores", and DC ZVA.
 */
enum mmio_addressing {
	MMIO_OFFSET, /* [rn, #offset] */
	MMIO_PRE, /* [rn, #offset]! */
	MMIO_POST, /* [rn], #offset */
	MMIO_REGISTER, /* [rn, rm, extend #shift] */
	MMIO_LITERAL, /* PC + offset */
	MMIO_BLOCK, /* DC ZVA, rn: the naturally aligned block around rn */
};

/* How MMIO_REGISTER takes rm; the numbers are the instruction's `option`. */
enum mmio_extend { MMIO_UXTW = 2, MMIO_LSL = 3, MMIO_SXTW = 6, MMIO_SXTX = 7 };

enum { MMIO_ZR = 31 }; /* as rt, rm and rs: zero; as rn: the stack pointer */

struct mmio_insn {
	bool load; /* else a store */
	bool simd; /* rt are V registers; a load clears the rest of them */
	bool sign; /* sign-extended to `width` */
	bool exclusive; /* a store gives its status in rs, 0 */
	uint8_t count; /* registers, and elements in memory: 1 or 2; 0 with MMIO_BLOCK */
	uint8_t size; /* bytes of an element: 1, 2, 4, 8, with simd 16; 0 with MMIO_BLOCK */
	uint8_t width; /* bytes of rt that a load sets, the rest becomes 0: 4 or 8, with simd 16 */
	uint8_t rt[2], rn, rm, rs;
	enum mmio_addressing addressing;
	enum mmio_extend extend;
	uint8_t shift;
	int32_t offset; /* bytes */
};

/*
 * 0, or -EFAULT for what is no load or store, what the architecture leaves unpredictable, and what
 * is not described: atomics (LSE), structures (LD1), pointer authentication, memory tags, memory
 * copies, prefetches, SVE.
 */
int mmio_decode(uint32_t word, struct mmio_insn *insn);

/* Value of the low `size` bytes of `val` in a general register that the load sets. size 1 to 8. */
uint64_t mmio_extend_value(const struct mmio_insn *insn, uint64_t val);

/* Contribution of rm's value to the address (MMIO_REGISTER). */
uint64_t mmio_register_offset(const struct mmio_insn *insn, uint64_t rm);

#endif
