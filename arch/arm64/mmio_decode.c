// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/mmio_decode.h"

#include <errno.h>
#include <stddef.h>

/* Bits lo to hi of the word. */
static uint32_t bits(uint32_t word, unsigned int hi, unsigned int lo)
{
	return word >> lo & (UINT32_MAX >> (31 - (hi - lo)));
}

static int32_t signed_bits(uint32_t word, unsigned int hi, unsigned int lo)
{
	return (int32_t)(word << (31 - hi)) >> (31 - hi + lo);
}

static void set_registers(struct mmio_insn *insn, uint32_t word, unsigned int count)
{
	insn->count = count;
	insn->rt[0] = bits(word, 4, 0);
	insn->rt[1] = count == 2 ? bits(word, 14, 10) : 0;
	insn->rn = bits(word, 9, 5);
}

/* opc of a single general register, by size: store, load, load signed to 64, to 32 bits. */
static int set_general(struct mmio_insn *insn, unsigned int size, unsigned int opc)
{
	if ((size == 3 && opc >= 2) || (size == 2 && opc == 3))
		return -EFAULT; /* prefetch, unallocated */
	insn->load = opc != 0;
	insn->sign = opc >= 2;
	insn->size = 1 << size;
	insn->width = size == 3 || opc == 2 ? 8 : 4;
	return 0;
}

static int set_simd(struct mmio_insn *insn, unsigned int size, unsigned int opc)
{
	if (opc >= 2 && size)
		return -EFAULT;
	insn->simd = true;
	insn->load = opc & 1;
	insn->size = opc >= 2 ? 16 : 1 << size;
	insn->width = 16;
	return 0;
}

static int set_single(struct mmio_insn *insn, uint32_t word)
{
	unsigned int size = bits(word, 31, 30), opc = bits(word, 23, 22);

	set_registers(insn, word, 1);
	return bits(word, 26, 26) ? set_simd(insn, size, opc) : set_general(insn, size, opc);
}

/* Load/store exclusive and ordered. Registers that a form does not use are ignored. */
static int decode_exclusive(uint32_t word, struct mmio_insn *insn)
{
	unsigned int size = bits(word, 31, 30);
	bool pair = bits(word, 21, 21), plain = bits(word, 23, 23);

	if (pair && (plain || size < 2))
		return -EFAULT; /* compare and swap */
	set_registers(insn, word, pair ? 2 : 1);
	insn->load = bits(word, 22, 22);
	insn->exclusive = !plain;
	insn->size = 1 << size;
	insn->width = size == 3 ? 8 : 4;
	if (plain || insn->load)
		return 0;
	insn->rs = bits(word, 20, 16);
	if (insn->rs != MMIO_ZR &&
	    (insn->rs == insn->rt[0] || insn->rs == insn->rn || (pair && insn->rs == insn->rt[1])))
		return -EFAULT; /* unpredictable */
	return 0;
}

static int decode_literal(uint32_t word, struct mmio_insn *insn)
{
	unsigned int opc = bits(word, 31, 30);

	if (opc == 3)
		return -EFAULT;
	set_registers(insn, word, 1);
	insn->addressing = MMIO_LITERAL;
	insn->rn = MMIO_ZR;
	insn->load = true;
	insn->simd = bits(word, 26, 26);
	insn->sign = opc == 2 && !insn->simd;
	insn->size = insn->simd ? 4 << opc : opc == 1 ? 8 : 4;
	insn->width = insn->simd ? 16 : opc ? 8 : 4;
	insn->offset = signed_bits(word, 23, 5) * 4;
	return 0;
}

/* LDAPUR, STLUR and their sizes. */
static int decode_ordered_offset(uint32_t word, struct mmio_insn *insn)
{
	insn->offset = signed_bits(word, 20, 12);
	return set_single(insn, word);
}

static int decode_pair(uint32_t word, struct mmio_insn *insn)
{
	/* Bits 24 and 23; the first is the hint of the non-temporal forms. */
	static const enum mmio_addressing modes[] = { MMIO_OFFSET, MMIO_POST, MMIO_OFFSET,
						      MMIO_PRE };
	unsigned int opc = bits(word, 31, 30), mode = bits(word, 24, 23);

	if (opc == 3)
		return -EFAULT;
	set_registers(insn, word, 2);
	insn->load = bits(word, 22, 22);
	insn->simd = bits(word, 26, 26);
	insn->sign = opc == 1 && !insn->simd;
	if (insn->sign && (!insn->load || !mode))
		return -EFAULT; /* STGP, unallocated */
	insn->size = insn->simd ? 4 << opc : opc == 2 ? 8 : 4;
	insn->width = insn->simd ? 16 : opc ? 8 : 4;
	insn->addressing = modes[mode];
	insn->offset = signed_bits(word, 21, 15) * insn->size;
	return 0;
}

