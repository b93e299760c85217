// SPDX-License-Identifier: GPL-2.0-only
/* The distributor: IHI 0048B, 4.3. */
#include <stddef.h>

#include "devices/gicv2_priv.h"
#include "vmm/core/bus.h"

enum { SGI_BITS = 0xffff };
/* Arm designed it, no product; ICPIDR2 says which architecture it is. */
enum { IIDR = 0x43b, ICPIDR2 = 0x2b };

/* One access. `bank` and `i` are the interrupts it begins with, where the register has such. */
struct at {
	struct gicv2 *d;
	unsigned int cpu, off, size; /* off: in the group */
	struct gicv2_bank *bank;
	unsigned int i;
};

static uint32_t get_ctlr(const struct at *at)
{
	return at->d->ctlr;
}

static void set_ctlr(const struct at *at, uint32_t val)
{
	at->d->ctlr = val & (GICV2_GROUP0 | GICV2_GROUP1);
}

/* ITLinesNumber, CPUNumber; no Security Extensions, so no lockable SPIs. */
static uint32_t get_typer(const struct at *at)
{
	return (at->d->nbanks - 1) | (at->d->cfg.cpus - 1) << 5;
}

static uint32_t get_iidr(const struct at *at)
{
	(void)at;
	return IIDR;
}

static uint32_t get_icpidr2(const struct at *at)
{
	(void)at;
	return ICPIDR2;
}

/* --- a bit an interrupt ----------------------------------------------------------------------- */

static uint32_t get_group(const struct at *at)
{
	return at->bank->group;
}

static void set_group(const struct at *at, uint32_t val)
{
	at->bank->group = val & at->bank->exists;
}

static uint32_t get_enabled(const struct at *at)
{
	return at->bank->enabled;
}

static void set_enabled(const struct at *at, uint32_t val)
{
	at->bank->enabled |= val & at->bank->exists;
}

static void clear_enabled(const struct at *at, uint32_t val)
{
	at->bank->enabled &= ~val;
}

/* SGIs are made pending, and not, by registers of their own. */
static uint32_t by_software(const struct at *at)
{
	return at->bank == &at->d->cpus[at->cpu].bank ? ~(uint32_t)SGI_BITS : at->bank->exists;
}

static uint32_t get_pending(const struct at *at)
{
	return gicv2_pending(at->bank);
}

static void set_pending(const struct at *at, uint32_t val)
{
	at->bank->latch |= val & by_software(at);
}

static void clear_pending(const struct at *at, uint32_t val)
{
	at->bank->latch &= ~(val & by_software(at));
}

static uint32_t get_active(const struct at *at)
{
	return at->bank->active;
}

static void set_active(const struct at *at, uint32_t val)
{
	at->bank->active |= val & at->bank->exists;
}

static void clear_active(const struct at *at, uint32_t val)
{
	at->bank->active &= ~val;
}

/* --- a byte an interrupt ---------------------------------------------------------------------- */

static uint32_t get_bytes(const struct at *at, const uint8_t *bytes)
{
	uint32_t val = 0;

	for (unsigned int n = 0; n < at->size; n++)
		val |= (uint32_t)bytes[at->i + n] << 8 * n;
	return val;
}

static void set_bytes(const struct at *at, uint8_t *bytes, uint32_t val, uint8_t mask)
{
	for (unsigned int n = 0; n < at->size; n++)
		if (at->bank->exists >> (at->i + n) & 1)
			bytes[at->i + n] = (uint8_t)(val >> 8 * n) & mask;
}

static uint32_t get_priority(const struct at *at)
{
	return get_bytes(at, at->bank->priority);
}

static void set_priority(const struct at *at, uint32_t val)
{
	set_bytes(at, at->bank->priority, val, GICV2_PRIORITY);
}

static uint32_t get_targets(const struct at *at)
{
	return get_bytes(at, at->bank->targets);
}

static void set_targets(const struct at *at, uint32_t val)
{
	if (at->bank == &at->d->cpus[at->cpu].bank)
		return;
	set_bytes(at, at->bank->targets, val, (uint8_t)((1u << at->d->cfg.cpus) - 1));
	gicv2_retarget(at->d, at->bank);
}

static uint32_t get_sources(const struct at *at)
{
	return get_bytes(at, at->d->cpus[at->cpu].sources);
}

/* An SGI is pending while it has a source. */
static void put_sources(const struct at *at, unsigned int n, unsigned int sources)
{
	struct gicv2_cpu *c = &at->d->cpus[at->cpu];

	c->sources[n] = (uint8_t)sources;
	c->bank.latch &= ~(1u << n);
	c->bank.latch |= (uint32_t) !!sources << n;
}

static void set_sources(const struct at *at, uint32_t val)
{
	const unsigned int cpus = (1u << at->d->cfg.cpus) - 1;

	for (unsigned int n = 0; n < at->size; n++)
		put_sources(at, at->i + n,
			    at->d->cpus[at->cpu].sources[at->i + n] | (val >> 8 * n & cpus));
}

static void clear_sources(const struct at *at, uint32_t val)
{
	for (unsigned int n = 0; n < at->size; n++)
		put_sources(at, at->i + n,
			    at->d->cpus[at->cpu].sources[at->i + n] & ~(val >> 8 * n));
}

/* --- others ----------------------------------------------------------------------------------- */

/* Two bits an interrupt, of which the upper one says edge. Those of SGIs and PPIs are fixed. */
static uint32_t get_config(const struct at *at)
{
	uint32_t val = 0;

	for (unsigned int n = 0; n < 16; n++)
		val |= (at->bank->edge >> (at->i + n) & 1) << (2 * n + 1);
	return val;
}

