// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/suite.h"
#include "tests/fake/vring.h"

/* What only a packed ring has; what both layouts do alike is in virtio_vring.c. */

static struct box box;

static void setup(void)
{
	box_init(&box);
}

static void teardown(void)
{
	box_fini(&box);
}

static uint16_t flags_at(uint16_t i)
{
	return *(uint16_t *)box_ptr(&box, box.ring.desc + 16 * i + 14);
}

/* --- opening ----------------------------------------------------------------------------------- */

START_TEST(bad_places)
{
	const gpa_t ring = BOX_BASE, driver = BOX_BASE + 0x2000, device = BOX_BASE + 0x3000;
	const struct {
		uint32_t num;
		gpa_t desc, avail, used;
		int ret;
	} cases[] = {
		{ 256, ring, driver, device, 0 },
		{ 1, ring, driver, device, 0 },
		/* 2.8.10.1: any size. */
		{ 3, ring, driver, device, 0 },
		{ 255, ring, driver, device, 0 },
		{ 0, ring, driver, device, -EPROTO },
		{ 257, ring, driver, device, -EPROTO },
		{ 0x10001, ring, driver, device, -EPROTO },
		{ 256, ring + 8, driver, device, -EPROTO },
		{ 256, ring, driver + 2, device, -EPROTO },
		{ 256, ring, driver, device + 2, -EPROTO },
		{ 256, BOX_END - 4096, driver, device, 0 },
		{ 256, BOX_END - 4080, driver, device, -EPROTO },
		{ 256, ring, BOX_END - 4, device, 0 },
		{ 256, ring, BOX_END, device, -EPROTO },
		{ 256, ring, driver, BOX_END - 4, 0 },
		{ 256, ring, driver, UINT64_MAX - 3, -EPROTO },
		{ 256, 0x9000000, driver, device, -EPROTO },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		virtq_disable(&box.vq);
		box.vq.num = cases[i].num;
		box.vq.desc = cases[i].desc;
		box.vq.avail = cases[i].avail;
		box.vq.used = cases[i].used;
		ck_assert_msg(virtq_enable(&box.vq, BOX_PACKED) == cases[i].ret, "case %u", i);
		ck_assert_int_eq(box.vq.ready, !cases[i].ret);
	}
}
END_TEST

/* As a snapshot may hold them. */
START_TEST(bad_positions)
{
	static const struct {
		uint16_t avail, used;
		int ret;
	} cases[] = {
		{ 0, 0, 0 },	     { 9, 9, 0 },	 { 5, 0, 0 },
		{ 2, 7, 0 },	     { 6, 0, -EPROTO },	 { 1, 5, -EPROTO },
		{ 10, 10, -EPROTO }, { 0, 10, -EPROTO }, { 65535, 0, -EPROTO },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		box_open(&box, 5, BOX_PACKED);
		free(box.vq.sizes);
		box.vq.ready = false;
		box.vq.next_avail = cases[i].avail;
		box.vq.next_used = cases[i].used;
		box.vq.sizes = NULL;
		ck_assert_msg(virtq_enable(&box.vq, BOX_PACKED) == cases[i].ret, "case %u", i);
	}
}
END_TEST

/* --- positions --------------------------------------------------------------------------------- */

