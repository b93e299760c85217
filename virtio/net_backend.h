/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_NET_BACKEND_H
#define VIRTIO_NET_BACKEND_H

#include <linux/if_tun.h>
#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "vmm/core/device.h"

struct net_config;

/*
 * The host side of a network card: takes and gives one packet a call, each behind a 12-byte struct
 * virtio_net_hdr_v1, and never waits. A backend has one or more queue pairs, each with a
 * descriptor to watch. The device's lock is held in every call.
 */
enum {
	NET_PAIRS_MAX = 8,
	NET_HDR = 12, /* sizeof(struct virtio_net_hdr_v1) */
	/* The largest packet: a GSO packet of 64 KiB, Ethernet header with a VLAN tag (5.1.6.3.1
	 * says 65550 without the tag). */
	NET_FRAME_MAX = 65536 + 18,
};

struct net_backend;

struct net_backend_ops {
	/* Reads one packet: its length with the header (what does not fit is cut off), -EAGAIN, or
	 * another -errno after which nothing comes from this pair. The header's num_buffers is
	 * the caller's to fill. */
	ssize_t (*recv)(struct net_backend *be, unsigned int pair, const struct iovec *iov, int n);
	/* Sends one: 0, also for one that was lost; -EAGAIN until the descriptor is writable. */
	int (*send)(struct net_backend *be, unsigned int pair, const struct iovec *iov, int n);
	/* The end of a batch of send(), and the descriptor became writable; may be NULL. */
	void (*flush)(struct net_backend *be);
	/* Which TUN_F_* the guest takes: 0 or -errno. */
	int (*offload)(struct net_backend *be, unsigned int tun_f);
	/* The first `pairs` pairs are in use: 0 or -errno. */
	int (*enable)(struct net_backend *be, unsigned int pairs);
	/* Which addresses the guest wants, a struct tun_filter; NULL where nothing is filtered. */
	int (*filter)(struct net_backend *be, const struct tun_filter *filter);
	/* Takes what only one machine can have, whereupon the descriptors are others, or gives it
	 * back, whereupon they are -1; what is so already stays. NULL: nothing. */
	int (*hold)(struct net_backend *be, bool on, struct fail *fail);
	void (*destroy)(struct net_backend *be);
};

struct net_backend {
	const struct net_backend_ops *ops;
	unsigned int pairs;
	int fd[NET_PAIRS_MAX]; /* for the owner to watch, edge-triggered both ways; -1: not held */
	bool headers; /* offloads may be possible: the peer reads and writes the header */
	bool in_kernel; /* vhost-net can take the descriptors over */
	/* Set by the owner: the peer is gone for good. Called at most once. */
	void (*lost)(struct device *dev, const char *why);
	struct device *dev; /* the card */
};

/* How each is opened: 0 with *out, which the caller destroys, or -errno with a sentence. `mac` is
 * the card's address. */
int tap_open(const struct net_config *cfg, struct device *dev, struct net_backend **out,
	     struct fail *fail);
int passt_open(const struct net_config *cfg, const uint8_t *mac, struct device *dev,
	       struct net_backend **out, struct fail *fail);

#endif
