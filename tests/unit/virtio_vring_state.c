// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/suite.h"
#include "tests/fake/vring.h"
#include "vmm/core/state.h"

/* A ring whose chains are in flight while it moves to another machine. */

static const uint64_t modes[] = { 0, BOX_EVENT, BOX_PACKED, BOX_PACKED | BOX_EVENT };

enum { MODES = sizeof(modes) / sizeof(modes[0]), NUM = 7, CHAINS = 3 };

static struct box from, to;

static void setup(void)
{
	box_init(&from);
	box_init(&to);
}

static void teardown(void)
{
	box_fini(&from);
	box_fini(&to);
}

/* A chain of a readable and two writable buffers, whose contents tell it from others. */
static uint16_t add_chain(struct box *box, unsigned int n)
{
	const gpa_t at = BOX_DATA + 0x100 * n;
	const struct fake_buf bufs[] = {
		{ at, 4, false },
		{ at + 0x10, 3, true },
		{ at + 0x20, 5, true },
	};

	memcpy(box_ptr(box, at), &n, 4);
	return fake_ring_add(&box->ring, bufs, box->ring.packed ? 2 : 3);
}

/* Laps through the ring, so that positions are not where they began. */
static void lap(struct box *box, unsigned int times)
{
	uint32_t id, len;

	for (unsigned int i = 0; i < times; i++) {
		box_add(box, BOX_DATA, 1, false);
		ck_assert_int_eq(virtq_pop(&box->vq, &box->chains[0]), 1);
		virtq_push(&box->vq, &box->chains[0], 0);
		virtq_publish(&box->vq);
		ck_assert(fake_ring_used(&box->ring, &id, &len));
	}
}

static void save(struct box *box, unsigned int chain, struct stream *out)
{
	struct state s;

	stream_open_buf(out);
	state_init_save(&s, out);
	virtq_chain_state(&box->vq, &box->chains[chain], &s);
	ck_assert_int_eq(s.err, 0);
	stream_rewind(out);
}

static int load(struct box *box, unsigned int chain, struct stream *in)
{
	struct state s;

	state_init_load(&s, in);
	virtq_chain_state(&box->vq, &box->chains[chain], &s);
	return state_end(&s);
}

/* `to` becomes a copy, with the queue open where it was. */
static void move_ring(uint64_t features)
{
	memcpy(to.ram, from.ram, BOX_SIZE);
	to.ring = from.ring;
	to.ring.mem = &to.mem;
	to.vq.num = from.vq.num;
	to.vq.desc = from.vq.desc;
	to.vq.avail = from.vq.avail;
	to.vq.used = from.vq.used;
	to.vq.next_avail = from.vq.next_avail;
	to.vq.next_used = from.vq.next_used;
	ck_assert_int_eq(virtq_enable(&to.vq, features), 0);
	ck_assert_uint_eq(virtq_inflight(&to.vq), virtq_inflight(&from.vq));
}

/* Three are taken, the second is done: the first and third go on elsewhere, one half read. */
START_TEST(in_flight)
{
	const uint64_t features = modes[_i % MODES];
	uint16_t head[CHAINS + 1];
	struct stream saved[2];
	uint32_t id, len, n;

	box_open(&from, features & BOX_PACKED ? NUM : 16, features);
	lap(&from, _i / MODES);
	for (unsigned int i = 0; i < CHAINS; i++) {
		head[i] = add_chain(&from, i);
		ck_assert_int_eq(virtq_pop(&from.vq, &from.chains[i]), 1);
	}
	virtq_push(&from.vq, &from.chains[1], 0);
	virtq_publish(&from.vq);
	virtq_pull(&from.chains[0], &n, 2);
	*virtq_cut_tail(&from.chains[0]) = 1;
	save(&from, 0, &saved[0]);
	save(&from, 2, &saved[1]);
	move_ring(features);
	ck_assert_int_eq(load(&to, 0, &saved[0]), 0);
	ck_assert_int_eq(load(&to, 2, &saved[1]), 0);
	stream_close(&saved[0]);
	stream_close(&saved[1]);

	/* The driver goes on too. */
	ck_assert(fake_ring_used(&to.ring, &id, &len));
	ck_assert_uint_eq(id, head[1]);
	head[3] = box_add(&to, BOX_DATA, 1, false);
	ck_assert_int_eq(virtq_pop(&to.vq, &to.chains[3]), 1);
	ck_assert_uint_eq(to.chains[3].head, head[3]);
	ck_assert_int_eq(virtq_pop(&to.vq, &to.chains[4]), 0);
	for (unsigned int i = 0; i < 3; i += 2) {
		ck_assert_uint_eq(to.chains[i].out.n, 1);
		ck_assert_uint_eq(to.chains[i].in.n, to.ring.packed ? 1 : 2);
		ck_assert_uint_eq(to.chains[i].in.left, to.ring.packed ? 3 : 8);
		ck_assert_uint_eq(to.chains[i].wrote, to.chains[i].in.left);
		ck_assert_uint_eq(virtq_pull(&to.chains[i], &n, 4), 4);
		ck_assert_uint_eq(n, i);
		ck_assert_ptr_eq(to.chains[i].in.iov[0].iov_base,
				 box_ptr(&to, BOX_DATA + 0x100 * i + 0x10));
	}
	for (unsigned int i = 4; i-- > 0;)
		if (i != 1)
			virtq_push(&to.vq, &to.chains[i], i);
	virtq_publish(&to.vq);
	for (unsigned int i = 4; i-- > 0;) {
		if (i == 1)
			continue;
		ck_assert(fake_ring_used(&to.ring, &id, &len));
		ck_assert_uint_eq(id, head[i]);
		ck_assert_uint_eq(len, i);
	}
	ck_assert_uint_eq(virtq_inflight(&to.vq), 0);
}
END_TEST

