// SPDX-License-Identifier: GPL-2.0-only
#include "devices/gicv2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/gicv2_priv.h"
#include "vmm/core/bus.h"
#include "vmm/core/fdt.h"

enum { SGI_EDGE = 0xffff }; /* SGIs are edges, PPIs are levels */

static struct gicv2 *of_chip(struct irqchip *chip)
{
	return container_of(chip, struct gicv2, chip);
}

/* --- outputs ----------------------------------------------------------------------------------- */

static void drive_input(struct gicv2 *d, unsigned int cpu, enum gicv2_input input, bool level)
{
	if (d->cpus[cpu].inputs[input] == level)
		return;
	d->cpus[cpu].inputs[input] = level;
	d->cfg.drive(d->cfg.arg, cpu, input, level);
}

void gicv2_settle(struct gicv2 *d)
{
	for (unsigned int cpu = 0; cpu < d->cfg.cpus; cpu++) {
		struct gicv2_cpu *c = &d->cpus[cpu];
		struct gicv2_pending p = gicv2_best(d, cpu);
		bool signals = gicv2_signals(c, &p);
		bool fiq = signals && !p.group1 && c->ctlr & CTLR_FIQEN;

		drive_input(d, cpu, GICV2_IRQ, signals && !fiq);
		drive_input(d, cpu, GICV2_FIQ, fiq);
	}
}

/* An interrupt that is for nobody goes to CPU 0, as with KVM. */
void gicv2_retarget(struct gicv2 *d, struct gicv2_bank *bank)
{
	for (unsigned int cpu = 0; cpu < d->cfg.cpus; cpu++) {
		bank->to[cpu] = 0;
		for (unsigned int i = 0; i < 32; i++)
			bank->to[cpu] |= (uint32_t)(bank->targets[i] >> cpu & 1) << i;
	}
	for (unsigned int i = 0; i < 32; i++)
		bank->to[0] |= (uint32_t)!bank->targets[i] << i;
}

/* --- lines ------------------------------------------------------------------------------------- */

/* A rising edge is latched where edges count. */
static void drive_line(struct gicv2_bank *bank, unsigned int i, bool level)
{
	uint32_t bit = 1u << i, rises = level ? bit & ~bank->level : 0;

	bank->latch |= rises & bank->edge;
	bank->level = level ? bank->level | bit : bank->level & ~bit;
}

static struct gicv2_bank *bank_of(struct gicv2 *d, const struct irq *irq)
{
	return gicv2_bank(d, 0, irq->spi / 32 + 1);
}

static void line_set(struct irq *irq, bool level)
{
	struct gicv2 *d = irq->chip;

	pthread_mutex_lock(&d->dev.lock);
	drive_line(bank_of(d, irq), irq->spi % 32, level);
	gicv2_settle(d);
	pthread_mutex_unlock(&d->dev.lock);
}

static void line_pulse(struct irq *irq)
{
	struct gicv2 *d = irq->chip;

	pthread_mutex_lock(&d->dev.lock);
	drive_line(bank_of(d, irq), irq->spi % 32, true);
	drive_line(bank_of(d, irq), irq->spi % 32, false);
	gicv2_settle(d);
	pthread_mutex_unlock(&d->dev.lock);
}

static const struct irq_ops line_ops = { .set = line_set, .pulse = line_pulse };

static int connect(struct irqchip *chip, struct irq *irq)
{
	struct gicv2 *d = of_chip(chip);

	if (irq->spi >= d->cfg.irqs - GICV2_PRIVATE)
		return -ERANGE;
	irq->fd = -1;
	irq->ops = &line_ops;
	irq->chip = d;
	return 0;
}

static int message(struct irqchip *chip, const struct msi *msi)
{
	return chip->frame.dev ? chip->frame.message(chip->frame.dev, msi) : -ENXIO;
}

static void private_line(struct irqchip *chip, unsigned int cpu, unsigned int intid, bool level)
{
	struct gicv2 *d = of_chip(chip);

	pthread_mutex_lock(&d->dev.lock);
	drive_line(&d->cpus[cpu].bank, intid, level);
	gicv2_settle(d);
	pthread_mutex_unlock(&d->dev.lock);
}

/* --- life -------------------------------------------------------------------------------------- */

/* As KVM has it where the architecture leaves it open: SGIs are enabled, SPIs are edges. */
static void reset_bank(struct gicv2_bank *bank, uint32_t enabled, uint32_t edge, uint8_t targets)
{
	const uint32_t exists = bank->exists;

	*bank = (struct gicv2_bank){
		.exists = exists,
		.enabled = enabled,
		.edge = edge & exists,
	};
	memset(bank->targets, targets, sizeof(bank->targets));
}

