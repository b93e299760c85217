/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_IRQCHIP_H
#define VMM_CORE_IRQCHIP_H

#include "vmm/core/irq.h"

struct device;
struct fdt;
struct findings;
struct irqchip;
struct state;

/*
 * The machine's interrupt controller, in the kernel or in userspace. It outlives a reset of the
 * machine; the lines connected to it stay connected.
 */
struct irqchip_ops {
	/* Connects a device's line: fills ops, chip and fd of `irq`, which says spi and edge. The
	 * controller outlives the devices. 0 or -errno. */
	int (*connect)(struct irqchip *chip, struct irq *irq);
	/* Adds the controller's node, phandle FDT_PHANDLE_GIC. */
	void (*describe)(struct irqchip *chip, struct fdt *fdt);
	/* Saves or loads what the guest sees of it, while no vCPU runs; the devices' lines are set
	 * again by the devices. What this host cannot take is added to `refused`. */
	void (*state)(struct irqchip *chip, struct state *s, struct findings *refused);
	void (*destroy)(struct irqchip *chip);
};

struct irqchip {
	const struct irqchip_ops *ops;
	/* A device that turns messages into interrupts of this controller; its node is a child of
	 * the controller's, which describe() adds by calling this. NULL: there is none. */
	const struct device *msi;
	void (*describe_msi)(const struct device *msi, struct fdt *fdt);
};

#endif
