// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/fake/driver.h"
#include "tests/fake/suite.h"
#include "virtio/vring.h"

/* Two adjacent regions, a hole, and a third: every kind of edge. */
enum {
	BASE = 0x40000000,
	SIZE = 1 << 20,
	NEXT = BASE + SIZE,
	HOLE = NEXT + SIZE,
	FAR = HOLE + SIZE,
	HUGE_PART = 256 * 1024,
	NUM = 256,
	INLINE = 8,
	DATA = BASE + 0x20000,
	TABLE = BASE + 0x10000,
};

#define INDIRECT (1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define EVENT	 (1ULL << VIRTIO_RING_F_EVENT_IDX)
#define PACKED	 (1ULL << VIRTIO_F_RING_PACKED)
#define IN_ORDER (1ULL << VIRTIO_F_IN_ORDER)

/* What a driver can tell apart; most tests run in each. */
static const uint64_t modes[] = {
	0,	EVENT,		IN_ORDER,	   IN_ORDER | EVENT,
	PACKED, PACKED | EVENT, PACKED | IN_ORDER, PACKED | IN_ORDER | EVENT,
};

enum { MODES = sizeof(modes) / sizeof(modes[0]) };

static uint8_t *ram[3];
static struct guest_mem mem;
static struct fake_ring ring;
static struct virtq vq;
static struct iovec stack_iov[INLINE];
static struct virtq_chain chain;

static void *host(gpa_t gpa)
{
	return guest_mem_ptr(&mem, gpa, 1);
}

static void setup(void)
{
	static const gpa_t bases[] = { BASE, NEXT, FAR };

	memset(&mem, 0, sizeof(mem));
	for (unsigned int i = 0; i < 3; i++) {
		/* Their own mappings, so that adjacent guest addresses are not adjacent here. */
		ram[i] = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			      0);
		ck_assert_ptr_ne(ram[i], MAP_FAILED);
		ck_assert_int_eq(guest_mem_add(&mem, bases[i], SIZE, ram[i]), 0);
	}
	virtq_chain_init(&chain, stack_iov, INLINE);
}

static void teardown(void)
{
	virtq_chain_free(&chain);
	if (vq.mem)
		virtq_disable(&vq);
	guest_mem_destroy(&mem);
	for (unsigned int i = 0; i < 3; i++)
		munmap(ram[i], SIZE);
}

/* A ring of `num` entries at BASE, opened with `features`. */
static void open_ring(unsigned int num, uint64_t features)
{
	fake_ring_init_for(&ring, &mem, BASE, num, features);
	if (vq.mem)
		virtq_disable(&vq);
	virtq_init(&vq, &mem, NUM);
	vq.num = num;
	vq.desc = ring.desc;
	vq.avail = ring.avail;
	vq.used = ring.used;
	ck_assert_int_eq(virtq_enable(&vq, features), 0);
}

static void add(gpa_t addr, uint32_t len, bool in)
{
	const struct fake_buf buf = { addr, len, in };

	fake_ring_add(&ring, &buf, 1);
}

/* --- what a driver does ------------------------------------------------------------------------ */

START_TEST(empty)
{
	open_ring(NUM, modes[_i]);
	ck_assert_int_eq(virtq_pop(&vq, &chain), 0);
	ck_assert(!virtq_publish(&vq));
	ck_assert(!virtq_listen(&vq));
}
END_TEST

START_TEST(closed)
{
	virtq_init(&vq, &mem, NUM);
	ck_assert_int_eq(virtq_pop(&vq, &chain), 0);
	ck_assert(!virtq_listen(&vq));
	virtq_mute(&vq);
}
END_TEST

