// SPDX-License-Identifier: GPL-2.0-only
/* What is counted of rings and interrupts, by the simplest device. */
#include <check.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdio.h>
#include <string.h>

#include "tests/fake/driver.h"
#include "tests/fake/suite.h"
#include "virtio/mmio.h"
#include "virtio/rng.h"
#include "vmm/core/json.h"

static struct fake_guest g;

static void setup(void)
{
	static const struct rng_config config = { .transport = &virtio_mmio };
	struct fail fail = { 0 };

	fake_guest_init(&g);
	ck_assert_int_eq(rng_create(&g.env, &config, &g.dev, &fail), 0);
}

static void teardown(void)
{
	fake_guest_fini(&g);
}

static const char *stat_text(void)
{
	static char text[512];
	struct json_out out;

	json_out_init(&out, text, sizeof(text));
	json_open(&out, NULL, '{');
	g.dev->ops->stat(g.dev, &out);
	json_close(&out, '}');
	ck_assert(!out.full);
	return text;
}

static void check_stat(const char *counts)
{
	char want[512];

	snprintf(want, sizeof(want), "{\"queues\":[{%s}]}", counts);
	ck_assert_str_eq(stat_text(), want);
}

static void add(unsigned int n)
{
	const struct fake_buf buf = { FAKE_DATA, 32, true };

	while (n--)
		fake_ring_add(&g.rings[0], &buf, 1);
}

#define NONE "\"notifications\":0,\"requests\":0,\"bytes\":0,\"interrupts\":0,\"suppressed\":0"

START_TEST(ring_counters)
{
	check_stat(NONE);
	ck_assert(fake_guest_start(&g, 0, 1, 8));
	fake_guest_run(&g); /* DRIVER_OK looks at the queue by itself: no notification */
	check_stat(NONE);
	add(3);
	fake_guest_kick(&g, 0);
	fake_guest_run(&g);
	check_stat("\"notifications\":1,\"requests\":3,\"bytes\":96,\"interrupts\":1,"
		   "\"suppressed\":0");
	/* Woken, with nothing to do. */
	fake_write(&g, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	fake_guest_run(&g);
	check_stat("\"notifications\":2,\"requests\":3,\"bytes\":96,\"interrupts\":1,"
		   "\"suppressed\":0");
	fake_ring_no_interrupt(&g.rings[0], true);
	add(2);
	fake_guest_kick(&g, 0);
	fake_guest_run(&g);
	check_stat("\"notifications\":3,\"requests\":5,\"bytes\":160,\"interrupts\":1,"
		   "\"suppressed\":1");
	ck_assert_uint_eq(g.dev->env.irq.raised, 1);
}
END_TEST

/* A driver's reset hides nothing; the machine's begins anew. */
START_TEST(since_which_reset)
{
	ck_assert(fake_guest_start(&g, 0, 1, 8));
	fake_guest_run(&g);
	add(1);
	fake_guest_kick(&g, 0);
	fake_guest_run(&g);
	fake_write(&g, VIRTIO_MMIO_STATUS, 0);
	check_stat("\"notifications\":1,\"requests\":1,\"bytes\":32,\"interrupts\":1,"
		   "\"suppressed\":0");
	ck_assert(fake_guest_start(&g, 0, 1, 8));
	fake_guest_run(&g);
	add(1);
	fake_guest_kick(&g, 0);
	fake_guest_run(&g);
	check_stat("\"notifications\":2,\"requests\":2,\"bytes\":64,\"interrupts\":2,"
		   "\"suppressed\":0");
	pthread_mutex_lock(&g.dev->lock);
	g.dev->ops->reset(g.dev);
	pthread_mutex_unlock(&g.dev->lock);
	check_stat(NONE);
}
END_TEST

/* What a person is shown of negotiation and rings. */
START_TEST(rings_for_people)
{
	static char text[2048];
	struct json_out out;

	ck_assert(fake_guest_start(&g, VIRTIO_BIT(VIRTIO_F_VERSION_1), 1, 8));
	add(3);
	fake_guest_kick(&g, 0);
	fake_guest_run(&g);
	json_out_init(&out, text, sizeof(text));
	json_open(&out, NULL, '{');
	g.dev->ops->debug(g.dev, &out);
	json_close(&out, '}');
	ck_assert(!out.full);
	ck_assert_ptr_nonnull(strstr(text, "\"status\":\"0xf\""));
	ck_assert_ptr_nonnull(strstr(text, "\"layout\":\"split\""));
	ck_assert_ptr_nonnull(strstr(text, "\"size\":8,"));
	ck_assert_ptr_nonnull(strstr(text, "\"next_avail\":3,\"next_used\":3,\"in_flight\":0"));
}
END_TEST

START_TEST(levels_that_rise)
{
	struct irq irq = { 0 };

	irq_set(&irq, false);
	irq_set(&irq, true);
	irq_set(&irq, true);
	irq_set(&irq, false);
	irq_set(&irq, true);
	ck_assert_uint_eq(irq.raised, 2);
	irq_pulse(&irq);
	ck_assert_uint_eq(irq.raised, 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("virtio_stat");
	TCase *tc = tcase_create("stat");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, ring_counters);
	tcase_add_test(tc, since_which_reset);
	tcase_add_test(tc, rings_for_people);
	tcase_add_test(tc, levels_that_rise);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
