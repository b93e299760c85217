// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "virtio/pci_priv.h"

/*
 * Queues whose interrupts do not pass through us: an eventfd each, whose signals the interrupt
 * controller makes the message of the queue's vector, for as long as that can be sent. Otherwise
 * they take the usual way, which knows what is pending.
 */

void link_unwire(struct link *link, unsigned int q)
{
	struct msi_route *route = &link->queues[q].route;
	struct pci_bus *bus = link->func.bus;

	if (route->connected)
		bus->ops->route(bus, route, NULL);
	if (route->fd >= 0)
		close(route->fd);
	route->fd = -1;
}

static bool same(const struct msi *a, const struct msi *b)
{
	return a->addr == b->addr && a->data == b->data && a->device == b->device;
}

/* As the vector is now: 0, or -errno where that is not possible. */
static int wire(struct link *link, unsigned int q)
{
	struct link_queue *queue = &link->queues[q];
	struct pci_bus *bus = link->func.bus;
	struct msi msi;

	if (!pci_msix_message(&link->func, queue->vector, &msi))
		return -ENOTSUP;
	if (queue->route.connected && same(&msi, &queue->wired))
		return 0;
	queue->wired = msi;
	return bus->ops->route(bus, &queue->route, &msi);
}

int link_callfd(struct virtio_dev *vdev, unsigned int q)
{
	struct msi_route *route = &link_of(vdev)->queues[q].route;
	int err;

	if (route->fd < 0)
		route->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (route->fd < 0)
		return -errno;
	err = wire(link_of(vdev), q);
	return err ? err : route->fd;
}

void link_rewire(struct link *link)
{
	struct virtio_dev *vdev = link->vdev;
	struct pci_bus *bus = link->func.bus;

	for (unsigned int q = 0; q < vdev->nqueues; q++) {
		struct msi_route *route = &link->queues[q].route;
		bool was = route->connected;
		int err;

		if (route->fd < 0)
			continue;
		err = wire(link, q);
		/* Whoever signals it hears of its end first: no signal is lost. */
		if (!err != was)
			vdev->ops->recall(vdev, q);
		if (err && route->connected)
			bus->ops->route(bus, route, NULL);
	}
}
