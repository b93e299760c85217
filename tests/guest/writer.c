// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes to half of its memory all the time, pass after pass, each of its CPUs to a part of its own,
 * and checks that every page is as the pass before has left it: what a move must not lose. It says
 * `pass N` when CPU 0 has done 1, 2, 4 ... of them and, told `p`, where it is; `q` ends it.
 */
#include "tests/guest/lib/lib.h"

enum { PAGE = 4096, WORDS = PAGE / 8, UART_FR = UART + 0x18, FR_RXFE = 0x10, PAUSE_MAX = 100000 };

static volatile u64 wrong[CPUS_MAX], wrong_page[CPUS_MAX], passes[CPUS_MAX], stops;

static u64 mark(u64 pass, u64 page)
{
	return pass << 32 | (page + 1);
}

static void write_page(unsigned int cpu, u64 pass, u64 page)
{
	volatile u64 *words = (volatile u64 *)(RAM + machine.ram_size / 2 + page * PAGE);
	u64 want = pass ? mark(pass - 1, page) : words[0];

	if (pass && (words[0] != want || words[WORDS - 1] != want || words[page % WORDS] != want)) {
		wrong[cpu]++;
		wrong_page[cpu] = page;
	}
	words[0] = words[page % WORDS] = words[WORDS - 1] = mark(pass, page);
}

static void pass_over(unsigned int cpu, u64 pass)
{
	u64 pages = machine.ram_size / 2 / PAGE, each = pages / machine.cpus;

	for (u64 i = 0; i < each && !stops; i++)
		write_page(cpu, pass, cpu * each + i);
	passes[cpu] = pass + 1;
}

void cpu_main(unsigned int cpu)
{
	for (u64 pass = 0; !stops; pass++)
		pass_over(cpu, pass);
}

static void tell(const char *what)
{
	u64 bad = 0, page = 0;

	for (unsigned int cpu = 0; cpu < machine.cpus; cpu++) {
		bad += wrong[cpu];
		page = wrong[cpu] ? wrong_page[cpu] : page;
	}
	print("%s %lu, %lu wrong, page %lu\n", what, passes[0], bad, page);
}

void guest(void)
{
	uart_open();
	for (unsigned int cpu = 1; cpu < machine.cpus; cpu++)
		check(!cpu_on(cpu), "CPU_ON", "CPU %u", cpu);
	for (u64 pass = 0;; pass++) {
		char c = 0;

		pass_over(0, pass);
		if (!(passes[0] & (passes[0] - 1)))
			print("pass %lu\n", passes[0]);
		if (!(r32(UART_FR) & FR_RXFE))
			c = getc();
		if (c == 'p')
			tell("at");
		if (c == 'q')
			break;
		if (c == 'r')
			psci(PSCI_SYSTEM_RESET, 0, 0, 0);
	}
	stops = 1;
	tell("passed");
}
