// SPDX-License-Identifier: GPL-2.0-only
#include "tests/fake/saved.h"
#include "tests/fuzz/fuzz.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACTIONS_MAX = 200, ROUNDS_MAX = 8, CHAIN_MAX = 6 };

/* --- input ------------------------------------------------------------------------------------- */

uint8_t fuzz_u8(struct fuzz *f)
{
	return f->at < f->end ? *f->at++ : 0;
}

uint16_t fuzz_u16(struct fuzz *f)
{
	uint16_t low = fuzz_u8(f);

	return low | fuzz_u8(f) << 8;
}

uint32_t fuzz_u32(struct fuzz *f)
{
	uint32_t low = fuzz_u16(f);

	return low | (uint32_t)fuzz_u16(f) << 16;
}

size_t fuzz_bytes(struct fuzz *f, void *buf, size_t max)
{
	size_t len = fuzz_u8(f);

	if (len > max)
		len = max;
	if (len > (size_t)(f->end - f->at))
		len = f->end - f->at;
	memcpy(buf, f->at, len);
	f->at += len;
	return len;
}

void fuzz_check(bool holds, const char *what, const char *file, int line)
{
	if (holds)
		return;
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

/* --- registers --------------------------------------------------------------------------------- */

static uint64_t any_register(struct fuzz *f)
{
	static const uint16_t known[] = {
		VIRTIO_MMIO_DEVICE_FEATURES_SEL, VIRTIO_MMIO_DEVICE_FEATURES,
		VIRTIO_MMIO_DRIVER_FEATURES_SEL, VIRTIO_MMIO_DRIVER_FEATURES,
		VIRTIO_MMIO_QUEUE_SEL,		 VIRTIO_MMIO_QUEUE_NUM,
		VIRTIO_MMIO_QUEUE_READY,	 VIRTIO_MMIO_QUEUE_NOTIFY,
		VIRTIO_MMIO_INTERRUPT_ACK,	 VIRTIO_MMIO_STATUS,
		VIRTIO_MMIO_QUEUE_DESC_LOW,	 VIRTIO_MMIO_QUEUE_AVAIL_LOW,
		VIRTIO_MMIO_QUEUE_USED_LOW,	 VIRTIO_MMIO_QUEUE_DESC_HIGH,
		VIRTIO_MMIO_CONFIG_GENERATION,	 0xc0, /* QueueReset */
	};
	uint8_t pick = fuzz_u8(f);

	if (pick < 0x80)
		return known[pick % 16];
	if (pick < 0xc0)
		return VIRTIO_MMIO_CONFIG + (pick & 63);
	return fuzz_u16(f) % 0x200;
}

static void write_register(struct fuzz *f)
{
	uint64_t reg = any_register(f);
	uint8_t how = fuzz_u8(f);
	uint64_t val = how & 4 ? fuzz_u32(f) : fuzz_u8(f);
	unsigned int size = how & 8 ? 1u << (how & 3) : 4;

	if (how & 16)
		val |= FAKE_RAM_BASE;
	bus_write(&f->g.bus, FAKE_DEV_BASE + reg, size, val);
}

static void read_register(struct fuzz *f)
{
	uint64_t reg = any_register(f), val;

	bus_read(&f->g.bus, FAKE_DEV_BASE + reg, 1u << (fuzz_u8(f) & 3), &val);
}

/* As a driver begins: all features but those in the mask. */
static void start(struct fuzz *f)
{
	uint64_t without = (uint64_t)fuzz_u16(f) << 24 | fuzz_u8(f);
	unsigned int num = 1u << fuzz_u8(f) % 8;

	memset(f->queues, 0, sizeof(f->queues));
	for (unsigned int q = 0; q < FAKE_QUEUES; q++)
		f->queues[q].wrap = true;
	fake_guest_start(&f->g, ~without, f->nqueues, num);
}

/* --- memory ------------------------------------------------------------------------------------ */

static struct fake_ring *any_ring(struct fuzz *f, unsigned int *q)
{
	*q = fuzz_u8(f) % f->nqueues;
	return &f->g.rings[*q];
}

static gpa_t any_address(struct fuzz *f)
{
	uint8_t pick = fuzz_u8(f);
	unsigned int q;

	switch (pick >> 5) {
	default:
		return FAKE_DATA + pick * 0x100;
	case 4:
		return FAKE_DATA + fuzz_u16(f) * 16;
	case 5:
		return FAKE_RAM_BASE + FAKE_RAM_SIZE - (pick & 31);
	case 6:
		return any_ring(f, &q)->desc + (pick & 31) * 8;
	case 7:
		return pick & 16 ? (gpa_t)fuzz_u32(f) << (pick & 15) * 2
				 : (pick & 1 ? FAKE_DEV_BASE : -(gpa_t)(pick & 15));
	}
}

static uint32_t any_length(struct fuzz *f)
{
	static const uint32_t lengths[16] = { 0,	1,	 2,	   4,	 8,    16,
					      17,	64,	 512,	   1526, 4096, 65536,
					      0x10000e, 1 << 20, 1u << 31, -1 };
	uint8_t pick = fuzz_u8(f);

	return pick < 0x40 ? lengths[pick % 16] : pick < 0xc0 ? pick - 0x40u : fuzz_u16(f);
}

static void put(struct fuzz *f, gpa_t at, const void *data, size_t len)
{
	guest_mem_write(&f->g.mem, at, data, len);
}

static void poke(struct fuzz *f)
{
	uint8_t data[64];
	gpa_t at = any_address(f);

	put(f, at, data, fuzz_bytes(f, data, sizeof(data)));
}

/* Request headers and payload where chains begin. */
static void fill(struct fuzz *f)
{
	gpa_t at = FAKE_DATA + (fuzz_u8(f) & 0x7f) * 0x100;
	uint8_t data[64];

	put(f, at, data, fuzz_bytes(f, data, sizeof(data)));
}

/* --- chains ------------------------------------------------------------------------------------ */

/* VRING_DESC_F_* as they are in memory. */
enum { NEXT = 1, WRITE = 2, INDIRECT = 4, AVAIL = 1 << 7, USED = 1 << 15 };

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t a, b; /* flags and next, or id and flags */
};

