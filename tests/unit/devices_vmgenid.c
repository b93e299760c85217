// SPDX-License-Identifier: GPL-2.0-only
#include "devices/vmgenid.h"

#include <check.h>
#include <errno.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/board.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "vmm/core/fdt.h"

static struct board board, other_board;
static struct device *dev, *other;

static void setup(void)
{
	board_init(&board);
	board_init(&other_board);
	ck_assert_int_eq(vmgenid_create(&board.env, &dev, NULL), 0);
	ck_assert_int_eq(vmgenid_create(&other_board.env, &other, NULL), 0);
}

static void teardown(void)
{
	board_fini(&board, dev);
	board_fini(&other_board, other);
}

struct id {
	uint64_t half[2];
};

static struct id get(struct board *b)
{
	return (struct id){ { board_read(b, 0, 8), board_read(b, 8, 8) } };
}

static bool same(struct id a, struct id b)
{
	return !memcmp(&a, &b, sizeof(a));
}

START_TEST(each_has_its_own)
{
	struct id none = { 0 };

	ck_assert(!same(get(&board), none));
	ck_assert(!same(get(&board), get(&other_board)));
	ck_assert_uint_eq(board.irq.pulses, 0);
}
END_TEST

START_TEST(any_width_reads_it)
{
	struct id whole = get(&board);
	uint8_t bytes[VMGENID_BYTES];

	for (unsigned int size = 1; size <= 8; size *= 2)
		for (unsigned int at = 0; at + size <= VMGENID_BYTES; at++) {
			uint64_t v = board_read(&board, at, size);

			ck_assert(!memcmp((uint8_t *)&whole + at, &v, size));
		}
	for (unsigned int i = 0; i < VMGENID_BYTES; i++)
		bytes[i] = (uint8_t)board_read(&board, i, 1);
	ck_assert(!memcmp(bytes, regpage_at(&board.page, BOARD_BASE), VMGENID_BYTES));
}
END_TEST

START_TEST(stores_and_resets_change_nothing)
{
	struct id id = get(&board);

	for (unsigned int at = 0; at + 8 <= VMGENID_SIZE; at += 8)
		board_write(&board, at, 8, ~0ULL);
	ck_assert(same(get(&board), id));
	board_reset(dev);
	ck_assert(same(get(&board), id));
	for (unsigned int at = VMGENID_BYTES; at + 8 <= VMGENID_SIZE; at += 8)
		ck_assert_uint_eq(board_read(&board, at, 8), 0);
	ck_assert_uint_eq(board.irq.pulses, 0);
}
END_TEST

START_TEST(a_new_one_is_told)
{
	struct id id = get(&board);

	vmgenid_renew(dev);
	ck_assert_uint_eq(board.irq.pulses, 1);
	ck_assert(!same(get(&board), id));
	vmgenid_renew(dev);
	ck_assert_uint_eq(board.irq.pulses, 2);
}
END_TEST

START_TEST(state_keeps_it)
{
	struct id id = get(&board);
	struct stream saved = device_saved(dev);

	ck_assert_int_eq(device_load(other, saved.buf, saved.len), 0);
	ck_assert(same(get(&other_board), id));
	ck_assert_uint_eq(other_board.irq.pulses, 0);
	board_same(dev, other);
	for (size_t len = 0; len < saved.len; len++)
		ck_assert_int_ne(device_load(other, saved.buf, len), 0);
	ck_assert(same(get(&other_board), id));
	stream_close(&saved);
}
END_TEST

START_TEST(described)
{
	struct fdt fdt;
	uint32_t size;
	void *blob;
	int node, len;

	ck_assert_int_eq(dt_create(&fdt), 0);
	dev->ops->describe(dev, &fdt);
	ck_assert_int_eq(dt_finish(&fdt, &blob, &size), 0);
	node = fdt_path_offset(blob, "/rng@9000000");
	ck_assert_int_ge(node, 0);
	ck_assert_int_eq(fdt_node_check_compatible(blob, node, "microsoft,vmgenid"), 0);
	ck_assert(fdt_getprop(blob, node, "reg", &len) && len == 16);
	ck_assert(fdt_getprop(blob, node, "interrupts", &len) && len == 12);
	free(blob);
}
END_TEST

START_TEST(no_place)
{
	struct fail fail = { 0 };
	struct device *third;

	ck_assert_int_eq(vmgenid_create(&board.env, &third, &fail), -EEXIST);
	ck_assert_int_eq((int)fail.code, EXIT_HOST);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("devices_vmgenid");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, each_has_its_own);
	tcase_add_test(tc, any_width_reads_it);
	tcase_add_test(tc, stores_and_resets_change_nothing);
	tcase_add_test(tc, a_new_one_is_told);
	tcase_add_test(tc, state_keeps_it);
	tcase_add_test(tc, described);
	tcase_add_test(tc, no_place);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
