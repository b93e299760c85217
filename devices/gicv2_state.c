// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "devices/gicv2_priv.h"
#include "vmm/core/json.h"
#include "vmm/core/state.h"

/* --- saved and loaded --------------------------------------------------------------------------- */

/* `state` of a word that holds only `bits`. */
static void word(struct state *s, const char *name, uint32_t *v, uint32_t bits)
{
	state_u32(s, name, v);
	state_check(s, !(*v & ~bits), name);
}

static void bytes(struct state *s, const char *name, uint8_t *v, unsigned int n, uint8_t bits)
{
	uint8_t held = 0;

	state_bytes(s, name, v, n);
	for (unsigned int i = 0; i < n; i++)
		held |= v[i];
	state_check(s, !(held & ~bits), name);
}

static void bank_state(struct gicv2_bank *bank, struct state *s)
{
	word(s, "igroupr", &bank->group, bank->exists);
	word(s, "isenabler", &bank->enabled, bank->exists);
	word(s, "pending", &bank->latch, bank->exists);
	word(s, "isactiver", &bank->active, bank->exists);
	bytes(s, "ipriorityr", bank->priority, sizeof(bank->priority), GICV2_PRIORITY);
}

/* An SGI's latch says that it has a source. */
static bool sources_agree(const struct gicv2_cpu *c)
{
	for (unsigned int n = 0; n < GICV2_SGIS; n++)
		if (!!c->sources[n] != (c->bank.latch >> n & 1))
			return false;
	return true;
}

/* The lines of PPIs are the vCPU's, which drives them again. */
static void cpu_state(struct gicv2 *d, struct gicv2_cpu *c, struct state *s)
{
	bank_state(&c->bank, s);
	bytes(s, "sources", c->sources, sizeof(c->sources), (uint8_t)((1u << d->cfg.cpus) - 1));
	state_check(s, sources_agree(c), "sources");
	word(s, "gicc.ctlr", &c->ctlr, CTLR_BITS);
	word(s, "gicc.pmr", &c->pmr, GICV2_PRIORITY);
	word(s, "gicc.bpr", &c->bpr, 7);
	state_check(s, c->bpr >= GICV2_MIN_BPR, "gicc.bpr");
	word(s, "gicc.abpr", &c->abpr, 7);
	state_check(s, c->abpr >= GICV2_MIN_ABPR, "gicc.abpr");
	state_u32(s, "gicc.apr", &c->apr);
}

/* With the levels, so that a device that drives its own again makes no edge. */
static void shared_state(struct gicv2 *d, struct gicv2_bank *bank, struct state *s)
{
	bank_state(bank, s);
	word(s, "icfgr", &bank->edge, bank->exists);
	word(s, "level", &bank->level, bank->exists);
	bytes(s, "itargetsr", bank->targets, sizeof(bank->targets),
	      (uint8_t)((1u << d->cfg.cpus) - 1));
	gicv2_retarget(d, bank);
}

void gicv2_state(struct device *dev, struct state *s)
{
	struct gicv2 *d = container_of(dev, struct gicv2, dev);
	uint32_t cpus = d->cfg.cpus, irqs = d->cfg.irqs, levels[GICV2_IRQS_MAX / 32];

	for (unsigned int n = 1; n < d->nbanks; n++)
		levels[n - 1] = d->shared[n - 1].level;
	state_u32(s, "cpus", &cpus);
	state_check(s, cpus == d->cfg.cpus, "cpus");
	state_u32(s, "irqs", &irqs);
	state_check(s, irqs == d->cfg.irqs, "irqs");
	word(s, "gicd.ctlr", &d->ctlr, GICV2_GROUP0 | GICV2_GROUP1);
	for (unsigned int cpu = 0; cpu < d->cfg.cpus; cpu++)
		cpu_state(d, &d->cpus[cpu], s);
	for (unsigned int n = 1; n < d->nbanks; n++)
		shared_state(d, &d->shared[n - 1], s);
	if (!s->loading)
		return;
	/* What is refused leaves it reset, and the lines as their devices drive them. */
	for (unsigned int n = 1; s->err && n < d->nbanks; n++)
		d->shared[n - 1].level = levels[n - 1];
	if (s->err)
		dev->ops->reset(dev);
	gicv2_settle(d);
}

/* --- for people --------------------------------------------------------------------------------- */

/* "33: enabled pending active, priority 0xa0, cpus 0x1, edge" of those that are enabled, or more. */
static void put_interrupts(struct gicv2 *d, unsigned int cpu, unsigned int n, struct json_out *out)
{
	const struct gicv2_bank *bank = gicv2_bank(d, cpu, n);
	uint32_t told = (bank->enabled & ~(n ? 0u : 0xffffu)) | gicv2_pending(bank) | bank->active;

	for (; told; told &= told - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(told);
		char where[24] = "", text[112];

		if (!n)
			snprintf(where, sizeof(where), " of cpu%u", cpu);
		snprintf(text, sizeof(text),
			 "%u%s:%s%s%s, group %u, priority 0x%x, to cpus 0x%x, %s",
			 n * GICV2_PRIVATE + i, where, bank->enabled >> i & 1 ? " enabled" : "",
			 gicv2_pending(bank) >> i & 1 ? " pending" : "",
			 bank->active >> i & 1 ? " active" : "", bank->group >> i & 1,
			 bank->priority[i], bank->targets[i],
			 bank->edge >> i & 1 ? "edge" : "level");
		json_str(out, NULL, text);
	}
}

static void put_cpu(const struct gicv2_cpu *c, struct json_out *out)
{
	char text[128];

	snprintf(text, sizeof(text), "ctlr 0x%x pmr 0x%x bpr %u abpr %u apr 0x%x%s%s", c->ctlr,
		 c->pmr, c->bpr, c->abpr, c->apr, c->inputs[GICV2_IRQ] ? ", IRQ" : "",
		 c->inputs[GICV2_FIQ] ? ", FIQ" : "");
	json_str(out, NULL, text);
}

void gicv2_debug(struct irqchip *chip, struct json_out *out)
{
	struct gicv2 *d = container_of(chip, struct gicv2, chip);

	pthread_mutex_lock(&d->dev.lock);
	json_open(out, NULL, '{');
	json_str(out, "section", "gic");
	json_uint(out, "gicd.ctlr", d->ctlr);
	json_open(out, "gicc", '[');
	for (unsigned int cpu = 0; cpu < d->cfg.cpus; cpu++)
		put_cpu(&d->cpus[cpu], out);
	json_close(out, ']');
	json_open(out, "interrupts", '[');
	for (unsigned int cpu = 0; cpu < d->cfg.cpus; cpu++)
		put_interrupts(d, cpu, 0, out);
	for (unsigned int n = 1; n < d->nbanks; n++)
		put_interrupts(d, 0, n, out);
	json_close(out, ']');
	json_close(out, '}');
	pthread_mutex_unlock(&d->dev.lock);
}
