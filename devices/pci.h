/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DEVICES_PCI_H
#define DEVICES_PCI_H

#include "vmm/core/irqchip.h"
#include "vmm/core/pci.h"

/*
 * A generic ECAM host bridge with one bus (host-generic-pci.yaml; PCIe Base Specification 7.2.2):
 * configuration space of 32 slots at env.base, a window for 32-bit memory BARs, four interrupt lines
 * for the pins, messages to the interrupt controller. Slot 0 stays empty; functions get the next
 * free slot from 1 on.
 */
enum { PCI_ECAM_SIZE = 1 << 20, PCI_LINES = 4 };

struct pci_config {
	gpa_t window;
	uint64_t window_size;
	struct irqchip *chip; /* takes messages; borrowed */
};

/* Makes the bridge and claims both ranges on env->bus; env->irq.spi is the first of the lines. 0, or
 * -errno with `fail` set. */
int pci_create(const struct device_env *env, const struct pci_config *cfg, struct device **out,
	       struct fail *fail);

/* The bus that functions are added to; outlives them. */
struct pci_bus *pci_bus(struct device *dev);

/* The level-triggered line that pin INTA + i of slot 0 drives, to be connected; NULL behind the
 * last. */
struct irq *pci_irq(struct device *dev, unsigned int i);

#endif
