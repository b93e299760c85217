// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of a virtio device, loaded in every width at every offset, aligned or not, at each
 * point of a driver's life, twice: a trace that must be the same whether loads exit or not.
 * InterruptStatus has lines of its own, which lazy=1 expects to differ while the driver is up.
 */
#include "tests/guest/lib/virtio.h"

enum { GENERATION = 0x0fc, SHM_SEL = 0x0ac, QUEUE_RESET = 0x0c0 };

static struct queue queue;
static u8 data[512];
static bool lazy;

static u64 mix(u64 hash, u64 v)
{
	return (hash ^ v) * 0x100000001b3;
}

/* All loads but those with a byte of InterruptStatus. Unaligned ones need normal memory. */
static u64 load_all(u64 base, unsigned int size, bool aligned)
{
	u64 hash = 0xcbf29ce484222325;

	for (u64 off = 0; off + size <= VIRTIO_STRIDE; off++) {
		if (off + size > MMIO_INTERRUPT_STATUS && off < MMIO_INTERRUPT_STATUS + 4)
			continue;
		if ((off % size == 0) == aligned)
			hash = mix(hash, mmio_read(base + off + (aligned ? 0 : ALIAS), size));
	}
	return hash;
}

static void show(u64 base, const char *when)
{
	print("regs: %s:", when);
	for (unsigned int size = 1; size <= 8; size *= 2)
		print(" %lx", load_all(base, size, true));
	print("\n");
	for (u64 off = 0; off < VIRTIO_STRIDE; off += 4)
		if (off != MMIO_INTERRUPT_STATUS && r32(base + off))
			print("regs: %lx %x\n", off, r32(base + off));
	print("status: %s %x %x %x\n", when, r32(base + MMIO_INTERRUPT_STATUS),
	      (u32)mmio_read(base + MMIO_INTERRUPT_STATUS, 1),
	      (u32)mmio_read(base + MMIO_INTERRUPT_STATUS - 1 + ALIAS, 4) >> 8);
}

static void negotiate(struct virtio *dev)
{
	virtio_reset(dev);
	show(dev->base, "reset");
	w32(dev->base + MMIO_FEATURES_SEL, 1);
	show(dev->base, "features, high");
	w32(dev->base + MMIO_FEATURES_SEL, 2);
	w32(dev->base + MMIO_QUEUE_SEL, ~0U);
	w32(dev->base + SHM_SEL, 3);
	show(dev->base, "selectors out of range");
	virtio_start(dev, F_VERSION_1);
	show(dev->base, "features agreed");
	virtio_queue(dev, &queue, 0);
	show(dev->base, "queue ready");
	virtio_driver_ok(dev);
	show(dev->base, "running");
}

static void show_unaligned(u64 base)
{
	print("regs: unaligned:");
	for (unsigned int size = 2; size <= 8; size *= 2)
		print(" %lx", load_all(base, size, false));
	print("\n");
}

/* A request that any of the devices answers, if with an error. */
static void use(struct virtio *dev)
{
	struct buffer buffers[2] = { { data, 16, false }, { data + 16, 1, true } };
	unsigned int first = dev->id == ID_RNG;
	u64 status = dev->base + MMIO_INTERRUPT_STATUS;
	long len = virtio_request(dev, &queue, buffers + first, 2 - first);

	check(len == 1, "request", "%ld", len);
	check(wait_for(r32(status) == 1, 5000), "interrupt status", "%x", r32(status));
	show(dev->base, "used");
	show_unaligned(dev->base);
	w32(dev->base + MMIO_INTERRUPT_ACK, 1);
	show(dev->base, "acknowledged");
	check(r32(status) == lazy, "interrupt status after", "%x", r32(status));
}

/* Stores that change nothing, but for the bits that a driver may add. */
static void nonsense(struct virtio *dev)
{
	for (u64 off = 0; off < VIRTIO_STRIDE; off++)
		for (unsigned int size = 1; size <= 8 && off + size <= VIRTIO_STRIDE; size *= 2)
			if (size != 4 && off % size == 0)
				mmio_write(dev->base + off, size, 0x5555555555555555);
	for (u64 off = 0; off < GENERATION; off += 4)
		if (off != MMIO_STATUS && off != MMIO_QUEUE_READY && off != MMIO_QUEUE_NOTIFY &&
		    off != QUEUE_RESET)
			w32(dev->base + off, 0x0badcafe);
	show(dev->base, "after nonsense");
	w32(dev->base + MMIO_QUEUE_SEL, 0);
	w32(dev->base + MMIO_STATUS, 0xffffff);
	show(dev->base, "failed");
}

void guest(void)
{
	struct virtio dev = { .base = VIRTIO, .id = r32(VIRTIO + MMIO_DEVICE_ID) };

	lazy = arg_number("lazy", 0);
	print("regs: id %u\n", dev.id);
	for (unsigned int round = 0; dev.id && round < 2; round++) {
		negotiate(&dev);
		use(&dev);
		nonsense(&dev);
	}
	show(VIRTIO + (VIRTIO_SLOTS - 1) * VIRTIO_STRIDE, "empty slot");
}