static void set_config(const struct at *at, uint32_t val)
{
	if (at->bank == &at->d->cpus[at->cpu].bank)
		return;
	for (unsigned int n = 0; n < 16; n++) {
		uint32_t bit = (1u << (at->i + n)) & at->bank->exists;

		at->bank->edge &= ~bit;
		if (val >> (2 * n + 1) & 1)
			at->bank->edge |= bit;
	}
}

/* GICD_SGIR, 4.3.15. */
static void send_sgi(const struct at *at, uint32_t val)
{
	enum { TO_LISTED, TO_OTHERS, TO_SELF };
	const unsigned int all = (1u << at->d->cfg.cpus) - 1, self = 1u << at->cpu;
	unsigned int targets = 0;

	switch (val >> 24 & 3) {
	case TO_LISTED:
		targets = val >> 16 & all;
		break;
	case TO_OTHERS:
		targets = all & ~self;
		break;
	case TO_SELF:
		targets = self;
		break;
	}
	for (unsigned int cpu = 0; cpu < at->d->cfg.cpus; cpu++) {
		const struct at there = { .d = at->d, .cpu = cpu };
		unsigned int n = val & 0xf;

		if (targets >> cpu & 1)
			put_sources(&there, n, at->d->cpus[cpu].sources[n] | self);
	}
}

/* What is not here reads as zero and ignores writes: of what is in the architecture, GICD_NSACR. */
static const struct group {
	uint16_t offset, size; /* bytes */
	uint8_t widths, bits; /* bits an interrupt has; 0: it is not about interrupts */
	uint32_t (*get)(const struct at *at);
	void (*set)(const struct at *at, uint32_t val);
} groups[] = {
	{ 0x000, 4, WIDTH_4, 0, get_ctlr, set_ctlr }, /* GICD_CTLR */
	{ 0x004, 4, WIDTH_4, 0, get_typer, NULL }, /* GICD_TYPER */
	{ 0x008, 4, WIDTH_4, 0, get_iidr, NULL }, /* GICD_IIDR */
	{ 0x080, 128, WIDTH_4, 1, get_group, set_group }, /* GICD_IGROUPR */
	{ 0x100, 128, WIDTH_4, 1, get_enabled, set_enabled }, /* GICD_ISENABLER */
	{ 0x180, 128, WIDTH_4, 1, get_enabled, clear_enabled }, /* GICD_ICENABLER */
	{ 0x200, 128, WIDTH_4, 1, get_pending, set_pending }, /* GICD_ISPENDR */
	{ 0x280, 128, WIDTH_4, 1, get_pending, clear_pending }, /* GICD_ICPENDR */
	{ 0x300, 128, WIDTH_4, 1, get_active, set_active }, /* GICD_ISACTIVER */
	{ 0x380, 128, WIDTH_4, 1, get_active, clear_active }, /* GICD_ICACTIVER */
	{ 0x400, 1020, WIDTH_1 | WIDTH_4, 8, get_priority, set_priority }, /* GICD_IPRIORITYR */
	{ 0x800, 1020, WIDTH_1 | WIDTH_4, 8, get_targets, set_targets }, /* GICD_ITARGETSR */
	{ 0xc00, 256, WIDTH_4, 2, get_config, set_config }, /* GICD_ICFGR */
	{ 0xf00, 4, WIDTH_4, 0, NULL, send_sgi }, /* GICD_SGIR */
	{ 0xf10, 16, WIDTH_1 | WIDTH_4, 8, get_sources, clear_sources }, /* GICD_CPENDSGIR */
	{ 0xf20, 16, WIDTH_1 | WIDTH_4, 8, get_sources, set_sources }, /* GICD_SPENDSGIR */
	{ 0xfe8, 4, WIDTH_4, 0, get_icpidr2, NULL }, /* ICPIDR2 */
};

/* The group that answers, or NULL. */
static const struct group *find(struct gicv2 *d, uint64_t off, unsigned int size, struct at *at)
{
	for (size_t n = 0; n < sizeof(groups) / sizeof(groups[0]); n++) {
		const struct group *g = &groups[n];
		unsigned int intid;

		if (off - g->offset >= g->size)
			continue;
		if (!(g->widths & size))
			return NULL;
		*at = (struct at){ .d = d, .cpu = d->dev.initiator, .size = size };
		at->off = (unsigned int)off - g->offset;
		if (!g->bits)
			return g;
		intid = at->off * 8 / g->bits;
		at->i = intid % GICV2_PRIVATE;
		if (intid / GICV2_PRIVATE >= d->nbanks)
			return NULL;
		at->bank = gicv2_bank(d, at->cpu, intid / GICV2_PRIVATE);
		return g;
	}
	return NULL;
}

uint64_t gicv2_dist_read(struct device *dev, uint64_t off, unsigned int size)
{
	struct gicv2 *d = container_of(dev, struct gicv2, dev);
	struct at at;
	const struct group *g = find(d, off, size, &at);

	return g && g->get ? g->get(&at) : 0;
}

void gicv2_dist_write(struct device *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct gicv2 *d = container_of(dev, struct gicv2, dev);
	struct at at;
	const struct group *g = find(d, off, size, &at);

	gicv2_count_write(d);
	if (!g || !g->set)
		return;
	g->set(&at, (uint32_t)val);
	gicv2_settle(d);
}
