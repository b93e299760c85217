// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/pci_priv.h"

static uint64_t read_queue(struct virtio_dev *vdev, uint64_t off)
{
	struct virtio_queue *q = virtio_selected(vdev);

	if (!q)
		return off == VIRTIO_PCI_COMMON_Q_MSIX ? VIRTIO_MSI_NO_VECTOR : 0;
	switch (off) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		return q->vq.num ? q->vq.num : q->vq.max;
	case VIRTIO_PCI_COMMON_Q_MSIX:
		return link_of(vdev)->queues[q->index].vector;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		return q->vq.ready;
	case VIRTIO_PCI_COMMON_Q_NOFF:
		return q->index;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		return q->vq.desc;
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		return q->vq.desc >> 32;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		return q->vq.avail;
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		return q->vq.avail >> 32;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		return q->vq.used;
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		return q->vq.used >> 32;
	default:
		/* queue_reset ends within the write that starts it. */
		return 0;
	}
}

static uint64_t read_common(struct virtio_dev *vdev, uint64_t off)
{
	switch (off) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		return vdev->device_feature_sel;
	case VIRTIO_PCI_COMMON_DF:
		return virtio_device_features(vdev);
	case VIRTIO_PCI_COMMON_GFSELECT:
		return vdev->driver_feature_sel;
	case VIRTIO_PCI_COMMON_GF:
		return vdev->driver_feature_sel < 2
			       ? (uint32_t)(vdev->features >> 32 * vdev->driver_feature_sel)
			       : 0;
	case VIRTIO_PCI_COMMON_MSIX:
		return link_of(vdev)->config_vector;
	case VIRTIO_PCI_COMMON_NUMQ:
		return vdev->nqueues;
	case VIRTIO_PCI_COMMON_STATUS:
		return vdev->status;
	case VIRTIO_PCI_COMMON_CFGGENERATION:
		return vdev->generation & 0xff;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		return vdev->queue_sel;
	default:
		return read_queue(vdev, off);
	}
}

static void set_low(gpa_t *addr, uint64_t val)
{
	*addr = (*addr & ~(gpa_t)UINT32_MAX) | (uint32_t)val;
}

static void set_high(gpa_t *addr, uint64_t val)
{
	*addr = (*addr & UINT32_MAX) | val << 32;
}

/* Where a queue lies; constant while it is open. */
static void write_layout(struct virtq *vq, uint64_t off, uint64_t val)
{
	switch (off) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		vq->num = (uint32_t)val;
		break;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		set_low(&vq->desc, val);
		break;
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		set_high(&vq->desc, val);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		set_low(&vq->avail, val);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		set_high(&vq->avail, val);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		set_low(&vq->used, val);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		set_high(&vq->used, val);
		break;
	}
}

static void write_queue(struct virtio_dev *vdev, uint64_t off, uint64_t val)
{
	struct virtio_queue *q = virtio_selected(vdev);
	struct link *link = link_of(vdev);

	if (!q)
		return;
	if (off == VIRTIO_PCI_COMMON_Q_MSIX) {
		link->queues[q->index].vector = link_vector(link, (uint16_t)val);
		link_rewire(link);
	} else if (off == VIRTIO_PCI_COMMON_Q_ENABLE) {
		/* A driver that takes the size as it is need not write it; it closes by a reset. */
		if (!q->vq.num)
			q->vq.num = q->vq.max;
		if (val == 1)
			virtio_queue_ready(q, true);
	} else if (off == VIRTIO_PCI_QUEUE_RESET) {
		if (val == 1 && virtio_has(vdev, VIRTIO_F_RING_RESET))
			virtio_queue_ready(q, false);
	} else if (!q->vq.ready) {
		write_layout(&q->vq, off, val);
	}
}

static void write_common(struct virtio_dev *vdev, uint64_t off, uint64_t val)
{
	struct link *link = link_of(vdev);

	switch (off) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		vdev->device_feature_sel = (uint32_t)val;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		vdev->driver_feature_sel = (uint32_t)val;
		break;
	case VIRTIO_PCI_COMMON_GF:
		virtio_driver_features(vdev, (uint32_t)val);
		break;
	case VIRTIO_PCI_COMMON_MSIX:
		link->config_vector = link_vector(link, (uint16_t)val);
		break;
	case VIRTIO_PCI_COMMON_STATUS:
		virtio_set_status(vdev, (uint32_t)val);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		vdev->queue_sel = (uint32_t)val;
		break;
	default:
		write_queue(vdev, off, val);
	}
}

/* The width of the field that begins at an offset; 0: none does. 64-bit fields are two. */
static unsigned int field_width(uint64_t off)
{
	static const uint8_t widths[VIRTIO_PCI_COMMON_SIZE] = {
		[VIRTIO_PCI_COMMON_DFSELECT] = 4,  [VIRTIO_PCI_COMMON_DF] = 4,
		[VIRTIO_PCI_COMMON_GFSELECT] = 4,  [VIRTIO_PCI_COMMON_GF] = 4,
		[VIRTIO_PCI_COMMON_MSIX] = 2,	   [VIRTIO_PCI_COMMON_NUMQ] = 2,
		[VIRTIO_PCI_COMMON_STATUS] = 1,	   [VIRTIO_PCI_COMMON_CFGGENERATION] = 1,
		[VIRTIO_PCI_COMMON_Q_SELECT] = 2,  [VIRTIO_PCI_COMMON_Q_SIZE] = 2,
		[VIRTIO_PCI_COMMON_Q_MSIX] = 2,	   [VIRTIO_PCI_COMMON_Q_ENABLE] = 2,
		[VIRTIO_PCI_COMMON_Q_NOFF] = 2,	   [VIRTIO_PCI_COMMON_Q_DESCLO] = 4,
		[VIRTIO_PCI_COMMON_Q_DESCHI] = 4,  [VIRTIO_PCI_COMMON_Q_AVAILLO] = 4,
		[VIRTIO_PCI_COMMON_Q_AVAILHI] = 4, [VIRTIO_PCI_COMMON_Q_USEDLO] = 4,
		[VIRTIO_PCI_COMMON_Q_USEDHI] = 4,  [VIRTIO_PCI_QUEUE_RESET] = 2,
	};

	return off < sizeof(widths) ? widths[off] : 0;
}

/* Whether an access is both halves of a 64-bit field at once. */
static bool is_wide(uint64_t off, unsigned int size)
{
	return size == 8 && off >= VIRTIO_PCI_COMMON_Q_DESCLO && !(off % 8) &&
	       field_width(off + 4) == 4;
}

uint64_t pci_common_read(struct virtio_dev *vdev, uint64_t off, unsigned int size)
{
	if (is_wide(off, size))
		return (uint32_t)read_common(vdev, off) | read_common(vdev, off + 4) << 32;
	return size == field_width(off) ? read_common(vdev, off) : 0;
}

void pci_common_write(struct virtio_dev *vdev, uint64_t off, unsigned int size, uint64_t val)
{
	if (is_wide(off, size)) {
		write_common(vdev, off, (uint32_t)val);
		write_common(vdev, off + 4, val >> 32);
	} else if (size == field_width(off)) {
		write_common(vdev, off, val);
	}
}
