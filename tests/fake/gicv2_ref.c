// SPDX-License-Identifier: GPL-2.0-only
#include "tests/fake/gicv2_ref.h"

#include <stddef.h>
#include <string.h>

static struct ref_irq *irq_of(struct ref_gic *g, unsigned int cpu, unsigned int intid)
{
	if (intid >= g->irqs)
		return NULL;
	return intid < 32 ? &g->cpu[cpu].own[intid] : &g->shared[intid];
}

void ref_init(struct ref_gic *g, unsigned int cpus, unsigned int irqs)
{
	memset(g, 0, sizeof(*g));
	g->cpus = cpus;
	g->irqs = irqs;
	for (unsigned int i = 32; i < irqs; i++)
		g->shared[i].edge = true;
	for (unsigned int c = 0; c < cpus; c++) {
		g->cpu[c].bpr = 2;
		g->cpu[c].abpr = 3;
		for (unsigned int i = 0; i < 32; i++) {
			g->cpu[c].own[i].targets = 1u << c;
			g->cpu[c].own[i].edge = g->cpu[c].own[i].enabled = i < 16;
		}
	}
}

static bool has_source(const struct ref_irq *irq)
{
	for (unsigned int c = 0; c < REF_CPUS; c++)
		if (irq->from[c])
			return true;
	return false;
}

static bool is_pending(const struct ref_irq *irq, unsigned int intid)
{
	if (intid < 16)
		return has_source(irq);
	return irq->latched || (!irq->edge && irq->high);
}

void ref_line(struct ref_gic *g, unsigned int cpu, unsigned int intid, bool high)
{
	struct ref_irq *irq = irq_of(g, cpu, intid);

	if (high && !irq->high && irq->edge)
		irq->latched = true;
	irq->high = high;
}

/* --- who is next ------------------------------------------------------------------------------ */

static bool goes_to(const struct ref_irq *irq, unsigned int intid, unsigned int cpu)
{
	if (intid < 32)
		return true;
	return irq->targets ? irq->targets >> cpu & 1 : cpu == 0;
}

/* The INTID, or 1023. */
static unsigned int next(struct ref_gic *g, unsigned int cpu)
{
	unsigned int best = 1023, best_priority = 256;

	for (unsigned int i = 0; i < g->irqs; i++) {
		const struct ref_irq *irq = irq_of(g, cpu, i);

		if (!is_pending(irq, i) || !irq->enabled || irq->active || !goes_to(irq, i, cpu))
			continue;
		if (!(g->enable >> irq->group & 1) || !(g->cpu[cpu].ctlr >> irq->group & 1))
			continue;
		if (irq->priority < best_priority) {
			best = i;
			best_priority = irq->priority;
		}
	}
	return best;
}

/* Table 3-2 (group 0, and group 1 with CBPR) and table 3-3. */
static unsigned int group_of_priority(const struct ref_cpu *c, const struct ref_irq *irq)
{
	static const unsigned int step0[8] = { 2, 4, 8, 16, 32, 64, 128, 256 };
	static const unsigned int step1[8] = { 0, 2, 4, 8, 16, 32, 64, 128 };
	unsigned int step = irq->group && !(c->ctlr & 0x10) ? step1[c->abpr] : step0[c->bpr];

	return irq->priority / step * step;
}

static unsigned int running_priority(const struct ref_cpu *c)
{
	for (unsigned int i = 0; i < 32; i++)
		if (c->active_priority[i])
			return i * 8;
	return 255;
}

static bool may_interrupt(struct ref_gic *g, unsigned int cpu, unsigned int intid)
{
	const struct ref_cpu *c = &g->cpu[cpu];
	const struct ref_irq *irq = irq_of(g, cpu, intid);

	return irq && irq->priority < c->pmr && group_of_priority(c, irq) < running_priority(c);
}

void ref_inputs(struct ref_gic *g, unsigned int cpu, bool *irq, bool *fiq)
{
	unsigned int intid = next(g, cpu);

	*irq = *fiq = false;
	if (!may_interrupt(g, cpu, intid))
		return;
	if (irq_of(g, cpu, intid)->group == 0 && g->cpu[cpu].ctlr & 8)
		*fiq = true;
	else
		*irq = true;
}

/* --- the CPU interface ------------------------------------------------------------------------ */

