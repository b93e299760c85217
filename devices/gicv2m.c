// SPDX-License-Identifier: GPL-2.0-only
#include "devices/gicv2m.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/bus.h"
#include "vmm/core/fdt.h"
#include "vmm/core/state.h"

/* Offsets: DEN0029, appendix E. */
enum { MSI_TYPER = 0x008, MSI_SETSPI_NS = GICV2M_SETSPI, MSI_IIDR = 0xfcc };
/* Implementer: Arm's, whose architecture this is; no product. */
enum { IIDR = 0x43b, FIRST_SPI = 32 };

struct gicv2m {
	struct device dev;
	unsigned int n;
	struct irq lines[];
};

static uint32_t typer(const struct gicv2m *d)
{
	return (d->dev.env.irq.spi + FIRST_SPI) << 16 | d->n;
}

static uint64_t gicv2m_read(struct device *dev, uint64_t off, unsigned int size)
{
	const struct gicv2m *d = container_of(dev, struct gicv2m, dev);

	(void)size;
	switch (off) {
	case MSI_TYPER:
		return typer(d);
	case MSI_IIDR:
		return IIDR;
	}
	return 0;
}

/* Bits 9:0 of what is written are the number: which line, or -ENXIO. */
static int line_of(const struct gicv2m *d, uint64_t val)
{
	uint64_t i = (val & 0x3ff) - FIRST_SPI - d->dev.env.irq.spi;

	return i < d->n ? (int)i : -ENXIO;
}

static int set_spi(struct gicv2m *d, uint64_t val)
{
	int i = line_of(d, val);

	if (i < 0)
		return i;
	irq_pulse(&d->lines[i]);
	return 0;
}

static void gicv2m_write(struct device *dev, uint64_t off, unsigned int size, uint64_t val)
{
	if (off == MSI_SETSPI_NS && size >= 2)
		set_spi(container_of(dev, struct gicv2m, dev), val);
}

int gicv2m_message(struct device *dev, const struct msi *msi)
{
	int err;

	if (msi->addr != dev->env.base + MSI_SETSPI_NS)
		return -ENXIO;
	pthread_mutex_lock(&dev->lock);
	err = set_spi(container_of(dev, struct gicv2m, dev), msi->data);
	pthread_mutex_unlock(&dev->lock);
	return err;
}

int gicv2m_spi(const struct device *dev, const struct msi *msi)
{
	const struct gicv2m *d = container_of(dev, const struct gicv2m, dev);
	int i = msi->addr == dev->env.base + MSI_SETSPI_NS ? line_of(d, msi->data) : -ENXIO;

	return i < 0 ? i : (int)dev->env.irq.spi + i;
}

static void gicv2m_reset(struct device *dev)
{
	(void)dev;
}

/* A guest whose messages would go elsewhere is not restored. */
static void gicv2m_state(struct device *dev, struct state *s)
{
	const uint32_t own = typer(container_of(dev, struct gicv2m, dev));
	uint32_t saved = own;

	state_u32(s, "typer", &saved);
	state_check(s, saved == own, "typer");
}

void gicv2m_describe(const struct device *dev, struct fdt *fdt)
{
	const struct gicv2m *d = container_of(dev, struct gicv2m, dev);

	dt_node(fdt, "v2m@%llx", (unsigned long long)dev->env.base);
	dt_str(fdt, "compatible", "arm,gic-v2m-frame");
	dt_reg(fdt, dev->env.base, GICV2M_SIZE);
	dt_empty(fdt, "msi-controller");
	dt_u32(fdt, "arm,msi-base-spi", dev->env.irq.spi + FIRST_SPI);
	dt_u32(fdt, "arm,msi-num-spis", d->n);
	dt_u32(fdt, "phandle", FDT_PHANDLE_MSI);
	dt_end(fdt);
}

static void gicv2m_destroy(struct device *dev)
{
	struct gicv2m *d = container_of(dev, struct gicv2m, dev);

	device_fini(dev);
	free(d);
}

/* Describes itself where the controller's node asks for it, not at the root. */
static const struct device_ops gicv2m_ops = {
	.reset = gicv2m_reset,
	.state = gicv2m_state,
	.destroy = gicv2m_destroy,
};

struct irq *gicv2m_irq(struct device *dev, unsigned int i)
{
	struct gicv2m *d = container_of(dev, struct gicv2m, dev);

	return i < d->n ? &d->lines[i] : NULL;
}

int gicv2m_create(const struct device_env *env, unsigned int n, struct device **out,
		  struct fail *fail)
{
	struct region region = {
		.base = env->base,
		.size = GICV2M_SIZE,
		.widths = WIDTH_2 | WIDTH_4,
		.read = gicv2m_read,
		.write = gicv2m_write,
	};
	struct gicv2m *d =
		n && n <= GICV2M_SPIS_MAX ? calloc(1, sizeof(*d) + n * sizeof(d->lines[0])) : NULL;
	int err;

	if (!d)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "no memory for a GICv2m of %u SPIs", n);
	d->n = n;
	device_init(&d->dev, &gicv2m_ops, "gicv2m", env);
	for (unsigned int i = 0; i < n; i++)
		d->lines[i] = (struct irq){ .spi = env->irq.spi + i, .edge = true, .fd = -1 };
	region.dev = &d->dev;
	err = bus_add(env->bus, &region);
	if (err) {
		gicv2m_destroy(&d->dev);
		return fail_set(fail, EXIT_HOST, err, "no room for the GICv2m frame at 0x%llx: %s",
				(unsigned long long)env->base, strerror(-err));
	}
	*out = &d->dev;
	return 0;
}