/* One byte out, two in, at the end of memory. */
START_TEST(small)
{
	const gpa_t end = FAR + SIZE;
	const struct fake_buf bufs[] = { { end - 1, 1, false }, { end - 3, 2, true } };
	uint32_t id, len;
	uint8_t buf[5];
	uint16_t head;

	open_ring(NUM, modes[_i / 2] | (_i % 2 ? INDIRECT : 0));
	*(uint8_t *)host(end - 1) = 'a';
	if (ring.event_idx)
		fake_ring_used_event(&ring, 3);
	else
		fake_ring_no_interrupt(&ring, true);
	head = _i % 2 ? fake_ring_add_indirect(&ring, TABLE, bufs, 2)
		      : fake_ring_add(&ring, bufs, 2);

	ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	ck_assert_uint_eq(chain.head, head);
	ck_assert_uint_eq(chain.out.n, 1);
	ck_assert_ptr_eq(chain.out.iov[0].iov_base, host(end - 1));
	ck_assert_uint_eq(chain.out.iov[0].iov_len, 1);
	ck_assert_uint_eq(chain.in.n, 1);
	ck_assert_ptr_eq(chain.in.iov[0].iov_base, host(end - 3));
	ck_assert_uint_eq(chain.in.iov[0].iov_len, 2);

	ck_assert_uint_eq(virtq_pull(&chain, buf, 5), 1);
	ck_assert_uint_eq(buf[0], 'a');
	ck_assert_uint_eq(chain.out.at, 1);
	ck_assert_uint_eq(virtq_pull(&chain, buf, 5), 0);
	ck_assert_uint_eq(virtq_put(&chain, "bcdef", 5), 2);
	ck_assert_int_eq(memcmp(host(end - 3), "bc", 2), 0);
	ck_assert_uint_eq(chain.in.at, 1);
	ck_assert_uint_eq(virtq_put(&chain, "bcdef", 5), 0);

	virtq_push(&vq, &chain, 2);
	ck_assert(!fake_ring_used(&ring, &id, &len));
	ck_assert(!virtq_publish(&vq));
	ck_assert(fake_ring_used(&ring, &id, &len));
	ck_assert_uint_eq(id, head);
	ck_assert_uint_eq(len, 2);
	ck_assert_uint_eq(virtq_inflight(&vq), 0);
	ck_assert(!virtq_listen(&vq));
}
END_TEST

/* 256 buffers of 256 KiB, as many as the ring has; they overlap, which is the driver's choice. */
START_TEST(huge)
{
	struct fake_buf bufs[NUM];
	size_t total = 0, got;
	uint8_t buf[3];

	open_ring(NUM, modes[_i]);
	for (unsigned int i = 0; i < NUM; i++)
		bufs[i] = (struct fake_buf){ DATA, HUGE_PART, false };
	for (size_t i = 0; i < HUGE_PART; i++)
		((uint8_t *)host(DATA))[i] = i;
	fake_ring_add(&ring, bufs, NUM);

	ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	ck_assert_ptr_ne(chain.out.iov, stack_iov);
	ck_assert_uint_eq(chain.out.n, NUM);
	ck_assert_uint_eq(chain.in.n, 0);
	ck_assert_uint_eq(chain.out.left, (size_t)NUM * HUGE_PART);
	while ((got = virtq_pull(&chain, buf, 3)) > 0) {
		for (size_t i = 0; i < got; i++)
			if (buf[i] != (uint8_t)(total + i))
				ck_abort_msg("byte %zu is %u", total + i, buf[i]);
		total += got;
		if (got < 3)
			ck_assert_uint_eq(got, 1);
	}
	ck_assert_uint_eq(total, (size_t)NUM * HUGE_PART);
	ck_assert_uint_eq(chain.out.at, chain.out.n);

	/* The grown array serves small chains too. */
	virtq_push(&vq, &chain, 0);
	virtq_publish(&vq);
	add(DATA, 7, true);
	ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	ck_assert_uint_eq(chain.out.n, 0);
	ck_assert_uint_eq(chain.in.left, 7);
}
END_TEST

/* [table 1,2] [table 3] [4] [table 5,6,7] in one chain. */
static uint16_t add_mixed(void)
{
	const uint16_t next = VRING_DESC_F_NEXT, ind = VRING_DESC_F_INDIRECT;
	const uint32_t one = sizeof(struct vring_desc);
	gpa_t data = DATA;

	for (unsigned int i = 0; i < 28; i++)
		((uint8_t *)host(DATA))[i] = i;
	/* Lengths 1 to 7 add up to 28. */
	for (unsigned int i = 0; i < 7; i++) {
		bool last = i == 1 || i == 2 || i == 6;

		if (i != 3)
			fake_table_desc(&ring,
					TABLE + (i < 2	  ? 0
						 : i == 2 ? 0x1000
							  : 0x2000),
					i < 2	 ? i
					: i == 2 ? 0
						 : i - 4,
					data, i + 1, last ? 0 : next, i < 2 ? i + 1 : i - 3);
		else
			fake_ring_desc(&ring, 7, data, 4, next, 8);
		data += i + 1;
	}
	fake_ring_desc(&ring, 5, TABLE, 2 * one, ind | next, 6);
	fake_ring_desc(&ring, 6, TABLE + 0x1000, one, ind | next, 7);
	fake_ring_desc(&ring, 8, TABLE + 0x2000, 3 * one, ind, 0);
	fake_ring_avail(&ring, 5);
	return 5;
}

START_TEST(mixed_indirect)
{
	uint8_t buf[29];

	open_ring(NUM, INDIRECT);
	vq.mixed_indirect = true;
	add_mixed();
	ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	ck_assert_uint_eq(chain.head, 5);
	ck_assert_uint_eq(chain.out.n, 7);
	ck_assert_uint_eq(virtq_pull(&chain, buf, 29), 28);
	for (unsigned int i = 0; i < 28; i++)
		ck_assert_uint_eq(buf[i], i);
}
END_TEST

