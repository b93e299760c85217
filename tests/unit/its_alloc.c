// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "tests/fake/board.h"
#include "tests/fake/its.h"
#include "tests/fake/saved.h"
#include "tests/fake/scarce.h"
#include "tests/fake/suite.h"
#include "vmm/core/state.h"

/*
 * The nth allocation fails, for every n: the command stalls the queue and has changed nothing; once
 * the guest retries, everything is as if nothing had been.
 */
enum { CWRITER = 0x88, CREADR = 0x90, STALLED = 1, RETRY = 1, DEV = 8, LPI = 8192, EVENTS = 1200 };

static struct fake_its f, g;

static void setup(void)
{
	fake_its_init(&f, FAKE_ITS_CPUS);
	fake_its_init(&g, FAKE_ITS_CPUS);
}

static void teardown(void)
{
	fake_its_fini(&f);
	fake_its_fini(&g);
}

static void put(struct fake_its *its, struct its_command cmd)
{
	fake_its_put(its, &cmd);
}

/* More events than there is room for in one turn to the sink, then all of them unmapped. */
static void script(struct fake_its *its)
{
	put(its, its_mapc_cmd(0, 1, true));
	put(its, its_mapd_cmd(DEV, 16, true));
	for (unsigned int i = 0; i < EVENTS; i++)
		put(its, its_mapti_cmd(DEV, i, LPI + i, 0));
	put(its, its_mapti_cmd(DEV, 60000, LPI + 5000, 7));
	put(its, its_mapd_cmd(DEV + 1, 3, true));
	put(its, its_mapti_cmd(DEV + 1, 7, LPI + 5001, 0));
	put(its, its_movall_cmd(1, 2));
	put(its, its_mapd_cmd(DEV, 16, false));
	put(its, its_mapd_cmd(DEV, 16, true));
	for (unsigned int i = 0; i < 100; i++)
		put(its, its_mapti_cmd(DEV, i * 100, LPI + i, 0));
}

static void check_agree(void)
{
	for (unsigned int i = 0; i < EVENTS; i++) {
		uint32_t intid, cpu;

		ck_assert_int_eq(its_translate(f.dev, DEV, i, &intid, &cpu),
				 fake_its_sent(&f, DEV, i, &intid, &cpu));
	}
}

/* What the others compare with: nothing stalls, and all can be saved and loaded. */
START_TEST(none_fails)
{
	struct stream saved;

	script(&g);
	ck_assert(fake_its_go(&g));
	saved = device_saved(g.dev);
	ck_assert_int_eq(device_load(f.dev, saved.buf, saved.len), 0);
	board_same(f.dev, g.dev);
	check_agree();
	stream_close(&saved);
}
END_TEST

#if SCARCE_MEMORY

START_TEST(nth_allocation_of_a_command)
{
	bool stalled;
	unsigned int n = 0;

	script(&g);
	ck_assert(fake_its_go(&g));
	do {
		fake_its_recreate(&f);
		fake_its_enable(&f);
		script(&f);
		scarce_begin(n);
		stalled = !fake_its_go(&f);
		scarce_end();
		ck_assert_int_eq(fake_its_read(&f, CREADR, 8) & STALLED, stalled);
		check_agree();
		if (stalled) {
			/* Not by more commands, but by Retry. */
			ck_assert(!fake_its_go(&f));
			fake_its_write(&f, CWRITER, 8, f.written | RETRY);
			fake_its_settle(&f);
			ck_assert_uint_eq(fake_its_read(&f, CREADR, 8), f.written);
		}
		board_same(f.dev, g.dev);
		check_agree();
	} while (stalled && ++n < 1000);
	ck_assert(!stalled);
	ck_assert_uint_gt(n, 50);
}
END_TEST

/* While loading a state: refused, as after a reset. */
START_TEST(nth_allocation_of_a_state)
{
	struct stream initial, saved, after;
	unsigned int n = 0;
	int err;

	script(&g);
	ck_assert(fake_its_go(&g));
	saved = device_saved(g.dev);
	fake_its_recreate(&f);
	initial = device_saved(f.dev);
	do {
		struct stream in;
		struct state s;

		stream_open_data(&in, saved.buf, saved.len);
		state_init_load(&s, &in);
		scarce_begin(n);
		f.dev->ops->state(f.dev, &s);
		scarce_end();
		err = state_end(&s);
		stream_close(&in);
		ck_assert(!err || err == -ENOMEM);
		after = device_saved(f.dev);
		if (err) {
			ck_assert_uint_eq(after.len, initial.len);
			ck_assert_mem_eq(after.buf, initial.buf, after.len);
		}
		stream_close(&after);
	} while (err && ++n < 1000);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_gt(n, 20);
	board_same(f.dev, g.dev);
	stream_close(&initial);
	stream_close(&saved);
}
END_TEST

START_TEST(nth_allocation_of_a_device)
{
	struct device *dev = NULL;
	unsigned int n = 0;
	int err;

	bus_fini(&f.bus);
	bus_init(&f.bus);
	do {
		struct fail fail = { 0 };

		scarce_begin(n);
		err = its_create(&f.dev->env, &f.cfg, &dev, &fail);
		scarce_end();
		ck_assert(!err || (err == -ENOMEM && fail.text[0] && !f.bus.nregions));
	} while (err && ++n < 10);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_ge(n, 3);
	dev->ops->destroy(dev);
}
END_TEST

#endif

int main(void)
{
	Suite *suite = suite_create("its_alloc");
	TCase *tc = tcase_create("its");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, none_fails);
#if SCARCE_MEMORY
	tcase_add_test(tc, nth_allocation_of_a_command);
	tcase_add_test(tc, nth_allocation_of_a_state);
	tcase_add_test(tc, nth_allocation_of_a_device);
#endif
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