/* Lists of all lengths through rings of odd sizes: lists wrap, and so do batches and events. */
START_TEST(odd_sizes)
{
	struct fake_buf bufs[7];
	uint32_t id, len, num = 1 + _i % 7;
	uint16_t head[2];

	box_open(&box, num, BOX_PACKED | (_i < 7 ? 0 : BOX_EVENT));
	for (unsigned int n = 0; n < 3000; n++) {
		unsigned int first = 1 + n % num, count = first < num ? 2 : 1;

		for (unsigned int i = 0; i < first; i++)
			bufs[i] = (struct fake_buf){ BOX_DATA + n + i, 1, i == first - 1 };
		head[0] = fake_ring_add(&box.ring, bufs, first);
		ck_assert(fake_ring_wants_kick(&box.ring));
		if (count == 2)
			head[1] = box_add(&box, BOX_DATA + n, 9, false);
		if (box.ring.event_idx) {
			ck_assert_int_eq(fake_ring_wants_kick(&box.ring), n == 0 && count == 2);
			fake_ring_used_event(&box.ring, box.ring.used_idx);
		}
		for (unsigned int i = 0; i < count; i++) {
			ck_assert_int_eq(virtq_pop(&box.vq, &box.chains[i]), 1);
			ck_assert_uint_eq(box.chains[i].head, head[i]);
		}
		ck_assert_uint_eq(virtq_inflight(&box.vq), first + count - 1);
		ck_assert_int_eq(virtq_pop(&box.vq, &box.chains[2]), 0);
		ck_assert_uint_eq(box.chains[0].out.n, first - 1);
		ck_assert_ptr_eq(box.chains[0].in.iov[0].iov_base,
				 box_ptr(&box, BOX_DATA + n + first - 1));
		virtq_push(&box.vq, &box.chains[0], 1);
		if (count == 2)
			virtq_push(&box.vq, &box.chains[1], 0);
		ck_assert(virtq_publish(&box.vq) && !virtq_listen(&box.vq));
		for (unsigned int i = 0; i < count; i++) {
			ck_assert(fake_ring_used(&box.ring, &id, &len));
			ck_assert_uint_eq(id, head[i]);
			ck_assert_uint_eq(len, i == 0);
		}
		ck_assert(!fake_ring_used(&box.ring, &id, &len));
	}
}
END_TEST

/* Completed in another order than taken; each used descriptor goes where the last left off. */
START_TEST(out_of_order)
{
	struct fake_buf bufs[3] = { { BOX_DATA, 1, true },
				    { BOX_DATA, 2, true },
				    { BOX_DATA, 3, true } };
	static const unsigned int order[3] = { 2, 0, 1 };
	uint16_t head[3];
	uint32_t id, len;

	box_open(&box, 7, BOX_PACKED);
	for (unsigned int round = 0; round < 100; round++) {
		for (unsigned int i = 0; i < 3; i++) {
			head[i] = fake_ring_add(&box.ring, bufs, i + 1);
			ck_assert_int_eq(virtq_pop(&box.vq, &box.chains[i]), 1);
		}
		for (unsigned int i = 0; i < 3; i++) {
			virtq_push(&box.vq, &box.chains[order[i]], order[i] + 1);
			ck_assert(!fake_ring_used(&box.ring, &id, &len));
		}
		ck_assert(virtq_publish(&box.vq));
		for (unsigned int i = 0; i < 3; i++) {
			ck_assert(fake_ring_used(&box.ring, &id, &len));
			ck_assert_uint_eq(id, head[order[i]]);
			ck_assert_uint_eq(len, order[i] + 1);
		}
	}
}
END_TEST

START_TEST(unpop_lists)
{
	struct fake_buf bufs[3] = { { BOX_DATA, 1, true },
				    { BOX_DATA, 2, true },
				    { BOX_DATA, 3, true } };

	box_open(&box, 7, BOX_PACKED);
	for (unsigned int i = 0; i < 3; i++)
		fake_ring_add(&box.ring, bufs, i + 1);
	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < 3; i++) {
			ck_assert_int_eq(virtq_pop(&box.vq, &box.chains[i]), 1);
			ck_assert_uint_eq(box.chains[i].in.n, i + 1);
		}
		for (unsigned int i = 0; i < 3; i++) {
			ck_assert_uint_eq(virtq_inflight(&box.vq), i == 0 ? 6 : i == 1 ? 3 : 1);
			virtq_unpop(&box.vq);
		}
		ck_assert_uint_eq(virtq_inflight(&box.vq), 0);
	}
}
END_TEST

/* --- in order ---------------------------------------------------------------------------------- */

