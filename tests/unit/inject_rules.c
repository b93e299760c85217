// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firmware/inject.h"
#include "tests/fake/firmware.h"
#include "tests/fake/suite.h"

/* --inject: the grammar, whose turn it is, and what a caller sees. */

static struct inject inject;
static struct fail fail;

static void setup(void)
{
	inject = (struct inject){ 0 };
	fail = (struct fail){ 0 };
}

static void add(const char *text)
{
	int err = inject_add(&inject, inject_services, text, &fail);

	ck_assert_msg(err == 0, "%s: %s", text, fail.text);
}

/* --- grammar ---------------------------------------------------------------------------------- */

START_TEST(rules_and_their_canonical_spelling)
{
	static const char *const cases[][2] = {
		{ "psci:CPU_ON=DENIED@2", "psci:CPU_ON=DENIED@2" },
		{ "psci:CPU_ON=INTERNAL_FAILURE@cpu3", "psci:CPU_ON=INTERNAL_FAILURE@cpu3" },
		{ "psci:SYSTEM_SUSPEND=drop", "psci:SYSTEM_SUSPEND=drop" },
		{ "PSCI:cpu_on=denied@CPU3,2-4", "psci:CPU_ON=DENIED@2-4,cpu3" },
		{ "psci:CPU_ON=DENIED@every", "psci:CPU_ON=DENIED" },
		{ "psci:CPU_ON=DENIED@every,cpu0", "psci:CPU_ON=DENIED@cpu0" },
		{ "psci:CPU_ON=DENIED@cpu0,every", "psci:CPU_ON=DENIED@cpu0" },
		{ "psci:CPU_ON=DENIED@7-7", "psci:CPU_ON=DENIED@7" },
		{ "psci:CPU_ON=-3", "psci:CPU_ON=DENIED" },
		{ "psci:CPU_ON=0", "psci:CPU_ON=SUCCESS" },
		{ "psci:CPU_ON=-100@1", "psci:CPU_ON=-100@1" },
		{ "psci:PSCI_VERSION=0x10001", "psci:PSCI_VERSION=65537" },
		{ "psci:PSCI_VERSION=0xffffffffffffffff", "psci:PSCI_VERSION=NOT_SUPPORTED" },
		{ "psci:CPU_ON=0x8000000000000000", "psci:CPU_ON=-9223372036854775808" },
		{ "psci:CPU_ON=-9223372036854775808", "psci:CPU_ON=-9223372036854775808" },
		{ "psci:MIGRATE=SUCCESS@18446744073709551615",
		  "psci:MIGRATE=SUCCESS@18446744073709551615" },
		{ "trng:TRNG_RND=NO_ENTROPY@1-10,cpu0", "trng:TRNG_RND=NO_ENTROPY@1-10,cpu0" },
		{ "trng:TRNG_RND=Drop", "trng:TRNG_RND=drop" },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[128], again[128];

		setup();
		add(cases[i][0]);
		ck_assert_uint_eq(inject.nrules, 1);
		ck_assert_uint_eq(inject_format(&inject.rules[0], text, sizeof(text)),
				  strlen(cases[i][1]));
		ck_assert_str_eq(text, cases[i][1]);
		add(text);
		inject_format(&inject.rules[1], again, sizeof(again));
		ck_assert_str_eq(again, text);
	}
}
END_TEST

/* Every function and code by its name, alone and in every form of WHEN. */
START_TEST(every_name_round_trips)
{
	static const char *const whens[] = { "", "@3", "@3-5", "@cpu1", "@3,cpu1", "@3-5,cpu1" };
	const unsigned int nwhens = sizeof(whens) / sizeof(whens[0]);
	unsigned int n = 0;

	for (const struct inject_service *s = inject_services; s->name; s++) {
		const char *function;

		for (unsigned int i = 0; (function = s->function(i)); i++) {
			for (const struct inject_code *c = s->codes; c->name; c++) {
				char text[128], again[128];

				setup();
				snprintf(text, sizeof(text), "%s:%s=%s%s", s->name, function,
					 c->name, whens[n++ % nwhens]);
				add(text);
				ck_assert_int_eq(inject.rules[0].value, c->value);
				inject_format(&inject.rules[0], again, sizeof(again));
				ck_assert_str_eq(text, again);
			}
		}
	}
	ck_assert_uint_gt(n, 200);
}
END_TEST

