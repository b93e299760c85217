/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_NET_STREAM_H
#define VIRTIO_NET_STREAM_H

#include <stdint.h>

#include "virtio/net_backend.h"

/*
 * A network behind a stream socket: Ethernet frames, each after its length in 32 bits, big endian,
 * as passt and QEMU's stream networks speak it. The peer is not trusted: a length that no frame
 * has ends the connection.
 */
enum { NET_STREAM_BUF = 256 * 1024 };

struct net_stream {
	struct net_backend be;
	void (*end)(struct net_stream *s); /* called before the memory is freed, or NULL */
	bool dead;
	size_t in_at, in_end; /* received, not delivered yet */
	size_t out_at, out_end; /* taken from the guest, not sent yet */
	uint8_t in[NET_STREAM_BUF], out[NET_STREAM_BUF];
};

/* Makes a zeroed object, the first member of one calloc'ed block, speak over `fd`; both become the
 * backend's, which frees them when it is destroyed. */
void net_stream_init(struct net_stream *s, int fd, struct device *dev);

#endif