/* One used descriptor for a batch that is written completely, and nothing else touched. */
START_TEST(batch_is_one_descriptor)
{
	uint32_t id, len;
	uint16_t before;

	box_open(&box, 8, BOX_PACKED | BOX_IN_ORDER);
	for (unsigned int i = 0; i < 4; i++) {
		box_add(&box, BOX_DATA, 10, i > 0);
		ck_assert_int_eq(virtq_pop(&box.vq, &box.chains[i]), 1);
	}
	before = flags_at(1);
	virtq_push(&box.vq, &box.chains[0], 0); /* nothing to write is all that there is */
	virtq_push(&box.vq, &box.chains[1], 10);
	virtq_push(&box.vq, &box.chains[2], 3); /* must be told, so ends the batch */
	virtq_push(&box.vq, &box.chains[3], 10);
	ck_assert(virtq_publish(&box.vq));
	ck_assert_uint_eq(flags_at(1), before);
	ck_assert_uint_eq(flags_at(2), before);
	ck_assert_uint_ne(flags_at(0), before);
	ck_assert_uint_ne(flags_at(3), before);
	for (unsigned int i = 0; i < 4; i++) {
		ck_assert(fake_ring_used(&box.ring, &id, &len));
		ck_assert_uint_eq(id, i);
		ck_assert_uint_eq(len, i == 0 ? 0 : i == 2 ? 3 : 10);
	}
	ck_assert(!fake_ring_used(&box.ring, &id, &len));
}
END_TEST

/* The same in a split ring: one element for three. */
START_TEST(batch_is_one_element)
{
	const uint32_t *elems;
	uint32_t id, len;

	box_open(&box, 8, BOX_IN_ORDER);
	for (unsigned int i = 0; i < 4; i++) {
		box_add(&box, BOX_DATA, 10, i > 0);
		ck_assert_int_eq(virtq_pop(&box.vq, &box.chains[i]), 1);
		virtq_push(&box.vq, &box.chains[i], i == 2 ? 3 : i ? 10 : 0);
	}
	ck_assert(virtq_publish(&box.vq));
	elems = box_ptr(&box, box.ring.used + 4);
	ck_assert_uint_eq(elems[0], 2);
	ck_assert_uint_eq(elems[1], 3);
	ck_assert_uint_eq(elems[2] | elems[3] | elems[4] | elems[5], 0);
	ck_assert_uint_eq(elems[6], 3);
	for (unsigned int i = 0; i < 4; i++) {
		ck_assert(fake_ring_used(&box.ring, &id, &len));
		ck_assert_uint_eq(id, i);
		ck_assert_uint_eq(len, i == 0 ? 0 : i == 2 ? 3 : 10);
	}
}
END_TEST

/* --- hostile ----------------------------------------------------------------------------------- */

static void desc(uint16_t pos, gpa_t addr, uint32_t len, uint16_t flags)
{
	fake_packed_desc(&box.ring, pos % box.ring.num, addr, len, pos,
			 flags | fake_packed_avail(&box.ring, pos));
}

START_TEST(hostile_lists)
{
	const uint16_t next = VRING_DESC_F_NEXT, write = VRING_DESC_F_WRITE;

	/* Each names a successor, all the way round. */
	box_open(&box, 5, BOX_PACKED);
	for (unsigned int i = 0; i < 5; i++)
		desc(i, BOX_DATA, 1, next);
	ck_assert_int_eq(virtq_pop(&box.vq, &box.chains[0]), -EPROTO);
	/* An error is not an end: it stays. */
	ck_assert_int_eq(virtq_pop(&box.vq, &box.chains[0]), -EPROTO);
	/* Into what is in flight. */
	box_open(&box, 5, BOX_PACKED);
	box_add(&box, BOX_DATA, 1, false);
	ck_assert_int_eq(virtq_pop(&box.vq, &box.chains[0]), 1);
	for (unsigned int i = 1; i < 6; i++)
		desc(i, BOX_DATA, 1, i < 5 ? next : 0);
	ck_assert_int_eq(virtq_pop(&box.vq, &box.chains[1]), -EPROTO);
	/* The same when that is used, but not shown: no descriptor may be lost. */
	virtq_push(&box.vq, &box.chains[0], 0);
	ck_assert_int_eq(virtq_pop(&box.vq, &box.chains[1]), -EPROTO);
	virtq_publish(&box.vq);
	/* More than the ring holds. */
	box_open(&box, 2, BOX_PACKED);
	for (unsigned int i = 0; i < 2; i++) {
		box_add(&box, BOX_DATA, 1, false);
		ck_assert_int_eq(virtq_pop(&box.vq, &box.chains[i]), 1);
	}
	ck_assert_int_eq(virtq_pop(&box.vq, &box.chains[2]), 0);
	desc(2, BOX_DATA, 1, 0);
	ck_assert_int_eq(virtq_pop(&box.vq, &box.chains[2]), -EPROTO);
	/* To read after to write. */
	box_open(&box, 5, BOX_PACKED);
	desc(1, BOX_DATA, 1, 0);
	desc(0, BOX_DATA, 1, next | write);
	ck_assert_int_eq(virtq_pop(&box.vq, &box.chains[0]), -EPROTO);
}
END_TEST

