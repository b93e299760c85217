// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPU_SUSPEND, CPU_DEFAULT_SUSPEND and SYSTEM_SUSPEND (DEN0022), ended by the timer, the RTC or
 * another CPU. Needs 2 CPUs; boot arguments as in lib/psci.h.
 *
 * The kernel's PSCI takes a power-down state for a standby one: it returns behind the call.
 */
#include "tests/guest/lib/psci.h"

enum { POWERDOWN = 1 << 16, WAIT_MS = 10000, SHORT_MS = 20, SGI = 4 };
enum { RTC_DR = RTC, RTC_MR = RTC + 4, RTC_IMSC = RTC + 0x10, RTC_ICR = RTC + 0x1c };
enum { HW_ON = 0, HW_OFF = 1, HW_STANDBY = 2 };
enum { DAIF_MASKED = 0x3c0, EL1 = 4, SCTLR_MMU_CACHES = 1 | 1 << 2 | 1 << 12 };
#define CONTEXT 0x123456789abcdef0UL

/* What the entry point found, by CPU; written with the MMU off. */
struct landing {
	u64 x0, sctlr, daif, spsel, el, landed;
	u64 line[2];
} __attribute__((aligned(64)));
struct landing landings[2];

/* Notes the state, then goes the way of a new CPU, with a stack of its own: context 64 + CPU. */
void landing_entry(void);
__asm__(".text\n"
	".globl landing_entry\n"
	"landing_entry:\n"
	"	mrs	x9, mpidr_el1\n"
	"	and	x9, x9, #0xff\n"
	"	adrp	x10, landings\n"
	"	add	x10, x10, :lo12:landings\n"
	"	add	x10, x10, x9, lsl #6\n"
	"	mrs	x11, sctlr_el1\n"
	"	stp	x0, x11, [x10]\n"
	"	mrs	x11, daif\n"
	"	mrs	x12, spsel\n"
	"	stp	x11, x12, [x10, #16]\n"
	"	mrs	x11, currentel\n"
	"	mov	x12, #1\n"
	"	stp	x11, x12, [x10, #32]\n"
	"	dmb	sy\n"
	"	add	x0, x9, #64\n"
	"	b	secondary_entry\n");

static void *resume[2][5]; /* __builtin_setjmp */

static unsigned int me(void)
{
	return sysreg_read(mpidr_el1) & 0xff;
}

static void flush(const void *p)
{
	__asm__ volatile("dc civac, %0\n\tdsb sy" : : "r"(p) : "memory");
}

static volatile unsigned int timer_irqs, rtc_irqs, sgis;

static void on_irq(unsigned int intid)
{
	if (intid == INTID_VTIMER) {
		timer_irqs++;
		sysreg_write(cntv_ctl_el0, 0);
	} else if (intid == INTID_RTC) {
		rtc_irqs++;
		w32(RTC_ICR, 1);
	} else if (intid == SGI) {
		sgis++;
	}
}

static void interrupts_on(unsigned int cpu)
{
	gic_init(cpu);
	gic_enable(cpu, INTID_VTIMER, false);
	gic_enable(cpu, SGI, true);
}

/* Lets what is pending in. */
static void take_irqs(void)
{
	irq_enable();
	irq_disable();
}

static u64 timer_in(u64 ms)
{
	u64 at = ticks() + ticks_of_ms(ms);

	sysreg_write(cntv_cval_el0, at);
	sysreg_write(cntv_ctl_el0, 1);
	return at;
}

/* --- a call that may not return ---------------------------------------------------------------- */

struct outcome {
	bool landed; /* at the entry point; otherwise `result` */
	long result;
	struct landing at;
};

/* Not inlined: a function with __builtin_setjmp must not share its frame. */
static __attribute__((noinline)) void suspend(u64 fn, u64 a, u64 b, u64 c, struct outcome *o)
{
	struct landing *at = &landings[me()];

	memset(at, 0, sizeof(*at));
	flush(at);
	o->landed = false;
	if (!__builtin_setjmp(resume[me()])) {
		o->result = firmware(fn, a, b, c);
		return;
	}
	flush(&landings[me()]);
	o->landed = true;
	memcpy(&o->at, &landings[me()], sizeof(o->at));
	interrupts_on(me());
}