START_TEST(mixed_indirect_refused)
{
	open_ring(NUM, INDIRECT);
	add_mixed();
	ck_assert_int_eq(virtq_pop(&vq, &chain), -EPROTO);
}
END_TEST

/* 2.7.5.3.2: direct descriptors, then one table, is for every device. */
START_TEST(direct_then_table)
{
	open_ring(NUM, INDIRECT);
	fake_ring_desc(&ring, 0, DATA, 3, VRING_DESC_F_NEXT, 9);
	/* The WRITE flag of a descriptor that refers to a table is ignored. */
	fake_ring_desc(&ring, 9, TABLE, 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE, 0);
	fake_table_desc(&ring, TABLE, 0, DATA + 3, 4, VRING_DESC_F_WRITE, 0);
	fake_ring_avail(&ring, 0);
	ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	ck_assert_uint_eq(chain.out.left, 3);
	ck_assert_uint_eq(chain.in.left, 4);
}
END_TEST

START_TEST(unaligned_table)
{
	const struct fake_buf bufs[] = { { DATA, 5, false }, { DATA + 5, 6, true } };

	open_ring(NUM, modes[_i] | INDIRECT);
	fake_ring_add_indirect(&ring, TABLE + 3, bufs, 2);
	ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	ck_assert_uint_eq(chain.out.left, 5);
	ck_assert_uint_eq(chain.in.left, 6);
}
END_TEST

/* A buffer over two regions that are adjacent in the guest alone. */
START_TEST(spanning_buffer)
{
	const struct fake_buf bufs[] = { { NEXT - 2, 5, false }, { NEXT - 1, 2, true } };
	uint8_t buf[8];

	open_ring(NUM, modes[_i]);
	memcpy(host(NEXT - 2), "xy", 2);
	memcpy(host(NEXT), "zuv", 3);
	fake_ring_add(&ring, bufs, 2);
	ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	ck_assert_uint_eq(chain.out.n, 2);
	ck_assert_uint_eq(chain.in.n, 2);
	ck_assert_uint_eq(virtq_pull(&chain, buf, 8), 5);
	ck_assert_int_eq(memcmp(buf, "xyzuv", 5), 0);
	ck_assert_uint_eq(virtq_put(&chain, "12", 2), 2);
	ck_assert_int_eq(*(char *)host(NEXT - 1), '1');
	ck_assert_int_eq(*(char *)host(NEXT), '2');
}
END_TEST

START_TEST(no_bytes)
{
	const struct fake_buf bufs[] = { { DATA, 0, false }, { DATA, 3, true }, { 0, 0, true } };

	open_ring(NUM, modes[_i]);
	fake_ring_add(&ring, bufs, 3);
	fake_ring_add(&ring, bufs, 1);
	ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	ck_assert_uint_eq(chain.out.n, 0);
	ck_assert_uint_eq(chain.in.n, 1);
	virtq_push(&vq, &chain, 0);
	ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	ck_assert_uint_eq(chain.out.left + chain.in.left, 0);
	ck_assert_ptr_null(virtq_cut_tail(&chain));
}
END_TEST

/* Positions run through 65535 to 0, several times around the ring. */
START_TEST(index_wrap)
{
	uint32_t id, len;

	open_ring(4, modes[_i]);
	for (uint32_t n = 0; n < 70000; n++) {
		bool kick;

		add(DATA + n % 100, 1, false);
		if (ring.event_idx)
			fake_ring_used_event(&ring, ring.used_idx);
		kick = fake_ring_wants_kick(&ring);
		if (!kick)
			ck_abort_msg("no notification for %u", n);
		if (virtq_pop(&vq, &chain) != 1 ||
		    chain.out.iov[0].iov_base != host(DATA + n % 100))
			ck_abort_msg("chain %u", n);
		virtq_push(&vq, &chain, n);
		if (!virtq_publish(&vq) || virtq_listen(&vq))
			ck_abort_msg("interrupt %u", n);
		if (!fake_ring_used(&ring, &id, &len) || id != n % 4 || len != n)
			ck_abort_msg("used %u", n);
	}
	ck_assert_int_eq(virtq_pop(&vq, &chain), 0);
}
END_TEST

START_TEST(unpop)
{
	open_ring(NUM, modes[_i]);
	add(DATA, 1, false);
	add(DATA, 2, false);
	ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	ck_assert_uint_eq(virtq_inflight(&vq), 2);
	virtq_unpop(&vq);
	ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	ck_assert_uint_eq(chain.out.left, 2);
	virtq_unpop(&vq);
	virtq_unpop(&vq);
	ck_assert_uint_eq(virtq_inflight(&vq), 0);
	ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	ck_assert_uint_eq(chain.out.left, 1);
}
END_TEST