START_TEST(hostile_addresses)
{
	static const struct {
		gpa_t addr;
		uint32_t len;
		int ret;
	} cases[] = {
		{ BOX_BASE, BOX_SIZE, 1 },
		{ BOX_BASE, BOX_SIZE + 1, -EPROTO },
		{ BOX_END - 1, 1, 1 },
		{ BOX_END - 1, 2, -EPROTO },
		{ BOX_END, 1, -EPROTO },
		{ BOX_BASE - 1, 2, -EPROTO },
		{ 0x9000000, 4, -EPROTO },
		{ 0, 1, -EPROTO },
		{ 0, 0, 1 }, /* no bytes, no address */
		{ UINT64_MAX, 1, -EPROTO },
		{ UINT64_MAX - 3, UINT32_MAX, -EPROTO },
		{ BOX_BASE, UINT32_MAX, -EPROTO },
		{ BOX_BASE | 1ULL << 63, 1, -EPROTO },
	};

	for (unsigned int i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		box_open(&box, 4, BOX_PACKED);
		desc(0, cases[i / 2].addr, cases[i / 2].len, i % 2 ? VRING_DESC_F_WRITE : 0);
		ck_assert_msg(virtq_pop(&box.vq, &box.chains[0]) == cases[i / 2].ret, "case %u",
			      i / 2);
	}
}
END_TEST

/* Half of an available descriptor, a used one, and all zeros are none. */
START_TEST(not_available)
{
	static const uint16_t flags[] = { 0, 1 << 15, 1 << 7 | 1 << 15, 0x7f7f };

	for (unsigned int i = 0; i < 4; i++) {
		box_open(&box, 4, BOX_PACKED);
		fake_packed_desc(&box.ring, 0, BOX_DATA, 1, 0, flags[i]);
		ck_assert_int_eq(virtq_pop(&box.vq, &box.chains[0]), 0);
		ck_assert(!virtq_listen(&box.vq));
	}
}
END_TEST

static int pop_table(uint64_t features, gpa_t table, uint32_t len, uint16_t flags)
{
	box_open(&box, 8, BOX_PACKED | features);
	desc(0, table, len, VRING_DESC_F_INDIRECT | flags);
	return virtq_pop(&box.vq, &box.chains[0]);
}

