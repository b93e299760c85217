// SPDX-License-Identifier: GPL-2.0-only
/* The CPU interfaces: IHI 0048B, 4.4. */
#include <stddef.h>

#include "devices/gicv2_priv.h"

enum { IIDR = 0x2043b }; /* architecture version 2; Arm */
enum { IDLE = 0x100, NOT_FOR_THIS = 1022 };

/* --- priorities -------------------------------------------------------------------------------- */

/* The bits of a priority that decide about preemption (3.3.3). */
static unsigned int group_priority(const struct gicv2_cpu *c, const struct gicv2_pending *p)
{
	unsigned int bpr = p->group1 && !(c->ctlr & CTLR_CBPR) ? c->abpr - 1 : c->bpr;

	return p->priority & (0xff << (bpr + 1)) & 0xff;
}

static unsigned int running(const struct gicv2_cpu *c)
{
	return c->apr ? (unsigned int)__builtin_ctz(c->apr) << GICV2_PRIORITY_SHIFT : IDLE;
}

/* Lowest number wins, then the lowest INTID. */
static void choose(const struct gicv2_bank *bank, unsigned int first, uint32_t among,
		   struct gicv2_pending *best)
{
	for (; among; among &= among - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(among);

		if (bank->priority[i] >= best->priority)
			continue;
		*best = (struct gicv2_pending){ first + i, bank->priority[i],
						bank->group >> i & 1 };
	}
}

struct gicv2_pending gicv2_best(struct gicv2 *d, unsigned int cpu)
{
	const uint32_t on = d->ctlr & d->cpus[cpu].ctlr;
	struct gicv2_pending best = { GICV2_SPURIOUS, IDLE, false };

	for (unsigned int n = 0; on && n < d->nbanks; n++) {
		const struct gicv2_bank *bank = gicv2_bank(d, cpu, n);
		uint32_t among = gicv2_pending(bank) & bank->enabled & ~bank->active;

		if (!among)
			continue;
		if (n)
			among &= bank->to[cpu];
		if (!(on & GICV2_GROUP0))
			among &= bank->group;
		if (!(on & GICV2_GROUP1))
			among &= ~bank->group;
		choose(bank, n * GICV2_PRIVATE, among, &best);
	}
	return best;
}

bool gicv2_signals(const struct gicv2_cpu *c, const struct gicv2_pending *p)
{
	return p->priority < c->pmr && group_priority(c, p) < running(c);
}

/* --- acknowledge, drop, deactivate -------------------------------------------------------------- */

/* Becomes active; of an SGI the lowest source is taken, and named. */
static uint32_t activate(struct gicv2 *d, unsigned int cpu, const struct gicv2_pending *p)
{
	struct gicv2_cpu *c = &d->cpus[cpu];
	struct gicv2_bank *bank = gicv2_bank(d, cpu, p->intid / GICV2_PRIVATE);
	uint32_t bit = 1u << p->intid % GICV2_PRIVATE, source = 0;

	bank->latch &= ~bit;
	bank->active |= bit;
	c->apr |= 1u << (group_priority(c, p) >> GICV2_PRIORITY_SHIFT);
	if (p->intid < GICV2_SGIS) {
		uint8_t *sources = &c->sources[p->intid];

		source = (uint32_t)__builtin_ctz(*sources);
		*sources &= (uint8_t)(*sources - 1);
		bank->latch |= *sources ? bit : 0;
	}
	return source << 10 | p->intid;
}

/* What reading tells of an interrupt of that group (table 4-36). */
static unsigned int told(const struct gicv2_cpu *c, const struct gicv2_pending *p, bool alias)
{
	if (alias && !p->group1)
		return GICV2_SPURIOUS;
	if (!alias && p->group1 && !(c->ctlr & CTLR_ACKCTL))
		return NOT_FOR_THIS;
	return p->intid;
}

static uint32_t acknowledge(struct gicv2 *d, unsigned int cpu, bool alias)
{
	struct gicv2_cpu *c = &d->cpus[cpu];
	struct gicv2_pending p = gicv2_best(d, cpu);
	unsigned int intid = GICV2_SPURIOUS;
	uint32_t iar;

	if (gicv2_signals(c, &p))
		intid = told(c, &p, alias);
	if (intid != p.intid || intid == GICV2_SPURIOUS)
		return intid;
	iar = activate(d, cpu, &p);
	gicv2_settle(d);
	return iar;
}

static uint32_t highest(struct gicv2 *d, unsigned int cpu, bool alias)
{
	const struct gicv2_cpu *c = &d->cpus[cpu];
	struct gicv2_pending p = gicv2_best(d, cpu);
	uint32_t intid = p.intid == GICV2_SPURIOUS ? p.intid : told(c, &p, alias);

	if (intid >= GICV2_SGIS)
		return intid;
	return (uint32_t)__builtin_ctz(c->sources[intid]) << 10 | intid;
}

static void deactivate(struct gicv2 *d, unsigned int cpu, unsigned int intid)
{
	gicv2_bank(d, cpu, intid / GICV2_PRIVATE)->active &= ~(1u << intid % GICV2_PRIVATE);
}

/* Which source an SGI had does not matter: only one of a number is active at a time. */
static void end_of_interrupt(struct gicv2 *d, unsigned int cpu, uint32_t val, bool alias)
{
	struct gicv2_cpu *c = &d->cpus[cpu];
	unsigned int intid = val & 0x3ff;

	if (intid >= d->cfg.irqs)
		return;
	if (alias &&
	    !(gicv2_bank(d, cpu, intid / GICV2_PRIVATE)->group >> intid % GICV2_PRIVATE & 1))
		return;
	c->apr &= c->apr - 1;
	if (!(c->ctlr & CTLR_EOIMODE))
		deactivate(d, cpu, intid);
}

