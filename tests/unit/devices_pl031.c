// SPDX-License-Identifier: GPL-2.0-only
#include "devices/pl031.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "tests/fake/board.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "vmm/core/state.h"

enum {
	DR = 0x00,
	MR = 0x04,
	LR = 0x08,
	CR = 0x0c,
	IMSC = 0x10,
	RIS = 0x14,
	MIS = 0x18,
	ICR = 0x1c
};

static struct board board, other_board;
static struct device *dev, *other;

static void setup(void)
{
	board_init(&board);
	board_init(&other_board);
	ck_assert_int_eq(pl031_create(&board.env, &dev, NULL), 0);
	ck_assert_int_eq(pl031_create(&other_board.env, &other, NULL), 0);
}

static void teardown(void)
{
	board_fini(&board, dev);
	board_fini(&other_board, other);
}

static bool interrupted(void *arg)
{
	struct board *b = arg;

	return b->irq.level;
}

/* Whether the clock shows `offset` seconds beyond the host's. */
static void assert_ahead(struct board *b, uint32_t offset)
{
	uint32_t before = (uint32_t)time(NULL) + offset;
	uint32_t now = board_get(b, DR);
	uint32_t after = (uint32_t)time(NULL) + offset;

	/* time() may lag behind by a tick. */
	ck_assert_uint_le(now - before, after - before + 1);
}

START_TEST(test_identity)
{
	static const uint8_t id[8] = { 0x31, 0x10, 0x14, 0, 0x0d, 0xf0, 0x05, 0xb1 };

	ck_assert_str_eq(dev->name, "pl031@9000000");
	for (unsigned int i = 0; i < 8; i++)
		ck_assert_uint_eq(board_get(&board, 0xfe0 + 4 * i), id[i]);
	ck_assert_uint_eq(board_get(&board, CR), 1);
	ck_assert_uint_eq(board_get(&board, IMSC), 0);
	ck_assert_uint_eq(board_get(&board, RIS), 0);
}
END_TEST

START_TEST(test_sweep)
{
	board_sweep(&board, PL031_SIZE);
	board_reset(dev);
	board_same(dev, other);
	ck_assert(!board.irq.level);
	ck_assert(!loop_poll(board.loop, 0));
}
END_TEST

START_TEST(test_time)
{
	assert_ahead(&board, 0);
	board_set(&board, LR, 1000);
	ck_assert_uint_eq(board_get(&board, LR), 1000);
	ck_assert_uint_le(board_get(&board, DR) - 1000, 1);
	board_set(&board, CR, 0);
	ck_assert_uint_eq(board_get(&board, CR), 1);
	board_reset(dev);
	assert_ahead(&board, 0);
}
END_TEST

/* What Linux's rtc-pl031 does for `rtcwake`: match, unmask, on interrupt look and clear. */
START_TEST(test_alarm)
{
	board_set(&board, MR, board_get(&board, DR) + 1);
	board_set(&board, IMSC, 1);
	ck_assert(!board.irq.level);
	ck_assert(board_wait(&board, interrupted, &board, 3000));
	ck_assert_uint_ge(board_get(&board, DR), board_get(&board, MR));
	ck_assert_uint_eq(board_get(&board, MIS), 1);
	board_set(&board, ICR, 1);
	ck_assert_uint_eq(board_get(&board, RIS), 0);
	ck_assert(!board.irq.level);
	ck_assert_uint_eq(board.irq.sets, 2);
	/* Once only. */
	board_set(&board, IMSC, 0);
	board_set(&board, IMSC, 1);
	ck_assert(!board.irq.level);
	ck_assert(!loop_poll(board.loop, 0));
}
END_TEST

/* The counter is 32 bits wide and meets a match beyond its wrap. */
START_TEST(test_alarm_wraps)
{
	board_set(&board, IMSC, 1);
	board_set(&board, LR, 0xffffffff);
	board_set(&board, ICR, 1);
	board_set(&board, MR, 0);
	ck_assert(board_wait(&board, interrupted, &board, 3000));
	ck_assert_uint_le(board_get(&board, DR), 1);
}
END_TEST

static bool raised(void *arg)
{
	return board_get(arg, RIS);
}

