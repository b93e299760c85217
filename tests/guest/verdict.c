// SPDX-License-Identifier: GPL-2.0-only
/*
 * Says `hello` and ends as end= says, each a verdict of `vmm test`: off, reset, panic (a kernel's line,
 * then silence), oops (then goes on, and panics if more=1), wait (WFI without a timer), sleep (WFI with
 * timers of ms=, three times, then off), late (WFI with a timer that is hours away), spin, poll (spins
 * reading a register), talk (prints without end), lost (accesses where nothing is), login (a prompt
 * without newline, then another, then off). With cpus=1 the other CPUs are started first and spin.
 */
#include "tests/guest/lib/lib.h"

enum { NOWHERE = 0x0b000000, UART_FR = UART + 0x18 };

void cpu_main(unsigned int cpu)
{
	(void)cpu;
	for (;;)
		__asm__ volatile("");
}

static void on_irq(unsigned int intid)
{
	(void)intid;
	sysreg_write(cntv_ctl_el0, 0);
}

static void set_timer(u64 ms)
{
	irq_handler = on_irq;
	gic_init(0);
	gic_enable(0, INTID_VTIMER, false);
	sysreg_write(cntv_cval_el0, ticks() + ticks_of_ms(ms));
	sysreg_write(cntv_ctl_el0, 1);
}

static void wait_for_ever(void)
{
	irq_disable();
	for (;;)
		wfi();
}

static void off(void)
{
}

static void reset(void)
{
	psci(PSCI_SYSTEM_RESET, 0, 0, 0);
}

static void panic(void)
{
	print("[    0.1] Kernel panic - not syncing: Attempted to kill init!\n");
	print("[    0.1] Call trace:\n");
	wait_for_ever();
}

static void oops(void)
{
	print("[    0.1] Internal error: Oops: 0000000096000004 [#1] SMP\n");
	if (arg_number("more", 0))
		panic();
	print("still here\n");
	wait_for_ever();
}

static void sleep(void)
{
	for (int i = 0; i < 3; i++) {
		set_timer(arg_number("ms", 1000));
		irq_enable();
		while (sysreg_read(cntv_ctl_el0) & 1)
			wfi();
		irq_disable();
		print("slept\n");
	}
}

static void late(void)
{
	set_timer(5 * 3600 * 1000);
	wait_for_ever();
}

static void spin(void)
{
	for (;;)
		__asm__ volatile("");
}

static void poll(void)
{
	for (;;)
		r32(UART_FR);
}

static void talk(void)
{
	for (u64 n = 0;; n++)
		print("line %lu\n", n);
}

static void lost(void)
{
	r32(NOWHERE);
	spin();
}

static void login(void)
{
	char name[32];

	uart_open();
	print("\033[1mbox login:\033[0m ");
	getline(name, sizeof(name));
	print("\r\nwelcome %s\r\n$ ", name);
	getline(name, sizeof(name));
	print("\r\n%s: done\r\n", name);
}

static const struct {
	const char *name;
	void (*run)(void);
} ends[] = {
	{ "off", off },	  { "reset", reset },	     { "panic", panic },
	{ "oops", oops }, { "wait", wait_for_ever }, { "sleep", sleep },
	{ "late", late }, { "spin", spin },	     { "poll", poll },
	{ "talk", talk }, { "lost", lost },	     { "login", login },
};

void guest(void)
{
	print("hello\n");
	for (unsigned int i = 1; arg_number("cpus", 0) && i < machine.cpus; i++)
		cpu_on(i);
	for (unsigned int i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (arg_is("end", ends[i].name))
			ends[i].run();
}
