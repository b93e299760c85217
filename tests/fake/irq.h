/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FAKE_IRQ_H
#define TESTS_FAKE_IRQ_H

#include "vmm/core/irq.h"

/* An interrupt line that records what its device does. */
struct fake_irq {
	unsigned int pulses; /* calls of irq_pulse() */
	unsigned int sets; /* changes of the level */
	bool level;
};

/* A line that records into `rec`, which outlives it. */
struct irq fake_irq(struct fake_irq *rec);

#endif
