// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/debug.h"

#include <stddef.h>

#include "arch/arm64/cpu.h"
#include "arch/arm64/stack.h"

#define CORE_REG(field) \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(field))

/* CNTx_CTL_EL0 (Arm ARM, D23.10). */
enum { TIMER_ENABLE = 1, TIMER_IMASK = 2 };

enum { REG_PC, REG_SCTLR, REG_TCR, REG_TTBR0, REG_TTBR1 };

/* In this order; those that an enum value names are wanted for the stack, too. */
static const struct {
	const char *name;
	uint64_t id;
} registers[] = {
	[REG_PC] = { "pc", CORE_REG(regs.pc) },
	[REG_SCTLR] = { "sctlr_el1", ARM64_SYS_REG(3, 0, 1, 0, 0) },
	[REG_TCR] = { "tcr_el1", ARM64_SYS_REG(3, 0, 2, 0, 2) },
	[REG_TTBR0] = { "ttbr0_el1", ARM64_SYS_REG(3, 0, 2, 0, 0) },
	[REG_TTBR1] = { "ttbr1_el1", ARM64_SYS_REG(3, 0, 2, 0, 1) },
	{ "pstate", CORE_REG(regs.pstate) },
	{ "sp_el0", CORE_REG(regs.sp) },
	{ "sp_el1", CORE_REG(sp_el1) },
	{ "elr_el1", CORE_REG(elr_el1) },
	{ "spsr_el1", CORE_REG(spsr[0]) },
	{ "esr_el1", ARM64_SYS_REG(3, 0, 5, 2, 0) },
	{ "far_el1", ARM64_SYS_REG(3, 0, 6, 0, 0) },
	{ "vbar_el1", ARM64_SYS_REG(3, 0, 12, 0, 0) },
	{ "tpidr_el1", ARM64_SYS_REG(3, 0, 13, 0, 4) },
	{ "mpidr_el1", ARM64_SYS_REG(3, 0, 0, 0, 5) },
	{ "cntv_ctl", KVM_REG_ARM_TIMER_CTL },
};

enum { NREGISTERS = sizeof(registers) / sizeof(registers[0]), XREGS = 31, ROW = 4, FP = 29 };

static uint64_t reg(const struct kvm_vcpu *vcpu, uint64_t id)
{
	uint64_t value = 0;

	kvm_reg_get(vcpu, id, &value);
	return value;
}

/* --- timers ----------------------------------------------------------------------------------- */

static const struct {
	uint64_t ctl, cval, count;
} timers[] = {
	{ KVM_REG_ARM_TIMER_CTL, KVM_REG_ARM_TIMER_CVAL, KVM_REG_ARM_TIMER_CNT },
	{ KVM_REG_ARM_PTIMER_CTL, KVM_REG_ARM_PTIMER_CVAL, KVM_REG_ARM_PTIMER_CNT },
};

/* The guest's counters run at the host's frequency. */
static uint64_t ticks_to_ns(uint64_t ticks)
{
	uint64_t hz;

	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(hz));
	if (!hz || ticks / hz > UINT64_MAX / 2 / 1000000000)
		return INT64_MAX;
	return ticks / hz * 1000000000 + ticks % hz * 1000000000 / hz;
}

/* The first that will expire, and the last that has; not one that the kernel does not have. */
static void put_timer(const struct kvm_vcpu *vcpu, struct json_out *out)
{
	uint64_t first = UINT64_MAX, late = UINT64_MAX;

	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
		uint64_t ctl = 0, cval = 0, count = 0;

		if (kvm_reg_get(vcpu, timers[i].ctl, &ctl) ||
		    kvm_reg_get(vcpu, timers[i].cval, &cval) ||
		    kvm_reg_get(vcpu, timers[i].count, &count))
			continue;
		if ((ctl & (TIMER_ENABLE | TIMER_IMASK)) != TIMER_ENABLE)
			continue;
		if (cval > count && cval - count < first)
			first = cval - count;
		if (cval <= count && count - cval < late)
			late = count - cval;
	}
	if (first != UINT64_MAX)
		json_uint(out, "timer_ns", ticks_to_ns(first));
	if (late != UINT64_MAX)
		json_uint(out, "timer_late_ns", ticks_to_ns(late));
}

/* --- registers and stack ---------------------------------------------------------------------- */

static void put_xregs(const struct kvm_vcpu *vcpu, struct json_out *out)
{
	char name[8];

	json_open(out, "x", '{');
	for (unsigned int i = 0; i < XREGS; i++) {
		if (i % ROW == 0) {
			snprintf(name, sizeof(name), "x%u", i);
			json_open(out, name, '[');
		}
		json_hex(out, NULL, reg(vcpu, cpu_xreg(i)));
		if (i % ROW == ROW - 1 || i == XREGS - 1)
			json_close(out, ']');
	}
	json_close(out, '}');
}

void cpu_debug(const struct kvm_vcpu *vcpu, const struct guest_mem *mem, bool brief,
	       struct json_out *out)
{
	uint64_t values[NREGISTERS], frames[STACK_FRAMES_MAX];
	struct pagetable pt;
	unsigned int n = brief ? 1 : NREGISTERS;

	put_timer(vcpu, out);
	json_open(out, "registers", '{');
	for (unsigned int i = 0; i < n; i++) {
		values[i] = reg(vcpu, registers[i].id);
		json_hex(out, registers[i].name, values[i]);
	}
	json_close(out, '}');
	if (brief)
		return;
	put_xregs(vcpu, out);
	pt = (struct pagetable){ values[REG_SCTLR], values[REG_TCR], values[REG_TTBR0],
				 values[REG_TTBR1] };
	n = stack_walk(mem, &pt, reg(vcpu, cpu_xreg(FP)), frames);
	json_open(out, "stack", '[');
	for (unsigned int i = 0; i < n; i++)
		json_hex(out, NULL, frames[i]);
	json_close(out, ']');
}
