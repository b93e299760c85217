// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtio devices as a polite driver uses them: identity, negotiation, rng, blk, interrupts.
 * Whichever of the devices exists is tested; the test's table says which must.
 */
#include "tests/guest/lib/virtio.h"

enum { BLK_IN = 0, BLK_OUT = 1, BLK_FLUSH = 4, BLK_GET_ID = 8, SECTOR = 512 };
enum { BLK_S_OK = 0, BLK_S_IOERR = 1, BLK_S_UNSUPP = 2, BLK_F_RO = 5, BLK_F_FLUSH = 9 };

static struct queue queue;
static u8 data[4 * SECTOR], copy[4 * SECTOR];
static volatile unsigned int irqs, irq_intid;
static volatile u32 irq_status;

static void on_irq(unsigned int intid)
{
	u64 base = VIRTIO + (intid - INTID_VIRTIO) * VIRTIO_STRIDE;

	irq_intid = intid;
	irq_status = r32(base + MMIO_INTERRUPT_STATUS);
	w32(base + MMIO_INTERRUPT_ACK, irq_status);
	irqs++;
}

static void check_slots(void)
{
	unsigned int present = 0, wrong = 0;

	for (unsigned int slot = 0; slot < VIRTIO_SLOTS; slot++) {
		u64 base = VIRTIO + slot * VIRTIO_STRIDE;
		u32 magic = r32(base + MMIO_MAGIC), id = r32(base + MMIO_DEVICE_ID);

		if (!magic || !id)
			continue;
		present++;
		wrong += magic != 0x74726976 || r32(base + MMIO_VERSION) != 2;
		print("virtio: slot %u id %u\n", slot, id);
	}
	check(!wrong, "slots", "%u of %u are no virtio-mmio version 2", wrong, present);
}

