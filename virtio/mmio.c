// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/mmio.h"

#include <assert.h>
#include <errno.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#include "vmm/core/bus.h"
#include "vmm/core/fdt.h"
#include "vmm/core/regpage.h"

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

/* Registers whose reads give anything but zero. They are stored in this order: the interrupt of a
 * device that needs a reset is seen with its status. */
static const uint16_t readable[] = {
	VIRTIO_MMIO_MAGIC_VALUE,   VIRTIO_MMIO_VERSION,		  VIRTIO_MMIO_DEVICE_ID,
	VIRTIO_MMIO_VENDOR_ID,	   VIRTIO_MMIO_DEVICE_FEATURES,	  VIRTIO_MMIO_QUEUE_NUM_MAX,
	VIRTIO_MMIO_QUEUE_READY,   VIRTIO_MMIO_INTERRUPT_STATUS,  VIRTIO_MMIO_STATUS,
	VIRTIO_MMIO_SHM_LEN_LOW,   VIRTIO_MMIO_SHM_LEN_HIGH,	  VIRTIO_MMIO_SHM_BASE_LOW,
	VIRTIO_MMIO_SHM_BASE_HIGH, VIRTIO_MMIO_CONFIG_GENERATION,
};

/* Lazy: the acknowledgement of bit 0 does not arrive, so the bit stands for "may be". */
static uint32_t interrupt_status(const struct virtio_dev *vdev)
{
	bool lazy = vdev->dev.env.page->sink >= 0 && vdev->status & VIRTIO_CONFIG_S_DRIVER_OK;

	return vdev->isr | (lazy ? VIRTIO_ISR_QUEUE : 0);
}

static uint32_t register_value(struct virtio_dev *vdev, uint64_t off)
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
		return interrupt_status(vdev);
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

/* --- what the driver reads: words in the page -------------------------------------------------- */

static void put(struct virtio_dev *vdev, uint64_t off, uint32_t val)
{
	regpage_put(vdev->dev.env.page, vdev->dev.env.base + off, val);
}

static void put_register(struct virtio_dev *vdev, uint64_t off)
{
	put(vdev, off, register_value(vdev, off));
}

static void put_all(struct virtio_dev *vdev)
{
	for (unsigned int i = 0; i < sizeof(readable) / sizeof(readable[0]); i++)
		put_register(vdev, readable[i]);
	for (uint64_t off = 0; off < vdev->config_size; off += 4)
		put(vdev, VIRTIO_MMIO_CONFIG + off, (uint32_t)virtio_config_read(vdev, off, 4));
}

/* What is changed by the host while the driver reads several words, of a 64-bit field or of all
 * between two reads of the generation, must not be seen in part: no order of stores ensures that. */
static void mmio_changed(struct virtio_dev *vdev)
{
	const struct device_env *env = &vdev->dev.env;
	bool parts =
		vdev->config_size && memcmp(regpage_at(env->page, env->base) + VIRTIO_MMIO_CONFIG,
					    vdev->config, vdev->config_size);

	if (parts)
		regpage_hide(env->page);
	put_all(vdev);
	if (parts)
		regpage_show(env->page);
}

/* Any load, as the page answers it: of bytes, across registers, unaligned. */
static uint64_t mmio_read(struct device *dev, uint64_t off, unsigned int size)
{
	return regpage_get(dev->env.page, dev->env.base + off, size);
}

/* --- what the driver writes -------------------------------------------------------------------- */

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
	case VIRTIO_MMIO_STATUS:
		virtio_set_status(vdev, val);
		break;
	default:
		write_queue(vdev, off, val);
	}
}

/* Writes that change nothing or one word, and come for each request: true if it is one. */
static bool write_hot(struct virtio_dev *vdev, uint64_t off, uint32_t val)
{
	if (off == VIRTIO_MMIO_INTERRUPT_ACK) {
		vdev->isr &= ~val;
		put_register(vdev, VIRTIO_MMIO_INTERRUPT_STATUS);
		return true;
	}
	if (off != VIRTIO_MMIO_QUEUE_NOTIFY)
		return false;
	/* Arrives only where the bus has no room for the doorbell. */
	if (val < vdev->nqueues && virtio_running(vdev, val))
		virtio_kick(vdev, val);
	return true;
}

static void mmio_write(struct device *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct virtio_dev *vdev = to_virtio(dev);

	if (off & (size - 1))
		return;
	if (off >= VIRTIO_MMIO_CONFIG)
		virtio_config_write(vdev, off - VIRTIO_MMIO_CONFIG, size, val);
	else if (size != 4 || write_hot(vdev, off, val))
		return;
	else
		write_register(vdev, off, val);
	/* Before the driver goes on: its own change, so it does not look meanwhile. */
	put_all(vdev);
}

/* --- transport --------------------------------------------------------------------------------- */

/* Lazy: the acknowledgement of used buffers alone is taken by the kernel, and lost. */
static void swallow_ack(const struct device_env *env)
{
	const struct doorbell db = {
		.addr = env->base + VIRTIO_MMIO_INTERRUPT_ACK,
		.size = 4,
		.match = true,
		.value = VIRTIO_ISR_QUEUE,
		.fd = env->page->sink,
	};

	if (env->page->sink >= 0)
		bus_doorbell_add(env->bus, &db);
}

static int mmio_attach(struct virtio_dev *vdev, struct fail *fail)
{
	const struct device_env *env = &vdev->dev.env;
	const struct region region = {
		.base = env->base,
		.size = VIRTIO_MMIO_SIZE,
		.widths = WIDTH_ALL | WIDTH_UNALIGNED,
		.dev = &vdev->dev,
		.read = mmio_read,
		.write = mmio_write,
	};
	int err;

	assert(env->page && vdev->config_size <= VIRTIO_MMIO_SIZE - VIRTIO_MMIO_CONFIG);
	err = bus_add(env->bus, &region);
	if (err)
		return fail_set(fail, EXIT_HOST, err, "%s: no place for its registers: %s",
				vdev->dev.name, strerror(-err));
	swallow_ack(env);
	put_all(vdev);
	return 0;
}

/*
 * Edges are never held back: one that comes while the driver handles the last is latched. What the
 * handler may look at is there before: under the lock, so that no acknowledgement is undone.
 */
static void interrupt(struct virtio_dev *vdev)
{
	put_register(vdev, VIRTIO_MMIO_INTERRUPT_STATUS);
	put_register(vdev, VIRTIO_MMIO_STATUS);
	irq_pulse(&vdev->dev.env.irq);
}

static void mmio_queue_interrupt(struct virtio_dev *vdev, unsigned int q)
{
	(void)q;
	interrupt(vdev);
}

/* Only where nobody has to set the status bit. */
static int mmio_callfd(struct virtio_dev *vdev, unsigned int q)
{
	const struct device_env *env = &vdev->dev.env;

	(void)q;
	return env->page->sink >= 0 ? irq_eventfd(&vdev->dev.env.irq) : -ENOTSUP;
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
	.one_interrupt = true,
	.attach = mmio_attach,
	.queue_interrupt = mmio_queue_interrupt,
	.config_interrupt = interrupt,
	.doorbell = mmio_doorbell,
	.changed = mmio_changed,
	.callfd = mmio_callfd,
	.describe = mmio_describe,
};
