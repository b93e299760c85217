/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FAKE_GICV2_REF_H
#define TESTS_FAKE_GICV2_REF_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A GICv2 as a reader of IHI 0048B would draw it: every interrupt is an object, every question a loop
 * over all of them. It shares nothing with the model under test, and is slow.
 */
enum { REF_CPUS = 8, REF_IRQS = 128 };

struct ref_irq {
	bool enabled, latched, high, edge, active;
	unsigned int group, priority, targets;
	bool from[REF_CPUS]; /* an SGI's sources */
};

struct ref_gic {
	unsigned int cpus, irqs;
	unsigned int enable; /* GICD_CTLR */
	struct ref_irq shared[REF_IRQS];
	struct ref_cpu {
		struct ref_irq own[32];
		uint32_t ctlr, pmr, bpr, abpr;
		bool active_priority[32];
	} cpu[REF_CPUS];
};

void ref_init(struct ref_gic *g, unsigned int cpus, unsigned int irqs);
void ref_line(struct ref_gic *g, unsigned int cpu, unsigned int intid, bool high);

/* Accesses of `size` bytes at an offset of the distributor's or the CPU interface's frame. */
uint32_t ref_dist_read(struct ref_gic *g, unsigned int cpu, unsigned int off, unsigned int size);
void ref_dist_write(struct ref_gic *g, unsigned int cpu, unsigned int off, unsigned int size,
		    uint32_t val);
uint32_t ref_cpuif_read(struct ref_gic *g, unsigned int cpu, unsigned int off);
void ref_cpuif_write(struct ref_gic *g, unsigned int cpu, unsigned int off, uint32_t val);

/* The inputs of a CPU. */
void ref_inputs(struct ref_gic *g, unsigned int cpu, bool *irq, bool *fiq);

#endif
