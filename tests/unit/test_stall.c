// SPDX-License-Identifier: GPL-2.0-only
/* Samples of machines that do something, or nothing any more. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/suite.h"
#include "vmm/test_stall.h"

static struct test_stall stall;

#define IDLE 10000000ULL

/* A sample of one or two CPUs. */
static int sample(uint64_t now, const char *text)
{
	char *copy = strdup(text);
	int err = test_stall_sample(&stall, now, copy);

	free(copy);
	return err;
}

static enum test_outcome judge(const char *text, uint64_t left, char *why, size_t size)
{
	char *copy = strdup(text);
	enum test_outcome outcome = test_stall_judge(&stall, copy, IDLE, left, why, size);

	free(copy);
	return outcome;
}

#define CPU(waits, n, ran)  "{\"waits\":" #waits ",\"nwaits\":" #n ",\"ran_ns\":" #ran "}"
#define ONE(io, cpu)	    "{\"ok\":true,\"cpus\":[" cpu "],\"io\":" #io "}"
#define TWO(io, cpu, other) ONE(io, cpu "," other)

static void setup(void)
{
	test_stall_reset(&stall);
}

static const struct {
	const char *first, *later;
	bool suspect, at_last; /* when the first sample is IDLE old; when the second one is */
} rows[] = {
	{ ONE(5, CPU(true, 3, 100)), ONE(5, CPU(true, 3, 100)), true, true },
	{ ONE(5, CPU(false, 3, 100)), ONE(5, CPU(false, 3, 9000100)), true, true },
	/* I/O */
	{ ONE(5, CPU(true, 3, 100)), ONE(6, CPU(true, 3, 100)), false, true },
	/* woken meanwhile */
	{ ONE(5, CPU(true, 3, 100)), ONE(5, CPU(true, 4, 100)), false, true },
	{ ONE(5, CPU(true, 3, 100)), ONE(5, CPU(false, 3, 100)), false, false },
	/* off, or paused */
	{ ONE(5, CPU(false, 3, 100)), ONE(5, CPU(false, 3, 100)), false, false },
	{ TWO(5, CPU(true, 3, 100), CPU(false, 0, 0)), TWO(5, CPU(true, 3, 100), CPU(false, 0, 0)),
	  true, true },
	{ TWO(5, CPU(true, 3, 100), CPU(true, 1, 0)), TWO(5, CPU(true, 3, 100), CPU(true, 2, 0)),
	  false, true },
};

START_TEST(suspects)
{
	ck_assert_int_eq(sample(0, rows[_i].first), 0);
	ck_assert(!test_stall_suspect(&stall, 0, IDLE));
	ck_assert_int_eq(sample(IDLE / 2, rows[_i].later), 0);
	ck_assert(!test_stall_suspect(&stall, IDLE / 2, IDLE));
	ck_assert_int_eq(sample(IDLE, rows[_i].later), 0);
	ck_assert_int_eq(test_stall_suspect(&stall, IDLE, IDLE), rows[_i].suspect);
	/* What has stopped moving after the first sample counts from there. */
	ck_assert_int_eq(sample(2 * IDLE, rows[_i].later), 0);
	ck_assert_int_eq(test_stall_suspect(&stall, 2 * IDLE, IDLE), rows[_i].at_last);
	test_stall_reset(&stall);
	ck_assert(!test_stall_suspect(&stall, 3 * IDLE, IDLE));
}
END_TEST