static void check_negotiation(struct virtio *dev)
{
	bool started = virtio_start(dev, F_VERSION_1);

	check(started && dev->features == F_VERSION_1, "negotiation", "offered %lx, status %x",
	      dev->offered, virtio_status(dev));
	started = virtio_start(dev, 0);
	check(!started, "negotiation without version 1", "accepted");
	/* A feature that is not offered: 50 is nobody's. */
	virtio_reset(dev);
	w32(dev->base + MMIO_STATUS, ACKNOWLEDGE | DRIVER);
	w32(dev->base + MMIO_DRIVER_FEATURES_SEL, 1);
	w32(dev->base + MMIO_DRIVER_FEATURES, 1 | 1 << (50 - 32));
	w32(dev->base + MMIO_STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
	check(!(virtio_status(dev) & FEATURES_OK), "negotiation of what is not offered",
	      "accepted");
}

static bool all_zero(const u8 *p, unsigned int n)
{
	while (n--)
		if (*p++)
			return false;
	return true;
}

/* 64 requests: the ring's index passes its size many times. */
static void test_rng(struct virtio *dev)
{
	const struct buffer want = { data, 64, true };
	unsigned int good = 0;

	check_negotiation(dev);
	virtio_start(dev, F_VERSION_1);
	virtio_queue(dev, &queue, 0);
	virtio_driver_ok(dev);
	for (unsigned int i = 0; i < 64; i++) {
		long len;

		memset(data, 0, 64);
		len = virtio_request(dev, &queue, &want, 1);
		good += len > 0 && len <= 64 && !all_zero(data, len);
	}
	check(good == 64, "rng", "%u of 64 requests gave bytes", good);
}

/* The one test by interrupts: one for the request, none without one. */
static void test_interrupt(struct virtio *dev)
{
	const struct buffer want = { data, 16, true };

	virtio_start(dev, F_VERSION_1);
	virtio_queue(dev, &queue, 0);
	virtio_driver_ok(dev);
	irq_handler = on_irq;
	gic_init(0);
	gic_enable(0, INTID_VIRTIO + dev->slot, true);
	irq_enable();
	/* The requests before have left an edge, latched. */
	wait_for(irqs, 20);
	irqs = 0;
	virtio_request(dev, &queue, &want, 1);
	check(wait_for(irqs, 5000), "interrupt", "none");
	check(irqs == 1 && irq_intid == INTID_VIRTIO + dev->slot && irq_status == 1,
	      "interrupt status", "%u interrupts, %u, status %x", irqs, irq_intid, irq_status);
	check(!r32(dev->base + MMIO_INTERRUPT_STATUS), "interrupt acknowledged", "status %x",
	      r32(dev->base + MMIO_INTERRUPT_STATUS));
	queue.avail.flags = 1; /* NO_INTERRUPT */
	virtio_request(dev, &queue, &want, 1);
	wait_for(false, 20);
	check(irqs == 1, "interrupt suppressed", "%u came", irqs - 1);
	irq_disable();
}

/* The status byte, or 255 when nothing came back. The header is cut in two on purpose. */
static unsigned int blk(struct virtio *dev, u32 type, u64 sector, void *buf, u32 len)
{
	static struct {
		u32 type, reserved;
		u64 sector;
	} header;
	static u8 status;
	struct buffer chain[4] = { { &header, 7, false }, { (u8 *)&header + 7, 9, false } };
	unsigned int n = 2;

	header.type = type;
	header.sector = sector;
	status = 255;
	if (len)
		chain[n++] = (struct buffer){ buf, len, type != BLK_OUT };
	chain[n++] = (struct buffer){ &status, 1, true };
	virtio_request(dev, &queue, chain, n);
	return *(volatile u8 *)&status;
}

static void test_blk_io(struct virtio *dev, u64 sectors)
{
	unsigned int s;

	for (unsigned int i = 0; i < sizeof(data); i++)
		data[i] = i * 7 + i / 256;
	s = blk(dev, BLK_OUT, sectors - 4, data, sizeof(data));
	check(s == BLK_S_OK, "blk write", "status %u", s);
	s = blk(dev, BLK_FLUSH, 0, NULL, 0);
	check(s == BLK_S_OK, "blk flush", "status %u", s);
	s = blk(dev, BLK_IN, sectors - 4, copy, sizeof(copy));
	check(s == BLK_S_OK && !memcmp(data, copy, sizeof(data)), "blk read back",
	      "status %u, or the bytes differ", s);
	s = blk(dev, BLK_OUT, sectors - 3, data, sizeof(data));
	check(s == BLK_S_IOERR, "blk write over the end", "status %u", s);
}

static void test_blk(struct virtio *dev)
{
	bool ro;
	u64 sectors;
	unsigned int s;

	virtio_start(dev, F_VERSION_1 | 1 << BLK_F_RO | 1 << BLK_F_FLUSH);
	ro = dev->offered >> BLK_F_RO & 1;
	sectors = r32(dev->base + MMIO_CONFIG) | (u64)r32(dev->base + MMIO_CONFIG + 4) << 32;
	virtio_queue(dev, &queue, 0);
	virtio_driver_ok(dev);
	print("virtio: blk of %lu sectors%s\n", sectors, ro ? ", read-only" : "");
	memset(copy, 0, 32);
	s = blk(dev, BLK_GET_ID, 0, copy, 20);
	check(s == BLK_S_OK, "blk id", "status %u", s);
	print("virtio: blk id '%s'\n", (const char *)copy);
	s = blk(dev, BLK_IN, 0, copy, SECTOR);
	check(s == BLK_S_OK, "blk read", "status %u", s);
	s = blk(dev, BLK_IN, sectors, copy, SECTOR);
	check(s == BLK_S_IOERR, "blk read beyond the end", "status %u", s);
	s = blk(dev, BLK_IN, ~0UL - 1, copy, 4 * SECTOR);
	check(s == BLK_S_IOERR, "blk sector that wraps", "status %u", s);
	s = blk(dev, 12345, 0, copy, SECTOR);
	check(s == BLK_S_UNSUPP, "blk unknown request", "status %u", s);
	if (!ro) {
		test_blk_io(dev, sectors);
		return;
	}
	s = blk(dev, BLK_OUT, 0, data, SECTOR);
	check(s == BLK_S_IOERR, "blk write to a read-only disk", "status %u", s);
}

void guest(void)
{
	struct virtio dev;

	check_slots();
	if (virtio_find(&dev, ID_RNG, 0)) {
		test_rng(&dev);
		test_interrupt(&dev);
	}
	for (unsigned int i = 0; virtio_find(&dev, ID_BLK, i); i++)
		test_blk(&dev);
}
