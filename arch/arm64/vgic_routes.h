/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_VGIC_ROUTES_H
#define ARCH_ARM64_VGIC_ROUTES_H

#include <pthread.h>

#include "vmm/core/irq.h"
#include "vmm/kvm.h"

/*
 * Messages that senders in the kernel send by eventfds (KVM_IRQFD), a GSI each: one behind the SPIs
 * with a route to the ITS, or the SPI itself, where a frame makes SPIs of messages. The kernel takes
 * its table of routes only as a whole, SPIs included.
 */
struct vgic_routes {
	pthread_mutex_t lock;
	const struct kvm *kvm; /* borrowed */
	uint32_t nspis;
	struct vgic_routed {
		struct msi_route *route; /* borrowed; NULL: free */
		struct msi msi;
		int spi; /* or -1: by the ITS */
	} * list;
	unsigned int n;
};

void vgic_routes_init(struct vgic_routes *routes, uint32_t nspis);
void vgic_routes_fini(struct vgic_routes *routes);

/* The VM is there (and initialised), or about to end: then no route is connected any more. */
void vgic_routes_attach(struct vgic_routes *routes, const struct kvm *kvm);
void vgic_routes_detach(struct vgic_routes *routes);

/* Connects route->fd with the message, or with the SPI if that is not -1, in place of what it was
 * connected with. 0 or -errno: it is not connected. */
int vgic_routes_set(struct vgic_routes *routes, struct msi_route *route, const struct msi *msi,
		    int spi);
/* What was signalled before is delivered. */
void vgic_routes_drop(struct vgic_routes *routes, struct msi_route *route);

/* Returns when what was signalled is delivered. 0 or -errno. */
int vgic_routes_flush(struct vgic_routes *routes);

#endif