static void check_landing(const char *name, const struct outcome *o, u64 context)
{
	check(o->landed && o->at.x0 == context && o->at.daif == DAIF_MASKED && o->at.spsel == 1 &&
		      o->at.el == EL1 && !(o->at.sctlr & SCTLR_MMU_CACHES),
	      name, "landed %u, result %ld, x0 %lx daif %lx spsel %lx el %lx sctlr %lx", o->landed,
	      o->result, o->at.x0, o->at.daif, o->at.spsel, o->at.el, o->at.sctlr);
}

/* --- the boot CPU ----------------------------------------------------------------------------- */

static void check_standby(const char *name, u64 fn, u64 state)
{
	unsigned int before = timer_irqs;
	struct outcome o;
	u64 at = timer_in(SHORT_MS);

	suspend(fn, state, 0, 0, &o);
	check(!o.landed && o.result == 0 && ticks() >= at && sysreg_read(cntv_ctl_el0) == 5, name,
	      "result %ld, %ld ticks late, CNTV_CTL %lx", o.result, ticks() - at,
	      sysreg_read(cntv_ctl_el0));
	take_irqs();
	check(timer_irqs == before + 1, name, "%u interrupts", timer_irqs - before);
}

static void check_pending(void)
{
	struct outcome o;

	timer_in(0);
	wait_for(sysreg_read(cntv_ctl_el0) == 5, WAIT_MS);
	suspend(FN_CPU_SUSPEND | FN_64, 0, 0, 0, &o);
	check(!o.landed && o.result == 0, "standby with an interrupt pending", "result %ld",
	      o.result);
	take_irqs();
}

/* fn(a, entry, context), or without `a`. */
static void check_powerdown(const char *name, u64 fn, bool default_suspend, u64 context)
{
	u64 entry = (u64)landing_entry;
	struct outcome o;
	u64 at = timer_in(SHORT_MS);

	if (default_suspend)
		suspend(fn, entry, context, 0, &o);
	else
		suspend(fn, POWERDOWN, entry, context, &o);
	if (psci_in_kernel() && !default_suspend) {
		check(!o.landed && o.result == 0, name, "landed %u, result %ld", o.landed,
		      o.result);
	} else if (default_suspend && (psci_in_kernel() || psci_version() < PSCI_1_0)) {
		check(o.result == NOT_SUPPORTED, name, "result %ld", o.result);
		sysreg_write(cntv_ctl_el0, 0);
		return;
	} else {
		check_landing(name, &o, context);
	}
	check(ticks() >= at, name, "woken %ld ticks too early", at - ticks());
	sysreg_write(cntv_ctl_el0, 0);
	take_irqs();
}

/* --- the other CPU ---------------------------------------------------------------------------- */

static volatile unsigned int second_runs, second_woken;
static volatile bool leave;
static struct outcome second;

void cpu_main(unsigned int context)
{
	if (context >= 64)
		__builtin_longjmp(resume[context - 64], 1);
	interrupts_on(1);
	second_runs++;
	if (leave)
		return;
	/* No interrupt is masked by the GIC; this one comes from the boot CPU. */
	suspend(FN_CPU_SUSPEND | FN_64, POWERDOWN, (u64)landing_entry, CONTEXT + 1, &second);
	take_irqs();
	second_woken++;
}

