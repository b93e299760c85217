// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/gicv2.h"
#include "devices/gicv2m.h"
#include "devices/gpio.h"
#include "devices/pl011.h"
#include "devices/pl031.h"
#include "firmware/boot.h"
#include "tests/fake/board.h"
#include "tests/fake/kernel.h"
#include "tests/fake/scarce.h"
#include "tests/fake/suite.h"

/*
 * Whatever is created or opened, the nth allocation or descriptor fails, for every n until none
 * does: each time there is the right error with a sentence, and nothing is left behind.
 */

static struct board board;
static const char *kernel, *initrd;

static void setup(void)
{
	static uint8_t image[0x4000];
	uint8_t *packed, *zboot;
	size_t len;

	board_init(&board);
	kernel_setup();
	kernel_image(image, sizeof(image), (struct kernel_head){ 0, sizeof(image), 2 });
	len = kernel_pack("gzip", image, sizeof(image), &packed);
	len = kernel_zboot("gzip", packed, len, &zboot);
	kernel = kernel_file("vmlinuz", zboot, len);
	initrd = kernel_file("initrd", "x", 1);
	free(packed);
	free(zboot);
}

static void teardown(void)
{
	kernel_teardown();
	board_fini(&board, NULL);
}

static int make_boot(struct fail *fail)
{
	struct boot boot = { 0 };
	int err = boot_open(&boot, kernel, false, initrd, 0x40000000, 64 << 20, fail);

	boot_close(&boot);
	return err;
}

/* The sanitizers replace malloc themselves, and look for leaks in the other test. */
#if SCARCE_MEMORY

enum { DEVICES = 5 };

static int finish(int err, struct device **dev)
{
	if (!err)
		(*dev)->ops->destroy(*dev);
	return err;
}

static int make_pl011(struct fail *fail)
{
	struct device *dev = NULL;

	return finish(pl011_create(&board.env, NULL, &dev, fail), &dev);
}

static int make_pl031(struct fail *fail)
{
	struct device *dev = NULL;

	return finish(pl031_create(&board.env, &dev, fail), &dev);
}

static int make_gpio(struct fail *fail)
{
	struct device *dev = NULL;

	return finish(gpio_create(&board.env, &dev, fail), &dev);
}

static int make_gicv2m(struct fail *fail)
{
	struct device *dev = NULL;

	return finish(gicv2m_create(&board.env, 64, &dev, fail), &dev);
}

static void drive(void *arg, unsigned int cpu, enum gicv2_input input, bool level)
{
	(void)arg, (void)cpu, (void)input, (void)level;
}

static int make_gicv2(struct fail *fail)
{
	const struct gicv2_config cfg = { BOARD_BASE + 0x10000, 4, 288, drive, NULL };
	struct irqchip *chip = NULL;
	int err = gicv2_create(&board.env, &cfg, &chip, fail);

	if (!err)
		chip->ops->destroy(chip);
	return err;
}

static int (*const makers[DEVICES])(struct fail *fail) = { make_pl011, make_pl031, make_gpio,
							   make_gicv2m, make_gicv2 };

START_TEST(test_nth_allocation_fails)
{
	unsigned int n = 0;
	int err;

	do {
		struct fail fail = { 0 };

		scarce_begin(n);
		err = makers[_i](&fail);
		ck_assert_int_eq(scarce_end(), 0);
		ck_assert(!err || (err == -ENOMEM && fail.text[0] && !board.bus.nregions));
	} while (err && ++n < 10);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_ge(n, 1);
}
END_TEST

#endif

START_TEST(test_nth_descriptor_fails)
{
	const int first = scarce_next_fd();
	struct rlimit before;
	unsigned int n = 0;
	int err;

	do {
		struct fail fail = { 0 };

		before = scarce_fds_begin(n);
		err = make_boot(&fail);
		scarce_fds_end(before);
		ck_assert_int_eq(scarce_next_fd(), first);
		ck_assert_msg(!err || fail.text[0], "%u: %d without a sentence", n, err);
	} while (err && ++n < 20);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_ge(n, 4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("devices_alloc");
	TCase *tc = tcase_create("alloc");

	tcase_add_checked_fixture(tc, setup, teardown);
#if SCARCE_MEMORY
	tcase_add_loop_test(tc, test_nth_allocation_fails, 0, DEVICES);
#endif
	tcase_add_test(tc, test_nth_descriptor_fails);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