static const struct {
	const char *text;
	enum test_outcome outcome;
	const char *why;
} judged[] = {
	{ "{\"cpus\":[{},{}]}", TEST_STALL_SPINNING, "vCPU 0 waits, vCPU 1 spins" },
	{ "{\"cpus\":[{\"timer_ns\":5000},{}]}", TEST_STALL_SPINNING,
	  "vCPU 0 waits, vCPU 1 spins" },
	{ "{\"cpus\":[{\"timer_ns\":500},{}]}", TEST_NONE, NULL },
	{ "{\"cpus\":[{\"timer_late_ns\":500},{}]}", TEST_NONE, NULL },
	{ "{\"cpus\":[{\"timer_late_ns\":9000000},{}]}", TEST_STALL_SPINNING,
	  "vCPU 0 waits, vCPU 1 spins" },
	{ "{\"cpus\":[{},{\"timer_ns\":500}]}", TEST_STALL_SPINNING, "vCPU 0 waits, vCPU 1 spins" },
	{ "{\"cpus\":[{},{\"state\":\"off\"}]}", TEST_STALL_WAITING,
	  "vCPU 0 waits, vCPU 1 is off" },
	{ "{\"cpus\":[{}]}", TEST_NONE, NULL },
	{ "{\"cpus\":3}", TEST_NONE, NULL },
	{ "{\"ok\":false,\"error\":\"x\"}", TEST_NONE, NULL },
	{ "nonsense", TEST_NONE, NULL },
};

START_TEST(judgements)
{
	char why[100];

	ck_assert_int_eq(sample(0, TWO(5, CPU(true, 3, 100), CPU(false, 0, 0))), 0);
	ck_assert_int_eq(sample(IDLE, TWO(5, CPU(true, 3, 100), CPU(false, 0, 9000000))), 0);
	ck_assert(test_stall_suspect(&stall, IDLE, IDLE));
	ck_assert_int_eq(judge(judged[_i].text, 1000, why, sizeof(why)), judged[_i].outcome);
	if (judged[_i].why)
		ck_assert_str_eq(why, judged[_i].why);
	/* Kept from running. */
	test_stall_reset(&stall);
	ck_assert_int_eq(sample(0, TWO(5, CPU(true, 3, 100), CPU(false, 0, 0))), 0);
	ck_assert_int_eq(sample(IDLE, TWO(5, CPU(true, 3, 100), CPU(false, 0, 4000000))), 0);
	ck_assert_int_eq(judge(judged[_i].text, 1000, why, sizeof(why)),
			 strstr(judged[_i].text, "off") ? TEST_STALL_WAITING : TEST_NONE);
	/* Cut, never beyond its end. */
	judge(judged[_i].text, 1000, why, 10);
	ck_assert_uint_lt(strlen(why), 10);
}
END_TEST

static const char *const refused[] = {
	"",
	"{\"ok\":true}",
	"{\"io\":5}",
	"{\"io\":5,\"cpus\":[]}",
	"{\"io\":5,\"cpus\":{}}",
	"{\"io\":-5,\"cpus\":[" CPU(true, 1, 1) "]}",
	"{\"io\":5,\"cpus\":[1]}",
	"{\"io\":5,\"cpus\":[{}]}",
	"{\"io\":5,\"cpus\":[{\"waits\":1,\"nwaits\":1,\"ran_ns\":1}]}",
	"{\"io\":5,\"cpus\":[{\"waits\":true,\"nwaits\":\"1\",\"ran_ns\":1}]}",
};

START_TEST(nonsense)
{
	ck_assert_int_eq(sample(0, refused[_i]), -EINVAL);
}
END_TEST

START_TEST(too_many_cpus)
{
	char *text = malloc(100000);

	strcpy(text, "{\"io\":5,\"cpus\":[");
	for (int i = 0; i <= TEST_STALL_CPUS; i++)
		strcat(text, i ? "," CPU(true, 1, 1) : CPU(true, 1, 1));
	strcat(text, "]}");
	ck_assert_int_eq(test_stall_sample(&stall, 0, text), -EINVAL);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("test_stall");
	TCase *tc = tcase_create("stall");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, suspects, 0, sizeof(rows) / sizeof(rows[0]));
	tcase_add_loop_test(tc, judgements, 0, sizeof(judged) / sizeof(judged[0]));
	tcase_add_loop_test(tc, nonsense, 0, sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(tc, too_many_cpus);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