START_TEST(refusals)
{
	static const char *const cases[][2] = {
		{ "", "'' is not a rule; give SERVICE:FUNCTION=RESULT[@WHEN]" },
		{ "psci", "'psci' is not a rule" },
		{ "psci:CPU_ON", "is not a rule" },
		{ "CPU_ON=DENIED", "is not a rule" },
		{ "psic:CPU_ON=DENIED", "no service 'psic', did you mean 'psci'?" },
		{ "PSIC:CPU_ON=DENIED", "no service 'PSIC', did you mean 'psci'?" },
		{ "network:CPU_ON=DENIED", "no service 'network'; give one of: psci trng" },
		{ ":CPU_ON=DENIED", "no service ''" },
		{ "psci:CPU_OON=DENIED", "no function 'CPU_OON', did you mean 'CPU_ON'?" },
		{ "psci:cpu_suspnd=DENIED", "did you mean 'CPU_SUSPEND'?" },
		{ "psci:REBOOT_THE_HOST=DENIED", "give one of: PSCI_VERSION CPU_SUSPEND CPU_OFF" },
		{ "psci:TRNG_RND=DENIED", "no function 'TRNG_RND'" },
		{ "psci:=DENIED", "no function ''" },
		{ "psci:CPU_ON=DENID", "no result 'DENID', did you mean 'DENIED'?" },
		{ "psci:CPU_ON=denid", "no result 'denid', did you mean 'DENIED'?" },
		{ "psci:CPU_ON=", "no result ''; give one of: drop SUCCESS NOT_SUPPORTED" },
		{ "psci:CPU_ON=NO_ENTROPY", "no result 'NO_ENTROPY'" },
		{ "psci:CPU_ON=0x", "no result '0x'" },
		{ "psci:CPU_ON=1z", "no result '1z'" },
		{ "psci:CPU_ON=--1", "no result '--1'" },
		{ "psci:CPU_ON=- 1", "no result '- 1'" },
		{ "psci:CPU_ON=a", "no result 'a'" },
		{ "psci:CPU_ON=0x10000000000000000", "no result '0x10000000000000000'" },
		{ "psci:CPU_ON=-9223372036854775809", "no result '-9223372036854775809'" },
		{ "psci:CPU_ON=DENIED@", "'' is not when a call is to fail" },
		{ "psci:CPU_ON=DENIED@0", "'0' is not when" },
		{ "psci:CPU_ON=DENIED@-1", "'-1' is not when" },
		{ "psci:CPU_ON=DENIED@3-2", "'3-2' is not when" },
		{ "psci:CPU_ON=DENIED@3-", "'3-' is not when" },
		{ "psci:CPU_ON=DENIED@1-2-3", "'1-2-3' is not when" },
		{ "psci:CPU_ON=DENIED@1,2", "'2' is not when" },
		{ "psci:CPU_ON=DENIED@every,2", "'2' is not when" },
		{ "psci:CPU_ON=DENIED@1,", "'' is not when" },
		{ "psci:CPU_ON=DENIED@cpu", "'cpu' is not when" },
		{ "psci:CPU_ON=DENIED@cpu-1", "'cpu-1' is not when" },
		{ "psci:CPU_ON=DENIED@cpu1x", "'cpu1x' is not when" },
		{ "psci:CPU_ON=DENIED@cpu1,cpu2", "'cpu2' is not when" },
		{ "psci:CPU_ON=DENIED@cpu4294967296", "'cpu4294967296' is not when" },
		{ "psci:CPU_ON=DENIED@18446744073709551616", "is not when" },
		{ "psci:CPU_ON=DENIED@2@3", "'2@3' is not when" },
		{ "psci:CPU_ON=DENIED @2", "no result 'DENIED '" },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setup();
		ck_assert_msg(inject_add(&inject, inject_services, cases[i][0], &fail) == -EINVAL,
			      "%s", cases[i][0]);
		ck_assert_int_eq(fail.code, EXIT_CONFIG);
		ck_assert_msg(strstr(fail.text, "--inject: ") == fail.text, "%s", fail.text);
		ck_assert_msg(strstr(fail.text, cases[i][1]) != NULL, "%s", fail.text);
		ck_assert_uint_eq(inject.nrules, 0);
	}
}
END_TEST

START_TEST(too_long_and_too_many)
{
	char text[512];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(inject_add(&inject, inject_services, text, &fail), -EINVAL);
	ck_assert_msg(strstr(fail.text, "is too long") != NULL, "%s", fail.text);
	setup();
	for (unsigned int i = 0; i < INJECT_RULES_MAX; i++)
		add("psci:CPU_ON=DENIED");
	ck_assert_int_eq(inject_add(&inject, inject_services, "psci:CPU_ON=DENIED", &fail),
			 -EINVAL);
	ck_assert_msg(strstr(fail.text, "at most 32 rules") != NULL, "%s", fail.text);
	ck_assert_uint_eq(inject.nrules, INJECT_RULES_MAX);
}
END_TEST