static void reset(struct device *dev)
{
	struct gicv2 *d = container_of(dev, struct gicv2, dev);

	d->ctlr = 0;
	d->chip.writes = 0;
	/* Devices drive on as they did; a vCPU that is reset drives nothing at first. */
	for (unsigned int n = 0; n < d->nbanks - 1; n++) {
		const uint32_t level = d->shared[n].level;

		reset_bank(&d->shared[n], 0, ~0u, 0);
		d->shared[n].level = level;
		gicv2_retarget(d, &d->shared[n]);
	}
	for (unsigned int cpu = 0; cpu < d->cfg.cpus; cpu++) {
		struct gicv2_cpu *c = &d->cpus[cpu];

		reset_bank(&c->bank, SGI_EDGE, SGI_EDGE, (uint8_t)(1u << cpu));
		memset(c->sources, 0, sizeof(c->sources));
		c->ctlr = c->pmr = c->apr = 0;
		c->bpr = GICV2_MIN_BPR;
		c->abpr = GICV2_MIN_ABPR;
	}
	gicv2_settle(d);
}

static void destroy(struct device *dev)
{
	device_fini(dev);
	free(container_of(dev, struct gicv2, dev));
}

static const struct device_ops gicv2_ops = {
	.reset = reset,
	.state = gicv2_state,
	.destroy = destroy,
};

/* --- as an interrupt controller ----------------------------------------------------------------- */

/* arm,gic.yaml */
static void describe(struct irqchip *chip, struct fdt *fdt)
{
	const struct gicv2 *d = of_chip(chip);
	const uint64_t dist = d->dev.env.base, cpuif = d->cfg.cpuif;

	dt_node(fdt, "interrupt-controller@%llx", (unsigned long long)dist);
	dt_str(fdt, "compatible", "arm,cortex-a15-gic");
	dt_cells(fdt, "reg", dist >> 32, (uint32_t)dist, 0, GICV2_DIST_SIZE, cpuif >> 32,
		 (uint32_t)cpuif, 0, GICV2_CPUIF_SIZE);
	dt_empty(fdt, "interrupt-controller");
	dt_u32(fdt, "#interrupt-cells", 3);
	dt_u32(fdt, "#address-cells", 2);
	dt_u32(fdt, "#size-cells", 2);
	dt_empty(fdt, "ranges");
	dt_u32(fdt, "phandle", FDT_PHANDLE_GIC);
	if (chip->frame.dev)
		chip->frame.describe(chip->frame.dev, fdt);
	dt_end(fdt);
}

static void chip_state(struct irqchip *chip, struct state *s, struct findings *refused)
{
	struct gicv2 *d = of_chip(chip);

	(void)refused;
	pthread_mutex_lock(&d->dev.lock);
	gicv2_state(&d->dev, s);
	pthread_mutex_unlock(&d->dev.lock);
}

static void chip_destroy(struct irqchip *chip)
{
	destroy(&of_chip(chip)->dev);
}

static const struct irqchip_ops chip_ops = {
	.connect = connect,
	.message = message,
	.private_line = private_line,
	.describe = describe,
	.state = chip_state,
	.debug = gicv2_debug,
	.destroy = chip_destroy,
};

struct device *gicv2_device(struct irqchip *chip)
{
	return &of_chip(chip)->dev;
}

static int claim_frames(struct gicv2 *d)
{
	const struct region dist = {
		.base = d->dev.env.base,
		.size = GICV2_DIST_SIZE,
		.widths = WIDTH_1 | WIDTH_4,
		.dev = &d->dev,
		.read = gicv2_dist_read,
		.write = gicv2_dist_write,
	};
	const struct region cpuif = {
		.base = d->cfg.cpuif,
		.size = GICV2_CPUIF_SIZE,
		.widths = WIDTH_4,
		.dev = &d->dev,
		.read = gicv2_cpuif_read,
		.write = gicv2_cpuif_write,
	};
	int err = bus_add(d->dev.env.bus, &dist);

	return err ? err : bus_add(d->dev.env.bus, &cpuif);
}

int gicv2_create(const struct device_env *env, const struct gicv2_config *cfg, struct irqchip **out,
		 struct fail *fail)
{
	const unsigned int nbanks = (cfg->irqs + 31) / 32;
	struct gicv2 *d = NULL;
	int err;

	if (!cfg->cpus || cfg->cpus > GICV2_CPUS_MAX || cfg->irqs < GICV2_IRQS_MIN ||
	    cfg->irqs > GICV2_IRQS_MAX)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"a GICv2 has 1 to %d CPUs and %d to %d interrupts, not %u and %u",
				GICV2_CPUS_MAX, GICV2_IRQS_MIN, GICV2_IRQS_MAX, cfg->cpus,
				cfg->irqs);
	d = calloc(1, sizeof(*d) + (nbanks - 1) * sizeof(d->shared[0]));
	if (!d)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory for the GICv2");
	device_init(&d->dev, &gicv2_ops, "gicv2", env);
	d->chip.ops = &chip_ops;
	d->cfg = *cfg;
	d->nbanks = nbanks;
	for (unsigned int cpu = 0; cpu < cfg->cpus; cpu++)
		d->cpus[cpu].bank.exists = ~0u;
	for (unsigned int n = 1; n < nbanks; n++)
		d->shared[n - 1].exists = ~0u >> (n == nbanks - 1 ? -cfg->irqs % 32 : 0);
	err = claim_frames(d);
	if (err) {
		destroy(&d->dev);
		return fail_set(fail, EXIT_HOST, err, "no place for the GICv2's frames: %s",
				strerror(-err));
	}
	reset(&d->dev);
	*out = &d->chip;
	return 0;
}
