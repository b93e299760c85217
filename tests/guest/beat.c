// SPDX-License-Identifier: GPL-2.0-only
/*
 * A heart: a line `beat N` ten times a second, by its timer, each number once wherever it runs. At
 * each beat it writes a few pages anew, having looked that they are as it left them; after the byte
 * `w` many, until `c`; `q` ends it.
 */
#include "tests/guest/lib/lib.h"

enum { PERIOD_MS = 100, FEW = 4, MANY = 400, PAGE = 4096 };
enum { UART_FR = UART + 0x18, FR_RXFE = 1 << 4 };

static volatile bool due;
static u64 next_at;
static u32 left[MANY];

static void on_irq(unsigned int intid)
{
	if (intid != INTID_VTIMER)
		return;
	due = true;
	sysreg_write(cntv_ctl_el0, 0);
}

static void arm(void)
{
	due = false;
	next_at += ticks_of_ms(PERIOD_MS);
	/* Beats that were missed are not made up for. */
	if (next_at < ticks())
		next_at = ticks();
	sysreg_write(cntv_cval_el0, next_at);
	sysreg_write(cntv_ctl_el0, 1);
}

/* The interrupt is masked between the test and WFI, so none is missed. */
static void wait_due(void)
{
	irq_disable();
	while (!due) {
		wfi();
		irq_enable();
		irq_disable();
	}
	irq_enable();
}

static volatile u32 *page(unsigned int i)
{
	return (volatile u32 *)(RAM + machine.ram_size / 2 + (u64)i * PAGE);
}

static void write_page(unsigned int i, u32 value)
{
	page(i)[0] = page(i)[PAGE / 4 - 1] = left[i] = value;
}

static void write_pages(u32 beat, unsigned int n)
{
	unsigned int lost = 0;

	for (unsigned int i = 0; i < n; i++) {
		lost += page(i)[0] != left[i] || page(i)[PAGE / 4 - 1] != left[i];
		write_page(i, beat ^ i << 20);
	}
	if (lost)
		check(false, "memory", "%u of %u pages at beat %u", lost, n, beat);
}

void guest(void)
{
	unsigned int n = FEW;
	int key = 0;

	irq_handler = on_irq;
	gic_init(0);
	gic_enable(0, INTID_VTIMER, false);
	uart_open();
	irq_enable();
	for (unsigned int i = 0; i < MANY; i++)
		write_page(i, 0);
	next_at = ticks();
	for (u32 beat = 1; key != 'q'; beat++) {
		arm();
		wait_due();
		print("beat %u\n", beat);
		write_pages(beat, n);
		key = r32(UART_FR) & FR_RXFE ? 0 : getc();
		n = key == 'w' ? MANY : key == 'c' ? FEW : n;
	}
}
