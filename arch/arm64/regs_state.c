// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/regs_state.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arm64/regs.h"
#include "arch/arm64/regs_field.h"

enum { TIMER_CTL_ISTATUS = 4 };

/* What saved machines hold is what the kernel says. */
#define SAME(id, kvm) _Static_assert((id) == (kvm), #id)
#define SAME_CORE(word, field)          \
	SAME(REG_ID(0, REG_CORE, word), \
	     KVM_REG_ARM64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(field))
SAME(REG_SYS(3, 5, 10, 9, 6), ARM64_SYS_REG(3, 5, 10, 9, 6));
SAME(REG_CNTV_CTL, KVM_REG_ARM_TIMER_CTL);
SAME(REG_CNTV_CVAL, KVM_REG_ARM_TIMER_CVAL);
SAME(REG_CNTVCT, KVM_REG_ARM_TIMER_CNT);
SAME(REG_CNTP_CTL, KVM_REG_ARM_PTIMER_CTL);
SAME(REG_CNTP_CVAL, KVM_REG_ARM_PTIMER_CVAL);
SAME(REG_CNTPCT, KVM_REG_ARM_PTIMER_CNT);
SAME((uint64_t)REG_CACHE_SIZE << KVM_REG_ARM_COPROC_SHIFT, KVM_REG_ARM_DEMUX);
SAME(REG_SVE_LENGTHS, KVM_REG_ARM64_SVE_VLS);
SAME((int)REG_VLS_WORDS, KVM_ARM64_SVE_VLS_WORDS);
SAME(REG_ID(REG_U256, REG_SVE, REG_SVE_P | 3 << 5), KVM_REG_ARM64_SVE_PREG(3, 0));
SAME(REG_ID(REG_U256, REG_SVE, REG_SVE_FFR), KVM_REG_ARM64_SVE_FFR(0));
SAME(REG_ID(REG_U2048, REG_SVE, 3 << 5), KVM_REG_ARM64_SVE_ZREG(3, 0));
SAME(REG_FW(3), KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_3);
SAME(REG_FW_FEATURES(2), KVM_REG_ARM_VENDOR_HYP_BMAP);
SAME_CORE(REG_CORE_X, regs.regs[0]);
SAME_CORE(REG_CORE_SP_EL0, regs.sp);
SAME_CORE(REG_CORE_PC, regs.pc);
SAME_CORE(REG_CORE_PSTATE, regs.pstate);
SAME_CORE(REG_CORE_SP_EL1, sp_el1);
SAME_CORE(REG_CORE_ELR_EL1, elr_el1);
SAME_CORE(REG_CORE_SPSR, spsr[0]);
SAME_CORE(REG_CORE_V, fp_regs.vregs[0]);
SAME_CORE(REG_CORE_FPSR, fp_regs.fpsr);
SAME_CORE(REG_CORE_FPCR, fp_regs.fpcr);

static bool is_counter(uint64_t id)
{
	return id == KVM_REG_ARM_TIMER_CNT || id == KVM_REG_ARM_PTIMER_CNT;
}

static bool is_firmware(uint64_t id)
{
	uint64_t group = id & KVM_REG_ARM_COPROC_MASK;

	return group == KVM_REG_ARM_FW || group == KVM_REG_ARM_FW_FEAT_BMAP;
}

static bool is_sys(uint64_t id)
{
	return reg_group(id) == REG_SYSTEM;
}

/* ID registers: op0 3, op1 0, CRn 0. They say what the others may hold. */
static bool is_id(uint64_t id)
{
	uint32_t bits = (uint32_t)id & 0xffff;

	return is_sys(id) && bits >> 14 == 3 && (bits >> 7 & 0x7f) == 0;
}

/* In which order registers are written; within a rank by id. */
static int rank(uint64_t id)
{
	return is_firmware(id) ? (id == KVM_REG_ARM_PSCI_VERSION ? 0 : 1) : is_id(id) ? 2 : 3;
}

static int by_rank(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	int order = rank(x) - rank(y);

	return order ? order : (x > y) - (x < y);
}

/* --- refusing --------------------------------------------------------------------------------- */

/* A line, unless it is of another vCPU already: most registers are the machine's. */
static void refuse_line(struct findings *refused, const struct kvm_vcpu *vcpu, const char *line)
{
	if (!findings_has(refused, line))
		findings_add(refused, "vCPU %u: %s", vcpu->id, line);
}

static void refuse_values(struct findings *refused, const struct kvm_vcpu *vcpu, const char *name,
			  uint64_t wants, uint64_t has)
{
	char line[160];

	if (findings_allowed(refused, name))
		return;
	snprintf(line, sizeof(line), "%s is 0x%llx in the snapshot, 0x%llx on this host", name,
		 (unsigned long long)wants, (unsigned long long)has);
	refuse_line(refused, vcpu, line);
}