/* --- registers --------------------------------------------------------------------------------- */

static uint32_t at_least(uint32_t val, uint32_t least)
{
	return val < least ? least : val;
}

static uint32_t get_ctlr(struct gicv2 *d, unsigned int cpu)
{
	return d->cpus[cpu].ctlr;
}

static void set_ctlr(struct gicv2 *d, unsigned int cpu, uint32_t val)
{
	d->cpus[cpu].ctlr = val & CTLR_BITS;
}

static uint32_t get_pmr(struct gicv2 *d, unsigned int cpu)
{
	return d->cpus[cpu].pmr;
}

static void set_pmr(struct gicv2 *d, unsigned int cpu, uint32_t val)
{
	d->cpus[cpu].pmr = val & GICV2_PRIORITY;
}

static uint32_t get_bpr(struct gicv2 *d, unsigned int cpu)
{
	return d->cpus[cpu].bpr;
}

static void set_bpr(struct gicv2 *d, unsigned int cpu, uint32_t val)
{
	d->cpus[cpu].bpr = at_least(val & 7, GICV2_MIN_BPR);
}

static uint32_t get_abpr(struct gicv2 *d, unsigned int cpu)
{
	return d->cpus[cpu].abpr;
}

static void set_abpr(struct gicv2 *d, unsigned int cpu, uint32_t val)
{
	d->cpus[cpu].abpr = at_least(val & 7, GICV2_MIN_ABPR);
}

static uint32_t get_iar(struct gicv2 *d, unsigned int cpu)
{
	return acknowledge(d, cpu, false);
}

static uint32_t get_aiar(struct gicv2 *d, unsigned int cpu)
{
	return acknowledge(d, cpu, true);
}

static void set_eoir(struct gicv2 *d, unsigned int cpu, uint32_t val)
{
	end_of_interrupt(d, cpu, val, false);
}

static void set_aeoir(struct gicv2 *d, unsigned int cpu, uint32_t val)
{
	end_of_interrupt(d, cpu, val, true);
}

static uint32_t get_rpr(struct gicv2 *d, unsigned int cpu)
{
	unsigned int priority = running(&d->cpus[cpu]);

	return priority == IDLE ? 0xff : priority;
}

static uint32_t get_hppir(struct gicv2 *d, unsigned int cpu)
{
	return highest(d, cpu, false);
}

static uint32_t get_ahppir(struct gicv2 *d, unsigned int cpu)
{
	return highest(d, cpu, true);
}

static uint32_t get_apr(struct gicv2 *d, unsigned int cpu)
{
	return d->cpus[cpu].apr;
}

static void set_apr(struct gicv2 *d, unsigned int cpu, uint32_t val)
{
	d->cpus[cpu].apr = val;
}

static uint32_t get_iidr(struct gicv2 *d, unsigned int cpu)
{
	(void)d, (void)cpu;
	return IIDR;
}

/* Without EOImode the end of an interrupt deactivates it, and this does nothing. */
static void set_dir(struct gicv2 *d, unsigned int cpu, uint32_t val)
{
	unsigned int intid = val & 0x3ff;

	if (d->cpus[cpu].ctlr & CTLR_EOIMODE && intid < d->cfg.irqs)
		deactivate(d, cpu, intid);
}

/* GICC_APR1 to APR3 and GICC_NSAPR have no bits here: one word holds all 32 priorities. */
static const struct reg {
	uint16_t offset;
	uint32_t (*get)(struct gicv2 *d, unsigned int cpu);
	void (*set)(struct gicv2 *d, unsigned int cpu, uint32_t val);
} regs[] = {
	{ 0x000c, get_iar, NULL }, /* GICC_IAR */
	{ 0x0010, NULL, set_eoir }, /* GICC_EOIR */
	{ 0x0000, get_ctlr, set_ctlr }, /* GICC_CTLR */
	{ 0x0004, get_pmr, set_pmr }, /* GICC_PMR */
	{ 0x0008, get_bpr, set_bpr }, /* GICC_BPR */
	{ 0x0014, get_rpr, NULL }, /* GICC_RPR */
	{ 0x0018, get_hppir, NULL }, /* GICC_HPPIR */
	{ 0x001c, get_abpr, set_abpr }, /* GICC_ABPR */
	{ 0x0020, get_aiar, NULL }, /* GICC_AIAR */
	{ 0x0024, NULL, set_aeoir }, /* GICC_AEOIR */
	{ 0x0028, get_ahppir, NULL }, /* GICC_AHPPIR */
	{ 0x00d0, get_apr, set_apr }, /* GICC_APR0 */
	{ 0x00fc, get_iidr, NULL }, /* GICC_IIDR */
	{ 0x1000, NULL, set_dir }, /* GICC_DIR */
};

static const struct reg *find(uint64_t off)
{
	for (size_t n = 0; n < sizeof(regs) / sizeof(regs[0]); n++)
		if (regs[n].offset == off)
			return &regs[n];
	return NULL;
}

uint64_t gicv2_cpuif_read(struct device *dev, uint64_t off, unsigned int size)
{
	const struct reg *r = find(off);

	(void)size;
	return r && r->get ? r->get(container_of(dev, struct gicv2, dev), dev->initiator) : 0;
}

void gicv2_cpuif_write(struct device *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct gicv2 *d = container_of(dev, struct gicv2, dev);
	const struct reg *r = find(off);

	(void)size;
	gicv2_count_write(d);
	if (!r || !r->set)
		return;
	r->set(d, dev->initiator, (uint32_t)val);
	gicv2_settle(d);
}