/* --- suppression ------------------------------------------------------------------------------- */

START_TEST(batch_interrupts_once)
{
	uint32_t id, len;

	open_ring(NUM, modes[_i] | EVENT);
	fake_ring_used_event(&ring, 0);
	for (unsigned int i = 0; i < 10; i++)
		add(DATA, 1, false);
	ck_assert(fake_ring_wants_kick(&ring));
	virtq_mute(&vq);
	while (virtq_pop(&vq, &chain) > 0)
		virtq_push(&vq, &chain, 0);
	ck_assert(!fake_ring_used(&ring, &id, &len));
	ck_assert(virtq_publish(&vq));
	ck_assert(!virtq_publish(&vq));
	/* The driver wants to hear of entry 20 next. */
	fake_ring_used_event(&ring, 20);
	for (unsigned int i = 0; i < 11; i++) {
		add(DATA, 1, false);
		ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
		virtq_push(&vq, &chain, 0);
		ck_assert_int_eq(virtq_publish(&vq), i == 10);
	}
}
END_TEST

START_TEST(mute_and_listen)
{
	open_ring(NUM, modes[_i]);
	add(DATA, 1, false);
	ck_assert(fake_ring_wants_kick(&ring));
	virtq_mute(&vq);
	ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	add(DATA, 1, false);
	ck_assert(!fake_ring_wants_kick(&ring));
	/* That one would be lost if listening did not tell of it. */
	ck_assert(virtq_listen(&vq));
	virtq_mute(&vq);
	ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	ck_assert(!virtq_listen(&vq));
	add(DATA, 1, false);
	ck_assert(fake_ring_wants_kick(&ring));
}
END_TEST

START_TEST(interrupt_flag)
{
	open_ring(NUM, modes[_i] & ~EVENT);
	for (unsigned int i = 0; i < 2; i++) {
		add(DATA, 1, false);
		fake_ring_no_interrupt(&ring, i == 0);
		ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
		virtq_push(&vq, &chain, 0);
		ck_assert_int_eq(virtq_publish(&vq), i == 1);
	}
}
END_TEST

/* --- bytes ------------------------------------------------------------------------------------- */

START_TEST(cursor)
{
	const struct fake_buf bufs[] = {
		{ DATA, 3, false },
		{ DATA + 16, 4, false },
		{ DATA + 32, 2, true },
		{ DATA + 48, 3, true },
	};
	uint8_t buf[8], *tail;

	open_ring(NUM, modes[_i]);
	memcpy(host(DATA), "abc", 3);
	memcpy(host(DATA + 16), "defg", 4);
	fake_ring_add(&ring, bufs, 4);
	ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	ck_assert_uint_eq(virtq_pull(&chain, buf, 4), 4);
	ck_assert_int_eq(memcmp(buf, "abcd", 4), 0);
	/* What is left is ready for readv(). */
	ck_assert_uint_eq(chain.out.left, 3);
	ck_assert_uint_eq(chain.out.at, 1);
	ck_assert_ptr_eq(chain.out.iov[1].iov_base, host(DATA + 17));
	ck_assert_uint_eq(chain.out.iov[1].iov_len, 3);
	virtq_rewind(&chain.out);
	ck_assert_uint_eq(chain.out.left, 7);
	ck_assert_uint_eq(virtq_skip(&chain.out, 6), 6);
	ck_assert_uint_eq(virtq_pull(&chain, buf, 4), 1);
	ck_assert_uint_eq(buf[0], 'g');

	tail = virtq_cut_tail(&chain);
	ck_assert_ptr_eq(tail, host(DATA + 50));
	ck_assert_uint_eq(chain.in.left, 4);
	ck_assert_uint_eq(virtq_put(&chain, "12345", 5), 4);
	ck_assert_int_eq(memcmp(host(DATA + 48), "34", 2), 0);
	ck_assert_uint_eq(*tail, 0);
}
END_TEST

static bool is_dirty(gpa_t gpa)
{
	uint64_t page = (gpa - BASE) >> GUEST_PAGE_SHIFT;

	return atomic_load(&mem.ram[0].dirty[page / 64]) >> page % 64 & 1;
}

