// SPDX-License-Identifier: GPL-2.0-only
#include "devices/vmgenid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "vmm/core/bus.h"
#include "vmm/core/fdt.h"
#include "vmm/core/regpage.h"
#include "vmm/core/state.h"

struct vmgenid {
	struct device dev;
	uint32_t id[VMGENID_BYTES / sizeof(uint32_t)];
};

/* The guest reads all of it while it is told, or starts: never between two words. */
static void show(const struct vmgenid *d)
{
	for (unsigned int i = 0; i < VMGENID_BYTES / sizeof(d->id[0]); i++)
		regpage_put(d->dev.env.page, d->dev.env.base + i * sizeof(d->id[0]), d->id[i]);
}

/* 16 bytes come whole, or not at all: before the host's pool is ready, which waits. */
static void draw(struct vmgenid *d)
{
	while (getrandom(d->id, sizeof(d->id), 0) != sizeof(d->id))
		;
	show(d);
}

static uint64_t vmgenid_read(struct device *dev, uint64_t off, unsigned int size)
{
	return regpage_get(dev->env.page, dev->env.base + off, size);
}

/* The same machine begins anew: nobody else is it. */
static void vmgenid_reset(struct device *dev)
{
	show(container_of(dev, struct vmgenid, dev));
}

static void vmgenid_state(struct device *dev, struct state *s)
{
	struct vmgenid *d = container_of(dev, struct vmgenid, dev);

	state_bytes(s, "id", d->id, sizeof(d->id));
	show(d);
}

void vmgenid_renew(struct device *dev)
{
	pthread_mutex_lock(&dev->lock);
	draw(container_of(dev, struct vmgenid, dev));
	irq_pulse(&dev->env.irq);
	pthread_mutex_unlock(&dev->lock);
}

static void vmgenid_describe(struct device *dev, struct fdt *fdt)
{
	dt_node(fdt, "rng@%llx", (unsigned long long)dev->env.base);
	dt_str(fdt, "compatible", "microsoft,vmgenid");
	dt_reg(fdt, dev->env.base, VMGENID_SIZE);
	dt_interrupt(fdt, &dev->env.irq);
	dt_end(fdt);
}

static void vmgenid_destroy(struct device *dev)
{
	device_fini(dev);
	free(container_of(dev, struct vmgenid, dev));
}

static const struct device_ops vmgenid_ops = {
	.reset = vmgenid_reset,
	.state = vmgenid_state,
	.describe = vmgenid_describe,
	.destroy = vmgenid_destroy,
};

int vmgenid_create(const struct device_env *env, struct device **out, struct fail *fail)
{
	struct vmgenid *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory for the generation id");
	device_init(&d->dev, &vmgenid_ops, "vmgenid", env);
	err = bus_add(env->bus, &(struct region){ .base = env->base,
						  .size = VMGENID_SIZE,
						  .widths = WIDTH_ALL | WIDTH_UNALIGNED,
						  .dev = &d->dev,
						  .read = vmgenid_read });
	if (err) {
		vmgenid_destroy(&d->dev);
		return fail_set(fail, EXIT_HOST, err, "no place for the generation id: %s",
				strerror(-err));
	}
	draw(d);
	*out = &d->dev;
	return 0;
}
