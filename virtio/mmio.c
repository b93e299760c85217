// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/mmio.h"

#include <errno.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#include "vmm/core/bus.h"
#include "vmm/core/fdt.h"

/* VIRTIO 1.2, 4.2.2; newer than the kernel's header. */
#define VIRTIO_MMIO_QUEUE_RESET 0x0c0

enum { MAGIC = 0x74726976 /* "virt" */, VERSION = 2, VENDOR = 0x4d4d56 /* "VMM" */ };

static struct virtio_dev *to_virtio(struct device *dev)
{
	return container_of(dev, struct virtio_dev, dev);
}

/* Registers that mean something only for a queue that exists. */
static uint32_t read_queue(const struct virtio_queue *q, uint64_t off)
{
	if (!q)
		return 0;
	switch (off) {
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return q->vq.max;
	case VIRTIO_MMIO_QUEUE_READY:
		return q->vq.ready;
	default:
		/* QueueReset ends within the write that starts it, so it reads 0 (4.2.2.1). */
		return 0;
	}
}

static uint32_t read_register(struct virtio_dev *vdev, uint64_t off)
{
	switch (off) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return VERSION;
	case VIRTIO_MMIO_DEVICE_ID:
		return vdev->ops->id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return virtio_device_features(vdev);
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return vdev->isr;
	case VIRTIO_MMIO_STATUS:
		return vdev->status;
	case VIRTIO_MMIO_CONFIG_GENERATION:
		return vdev->generation;
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		/* No shared memory region exists, whatever SHMSel says. */
		return UINT32_MAX;
	default:
		return read_queue(virtio_selected(vdev), off);
	}
}

static uint64_t mmio_read(struct device *dev, uint64_t off, unsigned int size)
{
	struct virtio_dev *vdev = to_virtio(dev);

	if (off >= VIRTIO_MMIO_CONFIG)
		return virtio_config_read(vdev, off - VIRTIO_MMIO_CONFIG, size);
	return size == 4 ? read_register(vdev, off) : 0;
}

static void set_low(gpa_t *addr, uint32_t val)
{
	*addr = (*addr & ~(gpa_t)UINT32_MAX) | val;
}

static void set_high(gpa_t *addr, uint32_t val)
{
	*addr = (*addr & UINT32_MAX) | (gpa_t)val << 32;
}

/* Where a queue lies; constant while it is open. */
static void write_queue_layout(struct virtq *vq, uint64_t off, uint32_t val)
{
	switch (off) {
	case VIRTIO_MMIO_QUEUE_NUM:
		vq->num = val;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
		set_low(&vq->desc, val);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_high(&vq->desc, val);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
		set_low(&vq->avail, val);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_high(&vq->avail, val);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
		set_low(&vq->used, val);
		break;
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_high(&vq->used, val);
		break;
	}
}

static void write_queue(struct virtio_dev *vdev, uint64_t off, uint32_t val)
{
	struct virtio_queue *q = virtio_selected(vdev);

	if (!q)
		return;
	if (off == VIRTIO_MMIO_QUEUE_READY) {
		if (val <= 1)
			virtio_queue_ready(q, val);
	} else if (off == VIRTIO_MMIO_QUEUE_RESET) {
		if (val == 1 && virtio_has(vdev, VIRTIO_F_RING_RESET))
			virtio_queue_ready(q, false);
	} else if (!q->vq.ready) {
		write_queue_layout(&q->vq, off, val);
	}
}

static void write_register(struct virtio_dev *vdev, uint64_t off, uint32_t val)
{
	switch (off) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		vdev->device_feature_sel = val;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		virtio_driver_features(vdev, val);
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		vdev->driver_feature_sel = val;
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		vdev->queue_sel = val;
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		/* Arrives only where the bus has no room for the doorbell. */
		if (val < vdev->ops->nqueues && virtio_running(vdev, val))
			virtio_kick(vdev, val);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		vdev->isr &= ~val;
		break;
	case VIRTIO_MMIO_STATUS:
		virtio_set_status(vdev, val);
		break;
	default:
		write_queue(vdev, off, val);
	}
}

static void mmio_write(struct device *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct virtio_dev *vdev = to_virtio(dev);

	if (off >= VIRTIO_MMIO_CONFIG)
		virtio_config_write(vdev, off - VIRTIO_MMIO_CONFIG, size, val);
	else if (size == 4)
		write_register(vdev, off, val);
}

/* --- transport --------------------------------------------------------------------------------- */

static int mmio_attach(struct virtio_dev *vdev, struct fail *fail)
{
	const struct device_env *env = &vdev->dev.env;
	const struct region region = {
		.base = env->base,
		.size = VIRTIO_MMIO_SIZE,
		.widths = WIDTH_ALL,
		.dev = &vdev->dev,
		.read = mmio_read,
		.write = mmio_write,
	};
	int err = bus_add(env->bus, &region);

	if (err)
		return fail_set(fail, EXIT_HOST, err, "%s: no place for its registers: %s",
				vdev->dev.name, strerror(-err));
	return 0;
}

/* Edges are never held back: one that comes while the driver handles the last is latched. */
static void mmio_config_interrupt(struct virtio_dev *vdev)
{
	irq_pulse(&vdev->dev.env.irq);
}

static void mmio_queue_interrupt(struct virtio_dev *vdev, unsigned int q)
{
	(void)q;
	irq_pulse(&vdev->dev.env.irq);
}

static void mmio_doorbell(struct virtio_dev *vdev, unsigned int q, bool on)
{
	const struct device_env *env = &vdev->dev.env;
	const struct doorbell db = {
		.addr = env->base + VIRTIO_MMIO_QUEUE_NOTIFY,
		.size = 4,
		.match = true,
		.value = q,
		.fd = vdev->queues[q].kick.fd,
	};

	/* Without room the write arrives in mmio_write(). */
	if (on)
		bus_doorbell_add(env->bus, &db);
	else
		bus_doorbell_del(env->bus, &db);
}

static void mmio_describe(struct virtio_dev *vdev, struct fdt *fdt)
{
	const struct device_env *env = &vdev->dev.env;

	dt_node(fdt, "virtio_mmio@%llx", (unsigned long long)env->base);
	dt_str(fdt, "compatible", "virtio,mmio");
	dt_reg(fdt, env->base, VIRTIO_MMIO_SIZE);
	dt_interrupt(fdt, &env->irq);
	dt_empty(fdt, "dma-coherent");
	dt_end(fdt);
}

const struct virtio_transport virtio_mmio = {
	.attach = mmio_attach,
	.queue_interrupt = mmio_queue_interrupt,
	.config_interrupt = mmio_config_interrupt,
	.doorbell = mmio_doorbell,
	.describe = mmio_describe,
};
