// SPDX-License-Identifier: GPL-2.0-only
/* Each message of the GICv2m frame (DEN0029 appendix E) is one interrupt, others are none. */
#include "tests/guest/lib/lib.h"

enum { FRAME = 0x08020000, TYPER = FRAME + 0x8, SETSPI = FRAME + 0x40, IIDR = FRAME + 0xfcc };
enum { FIRST = 32 + 48, SPIS = 64, ROUNDS = 100 };

static volatile unsigned int count[SPIS], others;

static void on_irq(unsigned int intid)
{
	if (intid - FIRST < SPIS)
		count[intid - FIRST]++;
	else
		others++;
}

static unsigned int total(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < SPIS; i++)
		n += count[i];
	return n;
}

static void check_each(void)
{
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < SPIS; i++) {
		mmio_write(SETSPI, i & 1 ? 2 : 4, FIRST + i);
		if (!wait_for(count[i] == 1, 2000) || total() != i + 1)
			wrong++;
	}
	check(!wrong && !others, "each message", "%u of %u are wrong, %u others", wrong, SPIS,
	      others);
}

static void check_rounds(void)
{
	unsigned int missing = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		w32(SETSPI, FIRST + SPIS - 1);
		missing += !wait_for(count[SPIS - 1] == 2 + i, 2000);
	}
	check(!missing, "one message often", "%u of %u are missing", missing, ROUNDS);
}

static void check_strangers(void)
{
	unsigned int before = total();

	w32(SETSPI, FIRST - 1);
	w32(SETSPI, FIRST + SPIS);
	w32(SETSPI, 0);
	w32(SETSPI, 1023);
	w32(TYPER, FIRST);
	mmio_write(SETSPI, 1, FIRST);
	wait_for(false, 5);
	check(total() == before && !others, "no message", "%u interrupts",
	      total() - before + others);
}

void guest(void)
{
	irq_handler = on_irq;
	gic_init(0);
	for (unsigned int i = 0; i < SPIS; i++)
		gic_enable(0, FIRST + i, true);
	irq_enable();
	check(r32(TYPER) == (FIRST << 16 | SPIS), "MSI_TYPER", "%x", r32(TYPER));
	check(r32(IIDR) == 0x43b, "MSI_IIDR", "%x", r32(IIDR));
	check_each();
	check_rounds();
	check_strangers();
	irq_disable();
}