/* A masked alarm costs the host no timer, and shows in RTCRIS all the same. */
START_TEST(test_masked)
{
	const struct timespec tick = { .tv_nsec = 10000000 };

	board_set(&board, MR, board_get(&board, DR) + 1);
	for (int i = 0; i < 200 && !raised(&board); i++) {
		ck_assert(!loop_poll(board.loop, 0));
		nanosleep(&tick, NULL);
	}
	ck_assert(raised(&board));
	ck_assert_uint_eq(board_get(&board, MIS), 0);
	ck_assert(!board.irq.level);
	board_set(&board, IMSC, 1);
	ck_assert(board.irq.level);
}
END_TEST

START_TEST(test_moved_alarm)
{
	board_set(&board, IMSC, 1);
	board_set(&board, MR, board_get(&board, DR) + 1);
	board_set(&board, MR, board_get(&board, DR) + 1000);
	ck_assert(!board_wait(&board, interrupted, &board, 1300));
	/* Setting the clock moves it, too. */
	board_set(&board, LR, board_get(&board, MR));
	ck_assert(board.irq.level);
}
END_TEST

START_TEST(test_round_trip)
{
	struct stream saved;

	board_set(&board, LR, 5000);
	board_set(&board, MR, 5000);
	board_set(&board, IMSC, 1);
	ck_assert(board.irq.level);
	saved = device_saved(dev);
	ck_assert_int_eq(device_load(other, saved.buf, saved.len), 0);
	stream_close(&saved);
	board_same(dev, other);
	ck_assert(other_board.irq.level);
	ck_assert_uint_le(board_get(&other_board, DR) - 5000, 1);
	board_truncate(dev, other);
	ck_assert(!other_board.irq.level);
}
END_TEST

START_TEST(test_round_trip_armed)
{
	struct stream saved;

	board_set(&board, IMSC, 1);
	board_set(&board, MR, board_get(&board, DR) + 1);
	saved = device_saved(dev);
	ck_assert_int_eq(device_load(other, saved.buf, saved.len), 0);
	stream_close(&saved);
	board_same(dev, other);
	ck_assert(board_wait(&other_board, interrupted, &other_board, 3000));
}
END_TEST

static int load_alarm(uint8_t mask, uint8_t is_raised, uint64_t alarm)
{
	struct stream stream;
	uint32_t zero = 0;
	struct state s;
	int err;

	stream_open_buf(&stream);
	state_init_save(&s, &stream);
	state_u32(&s, "offset", &zero);
	state_u32(&s, "match", &zero);
	state_u32(&s, "load", &zero);
	state_u8(&s, "mask", &mask);
	state_u8(&s, "raised", &is_raised);
	state_u64(&s, "alarm", &alarm);
	err = device_load(dev, stream.buf, stream.len);
	stream_close(&stream);
	return err;
}

START_TEST(test_loaded_alarms)
{
	/* Due while nothing ran. */
	ck_assert_int_eq(load_alarm(1, 0, (uint64_t)time(NULL) - 100), 0);
	ck_assert(board.irq.level);
	/* Further than any counter reaches. */
	ck_assert_int_eq(load_alarm(1, 0, UINT64_MAX - 1), 0);
	ck_assert(!board.irq.level);
	ck_assert(!loop_poll(board.loop, 0));
	ck_assert_int_eq(load_alarm(1, 0, (uint64_t)time(NULL) + UINT32_MAX), 0);
	ck_assert(!loop_poll(board.loop, 0));
	ck_assert_int_eq(load_alarm(2, 0, 0), -ERANGE);
	board_same(dev, other);
	ck_assert_int_eq(load_alarm(1, 255, 0), -ERANGE);
	board_same(dev, other);
	ck_assert(!board.irq.level);
}
END_TEST

START_TEST(test_no_place)
{
	struct fail fail = { 0 };
	struct device *again = NULL;

	ck_assert_int_eq(pl031_create(&board.env, &again, &fail), -EEXIST);
	ck_assert_ptr_null(again);
	ck_assert_int_eq(fail.code, EXIT_HOST);
	ck_assert_str_ne(fail.text, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("devices_pl031");
	TCase *tc = tcase_create("pl031");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, test_identity);
	tcase_add_test(tc, test_sweep);
	tcase_add_test(tc, test_time);
	tcase_add_test(tc, test_alarm);
	tcase_add_test(tc, test_alarm_wraps);
	tcase_add_test(tc, test_masked);
	tcase_add_test(tc, test_moved_alarm);
	tcase_add_test(tc, test_round_trip);
	tcase_add_test(tc, test_round_trip_armed);
	tcase_add_test(tc, test_loaded_alarms);
	tcase_add_test(tc, test_no_place);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
