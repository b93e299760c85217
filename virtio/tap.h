/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_TAP_H
#define VIRTIO_TAP_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/fail.h"

/*
 * The host side of a network card: a non-blocking descriptor that takes and gives one packet a
 * call, each behind a 12-byte struct virtio_net_hdr_v1. A tap, or a packet socket (SOCK_DGRAM,
 * SOCK_SEQPACKET) with the same framing.
 */
struct tap {
	int fd; /* -1: closed */
	bool is_socket; /* the peer's abilities are unknown: nothing is offloaded */
	bool owned; /* closed by tap_close() */
};

/* Attaches to the tap `name`, which must exist; NULL makes one, "vmtap0" or the next free number,
 * that is up and goes away with the descriptor. 0, or -errno with a sentence. */
int tap_open(struct tap *tap, const char *name, struct fail *fail);
/* Uses a descriptor that the parent opened; it stays the caller's. 0, or -errno with a sentence. */
int tap_open_fd(struct tap *tap, int fd, struct fail *fail);
void tap_close(struct tap *tap); /* accepts a zeroed or closed one */

/* Which of the features CSUM, TSO4, TSO6, ECN (as TUN_F_* bits) the other side may send to us: 0 or
 * -errno. Sockets take only 0. */
int tap_offload(struct tap *tap, unsigned int tun_f);

#endif
