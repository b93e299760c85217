/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FAKE_VRING_H
#define TESTS_FAKE_VRING_H

#include "tests/fake/driver.h"
#include "virtio/vring.h"

/* Both sides of one ring over one region of RAM, without a device. */

enum {
	BOX_BASE = 0x40000000,
	BOX_SIZE = 1 << 20,
	BOX_TABLE = BOX_BASE + 0x10000, /* for indirect tables */
	BOX_DATA = BOX_BASE + 0x20000, /* for buffers */
	BOX_END = BOX_BASE + BOX_SIZE,
	BOX_MAX = 256, /* the largest ring */
	BOX_CHAINS = 16,
	BOX_IOV = 4,
};

#define BOX_INDIRECT (1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define BOX_EVENT    (1ULL << VIRTIO_RING_F_EVENT_IDX)
#define BOX_PACKED   (1ULL << VIRTIO_F_RING_PACKED)
#define BOX_IN_ORDER (1ULL << VIRTIO_F_IN_ORDER)

struct box {
	uint8_t *ram;
	struct guest_mem mem;
	struct fake_ring ring;
	struct virtq vq;
	struct virtq_chain chains[BOX_CHAINS];
	struct iovec iov[BOX_CHAINS][BOX_IOV];
};

void box_init(struct box *box);
void box_fini(struct box *box);
/* A new ring of `num` entries, opened with `features`. */
void box_open(struct box *box, unsigned int num, uint64_t features);

void *box_ptr(struct box *box, gpa_t gpa);
/* The driver adds one buffer. */
uint16_t box_add(struct box *box, gpa_t addr, uint32_t len, bool in);

#endif
