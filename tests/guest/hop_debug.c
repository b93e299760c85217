// SPDX-License-Identifier: GPL-2.0-only
/* A breakpoint and a watchpoint of the guest's own, set before its machine is saved, are met after. `q`
 * ends it. */
#include "tests/guest/lib/lib.h"

/* Arm ARM D2.8, D2.9: enabled, at EL1; all four bytes of an instruction, stores to all eight of a
 * double word. */
enum { BREAK = 1 | 1 << 1 | 0xf << 5, WATCH = 1 | 1 << 1 | 2 << 3 | 0xff << 5 };
enum { MDSCR_KDE = 1 << 13, MDSCR_MDE = 1 << 15, EC_BREAK = 0x31, EC_WATCH = 0x35 };

static volatile u64 watched __attribute__((aligned(8)));
static volatile unsigned int reached;

static __attribute__((noinline)) void place(void)
{
	reached++;
}

static void arm(bool on)
{
	sysreg_write(dbgbvr0_el1, (u64)place);
	sysreg_write(dbgbcr0_el1, on ? BREAK : 0);
	sysreg_write(dbgwvr0_el1, (u64)&watched);
	sysreg_write(dbgwcr0_el1, on ? WATCH : 0);
	sysreg_write(mdscr_el1, on ? MDSCR_KDE | MDSCR_MDE : 0);
}

/* What is expected by `count` and class; the instruction or call is left out. */
static void met(const char *name, unsigned int count, unsigned int class)
{
	check(faults.count == count && faults.esr >> 26 == class, name, "%u exceptions, class %x",
	      faults.count, (unsigned int)(faults.esr >> 26));
}

static void use(void)
{
	faults.expected = true;
	faults.count = 0;
	__asm__ volatile("msr daifclr, #8\n\tisb" : : : "memory");
	place();
	met("breakpoint", 1, EC_BREAK);
	mmio_write((u64)&watched, 8, 1);
	met("watchpoint", 2, EC_WATCH);
	__asm__ volatile("msr daifset, #8\n\tisb" : : : "memory");
	faults.expected = false;
	check(!reached && !watched, "kept from it", "%u calls, %lu written", reached, watched);
}

void guest(void)
{
	uart_open();
	sysreg_write(oslar_el1, 0);
	for (unsigned int hop = 1;; hop++) {
		arm(true);
		use();
		print("hop %u\n", hop);
		if (getc() == 'q')
			return;
		use();
		arm(false);
		place();
		check(reached == 1, "disarmed", "%u calls", reached);
		reached = 0;
	}
}
