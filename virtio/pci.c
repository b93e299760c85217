// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/pci.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/pci_priv.h"
#include "vmm/core/bus.h"

enum { VENDOR = 0x1af4, FIRST_DEVICE = 0x1040, FIRST_SUBSYSTEM = 0x1100, REVISION = 1 };
enum { BAR = 0, MSIX_BAR = 1, BAR_SIZE = 0x4000 };
/* In BAR 0, a page each. */
enum { COMMON = 0x0000, ISR = 0x1000, CONFIG = 0x2000, NOTIFY = 0x3000, PART = 0x1000 };
enum { NOTIFY_STEP = 4 };

static struct link *link_of_func(struct pci_func *func)
{
	return container_of(func, struct link, func);
}

/* --- doorbells -------------------------------------------------------------------------------- */

static struct doorbell doorbell_at(const struct link *link, unsigned int q, gpa_t addr)
{
	return (struct doorbell){ .addr = addr, .size = 2, .fd = link->vdev->queues[q].kick.fd };
}

/* Where the guest rings for an open queue now. Without room on the bus the write arrives in
 * bar_write(). */
static void settle_bell(struct link *link, unsigned int q)
{
	struct link_queue *queue = &link->queues[q];
	struct bus *bus = link->vdev->dev.env.bus;
	uint64_t base = link->func.bars[BAR].addr;
	gpa_t want = queue->open && base != PCI_NOWHERE ? base + NOTIFY + q * NOTIFY_STEP : 0;
	struct doorbell db;

	if (want == queue->bell)
		return;
	if (queue->bell) {
		db = doorbell_at(link, q, queue->bell);
		bus_doorbell_del(bus, &db);
		queue->bell = 0;
	}
	db = doorbell_at(link, q, want);
	if (want && !bus_doorbell_add(bus, &db))
		queue->bell = want;
}

static void pci_doorbell(struct virtio_dev *vdev, unsigned int q, bool on)
{
	link_of(vdev)->queues[q].open = on;
	settle_bell(link_of(vdev), q);
	if (!on)
		link_unwire(link_of(vdev), q);
}

static void bar_moved(struct pci_func *func, unsigned int bar)
{
	struct link *link = link_of_func(func);

	for (unsigned int q = 0; bar == BAR && q < link->vdev->nqueues; q++)
		settle_bell(link, q);
}

/* --- interrupts ------------------------------------------------------------------------------- */

static void interrupt(struct virtio_dev *vdev, uint16_t vector)
{
	struct pci_func *func = &link_of(vdev)->func;

	if (pci_msix_enabled(func))
		pci_msix_fire(func, vector);
	else
		pci_pin(func, vdev->isr != 0);
}

static void pci_queue_interrupt(struct virtio_dev *vdev, unsigned int q)
{
	interrupt(vdev, link_of(vdev)->queues[q].vector);
}

static void pci_config_interrupt(struct virtio_dev *vdev)
{
	interrupt(vdev, link_of(vdev)->config_vector);
}

static void vectors_changed(struct pci_func *func)
{
	link_rewire(link_of_func(func));
}

/* Reading it acknowledges (4.1.4.5). */
static uint32_t read_isr(struct virtio_dev *vdev)
{
	uint32_t isr = vdev->isr;

	vdev->isr = 0;
	pci_pin(&link_of(vdev)->func, false);
	return isr;
}

/* --- BAR 0 ------------------------------------------------------------------------------------ */

static uint64_t bar_read(struct pci_func *func, unsigned int bar, uint64_t off, unsigned int size)
{
	struct virtio_dev *vdev = link_of_func(func)->vdev;
	uint64_t at = off % PART;

	(void)bar;
	switch (off - at) {
	case COMMON:
		return pci_common_read(vdev, at, size);
	case ISR:
		return at ? 0 : read_isr(vdev);
	case CONFIG:
		return virtio_config_read(vdev, at, size);
	}
	return 0;
}

static void notify(struct virtio_dev *vdev, uint64_t at, unsigned int size)
{
	uint64_t q = at / NOTIFY_STEP;

	if (!(at % NOTIFY_STEP) && size >= 2 && q < vdev->nqueues &&
	    virtio_running(vdev, (unsigned int)q))
		virtio_kick(vdev, (unsigned int)q);
}

