// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <libfdt.h>
#include <stdlib.h>

#include "devices/gicv2m.h"
#include "tests/fake/board.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "vmm/core/fdt.h"

enum { TYPER = 0x8, IIDR = 0xfcc, SPIS = 4, FIRST = 48 + 32 };

static struct board board, other_board;
static struct device *dev, *other;
static struct fake_irq lines[SPIS];

static struct device *create(struct board *b, uint32_t spi, unsigned int n)
{
	struct device *d;
	struct fail fail = { 0 };

	b->env.irq.spi = spi;
	ck_assert_int_eq(gicv2m_create(&b->env, n, &d, &fail), 0);
	return d;
}

static void setup(void)
{
	board_init(&board);
	board_init(&other_board);
	dev = create(&board, 48, SPIS);
	other = create(&other_board, 48, SPIS);
	for (unsigned int i = 0; i < SPIS; i++) {
		struct irq *irq = gicv2m_irq(dev, i);

		ck_assert(irq->edge && irq->spi == 48 + i);
		*irq = fake_irq(&lines[i]);
	}
}

static void teardown(void)
{
	board_fini(&board, dev);
	board_fini(&other_board, other);
}

static unsigned int pulses(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < SPIS; i++)
		n += lines[i].pulses;
	return n;
}

START_TEST(test_identity)
{
	ck_assert_uint_eq(board_get(&board, TYPER), FIRST << 16 | SPIS);
	ck_assert_uint_eq(board_get(&board, IIDR), 0x43b);
	ck_assert_uint_eq(board_get(&board, GICV2M_SETSPI), 0);
	ck_assert_ptr_null(gicv2m_irq(dev, SPIS));
}
END_TEST

/* Each number is its own line, as a word or a halfword; numbers beside ours are nobody's. */
START_TEST(test_messages)
{
	for (unsigned int i = 0; i < SPIS; i++) {
		board_write(&board, GICV2M_SETSPI, 4, FIRST + i);
		ck_assert_uint_eq(lines[i].pulses, 1);
		board_write(&board, GICV2M_SETSPI, 2, FIRST + i);
		ck_assert_uint_eq(lines[i].pulses, 2);
		ck_assert_uint_eq(lines[i].sets, 0);
	}
	ck_assert_uint_eq(pulses(), 2 * SPIS);
	for (uint32_t n = 0; n < 1024; n++)
		if (n < FIRST || n >= FIRST + SPIS)
			board_set(&board, GICV2M_SETSPI, n);
	board_write(&board, GICV2M_SETSPI, 1, FIRST);
	board_write(&board, GICV2M_SETSPI, 8, FIRST);
	board_set(&board, TYPER, FIRST);
	board_set(&board, GICV2M_SETSPI + 4, FIRST);
	ck_assert_uint_eq(pulses(), 2 * SPIS);
	/* Bits above the number are not part of it. */
	board_set(&board, GICV2M_SETSPI, 0xfffffc00 | FIRST);
	ck_assert_uint_eq(lines[0].pulses, 3);
}
END_TEST

START_TEST(test_devices_messages)
{
	struct msi msi = { BOARD_BASE + GICV2M_SETSPI, FIRST + 2, 8 };

	ck_assert_int_eq(gicv2m_message(dev, &msi), 0);
	ck_assert_uint_eq(lines[2].pulses, 1);
	msi.data = FIRST + SPIS;
	ck_assert_int_eq(gicv2m_message(dev, &msi), -ENXIO);
	msi = (struct msi){ BOARD_BASE, FIRST, 8 };
	ck_assert_int_eq(gicv2m_message(dev, &msi), -ENXIO);
	ck_assert_uint_eq(pulses(), 1);
}
END_TEST

START_TEST(test_sweep)
{
	board_sweep(&board, GICV2M_SIZE);
	board_same(dev, other);
}
END_TEST

START_TEST(test_round_trip)
{
	struct stream saved = device_saved(dev);
	struct board third_board;
	struct device *third;

	ck_assert_int_eq(device_load(other, saved.buf, saved.len), 0);
	board_same(dev, other);
	board_truncate(dev, other);
	board_reset(dev);
	board_same(dev, other);
	/* A frame of other SPIs refuses it. */
	board_init(&third_board);
	third = create(&third_board, 64, SPIS);
	ck_assert_int_eq(device_load(third, saved.buf, saved.len), -ERANGE);
	ck_assert_uint_eq(board_get(&third_board, TYPER), (64 + 32) << 16 | SPIS);
	board_fini(&third_board, third);
	stream_close(&saved);
}
END_TEST

START_TEST(test_describe)
{
	struct fdt fdt;
	void *blob;
	uint32_t size;
	int node;

	ck_assert_int_eq(dt_create(&fdt), 0);
	gicv2m_describe(dev, &fdt);
	ck_assert_int_eq(dt_finish(&fdt, &blob, &size), 0);
	node = fdt_path_offset(blob, "/v2m@9000000");
	ck_assert_int_ge(node, 0);
	ck_assert_str_eq(fdt_getprop(blob, node, "compatible", NULL), "arm,gic-v2m-frame");
	ck_assert_uint_eq(fdt_get_phandle(blob, node), FDT_PHANDLE_MSI);
	ck_assert_ptr_nonnull(fdt_getprop(blob, node, "msi-controller", NULL));
	free(blob);
}
END_TEST

START_TEST(test_bad_creation)
{
	struct fail fail = { 0 };
	struct device *again = NULL;

	ck_assert_int_eq(gicv2m_create(&board.env, SPIS, &again, &fail), -EEXIST);
	ck_assert_int_eq(fail.code, EXIT_HOST);
	ck_assert_int_lt(gicv2m_create(&other_board.env, 0, &again, NULL), 0);
	ck_assert_int_lt(gicv2m_create(&other_board.env, GICV2M_SPIS_MAX + 1, &again, NULL), 0);
	ck_assert_ptr_null(again);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("devices_gicv2m");
	TCase *tc = tcase_create("gicv2m");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_identity);
	tcase_add_test(tc, test_messages);
	tcase_add_test(tc, test_devices_messages);
	tcase_add_test(tc, test_sweep);
	tcase_add_test(tc, test_round_trip);
	tcase_add_test(tc, test_describe);
	tcase_add_test(tc, test_bad_creation);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