/* Field by field, if it has fields. */
static bool refuse_fields(struct findings *refused, const struct kvm_vcpu *vcpu, uint64_t id,
			  uint64_t wants, uint64_t has)
{
	char name[32], text[sizeof(name) + sizeof(((struct reg_field *)0)->name)];
	uint64_t differ = wants ^ has;
	struct reg_field field;

	if (!is_sys(id) || !regs_field((uint16_t)id, 0, &field))
		return false;
	regs_name(id, name, sizeof(name));
	for (uint64_t mask; differ; differ &= ~(mask << field.shift)) {
		regs_field((uint16_t)id, (unsigned int)__builtin_ctzll(differ), &field);
		mask = (1ULL << field.width) - 1;
		snprintf(text, sizeof(text), "%s%s", name, field.name);
		refuse_values(refused, vcpu, text, wants >> field.shift & mask,
			      has >> field.shift & mask);
	}
	return true;
}

/* "128 to 512 bits" says less than KVM wants to be equal. */
static void list_lengths(const uint8_t *value, char *text, size_t size)
{
	size_t at = 0;

	for (unsigned int vq = 0; vq < 8 * KVM_ARM64_SVE_VLS_WORDS * sizeof(uint64_t); vq++)
		if (value[vq / 8] & 1 << vq % 8 && at < size)
			at += (size_t)snprintf(text + at, size - at, "%s%u", at ? ", " : "",
					       (vq + 1) * 128);
	if (!at)
		snprintf(text, size, "none");
}

static void refuse_lengths(struct findings *refused, const struct kvm_vcpu *vcpu,
			   const uint8_t *want, const uint8_t *have)
{
	char wants[200], has[200], line[sizeof(wants) + sizeof(has) + 80];

	list_lengths(want, wants, sizeof(wants));
	list_lengths(have, has, sizeof(has));
	snprintf(line, sizeof(line),
		 "SVE vector lengths (sve_vls): %s bits in the snapshot, %s on this host", wants,
		 has);
	refuse_line(refused, vcpu, line);
}

static void refuse(struct findings *refused, const struct kvm_vcpu *vcpu, uint64_t id,
		   const uint8_t *want, const uint8_t *have, int err)
{
	uint64_t wants = 0, has = 0;
	uint32_t size = reg_size(id) < 8 ? reg_size(id) : 8;
	char name[32], line[160];

	regs_name(id, name, sizeof(name));
	if (findings_allowed(refused, name))
		return;
	memcpy(&wants, want, size);
	if (have)
		memcpy(&has, have, size);
	/* One is as good as all. */
	if (!have && reg_group(id) == REG_SVE) {
		refuse_line(refused, vcpu, "SVE registers are in the snapshot, this host has none");
	} else if (!have) {
		snprintf(line, sizeof(line), "%s is 0x%llx in the snapshot, this host%s%s", name,
			 (unsigned long long)wants, err == -ENOENT ? "" : ": ",
			 err == -ENOENT ? " has no such register" : strerror(-err));
		refuse_line(refused, vcpu, line);
	} else if (id == KVM_REG_ARM64_SVE_VLS) {
		refuse_lengths(refused, vcpu, want, have);
	} else if (!refuse_fields(refused, vcpu, id, wants, has)) {
		refuse_values(refused, vcpu, name, wants, has);
	}
}

/* --- saving ----------------------------------------------------------------------------------- */

/* What follows from the counter, which is not this register's, is not saved: two saves of a machine
 * that stands still are equal. */
static void normalise(uint64_t id, uint8_t *value)
{
	if (id == KVM_REG_ARM_TIMER_CTL || id == KVM_REG_ARM_PTIMER_CTL)
		value[0] &= (uint8_t)~TIMER_CTL_ISTATUS;
}

/* Appends id and value; -ENOSPC. */
static int save_one(const struct kvm_vcpu *vcpu, uint64_t id, uint8_t *record, uint32_t *len)
{
	uint32_t size = reg_size(id);
	uint8_t *value = record + *len + sizeof(id);
	int err;

	if (*len + sizeof(id) + size > REGS_STATE_MAX)
		return -ENOSPC;
	err = kvm_reg_get(vcpu, id, value);
	/* Listed but hidden, as some registers of absent features are. */
	if (err == -ENOENT)
		return 0;
	memcpy(record + *len, &id, sizeof(id));
	normalise(id, value);
	*len += sizeof(id) + size;
	return err;
}

static int save_all(const struct kvm_vcpu *vcpu, uint8_t *record, uint32_t *len)
{
	struct kvm_reg_list *list;
	int err = kvm_reg_list(vcpu, &list);

	if (err)
		return err;
	qsort(list->reg, list->n, sizeof(list->reg[0]), by_rank);
	for (uint64_t i = 0; !err && i < list->n; i++)
		if (!is_counter(list->reg[i]))
			err = save_one(vcpu, list->reg[i], record, len);
	free(list);
	return err;
}

/* --- loading ---------------------------------------------------------------------------------- */

struct loading {
	const struct kvm_vcpu *vcpu;
	struct findings *refused;
};

static bool all_zero(const uint8_t *value, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		if (value[i])
			return false;
	return true;
}

/* What KVM puts where a reset leaves a register undefined, of features that are absent, too: a guest
 * that has it there has never written to it (the kernel's reset_unknown()). */