static void check_second(void)
{
	u64 target = machine.mpidr[1];
	bool user = !psci_in_kernel();
	long hw = user && psci_version() >= PSCI_1_0 ? HW_OFF : NOT_SUPPORTED, r;

	check(cpu_on(1) == 0 && wait_for(second_runs == 1, WAIT_MS), "second cpu", "is not on");
	/* Its own registers tell when it sleeps, where they are shown; else a while has to do. */
	if (hw == HW_OFF)
		wait_for(firmware(FN_NODE_HW_STATE, target, 0, 0) == HW_OFF, WAIT_MS);
	else
		wait_for(false, SHORT_MS);
	r = firmware(FN_NODE_HW_STATE, target, 0, 0);
	check(r == hw, "second cpu: hw state", "%ld, not %ld", r, hw);
	r = firmware(PSCI_AFFINITY_INFO, target, 0, 0);
	check(r == PSCI_ON, "second cpu: a suspended one is on", "%ld", r);
	r = cpu_on(1);
	check(r == PSCI_ALREADY_ON, "second cpu: on again", "%ld", r);
	check(!second_woken, "second cpu: sleeps", "woken early");
	gic_sgi(1, SGI);
	check(wait_for(second_woken == 1, WAIT_MS), "second cpu: woken by an SGI", "it is not");
	if (user)
		check_landing("second cpu: landing", &second, CONTEXT + 1);
	else
		check(!second.landed && second.result == 0, "second cpu: landing", "%ld",
		      second.result);
	check(sgis == 1, "second cpu: the SGI", "%u came", sgis);
	wait_for(firmware(PSCI_AFFINITY_INFO, target, 0, 0) == PSCI_OFF, WAIT_MS);
}

/* --- the system ------------------------------------------------------------------------------- */

static void check_denied(void)
{
	long want = psci_version() >= PSCI_1_0 ? PSCI_DENIED : NOT_SUPPORTED, r;

	leave = false;
	check(cpu_on(1) == 0 && wait_for(second_runs == 2, WAIT_MS), "system suspend: second cpu",
	      "is not on");
	r = firmware(FN_SYSTEM_SUSPEND | FN_64, (u64)landing_entry, 0, 0);
	check(r == want, "system suspend: denied", "%ld, not %ld", r, want);
	gic_sgi(1, SGI);
	wait_for(firmware(PSCI_AFFINITY_INFO, machine.mpidr[1], 0, 0) == PSCI_OFF, WAIT_MS);
}

static void check_system(const char *name, u64 fn, u64 context)
{
	struct outcome o;

	suspend(fn, (u64)landing_entry, context, 0, &o);
	if (psci_version() >= PSCI_1_0)
		check_landing(name, &o, fn & FN_64 ? context : (u32)context);
	else
		check(o.result == NOT_SUPPORTED, name, "result %ld", o.result);
}

static void check_rtc(void)
{
	u32 at = r32(RTC_DR) + 2;
	struct outcome o;

	gic_enable(0, INTID_RTC, false);
	w32(RTC_ICR, 1);
	w32(RTC_MR, at);
	w32(RTC_IMSC, 1);
	suspend(FN_SYSTEM_SUSPEND | FN_64, (u64)landing_entry, CONTEXT, 0, &o);
	if (psci_version() < PSCI_1_0) {
		check(o.result == NOT_SUPPORTED, "system suspend: rtc", "result %ld", o.result);
		return;
	}
	check_landing("system suspend: rtc", &o, CONTEXT);
	check(r32(RTC_DR) >= at, "system suspend: rtc time", "%u before %u", r32(RTC_DR), at);
	take_irqs();
	check(rtc_irqs == 1, "system suspend: rtc interrupt", "%u", rtc_irqs);
}

void guest(void)
{
	irq_handler = on_irq;
	interrupts_on(0);
	irq_disable();
	check_standby("standby", FN_CPU_SUSPEND | FN_64, 0);
	check_standby("standby, SMC32, a state id", FN_CPU_SUSPEND, 0x1234);
	check_pending();
	check_powerdown("powerdown", FN_CPU_SUSPEND | FN_64, false, CONTEXT);
	check_powerdown("powerdown, SMC32", FN_CPU_SUSPEND, false, (u32)CONTEXT);
	check_powerdown("default suspend", FN_CPU_DEFAULT_SUSPEND | FN_64, true, CONTEXT);
	check_second();
	/* The kernel leaves it to its caller to look at the other CPUs: see vmm/vcpu.c. */
	check_denied();
	timer_in(SHORT_MS);
	check_system("system suspend: timer", FN_SYSTEM_SUSPEND | FN_64, CONTEXT + 2);
	sysreg_write(cntv_ctl_el0, 0);
	timer_in(SHORT_MS);
	check_system("system suspend: SMC32", FN_SYSTEM_SUSPEND, CONTEXT + 3);
	sysreg_write(cntv_ctl_el0, 0);
	check_rtc();
}
