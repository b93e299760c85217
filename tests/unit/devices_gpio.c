// SPDX-License-Identifier: GPL-2.0-only
#include "devices/gpio.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "tests/fake/board.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "vmm/core/state.h"

enum { DIR = 0x400, IS = 0x404, IBE = 0x408, IEV = 0x40c, IE = 0x410 };
enum { RIS = 0x414, MIS = 0x418, IC = 0x41c, AFSEL = 0x420, ALL = 0xff << 2 };
enum { KEY = 1 << GPIO_KEY_LINE };

static struct board board, other_board;
static struct device *dev, *other;

static void setup(void)
{
	board_init(&board);
	board_init(&other_board);
	ck_assert_int_eq(gpio_create(&board.env, &dev, NULL), 0);
	ck_assert_int_eq(gpio_create(&other_board.env, &other, NULL), 0);
}

static void teardown(void)
{
	board_fini(&board, dev);
	board_fini(&other_board, other);
}

static bool released(void *arg)
{
	return !(board_get(arg, KEY << 2) & KEY);
}

START_TEST(test_identity)
{
	static const uint8_t id[8] = { 0x61, 0x10, 0x04, 0, 0x0d, 0xf0, 0x05, 0xb1 };

	ck_assert_str_eq(dev->name, "gpio@9000000");
	for (unsigned int i = 0; i < 8; i++)
		ck_assert_uint_eq(board_get(&board, 0xfe0 + 4 * i), id[i]);
	for (uint64_t off = DIR; off <= AFSEL; off += 4)
		ck_assert_uint_eq(board_get(&board, off), 0);
}
END_TEST

START_TEST(test_sweep)
{
	board_sweep(&board, GPIO_SIZE);
	ck_assert_uint_eq(board_get(&board, 0xfe0), 0x61);
	board_reset(dev);
	board_same(dev, other);
	ck_assert(!board.irq.level);
}
END_TEST

/* A write changes the output lines that the address selects, a read shows the lines it selects. */
START_TEST(test_data_masks)
{
	uint8_t model = 0, dir = (uint8_t)(_i * 37);

	board_set(&board, DIR, dir);
	for (unsigned int mask = 0; mask < 256; mask++) {
		uint8_t val = (uint8_t)(mask * 151 + 7);

		board_set(&board, mask << 2, val);
		model = (model & ~(mask & dir)) | (val & mask & dir);
		ck_assert_uint_eq(board_get(&board, ALL), model);
		ck_assert_uint_eq(board_get(&board, mask << 2), model & mask);
	}
	/* An input keeps what was written for when it is an output again. */
	board_set(&board, DIR, 0);
	ck_assert_uint_eq(board_get(&board, ALL), 0);
	board_set(&board, DIR, dir);
	ck_assert_uint_eq(board_get(&board, ALL), model);
}
END_TEST

/* All kinds of sensing: is, ibe, iev from the bits of _i, on a press and on a release. */
START_TEST(test_sensing)
{
	bool is = _i & 1, ibe = _i & 2, iev = _i & 4, want;

	board_set(&board, IS, is ? KEY : 0);
	board_set(&board, IBE, ibe ? KEY : 0);
	board_set(&board, IEV, iev ? KEY : 0);
	board_set(&board, IE, KEY);
	want = is && !iev; /* low level, and the line is low */
	ck_assert(board.irq.level == want);

	gpio_power_key(dev);
	want = is ? iev : ibe || iev;
	ck_assert(board.irq.level == want);
	ck_assert_uint_eq(board_get(&board, MIS), want ? KEY : 0);
	board_set(&board, IC, KEY);
	want = is && iev; /* a level cannot be cleared */
	ck_assert(board.irq.level == want);

	ck_assert(board_wait(&board, released, &board, 1000));
	want = is ? !iev : ibe || !iev;
	ck_assert(board.irq.level == want);
	board_set(&board, IC, KEY);
	ck_assert(board.irq.level == (is && !iev));
}
END_TEST

START_TEST(test_mask)
{
	board_set(&board, IEV, KEY);
	gpio_power_key(dev);
	ck_assert_uint_eq(board_get(&board, RIS), KEY);
	ck_assert_uint_eq(board_get(&board, MIS), 0);
	ck_assert(!board.irq.level);
	board_set(&board, IE, KEY);
	ck_assert(board.irq.level);
	board_set(&board, IE, (uint8_t)~KEY);
	ck_assert(!board.irq.level);
}
END_TEST

