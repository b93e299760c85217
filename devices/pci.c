// SPDX-License-Identifier: GPL-2.0-only
#include "devices/pci.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/bus.h"
#include "vmm/core/fdt.h"

enum { SLOTS = 32, FUNCTION_SHIFT = 12, SLOT_SHIFT = 15 };

struct pci {
	struct device dev; /* its lock is held while any function is accessed */
	struct pci_bus bus;
	struct irqchip *chip;
	struct pci_func *funcs[SLOTS]; /* constant while vCPUs run */
	struct irq lines[PCI_LINES];
	/* Taken under a function's lock. */
	pthread_mutex_t line_lock;
	uint32_t asserted[PCI_LINES]; /* slots that drive the line, as a mask */
};

static struct pci *to_pci(struct device *dev)
{
	return container_of(dev, struct pci, dev);
}

/* --- for functions ---------------------------------------------------------------------------- */

static int bus_add_func(struct pci_bus *bus, struct pci_func *func)
{
	struct pci *d = container_of(bus, struct pci, bus);

	for (unsigned int slot = 1; slot < SLOTS; slot++) {
		if (d->funcs[slot])
			continue;
		d->funcs[slot] = func;
		func->slot = slot;
		return 0;
	}
	return -ENOSPC;
}

/* All have INTA; PCI-to-PCI Bridge Architecture 9.1 says how pins go to lines. */
static void bus_pin(struct pci_bus *bus, struct pci_func *func, bool level)
{
	struct pci *d = container_of(bus, struct pci, bus);
	unsigned int line = func->slot % PCI_LINES;

	pthread_mutex_lock(&d->line_lock);
	if (level)
		d->asserted[line] |= 1U << func->slot;
	else
		d->asserted[line] &= ~(1U << func->slot);
	irq_set(&d->lines[line], d->asserted[line]);
	pthread_mutex_unlock(&d->line_lock);
}

static void bus_remove_func(struct pci_bus *bus, struct pci_func *func)
{
	struct pci *d = container_of(bus, struct pci, bus);

	bus_pin(bus, func, false);
	d->funcs[func->slot] = NULL;
}

/* One that means nothing is the guest's affair. */
static void bus_message(struct pci_bus *bus, const struct msi *msi)
{
	struct pci *d = container_of(bus, struct pci, bus);

	d->chip->ops->message(d->chip, msi);
}

static int bus_route(struct pci_bus *bus, struct msi_route *route, const struct msi *msi)
{
	struct irqchip *chip = container_of(bus, struct pci, bus)->chip;

	return chip->ops->route ? chip->ops->route(chip, route, msi) : -ENOTSUP;
}

static const struct pci_bus_ops bus_ops = {
	.add = bus_add_func,
	.remove = bus_remove_func,
	.pin = bus_pin,
	.message = bus_message,
	.route = bus_route,
};

/* --- for the guest ---------------------------------------------------------------------------- */

static struct pci_func *func_at(struct pci *d, uint64_t off)
{
	bool first = !(off >> FUNCTION_SHIFT & 7);

	return first ? d->funcs[off >> SLOT_SHIFT & (SLOTS - 1)] : NULL;
}

/* Where no function is, all bits are set; beyond 256 bytes no extended capability is. */
static uint64_t ecam_read(struct device *dev, uint64_t off, unsigned int size)
{
	struct pci_func *func = func_at(to_pci(dev), off);
	uint64_t val = 0;

	if (!func)
		return UINT32_MAX;
	off &= (1 << FUNCTION_SHIFT) - 1;
	if (off >= PCI_CONFIG_SIZE)
		return 0;
	pthread_mutex_lock(&func->dev->lock);
	val = pci_config_read(func, (unsigned int)off, size);
	pthread_mutex_unlock(&func->dev->lock);
	return val;
}

static void ecam_write(struct device *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct pci_func *func = func_at(to_pci(dev), off);

	off &= (1 << FUNCTION_SHIFT) - 1;
	if (!func || off >= PCI_CONFIG_SIZE)
		return;
	pthread_mutex_lock(&func->dev->lock);
	pci_config_write(func, (unsigned int)off, size, (uint32_t)val);
	pthread_mutex_unlock(&func->dev->lock);
}

/* Of BARs that a guest has put over each other the lowest slot's answers. */
static struct pci_func *find_bar(struct pci *d, gpa_t addr, unsigned int size, int *bar)
{
	for (unsigned int slot = 0; slot < SLOTS; slot++) {
		if (!d->funcs[slot])
			continue;
		*bar = pci_bar_at(d->funcs[slot], addr, size);
		if (*bar >= 0)
			return d->funcs[slot];
	}
	return NULL;
}

static uint64_t window_read(struct device *dev, uint64_t off, unsigned int size)
{
	struct pci *d = to_pci(dev);
	gpa_t addr = d->bus.window + off;
	struct pci_func *func;
	uint64_t val;
	int bar;

	func = find_bar(d, addr, size, &bar);
	if (!func)
		return UINT64_MAX;
	pthread_mutex_lock(&func->dev->lock);
	val = pci_bar_read(func, (unsigned int)bar, addr - func->bars[bar].addr, size);
	pthread_mutex_unlock(&func->dev->lock);
	return val;
}