static void add_split(struct fuzz *f, unsigned int q, const struct desc *descs, unsigned int n)
{
	const struct fake_ring *ring = &f->g.rings[q];
	uint16_t head = f->queues[q].next, idx = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct desc d = descs[i];

		d.b = (head + i + 1) % ring->num;
		put(f, ring->desc + (head + i) % ring->num * 16ULL, &d, sizeof(d));
	}
	f->queues[q].next = (head + n) % ring->num;
	guest_mem_read(&f->g.mem, ring->avail + 2, &idx, 2);
	put(f, ring->avail + 4 + 2 * (idx % ring->num), &head, 2);
	idx++;
	put(f, ring->avail + 2, &idx, 2);
}

static void add_packed(struct fuzz *f, unsigned int q, const struct desc *descs, unsigned int n)
{
	const struct fake_ring *ring = &f->g.rings[q];

	for (unsigned int i = 0; i < n; i++) {
		const uint16_t wrap = f->queues[q].wrap ? AVAIL : USED;
		struct desc d = descs[i];

		d.b = d.a | wrap;
		d.a = f->queues[q].next;
		put(f, ring->desc + f->queues[q].next * 16ULL, &d, sizeof(d));
		if (++f->queues[q].next < ring->num)
			continue;
		f->queues[q].next = 0;
		f->queues[q].wrap ^= true;
	}
}

/* The same descriptors in a table, and one that names it. */
static void make_table(struct fuzz *f, struct desc *descs, unsigned int n, bool packed)
{
	gpa_t table = FAKE_DATA + (2 << 20) + f->next_table;

	f->next_table = (f->next_table + 128) % 65536;
	for (unsigned int i = 0; i < n; i++) {
		struct desc d = descs[i];

		d.b = packed ? d.a : i + 1;
		put(f, table + i * sizeof(d), &d, sizeof(d));
	}
	descs[0] = (struct desc){ table, n * sizeof(*descs), INDIRECT, 0 };
}