START_TEST(dirty_log)
{
	const struct fake_buf bufs[] = {
		{ DATA, 16, false },
		{ DATA + 0x1ffe, 2, true },
		{ DATA + 0x4000, 0x1800, true },
		{ DATA + 0x8000, 1, true },
	};

	open_ring(NUM, modes[_i]);
	ck_assert_int_eq(guest_mem_track(&mem, true), 0);
	fake_ring_add(&ring, bufs, 4);
	fake_ring_add(&ring, bufs, 4);
	/* All that may have been written, the status byte at the end included ... */
	ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	*virtq_cut_tail(&chain) = 1;
	virtq_skip(&chain.in, 10);
	virtq_push(&vq, &chain, 0);
	virtq_publish(&vq);
	ck_assert(!is_dirty(DATA) && !is_dirty(DATA + 0x2000));
	ck_assert(is_dirty(DATA + 0x1000) && is_dirty(DATA + 0x4000) && is_dirty(DATA + 0x5000));
	ck_assert(is_dirty(DATA + 0x8000) && (ring.packed || is_dirty(ring.used)));
	ck_assert_int_eq(is_dirty(ring.desc), ring.packed);
	/* ... or what the device says. */
	ck_assert_int_eq(guest_mem_track(&mem, true), 0);
	ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	chain.wrote = 2 + 0x1000;
	virtq_push(&vq, &chain, chain.wrote);
	ck_assert(is_dirty(DATA + 0x1000) && is_dirty(DATA + 0x4000));
	ck_assert(!is_dirty(DATA + 0x5000) && !is_dirty(DATA + 0x8000));
}
END_TEST

/* --- opening ----------------------------------------------------------------------------------- */

START_TEST(bad_places)
{
	static const struct {
		uint32_t num;
		gpa_t desc, avail, used;
		int ret;
	} cases[] = {
		{ 256, BASE, BASE + 0x1000, BASE + 0x2000, 0 },
		{ 1, BASE, BASE + 0x1000, BASE + 0x2000, 0 },
		{ 0, BASE, BASE + 0x1000, BASE + 0x2000, -EPROTO },
		{ 3, BASE, BASE + 0x1000, BASE + 0x2000, -EPROTO },
		{ 512, BASE, BASE + 0x2000, BASE + 0x4000, -EPROTO },
		{ 0x10100, BASE, BASE + 0x1000, BASE + 0x2000, -EPROTO },
		{ 0x80000000, BASE, BASE + 0x1000, BASE + 0x2000, -EPROTO },
		{ 256, BASE + 8, BASE + 0x2000, BASE + 0x3000, -EPROTO },
		{ 256, BASE, BASE + 0x1001, BASE + 0x2000, -EPROTO },
		{ 256, BASE, BASE + 0x1000, BASE + 0x2002, -EPROTO },
		{ 256, 0, BASE + 0x1000, BASE + 0x2000, -EPROTO },
		{ 256, BASE, 0xa000000, BASE + 0x2000, -EPROTO },
		{ 256, BASE, BASE + 0x1000, HOLE, -EPROTO },
		/* To the last byte of RAM, and one entry too far. */
		{ 256, HOLE - 4096, BASE + 0x1000, BASE + 0x2000, 0 },
		{ 256, HOLE - 4096 + 16, BASE + 0x1000, BASE + 0x2000, -EPROTO },
		{ 256, BASE, HOLE - 516, BASE + 0x2000, 0 },
		{ 256, BASE, HOLE - 514, BASE + 0x2000, -EPROTO },
		{ 256, BASE, BASE + 0x1000, HOLE - 2052, 0 },
		{ 256, BASE, BASE + 0x1000, HOLE - 2048, -EPROTO },
		{ 256, UINT64_MAX - 15, BASE + 0x1000, BASE + 0x2000, -EPROTO },
		{ 256, BASE, UINT64_MAX - 1, BASE + 0x2000, -EPROTO },
		{ 256, BASE, BASE + 0x1000, UINT64_MAX - 3, -EPROTO },
		{ 256, BASE - 16, BASE + 0x1000, BASE + 0x2000, -EPROTO },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		virtq_init(&vq, &mem, NUM);
		vq.num = cases[i].num;
		vq.desc = cases[i].desc;
		vq.avail = cases[i].avail;
		vq.used = cases[i].used;
		ck_assert_msg(virtq_enable(&vq, 0) == cases[i].ret, "case %u", i);
		ck_assert_int_eq(vq.ready, !cases[i].ret);
	}
}
END_TEST

/* With the event index both rings are two bytes longer. */
START_TEST(event_words_are_ram)
{
	virtq_init(&vq, &mem, NUM);
	vq.num = 256;
	vq.desc = BASE;
	vq.avail = HOLE - 516;
	vq.used = BASE + 0x2000;
	ck_assert_int_eq(virtq_enable(&vq, EVENT), -EPROTO);
	vq.avail = HOLE - 518;
	ck_assert_int_eq(virtq_enable(&vq, EVENT), 0);
	virtq_disable(&vq);
	vq.num = 256;
	vq.desc = BASE;
	vq.avail = BASE + 0x1000;
	vq.used = HOLE - 2052;
	ck_assert_int_eq(virtq_enable(&vq, EVENT), -EPROTO);
}
END_TEST

