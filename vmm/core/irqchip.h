/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_IRQCHIP_H
#define VMM_CORE_IRQCHIP_H

#include "vmm/core/irq.h"

struct device;
struct fdt;
struct findings;
struct json_out;
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
	/* A message from a device, whose lock the caller holds. 0, or -errno for one that means no
	 * interrupt; what it is made of is the guest's. */
	int (*message)(struct irqchip *chip, const struct msi *msi);
	/* Makes signals of route->fd send `msi` from now on; NULL: no longer, and those that came
	 * before are sent. 0, or -errno: message() is the only way. May be NULL. The sender ends a
	 * route before it closes the descriptor. */
	int (*route)(struct irqchip *chip, struct msi_route *route, const struct msi *msi);
	/* For a controller in userspace, NULL for one in the kernel. The line of a private interrupt
	 * (INTID 16 to 31) of a CPU, from that CPU's thread. */
	void (*private_line)(struct irqchip *chip, unsigned int cpu, unsigned int intid,
			     bool level);
	/* Adds the controller's node, phandle FDT_PHANDLE_GIC. */
	void (*describe)(struct irqchip *chip, struct fdt *fdt);
	/* Saves or loads what the guest sees of it, while no vCPU runs; the devices' lines are set
	 * again by the devices. What this host cannot take is added to `refused`. */
	void (*state)(struct irqchip *chip, struct state *s, struct findings *refused);
	/* Reads what state() saved, into a controller that will be loaded later and before there is
	 * memory: what this host cannot take is added to `refused`. NULL: state() can do so. */
	void (*check)(struct irqchip *chip, struct state *s, struct findings *refused);
	/* Adds objects with a member "section" to an array, for people, while no vCPU runs; may be
	 * NULL. */
	void (*debug)(struct irqchip *chip, struct json_out *out);
	void (*destroy)(struct irqchip *chip);
};

/* A device that turns messages into interrupts of the controller, such as a GICv2m frame. Its node
 * is a child of the controller's, and so not its own describe's. */
struct irqchip_frame {
	struct device *dev; /* NULL: there is none */
	void (*describe)(const struct device *dev, struct fdt *fdt);
	/* 0 or -ENXIO: no number of this frame, or not its address. */
	int (*message)(struct device *dev, const struct msi *msi);
	/* The SPI that the message stands for, or -ENXIO; NULL: none does. */
	int (*spi)(const struct device *dev, const struct msi *msi);
};

struct irqchip {
	const struct irqchip_ops *ops;
	struct irqchip_frame frame;
	bool takes_messages; /* message() leads somewhere, and FDT_PHANDLE_MSI is described */
	uint64_t writes; /* of guests to its registers, those that vmm serves; for statistics */
};

#endif
