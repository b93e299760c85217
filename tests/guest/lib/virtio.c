// SPDX-License-Identifier: GPL-2.0-only
#include "tests/guest/lib/virtio.h"

enum { MAGIC = 0x74726976, WAIT_MS = 10000 };

bool virtio_find(struct virtio *dev, unsigned int id, unsigned int nth)
{
	for (unsigned int slot = 0; slot < VIRTIO_SLOTS; slot++) {
		u64 base = VIRTIO + slot * VIRTIO_STRIDE;

		if (r32(base + MMIO_MAGIC) != MAGIC || r32(base + MMIO_DEVICE_ID) != id || nth--)
			continue;
		*dev = (struct virtio){ .base = base, .slot = slot, .id = id };
		return true;
	}
	return false;
}

u32 virtio_status(const struct virtio *dev)
{
	return r32(dev->base + MMIO_STATUS);
}

static void add_status(const struct virtio *dev, u32 bits)
{
	w32(dev->base + MMIO_STATUS, virtio_status(dev) | bits);
}

bool virtio_reset(const struct virtio *dev)
{
	w32(dev->base + MMIO_STATUS, 0);
	return wait_for(virtio_status(dev) == 0, WAIT_MS);
}

bool virtio_start(struct virtio *dev, u64 wanted)
{
	if (!virtio_reset(dev))
		return false;
	add_status(dev, ACKNOWLEDGE);
	add_status(dev, DRIVER);
	dev->offered = 0;
	for (unsigned int i = 0; i < 2; i++) {
		w32(dev->base + MMIO_FEATURES_SEL, i);
		dev->offered |= (u64)r32(dev->base + MMIO_FEATURES) << 32 * i;
	}
	dev->features = dev->offered & wanted;
	for (unsigned int i = 0; i < 2; i++) {
		w32(dev->base + MMIO_DRIVER_FEATURES_SEL, i);
		w32(dev->base + MMIO_DRIVER_FEATURES, dev->features >> 32 * i);
	}
	add_status(dev, FEATURES_OK);
	return virtio_status(dev) & FEATURES_OK;
}

void virtio_set_address(const struct virtio *dev, unsigned int reg, u64 addr)
{
	w32(dev->base + reg, addr);
	w32(dev->base + reg + 4, addr >> 32);
}

void virtio_queue(const struct virtio *dev, struct queue *q, unsigned int index)
{
	memset(q, 0, sizeof(*q));
	q->index = index;
	w32(dev->base + MMIO_QUEUE_SEL, index);
	w32(dev->base + MMIO_QUEUE_NUM, QUEUE_SIZE);
	virtio_set_address(dev, MMIO_QUEUE_DESC, (u64)q->desc);
	virtio_set_address(dev, MMIO_QUEUE_AVAIL, (u64)&q->avail);
	virtio_set_address(dev, MMIO_QUEUE_USED, (u64)&q->used);
	w32(dev->base + MMIO_QUEUE_READY, 1);
}

void virtio_driver_ok(const struct virtio *dev)
{
	add_status(dev, DRIVER_OK);
}

void virtio_notify(const struct virtio *dev, const struct queue *q)
{
	barrier();
	w32(dev->base + MMIO_QUEUE_NOTIFY, q->index);
}

void queue_offer(struct queue *q, u16 head)
{
	q->avail.ring[q->avail.idx % QUEUE_SIZE] = head;
	barrier();
	q->avail.idx++;
}

long queue_wait(struct queue *q)
{
	if (!wait_for(q->used.idx != q->seen, WAIT_MS))
		return -1;
	barrier();
	return q->used.ring[q->seen++ % QUEUE_SIZE].len;
}

long virtio_request(const struct virtio *dev, struct queue *q, const struct buffer *buffers,
		    unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		q->desc[i] = (struct desc){
			.addr = (u64)buffers[i].data,
			.len = buffers[i].len,
			.flags = (buffers[i].write ? F_WRITE : 0) | (i + 1 < n ? F_NEXT : 0),
			.next = i + 1,
		};
	queue_offer(q, 0);
	virtio_notify(dev, q);
	return queue_wait(q);
}