START_TEST(hostile_tables)
{
	static const struct {
		gpa_t addr;
		uint32_t len;
	} cases[] = {
		{ BOX_TABLE, 0 },
		{ BOX_TABLE, 15 },
		{ BOX_TABLE, 17 },
		{ BOX_TABLE, BOX_MAX * 16 + 16 },
		{ BOX_TABLE, UINT32_MAX & ~15U },
		{ BOX_END - 16, 32 },
		{ BOX_END, 16 },
		{ 0, 16 },
		{ UINT64_MAX - 7, 16 },
	};
	const uint16_t ind = VRING_DESC_F_INDIRECT, next = VRING_DESC_F_NEXT;

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(pop_table(BOX_INDIRECT, cases[i].addr, cases[i].len, 0) == -EPROTO,
			      "case %u", i);
	fake_packed_table_desc(&box.ring, BOX_TABLE, 0, BOX_DATA, 1, 0);
	fake_packed_table_desc(&box.ring, BOX_TABLE, 1, BOX_DATA, 2, 0);
	ck_assert_int_eq(pop_table(BOX_INDIRECT, BOX_TABLE, 32, 0), 1);
	/* WRITE is ignored beside INDIRECT, and all but WRITE in a table (2.8.7). */
	ck_assert_int_eq(pop_table(BOX_INDIRECT, BOX_TABLE, 32, VRING_DESC_F_WRITE), 1);
	fake_packed_table_desc(&box.ring, BOX_TABLE, 1, BOX_DATA, 2, next);
	ck_assert_int_eq(pop_table(BOX_INDIRECT, BOX_TABLE, 32, 0), 1);
	ck_assert_uint_eq(box.chains[0].out.left, 3);
	/* Not negotiated; part of a list; a table in a table; unreadable entry. */
	ck_assert_int_eq(pop_table(0, BOX_TABLE, 32, 0), -EPROTO);
	ck_assert_int_eq(pop_table(BOX_INDIRECT, BOX_TABLE, 32, next), -EPROTO);
	fake_packed_table_desc(&box.ring, BOX_TABLE, 1, BOX_TABLE, 16, ind);
	ck_assert_int_eq(pop_table(BOX_INDIRECT, BOX_TABLE, 32, 0), -EPROTO);
	fake_packed_table_desc(&box.ring, BOX_TABLE, 1, BOX_END, 1, 0);
	ck_assert_int_eq(pop_table(BOX_INDIRECT, BOX_TABLE, 32, 0), -EPROTO);
	/* A table at the end of a list is not alone either. */
	fake_packed_table_desc(&box.ring, BOX_TABLE, 1, BOX_DATA, 2, 0);
	box_open(&box, 8, BOX_PACKED | BOX_INDIRECT);
	desc(1, BOX_TABLE, 32, ind);
	desc(0, BOX_DATA, 5, next);
	ck_assert_int_eq(virtq_pop(&box.vq, &box.chains[0]), -EPROTO);
	box.vq.mixed_indirect = true;
	ck_assert_int_eq(virtq_pop(&box.vq, &box.chains[0]), 1);
	ck_assert_uint_eq(box.chains[0].out.left, 8);
	ck_assert_uint_eq(virtq_inflight(&box.vq), 2);
}
END_TEST

/* [table 1,2] [table 3] [4] [table 5,6,7] in one list. */
START_TEST(mixed_indirect)
{
	const uint16_t next = VRING_DESC_F_NEXT, ind = VRING_DESC_F_INDIRECT;
	static const uint8_t table[7] = { 0, 0, 1, 0, 2, 2, 2 }, entry[7] = { 0, 1, 0, 0, 0, 1, 2 };
	uint8_t buf[29];
	gpa_t data = BOX_DATA;

	box_open(&box, 8, BOX_PACKED | BOX_INDIRECT);
	box.vq.mixed_indirect = true;
	for (unsigned int i = 0; i < 28; i++)
		*(uint8_t *)box_ptr(&box, BOX_DATA + i) = i;
	for (unsigned int i = 0; i < 7; data += ++i)
		if (i == 3)
			desc(2, data, 4, next);
		else
			fake_packed_table_desc(&box.ring, BOX_TABLE + 0x1000 * table[i], entry[i],
					       data, i + 1, 0);
	desc(3, BOX_TABLE + 0x2000, 3 * 16, ind);
	desc(1, BOX_TABLE + 0x1000, 16, ind | next);
	desc(0, BOX_TABLE, 2 * 16, ind | next);
	ck_assert_int_eq(virtq_pop(&box.vq, &box.chains[0]), 1);
	ck_assert_uint_eq(box.chains[0].head, 3);
	ck_assert_uint_eq(box.chains[0].out.n, 7);
	ck_assert_uint_eq(virtq_pull(&box.chains[0], buf, 29), 28);
	for (unsigned int i = 0; i < 28; i++)
		ck_assert_uint_eq(buf[i], i);
}
END_TEST