START_TEST(cpus_that_there_are)
{
	add("psci:CPU_ON=DENIED");
	add("psci:CPU_ON=DENIED@cpu3");
	ck_assert_int_eq(inject_check(&inject, 4, &fail), 0);
	ck_assert_int_eq(inject_check(&inject, 3, &fail), -EINVAL);
	ck_assert_str_eq(fail.text, "--inject psci:CPU_ON=DENIED@cpu3: the machine's CPUs are cpu0 "
				    "to cpu2");
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
}
END_TEST

/* --- turns ------------------------------------------------------------------------------------ */

static bool hit(const char *function, unsigned int cpu)
{
	int64_t value = 77;
	bool is = inject_hit(&inject, "psci", function, cpu, &value);

	ck_assert(is ? value != 77 : value == 77);
	return is;
}

START_TEST(nth_call)
{
	add("psci:CPU_ON=DENIED@2");
	add("psci:CPU_OFF=DENIED@2-3");
	for (unsigned int n = 1; n < 6; n++) {
		ck_assert_int_eq(hit("CPU_ON", n % 3), n == 2);
		ck_assert_int_eq(hit("CPU_OFF", n % 2), n == 2 || n == 3);
		ck_assert(!hit("CPU_SUSPEND", 0));
	}
	ck_assert(!inject_hit(&inject, "trng", "CPU_ON", 0, &(int64_t){ 0 }));
}
END_TEST

START_TEST(one_cpus_calls)
{
	add("psci:CPU_ON=DENIED@2,cpu1");
	ck_assert(!hit("CPU_ON", 1));
	/* Other CPUs' calls do not count. */
	ck_assert(!hit("CPU_ON", 0));
	ck_assert(!hit("CPU_ON", 2));
	ck_assert(hit("CPU_ON", 1));
	ck_assert(!hit("CPU_ON", 1));
	add("psci:SYSTEM_OFF=DENIED@cpu0");
	for (unsigned int n = 0; n < 5; n++) {
		ck_assert(hit("SYSTEM_OFF", 0));
		ck_assert(!hit("SYSTEM_OFF", 1));
	}
}
END_TEST

START_TEST(several_rules_for_one_function)
{
	static const int64_t want[] = { -3, -6, -6, 0, 0 };

	add("psci:CPU_ON=DENIED@1");
	add("psci:CPU_ON=INTERNAL_FAILURE@1-3");
	add("psci:CPU_ON=drop");
	for (unsigned int n = 0; n < 5; n++) {
		int64_t value = 77;

		ck_assert(inject_hit(&inject, "psci", "CPU_ON", 0, &value));
		ck_assert_int_eq(value, want[n]);
	}
}
END_TEST

enum { NTHREADS = 4, NHITS = 20000 };

static void *hammer(void *arg)
{
	unsigned int *nhits = arg;
	int64_t value;

	for (unsigned int i = 0; i < NHITS; i++)
		*nhits += inject_hit(&inject, "psci", "CPU_ON", i % 2, &value);
	return NULL;
}

/* Of calls from several CPUs at once exactly as many fail as the rules say. */
START_TEST(turns_under_threads)
{
	unsigned int nhits[NTHREADS] = { 0 }, sum = 0;
	pthread_t threads[NTHREADS];

	add("psci:CPU_ON=DENIED@1001-3000");
	add("psci:CPU_ON=DENIED@60001-60007,cpu1"); /* never: half of the calls are CPU 1's */
	for (unsigned int i = 0; i < NTHREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, &nhits[i]), 0);
	for (unsigned int i = 0; i < NTHREADS; i++) {
		pthread_join(threads[i], NULL);
		sum += nhits[i];
	}
	ck_assert_uint_eq(sum, 2000);
	ck_assert_uint_eq(inject.rules[0].count, NTHREADS * NHITS);
	ck_assert_uint_eq(inject.rules[1].count, NTHREADS * NHITS / 2);
}
END_TEST

/* --- calls ------------------------------------------------------------------------------------ */