/* Nine-bit offsets: LDUR, post-indexed, LDTR, pre-indexed. */
static int decode_offset9(uint32_t word, struct mmio_insn *insn)
{
	static const enum mmio_addressing modes[] = { MMIO_OFFSET, MMIO_POST, MMIO_OFFSET,
						      MMIO_PRE };
	unsigned int mode = bits(word, 11, 10);

	insn->addressing = modes[mode];
	insn->offset = signed_bits(word, 20, 12);
	if (mode == 2 && bits(word, 26, 26))
		return -EFAULT;
	return set_single(insn, word);
}

static int decode_register(uint32_t word, struct mmio_insn *insn)
{
	unsigned int option = bits(word, 15, 13);
	int err = set_single(insn, word);

	if (err || !(option & 2))
		return -EFAULT;
	insn->addressing = MMIO_REGISTER;
	insn->extend = option;
	insn->rm = bits(word, 20, 16);
	if (bits(word, 12, 12))
		insn->shift = __builtin_ctz(insn->size);
	return 0;
}

static int decode_offset12(uint32_t word, struct mmio_insn *insn)
{
	int err = set_single(insn, word);

	insn->offset = bits(word, 21, 10) * insn->size;
	return err;
}

static int decode_acquire(uint32_t word, struct mmio_insn *insn)
{
	set_registers(insn, word, 1);
	insn->load = true;
	insn->size = 1 << bits(word, 31, 30);
	insn->width = insn->size == 8 ? 8 : 4;
	return 0;
}

static int decode_zva(uint32_t word, struct mmio_insn *insn)
{
	insn->addressing = MMIO_BLOCK;
	insn->rn = bits(word, 4, 0);
	return 0;
}

static const struct {
	uint32_t mask, value;
	int (*decode)(uint32_t word, struct mmio_insn *insn);
} groups[] = {
	{ 0x3f000000, 0x08000000, decode_exclusive },
	{ 0x3b000000, 0x18000000, decode_literal },
	{ 0x3f200c00, 0x19000000, decode_ordered_offset },
	{ 0x3a000000, 0x28000000, decode_pair },
	{ 0x3b200000, 0x38000000, decode_offset9 },
	{ 0x3b200c00, 0x38200800, decode_register },
	{ 0x3ffffc00, 0x38bfc000, decode_acquire }, /* LDAPR, among the atomics */
	{ 0x3b000000, 0x39000000, decode_offset12 },
	{ 0xffffffe0, 0xd50b7420, decode_zva },
};

/* What the architecture leaves constrained unpredictable (DDI 0487, K1.2). */
static bool unpredictable(const struct mmio_insn *insn)
{
	bool writeback = insn->addressing == MMIO_PRE || insn->addressing == MMIO_POST;

	if (insn->load && insn->count == 2 && insn->rt[0] == insn->rt[1])
		return true;
	if (!writeback || insn->simd || insn->rn == MMIO_ZR)
		return false;
	return insn->rt[0] == insn->rn || (insn->count == 2 && insn->rt[1] == insn->rn);
}

int mmio_decode(uint32_t word, struct mmio_insn *insn)
{
	*insn = (struct mmio_insn){ 0 };
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if ((word & groups[i].mask) != groups[i].value)
			continue;
		if (groups[i].decode(word, insn) || unpredictable(insn))
			return -EFAULT;
		return 0;
	}
	return -EFAULT;
}

uint64_t mmio_extend_value(const struct mmio_insn *insn, uint64_t val)
{
	unsigned int unused = 64 - 8 * insn->size;

	val <<= unused;
	if (!insn->sign)
		return val >> unused;
	val = (uint64_t)((int64_t)val >> unused);
	return insn->width == 8 ? val : (uint32_t)val;
}

uint64_t mmio_register_offset(const struct mmio_insn *insn, uint64_t rm)
{
	if (insn->extend == MMIO_UXTW)
		rm = (uint32_t)rm;
	else if (insn->extend == MMIO_SXTW)
		rm = (uint64_t)(int32_t)rm;
	return rm << insn->shift;
}