/* --- hostile descriptors ----------------------------------------------------------------------- */

static int pop_desc(gpa_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	fake_ring_desc(&ring, 0, addr, len, flags, next);
	fake_ring_avail(&ring, 0);
	return virtq_pop(&vq, &chain);
}

START_TEST(hostile_addresses)
{
	static const struct {
		gpa_t addr;
		uint32_t len;
		int ret;
	} cases[] = {
		{ 0, 1, -EPROTO },
		{ 0x9000000, 4, -EPROTO },
		{ BASE - 1, 1, -EPROTO },
		{ BASE - 1, 2, -EPROTO },
		{ BASE, 1, 1 },
		{ BASE, 2 * SIZE, 1 },
		{ BASE, 2 * SIZE + 1, -EPROTO },
		{ NEXT - 1, 1, 1 },
		{ NEXT - 1, 2, 1 },
		{ NEXT, SIZE, 1 },
		{ HOLE - 1, 1, 1 },
		{ HOLE - 1, 2, -EPROTO },
		{ HOLE, 1, -EPROTO },
		{ HOLE - 1, SIZE + 2, -EPROTO },
		{ FAR - 1, 2, -EPROTO },
		{ FAR, SIZE, 1 },
		{ FAR + SIZE - 1, 1, 1 },
		{ FAR + SIZE - 1, 2, -EPROTO },
		{ FAR + SIZE, 1, -EPROTO },
		{ BASE, UINT32_MAX, -EPROTO },
		{ UINT64_MAX, 1, -EPROTO },
		{ UINT64_MAX, 2, -EPROTO },
		{ UINT64_MAX - 3, UINT32_MAX, -EPROTO },
		{ UINT64_MAX - 3, 4, -EPROTO },
		/* As a 32-bit address it would be good. */
		{ BASE | 1ULL << 63, 1, -EPROTO },
		{ BASE | 1ULL << 32, 1, -EPROTO },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (unsigned int in = 0; in < 2; in++) {
			open_ring(NUM, 0);
			ck_assert_msg(pop_desc(cases[i].addr, cases[i].len,
					       in ? VRING_DESC_F_WRITE : 0, 0) == cases[i].ret,
				      "case %u", i);
		}
	}
}
END_TEST

START_TEST(hostile_chains)
{
	const uint16_t next = VRING_DESC_F_NEXT, write = VRING_DESC_F_WRITE;

	/* A descriptor that is its own successor, and a longer loop. */
	open_ring(16, 0);
	ck_assert_int_eq(pop_desc(DATA, 1, next, 0), -EPROTO);
	open_ring(16, 0);
	fake_ring_desc(&ring, 3, DATA, 1, next, 0);
	ck_assert_int_eq(pop_desc(DATA, 1, next, 3), -EPROTO);
	/* Beyond the table. */
	open_ring(16, 0);
	ck_assert_int_eq(pop_desc(DATA, 1, next, 16), -EPROTO);
	open_ring(16, 0);
	ck_assert_int_eq(pop_desc(DATA, 1, next, 65535), -EPROTO);
	open_ring(16, 0);
	fake_ring_avail(&ring, 16);
	ck_assert_int_eq(virtq_pop(&vq, &chain), -EPROTO);
	open_ring(16, 0);
	fake_ring_avail(&ring, 65535);
	ck_assert_int_eq(virtq_pop(&vq, &chain), -EPROTO);
	/* To read after to write. */
	open_ring(16, 0);
	fake_ring_desc(&ring, 1, DATA, 1, 0, 0);
	ck_assert_int_eq(pop_desc(DATA, 1, next | write, 1), -EPROTO);
	/* An error is not an end: it stays. */
	ck_assert_int_eq(virtq_pop(&vq, &chain), -EPROTO);
}
END_TEST

/* A chain has less than 2^32 bytes, whatever its parts add up to. */
START_TEST(hostile_total)
{
	const gpa_t big = 1ULL << 40;
	const uint64_t size = 3ULL << 30;
	void *p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	const uint32_t half = 1U << 31;
	struct fake_buf bufs[] = { { big, half, _i }, { big, half - 1, true }, { big, 1, true } };

	ck_assert_ptr_ne(p, MAP_FAILED);
	ck_assert_int_eq(guest_mem_add(&mem, big, size, p), 0);
	open_ring(NUM, 0);
	fake_ring_add(&ring, bufs, 2);
	ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	ck_assert_uint_eq(chain.out.left + chain.in.left, UINT32_MAX);
	fake_ring_add(&ring, bufs, 3);
	ck_assert_int_eq(virtq_pop(&vq, &chain), -EPROTO);
	munmap(p, size);
}
END_TEST

