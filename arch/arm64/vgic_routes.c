// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/vgic_routes.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>

enum { GSIS_MAX = 4096 };

void vgic_routes_init(struct vgic_routes *routes, uint32_t nspis)
{
	*routes = (struct vgic_routes){ .nspis = nspis };
	pthread_mutex_init(&routes->lock, NULL);
}

void vgic_routes_fini(struct vgic_routes *routes)
{
	vgic_routes_detach(routes);
	free(routes->list);
	pthread_mutex_destroy(&routes->lock);
}

void vgic_routes_attach(struct vgic_routes *routes, const struct kvm *kvm)
{
	routes->kvm = kvm;
}

static void fill_spi(struct kvm_irq_routing_entry *entry, uint32_t spi)
{
	entry->gsi = spi;
	entry->type = KVM_IRQ_ROUTING_IRQCHIP;
	entry->u.irqchip.pin = spi;
}

static void fill_msi(struct kvm_irq_routing_entry *entry, const struct vgic_routed *it)
{
	entry->gsi = it->route->gsi;
	entry->type = KVM_IRQ_ROUTING_MSI;
	entry->flags = KVM_MSI_VALID_DEVID;
	entry->u.msi.address_lo = (uint32_t)it->msi.addr;
	entry->u.msi.address_hi = (uint32_t)(it->msi.addr >> 32);
	entry->u.msi.data = it->msi.data;
	entry->u.msi.devid = it->msi.device;
}

static int send_table(const struct vgic_routes *routes)
{
	unsigned int n = 0, max = routes->nspis + routes->n;
	struct kvm_irq_routing *table;
	int err;

	table = calloc(1, sizeof(*table) + max * sizeof(table->entries[0]));
	if (!table)
		return -ENOMEM;
	while (n < routes->nspis) {
		fill_spi(&table->entries[n], n);
		n++;
	}
	for (unsigned int i = 0; i < routes->n; i++)
		if (routes->list[i].route && routes->list[i].spi < 0)
			fill_msi(&table->entries[n++], &routes->list[i]);
	table->nr = n;
	err = kvm_irq_routes(routes->kvm, table);
	free(table);
	return err;
}

/* The route's place, or a free one for it (which may move the others); NULL without memory. */
static struct vgic_routed *place(struct vgic_routes *routes, struct msi_route *route)
{
	struct vgic_routed *more, *free_one = NULL;

	for (unsigned int i = 0; i < routes->n; i++) {
		if (routes->list[i].route == route)
			return &routes->list[i];
		if (!routes->list[i].route)
			free_one = &routes->list[i];
	}
	if (free_one || routes->nspis + routes->n == GSIS_MAX)
		return free_one;
	more = realloc(routes->list, (routes->n + 1) * sizeof(*more));
	if (!more)
		return NULL;
	routes->list = more;
	routes->list[routes->n] = (struct vgic_routed){ 0 };
	return &routes->list[routes->n++];
}

static void disconnect(struct vgic_routes *routes, struct vgic_routed *it)
{
	/* The kernel returns when what was signalled is delivered. */
	if (it->route->connected)
		kvm_irqfd(routes->kvm, it->route->fd, it->route->gsi, false);
	it->route->connected = false;
	it->route = NULL;
}

static int connect(struct vgic_routes *routes, struct vgic_routed *it)
{
	uint32_t gsi =
		it->spi >= 0 ? (uint32_t)it->spi : routes->nspis + (uint32_t)(it - routes->list);
	bool other = it->route->connected && it->route->gsi != gsi;
	int err = 0;

	if (other) {
		kvm_irqfd(routes->kvm, it->route->fd, it->route->gsi, false);
		it->route->connected = false;
	}
	it->route->gsi = gsi;
	if (it->spi < 0)
		err = send_table(routes);
	if (!err && !it->route->connected)
		err = kvm_irqfd(routes->kvm, it->route->fd, gsi, true);
	if (!err)
		it->route->connected = true;
	return err;
}

int vgic_routes_set(struct vgic_routes *routes, struct msi_route *route, const struct msi *msi,
		    int spi)
{
	struct vgic_routed *it;
	int err = -ENXIO;

	pthread_mutex_lock(&routes->lock);
	it = routes->kvm ? place(routes, route) : NULL;
	if (it) {
		*it = (struct vgic_routed){ route, *msi, spi };
		err = connect(routes, it);
		if (err)
			disconnect(routes, it);
	}
	pthread_mutex_unlock(&routes->lock);
	return err;
}

void vgic_routes_drop(struct vgic_routes *routes, struct msi_route *route)
{
	pthread_mutex_lock(&routes->lock);
	for (unsigned int i = 0; i < routes->n; i++)
		if (routes->list[i].route == route)
			disconnect(routes, &routes->list[i]);
	pthread_mutex_unlock(&routes->lock);
}

void vgic_routes_detach(struct vgic_routes *routes)
{
	pthread_mutex_lock(&routes->lock);
	for (unsigned int i = 0; i < routes->n; i++)
		if (routes->list[i].route)
			disconnect(routes, &routes->list[i]);
	routes->kvm = NULL;
	pthread_mutex_unlock(&routes->lock);
}

int vgic_routes_flush(struct vgic_routes *routes)
{
	int err = 0;

	pthread_mutex_lock(&routes->lock);
	for (unsigned int i = 0; !err && i < routes->n; i++) {
		const struct msi_route *route = routes->list[i].route;

		if (!route)
			continue;
		err = kvm_irqfd(routes->kvm, route->fd, route->gsi, false);
		if (!err)
			err = kvm_irqfd(routes->kvm, route->fd, route->gsi, true);
	}
	pthread_mutex_unlock(&routes->lock);
	return err;
}
