// SPDX-License-Identifier: GPL-2.0-only
/*
 * Polled output that has to come whole, in order and soon. op=
 *   stamps  lines "T NS;" with the counter in ns, with pauses; then idle for a while; then a last
 *           one, and the guest hangs
 *   lines   each CPU prints n= lines under a lock
 *   bytes   each CPU prints n= bytes without one, of letters that are its own
 *   echo    what is typed, up to a '.'
 *   off, reset, crash   n= lines and a half, then that
 */
#include "tests/guest/lib/lib.h"

enum { STAMPS = 60, IDLE_MS = 1500, PERIOD = 13 };

static volatile u32 lock, ended;

static void take(void)
{
	u32 old, failed;

	__asm__ volatile("1:	ldaxr	%w0, [%2]\n"
			 "	cbnz	%w0, 1b\n"
			 "	stxr	%w1, %w3, [%2]\n"
			 "	cbnz	%w1, 1b\n"
			 : "=&r"(old), "=&r"(failed)
			 : "r"(&lock), "r"(1)
			 : "memory");
}

static void give(void)
{
	__asm__ volatile("stlr	wzr, [%0]" : : "r"(&lock) : "memory");
}

/* Sleeps: nobody runs meanwhile. The interrupt stays masked, and ends WFI all the same. */
static void pause_ms(u64 ms)
{
	u64 end = ticks() + ticks_of_ms(ms);

	sysreg_write(cntv_cval_el0, end);
	sysreg_write(cntv_ctl_el0, 1);
	while (ticks() < end)
		wfi();
	sysreg_write(cntv_ctl_el0, 0);
}

static void stamp(void)
{
	u64 now = ticks(), hz = ticks_of_ms(1000);

	print("T %lu;", now / hz * 1000000000 + now % hz * 1000000000 / hz);
}

static void stamps(void)
{
	gic_init(0);
	gic_enable(0, INTID_VTIMER, false);
	for (unsigned int i = 0; i < STAMPS; i++) {
		stamp();
		print(" and the rest of line %u\n", i);
		pause_ms(i * 7 % 31);
	}
	print("idle;\n");
	pause_ms(IDLE_MS);
	print("half a line, ");
	stamp();
	print("hang;");
	for (;;)
		__asm__ volatile("" : : : "memory");
}

static void lines(unsigned int cpu)
{
	for (u64 i = 0; i < arg_number("n", 100); i++) {
		take();
		print("cpu %u line %lu abcdefghijklmnopqrstuvwxyz\n", cpu, i);
		give();
	}
}

static void bytes(unsigned int cpu)
{
	for (u64 i = 0; i < arg_number("n", 1000); i++)
		putc((cpu ? 'A' : 'a') + i % PERIOD);
}

static void print_from(unsigned int cpu)
{
	if (arg_is("op", "bytes"))
		bytes(cpu);
	else
		lines(cpu);
}

void cpu_main(unsigned int cpu)
{
	print_from(cpu);
	take();
	ended++;
	give();
}

static void echo(void)
{
	int c;

	uart_open();
	print("ready\n");
	while ((c = getc()) != '.')
		putc(c);
	putc('\n');
}

static void end(void)
{
	lines(0);
	print("half a line");
	if (arg_is("op", "off"))
		power_off();
	if (arg_is("op", "reset"))
		psci(PSCI_SYSTEM_RESET, 0, 0, 0);
	r32(0x0b000000); /* nothing is there */
}

void guest(void)
{
	if (arg_is("op", "stamps")) {
		stamps();
	} else if (arg_is("op", "echo")) {
		echo();
	} else if (arg_is("op", "lines") || arg_is("op", "bytes")) {
		for (unsigned int i = 1; i < machine.cpus; i++)
			cpu_on(i);
		print_from(0);
		while (ended < machine.cpus - 1)
			;
		print("\n");
	} else {
		end();
	}
}