START_TEST(hostile_avail_index)
{
	/* More than the ring holds. */
	open_ring(16, 0);
	fake_ring_set_avail_idx(&ring, 17);
	ck_assert_int_eq(virtq_pop(&vq, &chain), -EPROTO);
	open_ring(16, 0);
	fake_ring_set_avail_idx(&ring, 65535);
	ck_assert_int_eq(virtq_pop(&vq, &chain), -EPROTO);
	/* Full is fine, but one more while those are in flight is not. */
	open_ring(4, 0);
	for (unsigned int i = 0; i < 4; i++)
		add(DATA, 1, false);
	for (unsigned int i = 0; i < 4; i++)
		ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	ck_assert_int_eq(virtq_pop(&vq, &chain), 0);
	add(DATA, 1, false);
	ck_assert_int_eq(virtq_pop(&vq, &chain), -EPROTO);
	ck_assert_int_eq(virtq_pop(&vq, &chain), -EPROTO);
	/* Backwards. */
	open_ring(4, 0);
	add(DATA, 1, false);
	ck_assert_int_eq(virtq_pop(&vq, &chain), 1);
	fake_ring_set_avail_idx(&ring, 0);
	ck_assert_int_eq(virtq_pop(&vq, &chain), -EPROTO);
}
END_TEST

START_TEST(hostile_tables)
{
	const uint16_t ind = VRING_DESC_F_INDIRECT, next = VRING_DESC_F_NEXT;
	static const struct {
		gpa_t addr;
		uint32_t len;
	} cases[] = {
		{ TABLE, 0 },
		{ TABLE, 15 },
		{ TABLE, 17 },
		{ TABLE, NUM * 16 + 16 },
		{ TABLE, UINT32_MAX & ~15U },
		{ HOLE - 16, 32 },
		{ HOLE, 16 },
		{ 0, 16 },
		{ UINT64_MAX - 7, 16 },
		{ NEXT - 16, 32 }, /* a table lies in one region */
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		open_ring(NUM, INDIRECT);
		ck_assert_msg(pop_desc(cases[i].addr, cases[i].len, ind, 0) == -EPROTO, "case %u",
			      i);
	}
	/* Not negotiated. */
	open_ring(NUM, 0);
	fake_table_desc(&ring, TABLE, 0, DATA, 1, 0, 0);
	ck_assert_int_eq(pop_desc(TABLE, 16, ind, 0), -EPROTO);
	/* Indirect within indirect. */
	open_ring(NUM, INDIRECT);
	fake_table_desc(&ring, TABLE, 0, TABLE, 16, ind, 0);
	ck_assert_int_eq(pop_desc(TABLE, 16, ind, 0), -EPROTO);
	/* A loop, and a successor beyond the table. */
	open_ring(NUM, INDIRECT);
	fake_table_desc(&ring, TABLE, 0, DATA, 1, next, 1);
	fake_table_desc(&ring, TABLE, 1, DATA, 1, next, 0);
	ck_assert_int_eq(pop_desc(TABLE, 32, ind, 0), -EPROTO);
	open_ring(NUM, INDIRECT);
	fake_table_desc(&ring, TABLE, 0, DATA, 1, next, 1);
	ck_assert_int_eq(pop_desc(TABLE, 16, ind, 0), -EPROTO);
	/* Many tables: each is in bounds, together they are not. */
	open_ring(NUM, INDIRECT);
	vq.mixed_indirect = true;
	for (unsigned int i = 0; i < 200; i++)
		fake_table_desc(&ring, TABLE, i, DATA, 1, i < 199 ? next : 0, i + 1);
	fake_ring_desc(&ring, 1, TABLE, 200 * 16, ind, 0);
	ck_assert_int_eq(pop_desc(TABLE, 200 * 16, ind | next, 1), -EPROTO);
}
END_TEST

/* A second CPU rewrites descriptors and the index while we walk: whatever is read is consistent in
 * itself, so a chain's buffers are always RAM. */
static atomic_bool racing;

static void *race(void *arg)
{
	unsigned int seed = 1;

	(void)arg;
	while (atomic_load_explicit(&racing, memory_order_relaxed)) {
		uint32_t r = rand_r(&seed);
		uint16_t flags = r & 7;

		fake_ring_desc(&ring, r >> 3 & 15, r & 0x100 ? DATA : (gpa_t)r << 8,
			       r >> 4 & 0xffff, flags, r >> 12 & 15);
		fake_table_desc(&ring, TABLE, r >> 5 & 15, r & 0x200 ? DATA : UINT64_MAX - r,
				r >> 7 & 0xfff, flags & ~4, r >> 15 & 15);
	}
	return NULL;
}