static void window_write(struct device *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct pci *d = to_pci(dev);
	gpa_t addr = d->bus.window + off;
	struct pci_func *func;
	int bar;

	func = find_bar(d, addr, size, &bar);
	if (!func)
		return;
	pthread_mutex_lock(&func->dev->lock);
	pci_bar_write(func, (unsigned int)bar, addr - func->bars[bar].addr, size, val);
	pthread_mutex_unlock(&func->dev->lock);
}

/* --- device ----------------------------------------------------------------------------------- */

/* The functions are devices of their own, which reset themselves and their pins. */
static void pci_reset(struct device *dev)
{
	(void)dev;
}

/* What it holds follows from the functions. A machine with others in it is refused. */
static void pci_state(struct device *dev, struct state *s)
{
	struct pci *d = to_pci(dev);
	uint32_t own = 0, saved;

	for (unsigned int slot = 0; slot < SLOTS; slot++)
		own |= (uint32_t) !!d->funcs[slot] << slot;
	saved = own;
	state_u32(s, "slots", &saved);
	state_check(s, saved == own, "slots");
}

static void describe_lines(const struct pci *d, struct fdt *fdt)
{
	uint32_t map[PCI_LINES * PCI_LINES * 10];
	unsigned int n = 0;

	/* Child: address (slot), pin; parent: controller, two cells of address, SPI, level high. */
	for (uint32_t slot = 0; slot < PCI_LINES; slot++) {
		for (uint32_t pin = 0; pin < PCI_LINES; pin++) {
			uint32_t spi = d->dev.env.irq.spi + (slot + pin) % PCI_LINES;
			const uint32_t row[] = { slot << 11, 0, 0, pin + 1, FDT_PHANDLE_GIC,
						 0,	     0, 0, spi,	    4 };

			memcpy(map + n, row, sizeof(row));
			n += sizeof(row) / sizeof(row[0]);
		}
	}
	dt_u32(fdt, "#interrupt-cells", 1);
	dt_cells_n(fdt, "interrupt-map", map, n);
	dt_cells(fdt, "interrupt-map-mask", (PCI_LINES - 1) << 11, 0, 0, 7);
}

static void pci_describe(struct device *dev, struct fdt *fdt)
{
	const struct pci *d = to_pci(dev);
	uint32_t window = (uint32_t)d->bus.window, size = (uint32_t)d->bus.window_size;

	dt_node(fdt, "pcie@%llx", (unsigned long long)dev->env.base);
	dt_str(fdt, "compatible", "pci-host-ecam-generic");
	dt_str(fdt, "device_type", "pci");
	dt_reg(fdt, dev->env.base, PCI_ECAM_SIZE);
	dt_u32(fdt, "#address-cells", 3);
	dt_u32(fdt, "#size-cells", 2);
	dt_cells(fdt, "bus-range", 0, 0);
	dt_u32(fdt, "linux,pci-domain", 0);
	dt_cells(fdt, "ranges", 0x02000000, 0, window, 0, window, 0, size);
	describe_lines(d, fdt);
	if (d->chip->takes_messages)
		dt_cells(fdt, "msi-map", 0, FDT_PHANDLE_MSI, 0, 0x10000);
	dt_empty(fdt, "dma-coherent");
	dt_end(fdt);
}

static void pci_destroy(struct device *dev)
{
	struct pci *d = to_pci(dev);

	pthread_mutex_destroy(&d->line_lock);
	device_fini(dev);
	free(d);
}

static const struct device_ops pci_ops = {
	.reset = pci_reset,
	.state = pci_state,
	.describe = pci_describe,
	.destroy = pci_destroy,
};

struct pci_bus *pci_bus(struct device *dev)
{
	return &to_pci(dev)->bus;
}

struct irq *pci_irq(struct device *dev, unsigned int i)
{
	return i < PCI_LINES ? &to_pci(dev)->lines[i] : NULL;
}

static int claim(struct pci *d)
{
	const struct region ecam = {
		.base = d->dev.env.base,
		.size = PCI_ECAM_SIZE,
		.widths = WIDTH_1 | WIDTH_2 | WIDTH_4,
		.dev = &d->dev,
		.read = ecam_read,
		.write = ecam_write,
	};
	const struct region window = {
		.base = d->bus.window,
		.size = d->bus.window_size,
		.widths = WIDTH_ALL,
		.dev = &d->dev,
		.read = window_read,
		.write = window_write,
	};
	int err = bus_add(d->dev.env.bus, &ecam);

	return err ? err : bus_add(d->dev.env.bus, &window);
}

int pci_create(const struct device_env *env, const struct pci_config *cfg, struct device **out,
	       struct fail *fail)
{
	struct pci *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory for the PCI bus");
	device_init(&d->dev, &pci_ops, "pci", env);
	d->bus = (struct pci_bus){ &bus_ops, cfg->window, cfg->window_size };
	d->chip = cfg->chip;
	pthread_mutex_init(&d->line_lock, NULL);
	for (unsigned int i = 0; i < PCI_LINES; i++)
		d->lines[i] = (struct irq){ .spi = env->irq.spi + i, .fd = -1 };
	err = claim(d);
	if (err) {
		pci_destroy(&d->dev);
		return fail_set(fail, EXIT_HOST, err, "no place for the PCI bus at 0x%llx: %s",
				(unsigned long long)env->base, strerror(-err));
	}
	*out = &d->dev;
	return 0;
}
