/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DEVICES_GICV2_PRIV_H
#define DEVICES_GICV2_PRIV_H

#include "devices/gicv2.h"

/* Private part of the GICv2: gicv2.c (lines and life), gicv2_dist.c and gicv2_cpuif.c (the registers
 * of each frame), gicv2_state.c (saved, loaded, shown). */

enum {
	GICV2_SGIS = 16,
	GICV2_PRIVATE = 32, /* SGIs and PPIs, banked; a bank is as large */
	GICV2_SPURIOUS = 1023,
	GICV2_GROUP0 = 1, /* in GICD_CTLR and GICC_CTLR */
	GICV2_GROUP1 = 2,
};

/* Bits of a priority that exist: five, as KVM's virtual interface has them. */
enum { GICV2_PRIORITY = 0xf8, GICV2_PRIORITY_SHIFT = 3, GICV2_MIN_BPR = 2, GICV2_MIN_ABPR = 3 };

/* GICC_CTLR */
enum { CTLR_ACKCTL = 1 << 2, CTLR_FIQEN = 1 << 3, CTLR_CBPR = 1 << 4, CTLR_EOIMODE = 1 << 9 };
enum {
	CTLR_BITS =
		GICV2_GROUP0 | GICV2_GROUP1 | CTLR_ACKCTL | CTLR_FIQEN | CTLR_CBPR | CTLR_EOIMODE
};

/* 32 interrupts, a bit each, as the registers have them. */
struct gicv2_bank {
	uint32_t exists;
	uint32_t group; /* 1: group 1 */
	uint32_t enabled;
	uint32_t latch; /* an edge, or software, made it pending */
	uint32_t level; /* what its device drives */
	uint32_t edge; /* edge-triggered: the level does not count */
	uint32_t active;
	uint8_t priority[32];
	uint8_t targets[32]; /* ITARGETSR */
	uint32_t to
		[GICV2_CPUS_MAX]; /* by CPU: which interrupts may go there; follows from targets */
};

struct gicv2_cpu {
	struct gicv2_bank bank;
	uint8_t sources[GICV2_SGIS]; /* of a pending SGI: a bit for each CPU that sent it */
	uint32_t ctlr, pmr, bpr, abpr; /* GICC */
	uint32_t apr; /* a bit for each group priority that is active */
	bool inputs[GICV2_INPUTS]; /* as last driven */
};

struct gicv2 {
	struct device dev;
	struct irqchip chip;
	struct gicv2_config cfg;
	uint32_t ctlr; /* GICD_CTLR */
	unsigned int nbanks; /* the private one included */
	struct gicv2_cpu cpus[GICV2_CPUS_MAX];
	struct gicv2_bank shared[]; /* of nbanks - 1 */
};

/* The interrupt that a CPU would be given next. */
struct gicv2_pending {
	unsigned int intid; /* GICV2_SPURIOUS: none */
	unsigned int priority;
	bool group1;
};

static inline struct gicv2_bank *gicv2_bank(struct gicv2 *d, unsigned int cpu, unsigned int n)
{
	return n ? &d->shared[n - 1] : &d->cpus[cpu].bank;
}

/* Pending, whether enabled or not (IHI 0048B, figure 4-10). */
static inline uint32_t gicv2_pending(const struct gicv2_bank *bank)
{
	return bank->latch | (bank->level & ~bank->edge);
}

/* Under the lock, read without it. */
static inline void gicv2_count_write(struct gicv2 *d)
{
	__atomic_store_n(&d->chip.writes, d->chip.writes + 1, __ATOMIC_RELAXED);
}

/* The best of what is pending, enabled and of an enabled group, priority mask and running priority
 * apart. */
struct gicv2_pending gicv2_best(struct gicv2 *d, unsigned int cpu);

/* Whether the CPU interface gives it to the CPU now (IHI 0048B, 3.3). */
bool gicv2_signals(const struct gicv2_cpu *c, const struct gicv2_pending *p);

/* Drives the inputs of each CPU as they follow from the registers; after each change of these. */
void gicv2_settle(struct gicv2 *d);

/* Works out `to` from `targets`. */
void gicv2_retarget(struct gicv2 *d, struct gicv2_bank *bank);

/* The frames, for the bus. */
uint64_t gicv2_dist_read(struct device *dev, uint64_t off, unsigned int size);
void gicv2_dist_write(struct device *dev, uint64_t off, unsigned int size, uint64_t val);
uint64_t gicv2_cpuif_read(struct device *dev, uint64_t off, unsigned int size);
void gicv2_cpuif_write(struct device *dev, uint64_t off, unsigned int size, uint64_t val);

/* As device_ops and irqchip_ops have them. */
void gicv2_state(struct device *dev, struct state *s);
void gicv2_debug(struct irqchip *chip, struct json_out *out);

#endif
