// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#include "tests/fake/driver.h"
#include "tests/fake/suite.h"
#include "virtio/mmio.h"
#include "virtio/rng.h"

/* A whole device whose driver chooses the layout of its rings: it works, moves to another machine in
 * the middle of a lap, and starts anew after a reset in another layout. */

#define EVENT	 (1ULL << VIRTIO_RING_F_EVENT_IDX)
#define INDIRECT (1ULL << VIRTIO_RING_F_INDIRECT_DESC)
#define PACKED	 (1ULL << VIRTIO_F_RING_PACKED)
#define IN_ORDER (1ULL << VIRTIO_F_IN_ORDER)

static const uint64_t modes[] = {
	0,	IN_ORDER,	   EVENT | INDIRECT,
	PACKED, PACKED | IN_ORDER, PACKED | EVENT | INDIRECT | IN_ORDER,
};

enum { MODES = sizeof(modes) / sizeof(modes[0]), NUM = 8, LEN = 32 };

static struct fake_guest from, to;

static void guest_init(struct fake_guest *g)
{
	const struct rng_config cfg = { .transport = &virtio_mmio };
	struct fail fail;

	fake_guest_init(g);
	ck_assert_int_eq(rng_create(&g->env, &cfg, &g->dev, &fail), 0);
}

static void setup(void)
{
	guest_init(&from);
	guest_init(&to);
}

static void teardown(void)
{
	fake_guest_fini(&from);
	fake_guest_fini(&to);
}

/* `n` requests at a time, each two buffers, every other through a table. */
static void requests(struct fake_guest *g, unsigned int n, uint64_t features)
{
	uint8_t zeros[LEN] = { 0 };
	uint32_t id, len;

	for (unsigned int i = 0; i < n; i++) {
		gpa_t at = FAKE_DATA + 0x100 * i;
		const struct fake_buf bufs[] = { { at, LEN, true }, { at + 0x80, LEN, true } };

		memset(fake_ptr(g, at), 0, 0x100);
		if (features & INDIRECT && i % 2)
			fake_ring_add_indirect(&g->rings[0], FAKE_DATA + 0x10000 + 0x100 * i, bufs,
					       2);
		else
			fake_ring_add(&g->rings[0], bufs, 2);
	}
	if (g->rings[0].event_idx)
		fake_ring_used_event(&g->rings[0], g->rings[0].used_idx);
	fake_guest_kick(g, 0);
	fake_guest_run(g);
	for (unsigned int i = 0; i < n; i++) {
		ck_assert(fake_ring_used(&g->rings[0], &id, &len));
		ck_assert_uint_eq(len, 2 * LEN);
		ck_assert_int_ne(memcmp(fake_ptr(g, FAKE_DATA + 0x100 * i), zeros, LEN), 0);
		ck_assert_int_ne(memcmp(fake_ptr(g, FAKE_DATA + 0x100 * i + 0x80), zeros, LEN), 0);
	}
	ck_assert(!fake_ring_used(&g->rings[0], &id, &len));
}

static void start(struct fake_guest *g, uint64_t features)
{
	ck_assert(fake_guest_start(g, features, 1, NUM));
	ck_assert_int_eq(g->rings[0].packed, !!(features & PACKED));
	ck_assert_int_eq(g->rings[0].in_order, !!(features & IN_ORDER));
}

START_TEST(works)
{
	start(&from, modes[_i]);
	for (unsigned int round = 0; round < 50; round++)
		requests(&from, 1 + round % 3, modes[_i]);
}
END_TEST

START_TEST(moves)
{
	const uint64_t features = modes[_i % MODES];

	start(&from, features);
	for (unsigned int i = 0; i < (unsigned int)_i / MODES; i++)
		requests(&from, 1, features);
	ck_assert_int_eq(fake_guest_move(&from, &to), 0);
	for (unsigned int i = 0; i < 20; i++)
		requests(&to, 1 + i % 3, features);
}
END_TEST

START_TEST(changes)
{
	for (unsigned int i = 0; i < 2 * MODES; i++) {
		start(&from, modes[(i * 5 + _i) % MODES]);
		requests(&from, 3, modes[(i * 5 + _i) % MODES]);
	}
}
END_TEST

/* A list without an end breaks the device until it is reset. */
START_TEST(breaks)
{
	start(&from, PACKED);
	for (unsigned int i = 0; i < NUM; i++)
		fake_packed_desc(&from.rings[0], i, FAKE_DATA, LEN, i,
				 VRING_DESC_F_NEXT | VRING_DESC_F_WRITE |
					 fake_packed_avail(&from.rings[0], i));
	fake_write(&from, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	fake_guest_run(&from);
	ck_assert(fake_read(&from, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	start(&from, PACKED);
	requests(&from, 3, PACKED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("virtio_layouts");
	TCase *tc = tcase_create("layouts");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, works, 0, MODES);
	tcase_add_loop_test(tc, moves, 0, 9 * MODES);
	tcase_add_loop_test(tc, changes, 0, MODES);
	tcase_add_test(tc, breaks);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