static void bar_write(struct pci_func *func, unsigned int bar, uint64_t off, unsigned int size,
		      uint64_t val)
{
	struct virtio_dev *vdev = link_of_func(func)->vdev;
	uint64_t at = off % PART;

	(void)bar;
	switch (off - at) {
	case COMMON:
		pci_common_write(vdev, at, size, val);
		break;
	case CONFIG:
		virtio_config_write(vdev, at, size, val);
		break;
	case NOTIFY:
		notify(vdev, at, size);
		break;
	}
}

/* --- the window in configuration space (4.1.4.9) ------------------------------------------------- */

enum { CFG_BAR = offsetof(struct virtio_pci_cap, bar) };
enum { CFG_OFFSET = offsetof(struct virtio_pci_cap, offset) };
enum { CFG_LENGTH = offsetof(struct virtio_pci_cap, length) };

/* Whether the driver has aimed it at something that can be accessed, and where. */
static bool window_target(const struct link *link, uint32_t *off, uint32_t *len)
{
	memcpy(off, link->cfg + CFG_OFFSET, sizeof(*off));
	memcpy(len, link->cfg + CFG_LENGTH, sizeof(*len));
	return link->cfg[CFG_BAR] == BAR && (*len == 1 || *len == 2 || *len == 4) &&
	       !(*off % *len) && *off < BAR_SIZE;
}

static uint32_t config_read(struct pci_func *func, unsigned int off, unsigned int size)
{
	struct link *link = link_of_func(func);
	unsigned int at = off - link->cfg_cap;
	uint32_t val = 0, to, len;

	if (at == sizeof(link->cfg) && window_target(link, &to, &len) && len == size)
		return (uint32_t)bar_read(func, BAR, to, len);
	if (at + size <= sizeof(link->cfg))
		memcpy(&val, link->cfg + at, size);
	return val;
}

static void config_write(struct pci_func *func, unsigned int off, unsigned int size, uint32_t val)
{
	struct link *link = link_of_func(func);
	unsigned int at = off - link->cfg_cap;
	uint32_t to, len;

	if (at == sizeof(link->cfg) && window_target(link, &to, &len) && len == size)
		bar_write(func, BAR, to, len, val);
	else if (at == CFG_BAR)
		link->cfg[CFG_BAR] = (uint8_t)val;
	else if ((at == CFG_OFFSET || at == CFG_LENGTH) && size == 4)
		memcpy(link->cfg + at, &val, size);
}

static const struct pci_func_ops func_ops = {
	.read = bar_read,
	.write = bar_write,
	.moved = bar_moved,
	.vectors = vectors_changed,
	.config_read = config_read,
	.config_write = config_write,
};

/* --- transport -------------------------------------------------------------------------------- */

/* PCI Code and ID Assignment; what has no class of its own is "other". */
static uint32_t class_of(uint32_t id)
{
	switch (id) {
	case VIRTIO_ID_NET:
		return 0x020000;
	case VIRTIO_ID_BLOCK:
		return 0x018000;
	case VIRTIO_ID_CONSOLE:
		return 0x078000;
	default:
		return 0xff0000;
	}
}

static void add_part(struct link *link, uint8_t type, uint32_t off, uint32_t len)
{
	struct virtio_pci_notify_cap cap = {
		.cap = { .cap_len = sizeof(struct virtio_pci_cap),
			 .cfg_type = type,
			 .bar = BAR,
			 .offset = off,
			 .length = len },
		.notify_off_multiplier = NOTIFY_STEP,
	};

	if (type == VIRTIO_PCI_CAP_NOTIFY_CFG)
		cap.cap.cap_len = sizeof(cap);
	pci_func_cap(&link->func, PCI_CAP_ID_VNDR, (uint8_t *)&cap + 2, cap.cap.cap_len);
}

/* Comes last, and is the device's own from there on. */
static void add_window(struct link *link)
{
	const struct virtio_pci_cfg_cap cap = {
		.cap = { .cap_len = sizeof(cap), .cfg_type = VIRTIO_PCI_CAP_PCI_CFG },
	};

	link->cfg_cap =
		pci_func_cap(&link->func, PCI_CAP_ID_VNDR, (const uint8_t *)&cap + 2, sizeof(cap));
	memcpy(link->cfg, link->func.initial + link->cfg_cap, sizeof(link->cfg));
	link->func.own_config = link->cfg_cap;
}

