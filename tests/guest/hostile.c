// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drivers that break the rules of a split ring, on the rng and every blk device. Each time the
 * device must ask for a reset (2.1.2: DEVICE_NEEDS_RESET and a configuration interrupt), and work
 * again after it.
 */
#include "tests/guest/lib/virtio.h"

static struct queue queue;
static struct desc table[QUEUE_SIZE + 1] __attribute__((aligned(16)));
static u8 data[512];

/* A good descriptor that the device writes to, and the chain made available. */
static void one(u64 addr, u32 len, u16 flags, u16 next)
{
	queue.desc[0] = (struct desc){ addr, len, flags, next };
	queue_offer(&queue, 0);
}

static void loop_of_one(void)
{
	one((u64)data, 1, F_WRITE | F_NEXT, 0);
}

static void loop_of_all(void)
{
	for (unsigned int i = 0; i < QUEUE_SIZE; i++)
		queue.desc[i] =
			(struct desc){ (u64)data, 1, F_WRITE | F_NEXT, (i + 1) % QUEUE_SIZE };
	queue_offer(&queue, 0);
}

static void next_outside(void)
{
	one((u64)data, 1, F_WRITE | F_NEXT, QUEUE_SIZE);
}

static void head_outside(void)
{
	queue_offer(&queue, 0xffff);
}

static void index_jump(void)
{
	queue.avail.idx += QUEUE_SIZE + 1;
}

static void index_back(void)
{
	queue.avail.idx--;
}

static void buffer_in_device(void)
{
	one(UART, 16, F_WRITE, 0);
}

static void buffer_in_own_registers(void)
{
	one(VIRTIO, 16, F_WRITE, 0);
}

static void buffer_nowhere(void)
{
	one(0x20000000, 16, F_WRITE, 0);
}

static void buffer_wraps(void)
{
	one(~0UL - 7, 64, F_WRITE, 0);
}

static void buffer_over_the_end(void)
{
	one(RAM + machine.ram_size - 8, 16, F_WRITE, 0);
}

static void buffer_before_ram(void)
{
	one(RAM - 8, 16, F_WRITE, 0);
}

static void buffer_of_4g(void)
{
	one((u64)data, ~0U, F_WRITE, 0);
}

static void writable_first(void)
{
	queue.desc[1] = (struct desc){ (u64)data, 16, 0, 0 };
	one((u64)data, 16, F_WRITE | F_NEXT, 1);
}

static void nothing_to_write(void)
{
	one((u64)data, 16, 0, 0);
}

static void fill_table(void)
{
	for (unsigned int i = 0; i <= QUEUE_SIZE; i++)
		table[i] = (struct desc){ (u64)data, 1, F_WRITE | F_NEXT, i + 1 };
	table[QUEUE_SIZE].flags = F_WRITE;
}

static void table_not_negotiated(void)
{
	fill_table();
	table[0].flags = F_WRITE;
	one((u64)table, 16, F_TABLE, 0);
}

static void table_of_odd_size(void)
{
	fill_table();
	one((u64)table, 24, F_TABLE, 0);
}

static void table_empty(void)
{
	one((u64)table, 0, F_TABLE, 0);
}

static void table_in_table(void)
{
	fill_table();
	table[0] = (struct desc){ (u64)table, 16, F_TABLE, 0 };
	one((u64)table, 16, F_TABLE, 0);
}

static void table_and_next(void)
{
	fill_table();
	table[0].flags = F_WRITE;
	one((u64)table, 16, F_TABLE | F_NEXT, 1);
}

static void table_loop(void)
{
	fill_table();
	table[1].next = 0;
	one((u64)table, 32, F_TABLE, 0);
}

static void table_next_outside(void)
{
	fill_table();
	table[0].next = 0xffff;
	one((u64)table, 32, F_TABLE, 0);
}

static void table_in_device(void)
{
	one(UART, 16, F_TABLE, 0);
}

static void table_nowhere(void)
{
	one(RAM + machine.ram_size - 16, 32, F_TABLE, 0);
}

#define PLAIN	 F_VERSION_1
#define INDIRECT (F_VERSION_1 | F_INDIRECT)
#define EVENTS	 (F_VERSION_1 | F_EVENT_IDX)

static const struct attack {
	const char *name;
	u64 features;
	void (*run)(void);
} attacks[] = {
	{ "chain loops", PLAIN, loop_of_one },
	{ "chain of all loops", PLAIN, loop_of_all },
	{ "chain loops, event index", EVENTS, loop_of_all },
	{ "next outside", PLAIN, next_outside },
	{ "head outside", PLAIN, head_outside },
	{ "index jumps", PLAIN, index_jump },
	{ "index goes back", PLAIN, index_back },
	{ "index jumps, event index", EVENTS, index_jump },
	{ "buffer in a device", PLAIN, buffer_in_device },
	{ "buffer in own registers", PLAIN, buffer_in_own_registers },
	{ "buffer nowhere", PLAIN, buffer_nowhere },
	{ "buffer wraps", PLAIN, buffer_wraps },
	{ "buffer over the end of ram", PLAIN, buffer_over_the_end },
	{ "buffer from before ram", PLAIN, buffer_before_ram },
	{ "buffer of 4 GiB", PLAIN, buffer_of_4g },
	{ "writable before readable", PLAIN, writable_first },
	{ "nothing to write", PLAIN, nothing_to_write },
	{ "table not negotiated", PLAIN, table_not_negotiated },
	{ "table of odd size", INDIRECT, table_of_odd_size },
	{ "table empty", INDIRECT, table_empty },
	{ "table in table", INDIRECT, table_in_table },
	{ "table and next", INDIRECT, table_and_next },
	{ "table loops", INDIRECT, table_loop },
	{ "table next outside", INDIRECT, table_next_outside },
	{ "table in a device", INDIRECT, table_in_device },
	{ "table over the end of ram", INDIRECT, table_nowhere },
};

