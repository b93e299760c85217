/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DEVICES_GICV2_H
#define DEVICES_GICV2_H

#include "vmm/core/device.h"
#include "vmm/core/irqchip.h"

/*
 * A GICv2 in software (IHI 0048B), distributor and CPU interfaces, without the Security Extensions:
 * both groups, 32 levels of priority, 1-of-N, EOImode. As its guests see it, it is the vGICv2 of
 * Linux; devices/README.md names where it is closer to the architecture.
 *
 * One lock, its device's: taken by the bus around accesses, by the lines around changes. It comes
 * after every other device's, and nothing is called under it but `drive`.
 */
enum { GICV2_CPUS_MAX = 8, GICV2_IRQS_MIN = 64, GICV2_IRQS_MAX = 1020 };
enum { GICV2_DIST_SIZE = 0x1000, GICV2_CPUIF_SIZE = 0x2000 };

/* The interrupt inputs of a CPU. */
enum gicv2_input { GICV2_IRQ, GICV2_FIQ, GICV2_INPUTS };

struct gicv2_config {
	gpa_t cpuif; /* GICC; env->base is GICD */
	unsigned int cpus; /* 1 to GICV2_CPUS_MAX */
	unsigned int irqs; /* INTIDs, SGIs and PPIs included: GICV2_IRQS_MIN to GICV2_IRQS_MAX */
	/* An input of a CPU has changed. */
	void (*drive)(void *arg, unsigned int cpu, enum gicv2_input input, bool level);
	void *arg;
};

/* Makes the controller and claims its frames on env->bus; irqchip->ops->destroy() ends it. 0, or
 * -errno with `fail` set. */
int gicv2_create(const struct device_env *env, const struct gicv2_config *cfg, struct irqchip **out,
		 struct fail *fail);

/* The device in it, for reset, state and debug. */
struct device *gicv2_device(struct irqchip *chip);

#endif
