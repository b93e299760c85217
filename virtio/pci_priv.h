/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_PCI_PRIV_H
#define VIRTIO_PCI_PRIV_H

#include <linux/virtio_pci.h>

#include "virtio/virtio.h"
#include "vmm/core/pci.h"

/* Private part of virtio over PCI: pci.c (function, doorbells, interrupts), pci_common.c (registers),
 * pci_wire.c (interrupts that others send). */

/* Of the common configuration (4.1.4.3); newer than the kernel's header. */
enum { VIRTIO_PCI_QUEUE_RESET = 58, VIRTIO_PCI_COMMON_SIZE = 60 };

struct link {
	struct virtio_dev *vdev;
	struct pci_func func;
	unsigned int cfg_cap; /* the window through configuration space */
	uint8_t cfg[sizeof(struct virtio_pci_cap)]; /* what the driver wrote there */
	uint16_t config_vector;
	struct link_queue {
		uint16_t vector;
		bool open;
		gpa_t bell; /* where its doorbell is; 0: nowhere */
		/* For who interrupts by itself: wired to the vector's message while that can be
		 * sent. */
		struct msi_route route;
		struct msi wired;
	} queues[];
};

static inline struct link *link_of(const struct virtio_dev *vdev)
{
	return vdev->link;
}

/* The vector that a driver gets when it asks for this one (4.1.5.1.2). */
static inline uint16_t link_vector(const struct link *link, uint16_t vector)
{
	return vector < link->func.nvectors ? vector : VIRTIO_MSI_NO_VECTOR;
}

/* An eventfd that interrupts for queue q, or -ENOTSUP now; connects it anew after its vector may
 * have changed; gives it up. */
int link_callfd(struct virtio_dev *vdev, unsigned int q);
void link_rewire(struct link *link);
void link_unwire(struct link *link, unsigned int q);

/* The common configuration: accesses that are not a field in its own width read as zero and are
 * ignored; 64-bit fields can be accessed as a whole or by halves. */
uint64_t pci_common_read(struct virtio_dev *vdev, uint64_t off, unsigned int size);
void pci_common_write(struct virtio_dev *vdev, uint64_t off, unsigned int size, uint64_t val);

#endif
