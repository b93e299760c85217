// SPDX-License-Identifier: GPL-2.0-only
#include "tests/fake/irq.h"

static void fake_set(struct irq *irq, bool level)
{
	struct fake_irq *rec = irq->chip;

	rec->sets++;
	rec->level = level;
}

static void fake_pulse(struct irq *irq)
{
	struct fake_irq *rec = irq->chip;

	rec->pulses++;
}

struct irq fake_irq(struct fake_irq *rec)
{
	static const struct irq_ops ops = { .set = fake_set, .pulse = fake_pulse };

	*rec = (struct fake_irq){ 0 };
	return (struct irq){ .ops = &ops, .chip = rec, .spi = 16, .fd = -1 };
}
