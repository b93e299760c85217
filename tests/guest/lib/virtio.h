/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GUEST_VIRTIO_H
#define GUEST_VIRTIO_H

#include "tests/guest/lib/lib.h"

/* A driver over virtio-mmio with split rings (VIRTIO 1.2, 4.2 and 2.7), polled, and open enough
 * for a guest that means harm. */
enum {
	MMIO_MAGIC = 0x000,
	MMIO_VERSION = 0x004,
	MMIO_DEVICE_ID = 0x008,
	MMIO_FEATURES = 0x010,
	MMIO_FEATURES_SEL = 0x014,
	MMIO_DRIVER_FEATURES = 0x020,
	MMIO_DRIVER_FEATURES_SEL = 0x024,
	MMIO_QUEUE_SEL = 0x030,
	MMIO_QUEUE_NUM_MAX = 0x034,
	MMIO_QUEUE_NUM = 0x038,
	MMIO_QUEUE_READY = 0x044,
	MMIO_QUEUE_NOTIFY = 0x050,
	MMIO_INTERRUPT_STATUS = 0x060,
	MMIO_INTERRUPT_ACK = 0x064,
	MMIO_STATUS = 0x070,
	MMIO_QUEUE_DESC = 0x080,
	MMIO_QUEUE_AVAIL = 0x090,
	MMIO_QUEUE_USED = 0x0a0,
	MMIO_CONFIG = 0x100,
};
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 0x40 };
enum { ID_NET = 1, ID_BLK = 2, ID_CONSOLE = 3, ID_RNG = 4 };
#define F_INDIRECT  (1UL << 28)
#define F_EVENT_IDX (1UL << 29)
#define F_VERSION_1 (1UL << 32)

enum { QUEUE_SIZE = 8, F_NEXT = 1, F_WRITE = 2, F_TABLE = 4 };

struct desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

struct queue {
	struct desc desc[QUEUE_SIZE] __attribute__((aligned(16)));
	volatile struct {
		u16 flags, idx, ring[QUEUE_SIZE], used_event;
	} avail;
	volatile struct {
		u16 flags, idx;
		struct {
			u32 id, len;
		} ring[QUEUE_SIZE];
		u16 avail_event;
	} used __attribute__((aligned(4)));
	u16 seen; /* used entries taken */
	unsigned int index;
};

struct virtio {
	u64 base;
	unsigned int slot, id;
	u64 offered, features;
};

struct buffer {
	const void *data;
	u32 len;
	bool write; /* by the device */
};

/* The nth device of an id; false if there is none. */
bool virtio_find(struct virtio *dev, unsigned int id, unsigned int nth);
u32 virtio_status(const struct virtio *dev);
bool virtio_reset(const struct virtio *dev);
/* Reset and negotiation of what is `wanted` and offered, up to FEATURES_OK. */
bool virtio_start(struct virtio *dev, u64 wanted);
void virtio_queue(const struct virtio *dev, struct queue *q, unsigned int index);
void virtio_driver_ok(const struct virtio *dev);
void virtio_notify(const struct virtio *dev, const struct queue *q);
void virtio_set_address(const struct virtio *dev, unsigned int reg, u64 addr);

/* Makes the chain at `head` available, without a notification. */
void queue_offer(struct queue *q, u16 head);
/* The next used entry within a few seconds: its length, or -1. */
long queue_wait(struct queue *q);
/* One request from descriptor 0 on: the length written, or -1. */
long virtio_request(const struct virtio *dev, struct queue *q, const struct buffer *buffers,
		    unsigned int n);

#endif
