/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_NET_H
#define VIRTIO_NET_H

#include "virtio/virtio.h"

/* A network card (VIRTIO 1.2, section 5.1) over a tap, or over passt. */
enum net_mode { NET_NONE, NET_TAP, NET_USER };

enum { NET_FORWARDS_MAX = 16 };

/* A port of the host that leads to one of the guest. */
struct net_forward {
	const char *addr; /* the host's address, numeric; NULL for all */
	uint16_t host, guest;
	bool udp;
};

struct net_config {
	const struct virtio_transport *transport; /* &virtio_mmio */
	enum net_mode mode;
	const char *tapif; /* an existing tap; NULL makes one */
	int fd; /* an open tap or packet socket, borrowed, instead; or -1 */
	bool has_mac; /* otherwise a random, locally administered one */
	uint8_t mac[6];
	bool own_mac; /* stays the card's when a saved one is loaded; shows when its driver resets it */
	unsigned int queues; /* pairs of them */
	bool vhost; /* the kernel serves the rings */
	unsigned int mtu; /* what the guest is told, 68 to 65535; 0: nothing */
	struct net_forward fwd[NET_FORWARDS_MAX];
	unsigned int nfwd;
};

/* Reads "mode=tap[,tapif=NAME|,fd=N][,queues=N][,vhost=on]", "mode=user[,fwd=[ADDR:]HOST:GUEST[/udp]]..." (both with
 * [,mac=MAC][,mtu=N]) or "mode=none" as --network takes it (guest_mac= is mac=). Fills all but
 * `transport`; strings point into `arg`, which is written to. 0, or -EINVAL with `fail` set. */
int net_parse(struct net_config *cfg, char *arg, struct fail *fail);

/* "tap", as --network spells it. */
const char *net_mode_word(enum net_mode mode);

/* Opens the backend; cfg->mode is not NET_NONE. The machine owns *out and calls only its
 * device_ops. 0 or -errno with `fail` set. */
int net_create(const struct device_env *env, const struct net_config *cfg, struct device **out,
	       struct fail *fail);

#endif