static unsigned int shown(struct ref_gic *g, unsigned int cpu, unsigned int intid, bool alias)
{
	unsigned int group;

	if (intid == 1023)
		return 1023;
	group = irq_of(g, cpu, intid)->group;
	if (alias)
		return group ? intid : 1023;
	return group && !(g->cpu[cpu].ctlr & 4) ? 1022 : intid;
}

static uint32_t with_source(struct ref_gic *g, unsigned int cpu, unsigned int intid, bool take)
{
	for (unsigned int c = 0; intid < 16 && c < REF_CPUS; c++) {
		bool *from = &g->cpu[cpu].own[intid].from[c];

		if (!*from)
			continue;
		*from = !take;
		return intid + 1024 * c;
	}
	return intid;
}

static uint32_t acknowledge(struct ref_gic *g, unsigned int cpu, bool alias)
{
	unsigned int intid = next(g, cpu);
	struct ref_irq *irq;

	if (!may_interrupt(g, cpu, intid))
		return 1023;
	if (shown(g, cpu, intid, alias) != intid)
		return shown(g, cpu, intid, alias);
	irq = irq_of(g, cpu, intid);
	irq->latched = false;
	irq->active = true;
	g->cpu[cpu].active_priority[group_of_priority(&g->cpu[cpu], irq) / 8] = true;
	return with_source(g, cpu, intid, true);
}

uint32_t ref_cpuif_read(struct ref_gic *g, unsigned int cpu, unsigned int off)
{
	const struct ref_cpu *c = &g->cpu[cpu];
	uint32_t apr = 0;

	switch (off) {
	case 0x00:
		return c->ctlr;
	case 0x04:
		return c->pmr;
	case 0x08:
		return c->bpr;
	case 0x0c:
		return acknowledge(g, cpu, false);
	case 0x14:
		return running_priority(c);
	case 0x18:
		return with_source(g, cpu, shown(g, cpu, next(g, cpu), false), false);
	case 0x1c:
		return c->abpr;
	case 0x20:
		return acknowledge(g, cpu, true);
	case 0x28:
		return with_source(g, cpu, shown(g, cpu, next(g, cpu), true), false);
	case 0xd0:
		for (unsigned int i = 0; i < 32; i++)
			apr += (uint32_t)c->active_priority[i] << i;
		return apr;
	case 0xfc:
		return 0x2043b;
	}
	return 0;
}

static void end(struct ref_gic *g, unsigned int cpu, uint32_t val, bool alias)
{
	struct ref_cpu *c = &g->cpu[cpu];
	struct ref_irq *irq = irq_of(g, cpu, val % 1024);

	if (!irq || (alias && !irq->group))
		return;
	for (unsigned int i = 0; i < 32; i++) {
		if (!c->active_priority[i])
			continue;
		c->active_priority[i] = false;
		break;
	}
	if (!(c->ctlr & 0x200))
		irq->active = false;
}

void ref_cpuif_write(struct ref_gic *g, unsigned int cpu, unsigned int off, uint32_t val)
{
	struct ref_cpu *c = &g->cpu[cpu];

	switch (off) {
	case 0x00:
		c->ctlr = val & 0x21f;
		break;
	case 0x04:
		c->pmr = val & 0xff & ~7u;
		break;
	case 0x08:
		c->bpr = val % 8 < 2 ? 2 : val % 8;
		break;
	case 0x1c:
		c->abpr = val % 8 < 3 ? 3 : val % 8;
		break;
	case 0x10:
		end(g, cpu, val, false);
		break;
	case 0x24:
		end(g, cpu, val, true);
		break;
	case 0xd0:
		for (unsigned int i = 0; i < 32; i++)
			c->active_priority[i] = val >> i & 1;
		break;
	case 0x1000:
		if (c->ctlr & 0x200 && val % 1024 < g->irqs)
			irq_of(g, cpu, val % 1024)->active = false;
		break;
	}
}

/* --- the distributor --------------------------------------------------------------------------- */

static uint32_t one_bit(const struct ref_irq *irq, unsigned int intid, unsigned int off)
{
	switch (off & ~0x7fu) {
	case 0x080:
		return irq->group;
	case 0x100:
	case 0x180:
		return irq->enabled;
	case 0x200:
	case 0x280:
		return is_pending(irq, intid);
	default:
		return irq->active;
	}
}

static void set_one_bit(struct ref_irq *irq, unsigned int intid, unsigned int off, bool one)
{
	switch (off & ~0x7fu) {
	case 0x080:
		irq->group = one;
		break;
	case 0x100:
		irq->enabled |= one;
		break;
	case 0x180:
		irq->enabled &= !one;
		break;
	case 0x200:
		irq->latched |= one && intid >= 16;
		break;
	case 0x280:
		irq->latched &= !(one && intid >= 16);
		break;
	case 0x300:
		irq->active |= one;
		break;
	case 0x380:
		irq->active &= !one;
		break;
	}
}