/* What Linux's pl061 and gpio-keys drivers do: both edges, acknowledge, look at the line. */
START_TEST(test_linux_power_key)
{
	uint64_t pressed_at;

	board_write(&board, IE, 1, 0);
	board_write(&board, IS, 1, 0);
	board_write(&board, IBE, 1, KEY);
	board_write(&board, IE, 1, KEY);
	pressed_at = loop_now_ns();
	gpio_power_key(dev);

	ck_assert(board.irq.level);
	ck_assert_uint_eq(board_read(&board, MIS, 1), KEY);
	board_write(&board, IC, 1, KEY);
	ck_assert(!board.irq.level);
	ck_assert_uint_eq(board_read(&board, KEY << 2, 1), KEY);

	ck_assert(board_wait(&board, released, &board, 1000));
	ck_assert_uint_ge(loop_now_ns() - pressed_at, GPIO_KEY_MS * 1000000ULL);
	ck_assert(board.irq.level);
	board_write(&board, IC, 1, KEY);
	ck_assert(!board.irq.level);
}
END_TEST

/* A guest that is slow to look still finds it pressed. */
START_TEST(test_unseen_press_stays)
{
	gpio_power_key(dev);
	ck_assert(!loop_poll(board.loop, 2 * GPIO_KEY_MS));
	ck_assert_uint_eq(board_read(&board, KEY << 2, 1), KEY);
	ck_assert(board_wait(&board, released, &board, 1000));
}
END_TEST

START_TEST(test_second_press_extends)
{
	uint64_t second;

	gpio_power_key(dev);
	loop_poll(board.loop, GPIO_KEY_MS / 2);
	second = loop_now_ns();
	gpio_power_key(dev);
	ck_assert(board_wait(&board, released, &board, 1000));
	ck_assert_uint_ge(loop_now_ns() - second, GPIO_KEY_MS * 1000000ULL);
}
END_TEST

START_TEST(test_reset_releases)
{
	gpio_power_key(dev);
	board_reset(dev);
	ck_assert(released(&board));
	board_same(dev, other);
	ck_assert(!loop_poll(board.loop, 2 * GPIO_KEY_MS));
}
END_TEST

START_TEST(test_round_trip)
{
	struct stream saved;

	board_set(&board, DIR, 0xf0);
	board_set(&board, ALL, 0xa5);
	board_set(&board, IBE, KEY);
	board_set(&board, IE, KEY);
	board_set(&board, AFSEL, 0x81);
	gpio_power_key(dev);
	ck_assert(board.irq.level);

	saved = device_saved(dev);
	ck_assert_int_eq(device_load(other, saved.buf, saved.len), 0);
	stream_close(&saved);
	board_same(dev, other);
	ck_assert(other_board.irq.level);
	ck_assert_uint_eq(board_get(&other_board, ALL), 0xa0 | KEY);
	/* The key that was held is let go there, too. */
	board_set(&other_board, IC, KEY);
	ck_assert(board_wait(&other_board, released, &other_board, 1000));
	ck_assert(other_board.irq.level);
	board_truncate(dev, other);
	ck_assert(!other_board.irq.level);
}
END_TEST

/* Lines that nothing in the machine can drive. */
START_TEST(test_hostile_state)
{
	static const char *const names[] = { "dir", "is", "ibe", "iev", "ie", "afsel" };
	uint8_t zero = 0, in = 0xff, out = 0;
	struct stream stream;
	struct state s;

	stream_open_buf(&stream);
	state_init_save(&s, &stream);
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		state_u8(&s, names[i], &zero);
	state_u8(&s, "in", &in);
	state_u8(&s, "out", &out);
	state_u8(&s, "edges", &zero);
	ck_assert_int_eq(device_load(dev, stream.buf, stream.len), -ERANGE);
	stream_close(&stream);
	board_same(dev, other);
}
END_TEST

START_TEST(test_no_place)
{
	struct fail fail = { 0 };
	struct device *again = NULL;

	ck_assert_int_eq(gpio_create(&board.env, &again, &fail), -EEXIST);
	ck_assert_ptr_null(again);
	ck_assert_int_eq(fail.code, EXIT_HOST);
	ck_assert_str_ne(fail.text, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("devices_gpio");
	TCase *tc = tcase_create("gpio");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_identity);
	tcase_add_test(tc, test_sweep);
	tcase_add_loop_test(tc, test_data_masks, 0, 8);
	tcase_add_loop_test(tc, test_sensing, 0, 8);
	tcase_add_test(tc, test_mask);
	tcase_add_test(tc, test_linux_power_key);
	tcase_add_test(tc, test_unseen_press_stays);
	tcase_add_test(tc, test_second_press_extends);
	tcase_add_test(tc, test_reset_releases);
	tcase_add_test(tc, test_round_trip);
	tcase_add_test(tc, test_hostile_state);
	tcase_add_test(tc, test_no_place);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