static void add_chain(struct fuzz *f)
{
	struct desc descs[CHAIN_MAX];
	unsigned int q, n;
	const struct fake_ring *ring = any_ring(f, &q);
	uint8_t how = fuzz_u8(f);

	if (!ring->num)
		return;
	n = 1 + (how & 7) % CHAIN_MAX;
	for (unsigned int i = 0; i < n; i++) {
		/* Mostly out, then in. */
		descs[i].addr = any_address(f);
		descs[i].len = any_length(f);
		descs[i].a = (i + 1 < n ? NEXT : 0) | (i >= (how >> 3 & 3u) ? WRITE : 0);
		if ((how & 0xe0) == 0xe0)
			descs[i].a ^= fuzz_u8(f) & 7;
	}
	if (how & 0x20) {
		make_table(f, descs, n, ring->packed);
		n = 1;
	}
	if (ring->packed)
		add_packed(f, q, descs, n);
	else
		add_split(f, q, descs, n);
}

static void kick(struct fuzz *f)
{
	bus_write(&f->g.bus, FAKE_DEV_BASE + VIRTIO_MMIO_QUEUE_NOTIFY, 4, fuzz_u8(f) % f->nqueues);
}

/* --- time, and the machine --------------------------------------------------------------------- */

static void rounds(struct fuzz *f)
{
	for (unsigned int i = 0; i < ROUNDS_MAX && loop_poll(f->g.loop, 0); i++)
		;
}

static void event(struct fuzz *f)
{
	if (f->event)
		f->event(f);
}

/* Says where two states differ. */
static void expect_same(const struct stream *a, const struct stream *b)
{
	const uint8_t *x = a->buf, *y = b->buf;
	size_t at = 0, from;

	while (at < a->len && at < b->len && x[at] == y[at])
		at++;
	if (at == a->len && at == b->len)
		return;
	/* The name of the record is before it. */
	fprintf(stderr, "byte %zu differs, behind ", at);
	for (from = at < 40 ? 0 : at - 40; from < at; from++)
		if (x[from] >= ' ' && x[from] < 127)
			fputc(x[from], stderr);
	fputc('\n', stderr);
	abort();
}

/* What is saved can be loaded, and is the same then, whatever the driver has done. */
static void save_and_load(struct fuzz *f)
{
	struct stream first, second;

	loop_drain(f->g.loop);
	first = device_saved(f->g.dev);
	FUZZ_CHECK(!device_load(f->g.dev, first.buf, first.len));
	second = device_saved(f->g.dev);
	FUZZ_CHECK(first.len == second.len);
	if (!f->announces)
		expect_same(&first, &second);
	stream_close(&first);
	stream_close(&second);
}

/* From elsewhere, and altered: refused or not, it does no harm. */
static void load_altered(struct fuzz *f)
{
	struct stream saved;
	size_t at;

	loop_drain(f->g.loop);
	saved = device_saved(f->g.dev);
	for (unsigned int n = 1 + fuzz_u8(f) % 4; n && saved.len; n--) {
		at = fuzz_u16(f) % saved.len;
		((uint8_t *)saved.buf)[at] = fuzz_u8(f);
	}
	device_load(f->g.dev, saved.buf, saved.len);
	stream_close(&saved);
}

static void reset(struct fuzz *f)
{
	loop_drain(f->g.loop);
	pthread_mutex_lock(&f->g.dev->lock);
	f->g.dev->ops->reset(f->g.dev);
	pthread_mutex_unlock(&f->g.dev->lock);
}

static void (*const actions[])(struct fuzz *f) = {
	add_chain, kick,	  rounds,	 event,		 add_chain,    fill, kick,
	rounds,	   add_chain,	  kick,		 write_register, start,	       poke, event,
	rounds,	   read_register, save_and_load, reset,		 load_altered,
};

void fuzz_init(struct fuzz *f, const uint8_t *data, size_t len, unsigned int nqueues)
{
	memset(f, 0, sizeof(*f));
	f->at = data;
	f->end = data + len;
	f->nqueues = nqueues;
	fake_guest_init(&f->g);
}

void fuzz_run(struct fuzz *f)
{
	start(f);
	for (unsigned int i = 0; i < ACTIONS_MAX && f->at < f->end; i++)
		actions[fuzz_u8(f) % (sizeof(actions) / sizeof(actions[0]))](f);
	rounds(f);
}

void fuzz_fini(struct fuzz *f)
{
	loop_drain(f->g.loop);
	fake_guest_fini(&f->g);
}