static bool needs_reset(const struct virtio *dev)
{
	return wait_for(virtio_status(dev) & NEEDS_RESET, 10000);
}

/* The device answers a good request: rng gives bytes; blk, asked for its id, writes 21. */
static bool works(struct virtio *dev)
{
	static u32 get_id[4] = { 8 };
	const struct buffer chain[] = { { get_id, 16, false }, { data, 21, true } };
	bool blk = dev->id == ID_BLK;

	if (!virtio_start(dev, F_VERSION_1))
		return false;
	virtio_queue(dev, &queue, 0);
	virtio_driver_ok(dev);
	return virtio_request(dev, &queue, blk ? chain : chain + 1, blk ? 2 : 1) > 0;
}

static void attack(struct virtio *dev, const struct attack *a)
{
	if (!virtio_start(dev, a->features) || dev->features != a->features) {
		print("FAIL %u %s: features %lx refused\n", dev->id, a->name, a->features);
		return;
	}
	virtio_queue(dev, &queue, 0);
	virtio_driver_ok(dev);
	a->run();
	virtio_notify(dev, &queue);
	if (!needs_reset(dev))
		print("FAIL %u %s: status %x, used %u\n", dev->id, a->name, virtio_status(dev),
		      queue.used.idx);
	else if (!(r32(dev->base + MMIO_INTERRUPT_STATUS) & 2))
		print("FAIL %u %s: no configuration interrupt\n", dev->id, a->name);
	else if (!works(dev))
		print("FAIL %u %s: does not work after a reset\n", dev->id, a->name);
	else
		print("ok %u %s\n", dev->id, a->name);
}

/* Rings that are not RAM; the device may refuse at QueueReady or at DRIVER_OK. */
static void bad_ring(struct virtio *dev, const char *name, unsigned int reg, u64 addr)
{
	virtio_start(dev, F_VERSION_1);
	virtio_queue(dev, &queue, 0);
	w32(dev->base + MMIO_QUEUE_READY, 0);
	/* Closing a queue may forget its layout: say all of it again. */
	w32(dev->base + MMIO_QUEUE_NUM, QUEUE_SIZE);
	virtio_set_address(dev, MMIO_QUEUE_DESC, (u64)queue.desc);
	virtio_set_address(dev, MMIO_QUEUE_AVAIL, (u64)&queue.avail);
	virtio_set_address(dev, MMIO_QUEUE_USED, (u64)&queue.used);
	virtio_set_address(dev, reg, addr);
	w32(dev->base + MMIO_QUEUE_READY, 1);
	virtio_driver_ok(dev);
	one((u64)data, 16, F_WRITE, 0);
	virtio_notify(dev, &queue);
	wait_for(virtio_status(dev) & NEEDS_RESET, 50);
	/* Whether it asked for a reset or ignored the queue, it must not have used it. */
	if (queue.used.idx)
		print("FAIL %u %s: used\n", dev->id, name);
	else if (!works(dev))
		print("FAIL %u %s: does not work after a reset\n", dev->id, name);
	else
		print("ok %u %s\n", dev->id, name);
}

static void attack_rings(struct virtio *dev)
{
	bad_ring(dev, "descriptors in a device", MMIO_QUEUE_DESC, UART);
	bad_ring(dev, "descriptors nowhere", MMIO_QUEUE_DESC, 0x20000000);
	bad_ring(dev, "descriptors unaligned", MMIO_QUEUE_DESC, (u64)queue.desc + 8);
	bad_ring(dev, "available ring in a device", MMIO_QUEUE_AVAIL, RTC);
	bad_ring(dev, "available ring wraps", MMIO_QUEUE_AVAIL, ~0UL - 1);
	bad_ring(dev, "used ring over the end of ram", MMIO_QUEUE_USED, RAM + machine.ram_size - 8);
	bad_ring(dev, "used ring in a device", MMIO_QUEUE_USED, VIRTIO);
}

static void attack_all(struct virtio *dev)
{
	for (unsigned int i = 0; i < sizeof(attacks) / sizeof(*attacks); i++)
		attack(dev, &attacks[i]);
	attack_rings(dev);
}

void guest(void)
{
	struct virtio dev;

	if (virtio_find(&dev, ID_RNG, 0))
		attack_all(&dev);
	for (unsigned int i = 0; virtio_find(&dev, ID_BLK, i); i++)
		attack_all(&dev);
}