START_TEST(calls_that_do_not_happen)
{
	struct fake_firmware f;

	fake_firmware_init(&f, PSCI_LATEST, 4);
	f.fw.inject = &inject;
	add("psci:CPU_ON=DENIED@2");
	add("psci:SYSTEM_SUSPEND=drop");
	add("psci:SYSTEM_OFF=drop");
	add("psci:PSCI_VERSION=0x20000");
	add("psci:MIGRATE=SUCCESS");
	add("psci:CPU_SUSPEND=drop");
	ck_assert_int_eq(fake_call(&f, 0, ID_CPU_ON, 1, FAKE_ENTRY, 0), 0);
	ck_assert_int_eq(fake_call(&f, 0, ID_CPU_ON | ID_64, 0x100, FAKE_ENTRY, 0), PSCI_DENIED);
	ck_assert_int_eq(f.last.wake, -1);
	ck_assert_int_eq(psci_cpu_state(&f.psci, 2), PSCI_CPU_OFF);
	ck_assert_int_eq(fake_call(&f, 0, ID_CPU_ON, 0x100, FAKE_ENTRY, 0), 0);
	ck_assert_int_eq(fake_call(&f, 0, ID_SYSTEM_SUSPEND, FAKE_ENTRY, 0, 0), 0);
	ck_assert_int_eq(f.last.action, SMCCC_CONTINUE);
	ck_assert_int_eq(fake_call(&f, 0, ID_CPU_SUSPEND, 0, 0, 0), 0);
	ck_assert_int_eq(f.last.action, SMCCC_CONTINUE);
	ck_assert_int_eq(psci_cpu_state(&f.psci, 0), PSCI_CPU_ON);
	ck_assert_int_eq(fake_call(&f, 0, ID_SYSTEM_OFF, 0, 0, 0), 0);
	ck_assert_int_eq(f.last.end, SMCCC_END_NONE);
	ck_assert_int_eq(fake_call(&f, 0, ID_PSCI_VERSION, 0, 0, 0), 0x20000);
	ck_assert_int_eq(fake_call(&f, 0, ID_MIGRATE, 1, 2, 3), 0);
	ck_assert_uint_eq(f.last.x[1], 1);
	/* What this version does not have stays so. */
	f.psci.version = PSCI_0_2;
	add("psci:PSCI_FEATURES=SUCCESS");
	ck_assert_int_eq(fake_call(&f, 0, ID_PSCI_FEATURES, 0, 0, 0), PSCI_NOT_SUPPORTED);
	ck_assert_uint_eq(inject.rules[6].count, 0);
	fake_firmware_fini(&f);
}
END_TEST

START_TEST(no_random_bits_come_with_an_error)
{
	struct fake_firmware f;

	fake_firmware_init(&f, PSCI_LATEST, 1);
	f.fw.inject = &inject;
	add("trng:TRNG_RND=NO_ENTROPY@1");
	ck_assert_int_eq(fake_call(&f, 0, ID_TRNG_RND, 32, 5, 6), TRNG_NO_ENTROPY);
	ck_assert_uint_eq(f.last.nresults, 4);
	ck_assert_uint_eq(f.last.x[1] | f.last.x[2] | f.last.x[3], 0);
	ck_assert_int_eq(fake_call(&f, 0, ID_TRNG_RND, 32, 5, 6), TRNG_SUCCESS);
	ck_assert_uint_eq(f.last.x[3], 0x04030201);
	fake_firmware_fini(&f);
}
END_TEST

/* Services of others bring their own names. */
static const char *disk_function(unsigned int index)
{
	return index == 0 ? "read" : index == 1 ? "flush" : NULL;
}

START_TEST(another_service)
{
	static const struct inject_code codes[] = { { "EIO", 5 }, { NULL, 0 } };
	static const struct inject_service services[] = { { "disk0", codes, disk_function },
							  { NULL, NULL, NULL } };
	int64_t value;

	ck_assert_int_eq(inject_add(&inject, services, "disk0:flush=EIO@1", &fail), 0);
	ck_assert_int_eq(inject_add(&inject, services, "disk0:write=EIO", &fail), -EINVAL);
	ck_assert_msg(strstr(fail.text, "give one of: read flush") != NULL, "%s", fail.text);
	ck_assert(!inject_hit(&inject, "disk0", "read", 0, &value));
	ck_assert(inject_hit(&inject, "disk0", "flush", 0, &value));
	ck_assert_int_eq(value, 5);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("inject_rules");
	TCase *t = tcase_create("inject");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, rules_and_their_canonical_spelling);
	tcase_add_test(t, every_name_round_trips);
	tcase_add_test(t, refusals);
	tcase_add_test(t, too_long_and_too_many);
	tcase_add_test(t, cpus_that_there_are);
	tcase_add_test(t, nth_call);
	tcase_add_test(t, one_cpus_calls);
	tcase_add_test(t, several_rules_for_one_function);
	tcase_add_test(t, turns_under_threads);
	tcase_add_test(t, calls_that_do_not_happen);
	tcase_add_test(t, no_random_bits_come_with_an_error);
	tcase_add_test(t, another_service);
	return run_suite(s);
}