static bool untouched(const uint8_t *value, uint32_t size)
{
	static const uint64_t unknown = 0x1de7ec7edbadc0deULL;

	return all_zero(value, size) || (size == sizeof(unknown) && !memcmp(value, &unknown, size));
}

/* The size of a cache that this host's CLIDR_EL1 does not name: CLIDR_EL1 itself is compared, and what
 * CSSELR_EL1 selects beyond it reads as anything. */
static bool is_cache_size(uint64_t id)
{
	return (id & KVM_REG_ARM_COPROC_MASK) == KVM_REG_ARM_DEMUX;
}

/* Registers of the performance monitor (Arm ARM D13.4) of which one sets and one clears bits of the same
 * state; later kernels take writes so, earlier ones as the state. */
static const struct {
	uint64_t set, clear;
} bit_pairs[] = {
	{ ARM64_SYS_REG(3, 3, 9, 12, 1), ARM64_SYS_REG(3, 3, 9, 12, 2) }, /* PMCNTEN*_EL0 */
	{ ARM64_SYS_REG(3, 0, 9, 14, 1), ARM64_SYS_REG(3, 0, 9, 14, 2) }, /* PMINTEN*_EL1 */
	{ ARM64_SYS_REG(3, 3, 9, 14, 3), ARM64_SYS_REG(3, 3, 9, 12, 3) }, /* PMOVS*_EL0 */
};

/* Writes a register. Of a pair, all bits are cleared and those that are set are set: what clears is no
 * value of its own. */
static int set_one(const struct kvm_vcpu *vcpu, uint64_t id, const uint8_t *value)
{
	static const uint64_t ones = UINT64_MAX;

	for (size_t i = 0; i < sizeof(bit_pairs) / sizeof(bit_pairs[0]); i++) {
		if (id == bit_pairs[i].clear)
			return 0;
		if (id == bit_pairs[i].set)
			kvm_reg_set(vcpu, bit_pairs[i].clear, &ones);
	}
	return kvm_reg_set(vcpu, id, value);
}

static void load_one(void *arg, uint64_t id, const uint8_t *value, uint32_t size)
{
	struct loading *l = arg;
	uint8_t now[REG_SIZE_MAX];
	int err;

	/* Fixed by KVM_ARM_VCPU_FINALIZE, so only compared; and never a counter, whoever sent it. Which
	 * PSCI there is, and whose, is the machine's, settled before its CPUs were made. */
	err = is_counter(id) || id == KVM_REG_ARM_PSCI_VERSION ? 0
	      : id == KVM_REG_ARM64_SVE_VLS		       ? -EPERM
							       : set_one(l->vcpu, id, value);
	if (!err)
		return;
	if (kvm_reg_get(l->vcpu, id, now)) {
		if (err != -ENOENT || !(untouched(value, size) || is_cache_size(id)))
			refuse(l->refused, l->vcpu, id, value, NULL, err);
		return;
	}
	normalise(id, now);
	if (memcmp(now, value, size))
		refuse(l->refused, l->vcpu, id, value, now, err);
}

void regs_state(const struct kvm_vcpu *vcpu, struct state *s, struct findings *refused)
{
	struct loading loading = { vcpu, refused };
	uint8_t *record = malloc(REGS_STATE_MAX);
	uint32_t len = 0;
	int err = record ? 0 : -ENOMEM;

	if (!err && !s->loading)
		err = save_all(vcpu, record, &len);
	if (!err)
		state_blob(s, "regs", record, &len, REGS_STATE_MAX);
	if (!err && s->loading && !s->err)
		err = regs_each(record, len, load_one, &loading);
	if (err && !s->err)
		s->err = err;
	free(record);
}

/* --- counters --------------------------------------------------------------------------------- */

int regs_clock_read(const struct kvm_vcpu *vcpu, struct clock *clock)
{
	int err = kvm_reg_get(vcpu, KVM_REG_ARM_TIMER_CNT, &clock->virt);

	clock->phys = 0;
	clock->has_phys = !err && !kvm_reg_get(vcpu, KVM_REG_ARM_PTIMER_CNT, &clock->phys);
	return err;
}

int regs_clock_write(const struct kvm_vcpu *vcpu, const struct clock *clock)
{
	uint64_t now;
	int err = kvm_reg_set(vcpu, KVM_REG_ARM_TIMER_CNT, &clock->virt);

	/* A host that cannot shift the physical counter shows its own. */
	if (!err && clock->has_phys && !kvm_reg_get(vcpu, KVM_REG_ARM_PTIMER_CNT, &now))
		err = kvm_reg_set(vcpu, KVM_REG_ARM_PTIMER_CNT, &clock->phys);
	return err;
}

void clock_advance(struct clock *clock, uint64_t ns, uint32_t hz)
{
	uint64_t ticks = (uint64_t)((unsigned __int128)ns * hz / 1000000000);

	clock->virt += ticks;
	clock->phys += ticks;
}

uint32_t regs_clock_hz(void)
{
	uint64_t hz;

	__asm__("mrs %0, cntfrq_el0" : "=r"(hz));
	return (uint32_t)hz;
}
