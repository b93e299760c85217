// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/mmio_insn.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "arch/arm64/cpu.h"
#include "arch/arm64/pagetable.h"

#define CORE_REG(field) \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(field))
#define V_REG(n)                                                \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U128 | KVM_REG_ARM_CORE | \
	 (KVM_REG_ARM_CORE_REG(fp_regs.vregs[0]) + 4 * (uint64_t)(n)))

#define PSTATE_MODE  0x1fULL
#define PSTATE_EL0   0x00ULL
#define PSTATE_EL1T  0x04ULL
#define PSTATE_EL1H  0x05ULL
#define PSTATE_BTYPE (3ULL << 10)
#define PSTATE_SS    (1ULL << 21)
#define SCTLR_E0E    (1ULL << 24)
#define SCTLR_EE     (1ULL << 25)

enum { INSN_SIZE = 4, PAGE = 4096, Z_WORDS = 2048 / 64, PIECE = 8 };

/* The instruction and what it stands on. */
struct step {
	const struct mmio_guest *guest;
	struct mmio_insn insn;
	struct pagetable pt;
	uint64_t pc, pstate;
	uint64_t base; /* value of rn */
	uint64_t data[2][2]; /* of rt[], low half first */
};

static int read_state(struct step *s)
{
	const struct {
		uint64_t id, *value;
	} regs[] = {
		{ CORE_REG(regs.pc), &s->pc },
		{ CORE_REG(regs.pstate), &s->pstate },
		{ ARM64_SYS_REG(3, 0, 1, 0, 0), &s->pt.sctlr },
		{ ARM64_SYS_REG(3, 0, 2, 0, 0), &s->pt.ttbr0 },
		{ ARM64_SYS_REG(3, 0, 2, 0, 1), &s->pt.ttbr1 },
		{ ARM64_SYS_REG(3, 0, 2, 0, 2), &s->pt.tcr },
	};

	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
		int err = kvm_reg_get(s->guest->vcpu, regs[i].id, regs[i].value);

		if (err)
			return err;
	}
	return 0;
}

/* A64 at EL0 or EL1, with little-endian data. */
static bool mode_followed(const struct step *s)
{
	switch (s->pstate & PSTATE_MODE) {
	case PSTATE_EL0:
		return !(s->pt.sctlr & SCTLR_E0E);
	case PSTATE_EL1T:
	case PSTATE_EL1H:
		return !(s->pt.sctlr & SCTLR_EE);
	default:
		return false;
	}
}

static int fetch(struct step *s)
{
	uint32_t word = 0;
	gpa_t at;
	int err = read_state(s);

	if (err)
		return err;
	if (!mode_followed(s) || pagetable_walk(s->guest->mem, &s->pt, s->pc, &at) ||
	    guest_mem_read(s->guest->mem, at, &word, sizeof(word)))
		return -EFAULT;
	return mmio_decode(word, &s->insn);
}

int mmio_insn_fetch(const struct mmio_guest *guest, struct mmio_insn *insn)
{
	struct step s = { .guest = guest };
	int err = fetch(&s);

	*insn = s.insn;
	return err;
}

/* ONE_REG id of rn, where 31 is the stack pointer in use. */
static uint64_t base_id(const struct step *s)
{
	if (s->insn.rn != MMIO_ZR)
		return cpu_xreg(s->insn.rn);
	return (s->pstate & PSTATE_MODE) == PSTATE_EL1H ? CORE_REG(sp_el1) : CORE_REG(regs.sp);
}

static int get_x(const struct step *s, unsigned int n, uint64_t *value)
{
	*value = 0;
	return n == MMIO_ZR ? 0 : kvm_reg_get(s->guest->vcpu, cpu_xreg(n), value);
}

static int set_x(const struct step *s, unsigned int n, uint64_t value)
{
	return n == MMIO_ZR ? 0 : kvm_reg_set(s->guest->vcpu, cpu_xreg(n), &value);
}

static int get_v(const struct step *s, unsigned int n, uint64_t value[2])
{
	uint64_t z[Z_WORDS];
	int err;

	if (!s->guest->sve)
		return kvm_reg_get(s->guest->vcpu, V_REG(n), value);
	err = kvm_reg_get(s->guest->vcpu, KVM_REG_ARM64_SVE_ZREG(n, 0), z);
	memcpy(value, z, 2 * sizeof(z[0]));
	return err;
}

/* All that is above the value becomes zero. */
static int set_v(const struct step *s, unsigned int n, const uint64_t value[2])
{
	uint64_t z[Z_WORDS] = { value[0], value[1] };

	return kvm_reg_set(s->guest->vcpu, s->guest->sve ? KVM_REG_ARM64_SVE_ZREG(n, 0) : V_REG(n),
			   z);
}

