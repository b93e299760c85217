/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DEVICES_GICV2M_H
#define DEVICES_GICV2M_H

#include "vmm/core/device.h"

struct fdt;

/*
 * A GICv2m frame (Server Base System Architecture, DEN0029 appendix E): 0x1000 bytes at env.base.
 * A write of an interrupt's number (INTID) to MSI_SETSPI_NS is an edge of that SPI; other numbers do
 * nothing. All it holds is what it was made with.
 */
enum { GICV2M_SIZE = 0x1000, GICV2M_SPIS_MAX = 128, GICV2M_SETSPI = 0x40 };

/*
 * Makes the device for the `n` SPIs (1 to GICV2M_SPIS_MAX) from env->irq.spi on, and claims its
 * registers on env->bus. 0, or -errno with `fail` set.
 */
int gicv2m_create(const struct device_env *env, unsigned int n, struct device **out,
		  struct fail *fail);

/* The edge-triggered line of the i-th SPI, which the machine connects; NULL behind the last. */
struct irq *gicv2m_irq(struct device *dev, unsigned int i);

/* A message by another device: 0, or -ENXIO if it is not to MSI_SETSPI_NS or not of these SPIs.
 * Takes the frame's lock. */
int gicv2m_message(struct device *dev, const struct msi *msi);

/* The SPI that such a message stands for, or -ENXIO. */
int gicv2m_spi(const struct device *dev, const struct msi *msi);

/* Its node, a child of the interrupt controller's (arm,gic.yaml), with phandle FDT_PHANDLE_MSI. */
void gicv2m_describe(const struct device *dev, struct fdt *fdt);

#endif