/* Whatever the driver writes there, it only gets its own interrupts wrong. */
START_TEST(hostile_event)
{
	unsigned int wanted = 0;

	box_open(&box, 5, BOX_PACKED | BOX_EVENT);
	for (uint32_t i = 0; i < 70000; i++) {
		*(uint32_t *)box_ptr(&box, box.ring.avail) = i * 2654435761U;
		box_add(&box, BOX_DATA, 1, false);
		ck_assert_int_eq(virtq_pop(&box.vq, &box.chains[0]), 1);
		virtq_push(&box.vq, &box.chains[0], 0);
		wanted += virtq_publish(&box.vq);
	}
	ck_assert_uint_gt(wanted, 0);
	ck_assert_uint_lt(wanted, 70000);
}
END_TEST

/* --- a second CPU ------------------------------------------------------------------------------ */

static atomic_bool racing;

static void *race(void *arg)
{
	unsigned int seed = 1;

	(void)arg;
	while (atomic_load_explicit(&racing, memory_order_relaxed)) {
		uint32_t r = rand_r(&seed);
		uint16_t flags = (r & 7) | (r & 8 ? 1 << 7 : 1 << 15);

		fake_packed_desc(&box.ring, (r >> 4) % box.ring.num,
				 r & 0x100   ? BOX_DATA
				 : r & 0x200 ? BOX_TABLE + (r >> 12 & 0xff)
					     : (gpa_t)r << 8,
				 r & 0x400 ? 32 : r >> 4 & 0xffff, r >> 8, flags);
		fake_packed_table_desc(&box.ring, BOX_TABLE, r >> 5 & 15,
				       r & 0x800 ? BOX_DATA : UINT64_MAX - r, r >> 7 & 0xfff,
				       r >> 3 & 3);
		atomic_store_explicit((_Atomic uint32_t *)box_ptr(&box, box.ring.avail), r,
				      memory_order_relaxed);
	}
	return NULL;
}

static bool inside(const struct virtq_iov *v)
{
	for (unsigned int i = 0; i < v->n; i++) {
		const uint8_t *p = v->iov[i].iov_base;

		if (p < box.ram || v->iov[i].iov_len > (size_t)(box.ram + BOX_SIZE - p))
			return false;
	}
	return true;
}

/* Descriptors change while they are walked: a chain's buffers are RAM all the same, and the queue
 * never has more than the ring holds. */
START_TEST(racing_driver)
{
	const uint64_t features = BOX_PACKED | BOX_INDIRECT | BOX_EVENT;
	unsigned int good = 0, bad = 0;
	pthread_t thread;

	box_open(&box, 7, features);
	box.vq.mixed_indirect = true;
	atomic_store(&racing, true);
	ck_assert_int_eq(pthread_create(&thread, NULL, race, NULL), 0);
	for (unsigned int i = 0; i < 200000 || !good || !bad; i++) {
		int ret = virtq_pop(&box.vq, &box.chains[0]);

		if (ret > 0) {
			ck_assert(inside(&box.chains[0].out) && inside(&box.chains[0].in));
			ck_assert_uint_le(virtq_inflight(&box.vq), 7);
			if (i % 3 == 0)
				virtq_unpop(&box.vq);
			else
				virtq_push(&box.vq, &box.chains[0], i % 5);
			if (i % 4 == 0)
				virtq_publish(&box.vq);
			good++;
		} else if (!virtq_listen(&box.vq)) {
			/* Goes on behind what is not available, as a reset would. */
			virtq_publish(&box.vq);
			bad++;
		}
		virtq_mute(&box.vq);
	}
	atomic_store(&racing, false);
	pthread_join(thread, NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("virtio_vring_packed");
	TCase *tc = tcase_create("packed");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, bad_places);
	tcase_add_test(tc, bad_positions);
	tcase_add_loop_test(tc, odd_sizes, 0, 14);
	tcase_add_test(tc, out_of_order);
	tcase_add_test(tc, unpop_lists);
	tcase_add_test(tc, batch_is_one_descriptor);
	tcase_add_test(tc, batch_is_one_element);
	tcase_add_test(tc, hostile_lists);
	tcase_add_test(tc, hostile_addresses);
	tcase_add_test(tc, not_available);
	tcase_add_test(tc, hostile_tables);
	tcase_add_test(tc, mixed_indirect);
	tcase_add_test(tc, hostile_event);
	tcase_add_test(tc, racing_driver);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