static int build(struct link *link)
{
	struct virtio_dev *vdev = link->vdev;
	unsigned int nqueues = vdev->nqueues;
	const struct pci_ids ids = {
		.vendor = VENDOR,
		.device = (uint16_t)(FIRST_DEVICE + vdev->ops->id),
		.subvendor = VENDOR,
		.subdevice = FIRST_SUBSYSTEM,
		.class = class_of(vdev->ops->id),
		.revision = REVISION,
	};
	unsigned int vectors = nqueues + 1 < PCI_VECTORS_MAX ? nqueues + 1 : PCI_VECTORS_MAX;
	int err;

	pci_func_init(&link->func, &func_ops, &vdev->dev, &ids);
	pci_func_bar(&link->func, BAR, BAR_SIZE);
	err = pci_func_msix(&link->func, MSIX_BAR, vectors);
	if (err)
		return err;
	add_part(link, VIRTIO_PCI_CAP_COMMON_CFG, COMMON, VIRTIO_PCI_COMMON_SIZE);
	add_part(link, VIRTIO_PCI_CAP_ISR_CFG, ISR, 1);
	if (vdev->config_size)
		add_part(link, VIRTIO_PCI_CAP_DEVICE_CFG, CONFIG, vdev->config_size);
	add_part(link, VIRTIO_PCI_CAP_NOTIFY_CFG, NOTIFY, nqueues * NOTIFY_STEP);
	add_window(link);
	return pci_func_attach(&link->func, vdev->dev.env.pci);
}

static void reset_vectors(struct link *link)
{
	link->config_vector = VIRTIO_MSI_NO_VECTOR;
	for (unsigned int q = 0; q < link->vdev->nqueues; q++)
		link->queues[q].vector = VIRTIO_MSI_NO_VECTOR;
}

static int pci_attach(struct virtio_dev *vdev, struct fail *fail)
{
	struct link *link;
	int err;

	link = calloc(1, sizeof(*link) + vdev->nqueues * sizeof(link->queues[0]));
	if (!link)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "%s: out of memory", vdev->dev.name);
	link->vdev = vdev;
	vdev->link = link;
	for (unsigned int q = 0; q < vdev->nqueues; q++)
		link->queues[q].route.fd = -1;
	reset_vectors(link);
	err = build(link);
	return err ? fail_set(fail, err == -ENOSPC ? EXIT_CONFIG : EXIT_HOST, err,
			      "%s: no place on the PCI bus: %s", vdev->dev.name, strerror(-err))
		   : 0;
}

static void pci_detach(struct virtio_dev *vdev)
{
	struct link *link = link_of(vdev);

	if (link)
		pci_func_fini(&link->func);
	free(link);
	vdev->link = NULL;
}

static void pci_reset(struct virtio_dev *vdev, bool machine)
{
	struct link *link = link_of(vdev);

	reset_vectors(link);
	if (machine) {
		memcpy(link->cfg, link->func.initial + link->cfg_cap, sizeof(link->cfg));
		pci_func_reset(&link->func);
	} else {
		pci_pin(&link->func, false);
	}
}

static void pci_state(struct virtio_dev *vdev, struct state *s)
{
	struct link *link = link_of(vdev);

	state_bytes(s, "window", link->cfg, sizeof(link->cfg));
	state_u16(s, "config_vector", &link->config_vector);
	state_check(s, link->config_vector == link_vector(link, link->config_vector),
		    "config_vector");
	for (unsigned int q = 0; q < vdev->nqueues; q++) {
		uint16_t *vector = &link->queues[q].vector;

		state_u16(s, "vector", vector);
		state_check(s, *vector == link_vector(link, *vector), "vector");
	}
	pci_func_state(&link->func, s);
}

const struct virtio_transport virtio_pci = {
	.attach = pci_attach,
	.detach = pci_detach,
	.reset = pci_reset,
	.state = pci_state,
	.queue_interrupt = pci_queue_interrupt,
	.config_interrupt = pci_config_interrupt,
	.doorbell = pci_doorbell,
	.callfd = link_callfd,
};
