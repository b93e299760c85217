/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_IRQ_H
#define VMM_CORE_IRQ_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * One interrupt line of a device. The device knows neither its number nor the controller; tests
 * hand it a recording fake. Callers hold their device's lock (lock order: vm, device, irqchip).
 */
struct irq;

struct irq_ops {
	void (*set)(struct irq *irq, bool level);
	void (*pulse)(struct irq *irq);
	int (*eventfd)(struct irq *irq);
};

struct irq {
	const struct irq_ops *ops; /* NULL: not connected, every call does nothing */
	void *chip;
	uint32_t spi; /* interrupt number as in the device tree: INTID - 32 */
	bool edge; /* as the device tree says it */
	uint64_t raised; /* edges and rising levels, for statistics */
	bool level; /* what irq_set() last said; level-triggered lines only */
	int fd; /* the controller's: an irqfd, or -1 */
};

/* Level-triggered: drives the line. Equal levels in a row cost nothing. */
static inline void irq_set(struct irq *irq, bool level)
{
	if (irq->level == level)
		return;
	irq->level = level;
	irq->raised += level;
	if (irq->ops)
		irq->ops->set(irq, level);
}

/* Edge-triggered: one edge. */
static inline void irq_pulse(struct irq *irq)
{
	irq->raised++;
	if (irq->ops)
		irq->ops->pulse(irq);
}

/* A message-signalled interrupt: what its sender writes, and who that is. */
struct msi {
	uint64_t addr;
	uint32_t data;
	uint32_t device; /* DeviceID: a PCI function's requester id */
};

/* An eventfd whose signals send a message, for backends in the kernel. */
struct msi_route {
	int fd; /* the sender's; -1: none */
	bool connected; /* the controller's, as is the next */
	uint32_t gsi;
};

/* An eventfd whose signal is a pulse, for backends that interrupt by themselves; owned by the
 * controller. -ENOTSUP where the controller has none. */
static inline int irq_eventfd(struct irq *irq)
{
	return irq->ops && irq->ops->eventfd ? irq->ops->eventfd(irq) : -ENOTSUP;
}

#endif