/* The virtual address; where rn is of use, its value stays in s->base. */
static int address(struct step *s, uint64_t *va)
{
	uint64_t rm = 0;
	int err = 0;

	if (s->insn.addressing == MMIO_LITERAL) {
		*va = s->pc + (int64_t)s->insn.offset;
		return 0;
	}
	if (s->insn.addressing == MMIO_BLOCK)
		err = get_x(s, s->insn.rn, &s->base);
	else
		err = kvm_reg_get(s->guest->vcpu, base_id(s), &s->base);
	if (!err && s->insn.addressing == MMIO_REGISTER)
		err = get_x(s, s->insn.rm, &rm);
	*va = s->base;
	if (s->insn.addressing == MMIO_REGISTER)
		*va += mmio_register_offset(&s->insn, rm);
	else if (s->insn.addressing != MMIO_POST)
		*va += (int64_t)s->insn.offset;
	return err;
}

/*
 * Whether the exit's address is that of the first byte, and all bytes lie where no RAM is. In the
 * next page they must be mapped to follow: the CPU gives one address.
 */
static bool in_one_piece(const struct step *s, uint64_t va, gpa_t ipa, unsigned int size)
{
	gpa_t last = ipa + (size - 1), mapped = last;

	if (((va ^ ipa) & (PAGE - 1)) || last < ipa)
		return false;
	if ((ipa ^ last) & ~(gpa_t)(PAGE - 1) &&
	    pagetable_walk(s->guest->mem, &s->pt, va + (size - 1), &mapped))
		return false;
	return mapped == last && !guest_mem_ptr(s->guest->mem, ipa, 1) &&
	       !guest_mem_ptr(s->guest->mem, last, 1);
}

/* Reads or writes s->data. */
static int transfer(struct step *s, gpa_t ipa)
{
	unsigned int size = s->insn.size < PIECE ? s->insn.size : PIECE;
	unsigned int pieces = s->insn.size / size;

	for (unsigned int i = 0; i < s->insn.count * pieces; i++) {
		uint64_t *val = &s->data[i / pieces][i % pieces];
		int err = s->guest->access(s->guest->arg, ipa + i * size, size, !s->insn.load, val);

		if (err)
			return err;
	}
	return 0;
}

static int get_data(struct step *s)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < s->insn.count; i++)
		err = s->insn.simd ? get_v(s, s->insn.rt[i], s->data[i])
				   : get_x(s, s->insn.rt[i], &s->data[i][0]);
	for (unsigned int i = 0; s->insn.size < PIECE && i < s->insn.count; i++)
		s->data[i][0] = mmio_extend_value(&s->insn, s->data[i][0]);
	return err;
}

static int set_data(const struct step *s)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < s->insn.count; i++)
		err = s->insn.simd
			      ? set_v(s, s->insn.rt[i], s->data[i])
			      : set_x(s, s->insn.rt[i], mmio_extend_value(&s->insn, s->data[i][0]));
	return err;
}

/* Base, status and program counter: the instruction is done. */
static int finish(struct step *s)
{
	bool writeback = s->insn.addressing == MMIO_PRE || s->insn.addressing == MMIO_POST;
	uint64_t base = s->base + (int64_t)s->insn.offset, next = s->pc + INSN_SIZE;
	uint64_t pstate = s->pstate & ~(PSTATE_BTYPE | PSTATE_SS);
	int err = 0;

	if (writeback)
		err = kvm_reg_set(s->guest->vcpu, base_id(s), &base);
	if (!err && s->insn.exclusive && !s->insn.load)
		err = set_x(s, s->insn.rs, 0);
	if (!err && pstate != s->pstate)
		err = kvm_reg_set(s->guest->vcpu, CORE_REG(regs.pstate), &pstate);
	return err ? err : kvm_reg_set(s->guest->vcpu, CORE_REG(regs.pc), &next);
}

/* DCZID_EL0: the guest sees the host's. */
static unsigned int zva_size(void)
{
	uint64_t dczid;

	__asm__("mrs %0, dczid_el0" : "=r"(dczid));
	return 4u << (dczid & 15);
}

static int zero_block(struct step *s, uint64_t va, gpa_t ipa)
{
	unsigned int size = zva_size();

	ipa &= ~(gpa_t)(size - 1);
	va &= ~(uint64_t)(size - 1);
	if (!in_one_piece(s, va, ipa, size))
		return -EFAULT;
	for (unsigned int i = 0; i < size; i += PIECE) {
		uint64_t zero = 0;
		int err = s->guest->access(s->guest->arg, ipa + i, PIECE, true, &zero);

		if (err)
			return err;
	}
	return finish(s);
}

int mmio_insn_emulate(const struct mmio_guest *guest, gpa_t ipa, bool write)
{
	struct step s = { .guest = guest };
	uint64_t va = 0;
	int err = fetch(&s);

	/* The guest may change its code meanwhile. A store exclusive may have faulted by its read. */
	if (!err && s.insn.load == write && !s.insn.exclusive)
		err = -EFAULT;
	if (!err)
		err = address(&s, &va);
	if (err)
		return err;
	if (s.insn.addressing == MMIO_BLOCK)
		return zero_block(&s, va, ipa);
	if (!in_one_piece(&s, va, ipa, s.insn.size * s.insn.count))
		return -EFAULT;
	if (!s.insn.load)
		err = get_data(&s);
	if (!err)
		err = transfer(&s, ipa);
	if (!err && s.insn.load)
		err = set_data(&s);
	return err ? err : finish(&s);
}