static void check_vectors(const struct virtq_iov *v)
{
	for (unsigned int i = 0; i < v->n; i++) {
		const uint8_t *p = v->iov[i].iov_base;
		bool inside = false;

		for (unsigned int r = 0; r < 3; r++)
			inside |= p >= ram[r] && p + v->iov[i].iov_len <= ram[r] + SIZE;
		if (!inside)
			ck_abort_msg("a buffer outside RAM");
	}
}

START_TEST(racing_driver)
{
	unsigned int good = 0, bad = 0;
	pthread_t thread;

	open_ring(16, INDIRECT);
	vq.mixed_indirect = true;
	atomic_store(&racing, true);
	ck_assert_int_eq(pthread_create(&thread, NULL, race, NULL), 0);
	for (unsigned int i = 0; i < 200000 || !good || !bad; i++) {
		fake_ring_avail(&ring, i % 16);
		if (virtq_pop(&vq, &chain) == 1) {
			check_vectors(&chain.out);
			check_vectors(&chain.in);
			virtq_push(&vq, &chain, 0);
			virtq_publish(&vq);
			good++;
		} else {
			/* As after a reset, but where the race goes on. */
			vq.next_avail++;
			vq.next_used++;
			bad++;
		}
	}
	atomic_store(&racing, false);
	pthread_join(thread, NULL);
	ck_assert_uint_gt(good, 0);
	ck_assert_uint_gt(bad, 0);
}
END_TEST

/* --- both sides at once ------------------------------------------------------------------------ */

enum { PARALLEL = 50000 };

static void *drive(void *arg)
{
	uint32_t id, len, done = 0, added = 0;
	atomic_uint *kicks = arg;

	while (done < PARALLEL) {
		while (added < PARALLEL && added - done < ring.num) {
			const struct fake_buf buf = { DATA + added % 64 * 4, 4, true };

			fake_ring_add(&ring, &buf, 1);
			added++;
			if (fake_ring_wants_kick(&ring))
				atomic_fetch_add(kicks, 1);
		}
		while (fake_ring_used(&ring, &id, &len)) {
			if (len != 4)
				abort();
			done++;
		}
		if (ring.event_idx)
			fake_ring_used_event(&ring, ring.used_idx);
	}
	return NULL;
}

/* The device sleeps when the ring is empty and wakes only by a notification: none may be lost. */
START_TEST(parallel)
{
	unsigned int seen = 0, served = 0;
	atomic_uint kicks = 0;
	pthread_t thread;

	open_ring(16, modes[_i]);
	ck_assert_int_eq(pthread_create(&thread, NULL, drive, &kicks), 0);
	while (served < PARALLEL) {
		while (atomic_load(&kicks) == seen)
			sched_yield();
		seen = atomic_load(&kicks);
		do {
			virtq_mute(&vq);
			while (virtq_pop(&vq, &chain) > 0) {
				virtq_put(&chain, &served, 4);
				virtq_push(&vq, &chain, 4);
				served++;
			}
			virtq_publish(&vq);
		} while (virtq_listen(&vq));
	}
	pthread_join(thread, NULL);
	ck_assert_uint_eq(served, PARALLEL);
	ck_assert_uint_le(seen, PARALLEL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("virtio_vring");
	TCase *tc = tcase_create("vring");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, empty, 0, MODES);
	tcase_add_test(tc, closed);
	tcase_add_loop_test(tc, small, 0, 2 * MODES);
	tcase_add_loop_test(tc, huge, 0, MODES);
	tcase_add_test(tc, mixed_indirect);
	tcase_add_test(tc, mixed_indirect_refused);
	tcase_add_test(tc, direct_then_table);
	tcase_add_loop_test(tc, unaligned_table, 0, MODES);
	tcase_add_loop_test(tc, spanning_buffer, 0, MODES);
	tcase_add_loop_test(tc, no_bytes, 0, MODES);
	tcase_add_loop_test(tc, index_wrap, 0, MODES);
	tcase_add_loop_test(tc, unpop, 0, MODES);
	tcase_add_loop_test(tc, batch_interrupts_once, 0, MODES);
	tcase_add_loop_test(tc, mute_and_listen, 0, MODES);
	tcase_add_loop_test(tc, interrupt_flag, 0, MODES);
	tcase_add_loop_test(tc, cursor, 0, MODES);
	tcase_add_loop_test(tc, dirty_log, 0, MODES);
	tcase_add_test(tc, bad_places);
	tcase_add_test(tc, event_words_are_ram);
	tcase_add_test(tc, hostile_addresses);
	tcase_add_test(tc, hostile_chains);
	tcase_add_loop_test(tc, hostile_total, 0, 2);
	tcase_add_test(tc, hostile_avail_index);
	tcase_add_test(tc, hostile_tables);
	tcase_add_test(tc, racing_driver);
	tcase_add_loop_test(tc, parallel, 0, MODES);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