/* A buffer over two regions is saved in two parts. */
START_TEST(spanning)
{
	static uint8_t more[2][4096];
	struct stream saved;

	ck_assert_int_eq(guest_mem_add(&from.mem, BOX_END, sizeof(more[0]), more[0]), 0);
	ck_assert_int_eq(guest_mem_add(&to.mem, BOX_END, sizeof(more[1]), more[1]), 0);
	box_open(&from, 4, modes[_i]);
	box_add(&from, BOX_END - 10, 30, true);
	ck_assert_int_eq(virtq_pop(&from.vq, &from.chains[0]), 1);
	save(&from, 0, &saved);
	move_ring(modes[_i]);
	ck_assert_int_eq(load(&to, 0, &saved), 0);
	stream_close(&saved);
	ck_assert_uint_eq(to.chains[0].in.n, 2);
	ck_assert_uint_eq(to.chains[0].in.left, 30);
	ck_assert_ptr_eq(to.chains[0].in.iov[1].iov_base, more[1]);
}
END_TEST

/* What a file may claim instead: the record, and the value put in its place. */
START_TEST(hostile)
{
	static const struct {
		const char *what;
		uint16_t entries, nout, nin;
		uint64_t gpa[2];
		uint32_t len[2];
	} cases[] = {
		{ "good", 1, 1, 1, { BOX_DATA, BOX_DATA }, { 4, 4 } },
		{ "no entry", 0, 1, 1, { BOX_DATA, BOX_DATA }, { 4, 4 } },
		{ "more than in flight", 2, 1, 1, { BOX_DATA, BOX_DATA }, { 4, 4 } },
		{ "too many", 1, 65535, 65535, { BOX_DATA, BOX_DATA }, { 4, 4 } },
		{ "fewer than said", 1, 2, 1, { BOX_DATA, BOX_DATA }, { 4, 4 } },
		{ "not RAM", 1, 1, 1, { BOX_DATA, BOX_END }, { 4, 4 } },
		{ "over the end", 1, 1, 1, { BOX_END - 1, BOX_DATA }, { 2, 4 } },
		{ "wraps", 1, 1, 1, { UINT64_MAX, BOX_DATA }, { 2, 4 } },
		{ "empty", 1, 1, 1, { BOX_DATA, BOX_DATA }, { 0, 4 } },
	};
	struct stream file;

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint16_t head = 0, entries = cases[i].entries, nout = cases[i].nout,
			 nin = cases[i].nin;
		struct state s;
		int err;

		box_open(&to, 4, modes[_i]);
		box_add(&to, BOX_DATA, 1, false);
		ck_assert_int_eq(virtq_pop(&to.vq, &to.chains[1]), 1);
		stream_open_buf(&file);
		state_init_save(&s, &file);
		state_u16(&s, "head", &head);
		state_u16(&s, "entries", &entries);
		state_u16(&s, "out", &nout);
		state_u16(&s, "in", &nin);
		for (unsigned int b = 0; b < 2; b++) {
			uint64_t gpa = cases[i].gpa[b];
			uint32_t len = cases[i].len[b];

			state_u64(&s, "buffer", &gpa);
			state_u32(&s, "len", &len);
		}
		stream_rewind(&file);
		err = load(&to, 0, &file);
		ck_assert_msg(!err == (i == 0), "%s: %d", cases[i].what, err);
		stream_close(&file);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("virtio_vring_state");
	TCase *tc = tcase_create("state");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, in_flight, 0, 15 * MODES);
	tcase_add_loop_test(tc, spanning, 0, MODES);
	tcase_add_loop_test(tc, hostile, 0, MODES);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
