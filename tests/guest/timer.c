// SPDX-License-Identifier: GPL-2.0-only
/* The virtual timer's interrupt ends WFI, never early; the RTC counts and its alarm fires. */
#include "tests/guest/lib/lib.h"

enum { ROUNDS = 10, PERIOD_MS = 5, LATE_MS = 2000 };
enum { RTC_DR = RTC, RTC_MR = RTC + 4, RTC_IMSC = RTC + 0x10, RTC_MIS = RTC + 0x18 };
enum { RTC_ICR = RTC + 0x1c, YEAR_2020 = 1577836800 };

static volatile unsigned int timer_irqs, rtc_irqs, other_irqs;
static volatile u64 taken_at;

static void on_irq(unsigned int intid)
{
	if (intid == INTID_VTIMER) {
		taken_at = ticks();
		timer_irqs++;
		sysreg_write(cntv_ctl_el0, 0);
	} else if (intid == INTID_RTC) {
		rtc_irqs++;
		w32(RTC_ICR, 1);
	} else {
		other_irqs++;
	}
}

static void check_timer(void)
{
	unsigned int early = 0, late = 0;

	gic_enable(0, INTID_VTIMER, false);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		u64 at = ticks() + ticks_of_ms(PERIOD_MS);

		sysreg_write(cntv_cval_el0, at);
		sysreg_write(cntv_ctl_el0, 1);
		/* The interrupt is masked between the test and WFI, so none is missed. */
		irq_disable();
		while (timer_irqs == i && ticks() < at + ticks_of_ms(LATE_MS)) {
			wfi();
			irq_enable();
			irq_disable();
		}
		irq_enable();
		early += taken_at < at;
		late += taken_at > at + ticks_of_ms(LATE_MS);
	}
	check(timer_irqs == ROUNDS, "timer interrupts", "%u of %u", timer_irqs, ROUNDS);
	check(!early && !late, "timer precision", "%u early, %u late", early, late);
}

static void check_masked(void)
{
	sysreg_write(cntv_cval_el0, ticks());
	sysreg_write(cntv_ctl_el0, 3); /* ENABLE, IMASK */
	wait_for(false, PERIOD_MS);
	check(timer_irqs == ROUNDS, "timer masked", "an interrupt came all the same");
	check(sysreg_read(cntv_ctl_el0) == 7, "timer status", "CNTV_CTL %lx",
	      sysreg_read(cntv_ctl_el0));
	sysreg_write(cntv_ctl_el0, 0);
}

static void check_rtc(void)
{
	u32 now = r32(RTC_DR);

	check(now > YEAR_2020, "rtc time", "%u", now);
	gic_enable(0, INTID_RTC, false);
	w32(RTC_ICR, 1);
	w32(RTC_MR, now + 2);
	w32(RTC_IMSC, 1);
	check(wait_for(rtc_irqs, 10000), "rtc alarm", "none, counter %u, match %u", r32(RTC_DR),
	      now + 2);
	check(r32(RTC_DR) >= now + 2 && !r32(RTC_MIS), "rtc alarm time", "%u after %u", r32(RTC_DR),
	      now);
}

void guest(void)
{
	irq_handler = on_irq;
	gic_init(0);
	irq_enable();
	check_timer();
	check_masked();
	check_rtc();
	check(!other_irqs, "no other interrupt", "%u", other_irqs);
}