static uint32_t one_byte(struct ref_gic *g, unsigned int cpu, unsigned int off)
{
	struct ref_irq *irq;
	uint32_t val = 0;

	if (off >= 0xf10 && off < 0xf30) {
		for (unsigned int c = 0; c < REF_CPUS; c++)
			val |= (uint32_t)g->cpu[cpu].own[off & 15].from[c] << c;
		return val;
	}
	irq = irq_of(g, cpu, off & 0x3ff);
	if (!irq)
		return 0;
	return off < 0x800 ? irq->priority : irq->targets;
}

static void set_one_byte(struct ref_gic *g, unsigned int cpu, unsigned int off, unsigned int val)
{
	struct ref_irq *irq;

	if (off >= 0xf10 && off < 0xf30) {
		for (unsigned int c = 0; c < g->cpus; c++)
			if (val >> c & 1)
				g->cpu[cpu].own[off & 15].from[c] = off >= 0xf20;
		return;
	}
	irq = irq_of(g, cpu, off & 0x3ff);
	if (irq && off < 0x800)
		irq->priority = val / 8 * 8;
	else if (irq && (off & 0x3ff) >= 32)
		irq->targets = val % (1u << g->cpus);
}

static bool in_bytes(unsigned int off)
{
	return (off >= 0x400 && off < 0x7fc) || (off >= 0x800 && off < 0xbfc) ||
	       (off >= 0xf10 && off < 0xf30);
}

uint32_t ref_dist_read(struct ref_gic *g, unsigned int cpu, unsigned int off, unsigned int size)
{
	uint32_t val = 0;

	if (in_bytes(off)) {
		for (unsigned int n = 0; n < size; n++)
			val |= one_byte(g, cpu, off + n) << 8 * n;
		return val;
	}
	if (size != 4)
		return 0;
	if (off >= 0x080 && off < 0x400) {
		for (unsigned int n = 0; n < 32; n++) {
			unsigned int intid = (off & 0x7f) * 8 + n;
			const struct ref_irq *irq = irq_of(g, cpu, intid);

			val |= irq ? one_bit(irq, intid, off) << n : 0;
		}
		return val;
	}
	if (off >= 0xc00 && off < 0xd00) {
		for (unsigned int n = 0; n < 16; n++) {
			const struct ref_irq *irq = irq_of(g, cpu, (off & 0xff) * 4 + n);

			val |= irq && irq->edge ? 2u << 2 * n : 0;
		}
		return val;
	}
	return off == 0x000   ? g->enable
	       : off == 0x004 ? (g->irqs + 31) / 32 - 1 + 32 * (g->cpus - 1)
	       : off == 0x008 ? 0x43b
	       : off == 0xfe8 ? 0x2b
			      : 0;
}

static void send(struct ref_gic *g, unsigned int cpu, uint32_t val)
{
	for (unsigned int to = 0; to < g->cpus; to++) {
		bool meant[] = { val >> (16 + to) & 1, to != cpu, to == cpu, false };

		if (meant[val >> 24 & 3])
			g->cpu[to].own[val % 16].from[cpu] = true;
	}
}

void ref_dist_write(struct ref_gic *g, unsigned int cpu, unsigned int off, unsigned int size,
		    uint32_t val)
{
	if (in_bytes(off)) {
		for (unsigned int n = 0; n < size; n++)
			set_one_byte(g, cpu, off + n, val >> 8 * n & 0xff);
		return;
	}
	if (size != 4)
		return;
	if (off == 0x000)
		g->enable = val & 3;
	if (off == 0xf00)
		send(g, cpu, val);
	for (unsigned int n = 0; off >= 0x080 && off < 0x400 && n < 32; n++) {
		unsigned int intid = (off & 0x7f) * 8 + n;
		struct ref_irq *irq = irq_of(g, cpu, intid);

		if (irq)
			set_one_bit(irq, intid, off, val >> n & 1);
	}
	for (unsigned int n = 0; off >= 0xc08 && off < 0xd00 && n < 16; n++) {
		struct ref_irq *irq = irq_of(g, cpu, (off & 0xff) * 4 + n);

		if (irq)
			irq->edge = val >> (2 * n + 1) & 1;
	}
}
