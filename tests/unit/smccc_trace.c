// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firmware/inject.h"
#include "firmware/trace.h"
#include "tests/fake/firmware.h"
#include "tests/fake/suite.h"

/* --trace: what a line says. */

enum { LINE_MAX_LEN = 256, TRACE_PSCI = 1 << SMCCC_PSCI, TRACE_TRNG = 1 << SMCCC_TRNG };

static struct fake_firmware f;
static struct trace trace;
static struct inject inject;
static char line[LINE_MAX_LEN];
static unsigned int nlines;

static void keep_line(void *arg, const char *text)
{
	ck_assert_ptr_eq(arg, &trace);
	snprintf(line, sizeof(line), "%s", text);
	nlines++;
}

static void setup(void)
{
	fake_firmware_init(&f, PSCI_LATEST, 4);
	inject = (struct inject){ 0 };
	trace_init(&trace, TRACE_PSCI | TRACE_TRNG, keep_line, &trace);
	f.fw.trace = &trace;
	nlines = 0;
}

static void teardown(void)
{
	fake_firmware_fini(&f);
}

/* The last line, behind its time. */
static const char *said(void)
{
	const char *text = strchr(line, ' ');

	ck_assert_ptr_nonnull(text);
	return text + 1;
}

/* Of CPU 0, one after the other: what is on depends on those before. */
static const struct {
	uint32_t id;
	uint64_t x[3];
	const char *text;
} lines[] = {
	{ ID_PSCI_VERSION, { 9 }, "cpu0 PSCI_VERSION -> 1.3" },
	{ ID_CPU_ON | ID_64,
	  { 0x1, FAKE_ENTRY, 0x5eed },
	  "cpu0 CPU_ON target=0x1 entry=0x40000200 context=0x5eed -> SUCCESS" },
	{ ID_CPU_ON | ID_64,
	  { 0x1, FAKE_ENTRY, 0 },
	  "cpu0 CPU_ON target=0x1 entry=0x40000200 context=0x0 -> ON_PENDING" },
	{ ID_CPU_ON | ID_64,
	  { 0x100000001, 0x2, 0 },
	  "cpu0 CPU_ON target=0x100000001 entry=0x2 context=0x0 -> INVALID_PARAMETERS" },
	/* As the function sees it: SMC32 cuts its arguments. */
	{ ID_CPU_ON,
	  { 0x500000000, 1ull << 32 | FAKE_ENTRY, ~0ull },
	  "cpu0 CPU_ON target=0x0 entry=0x40000200 context=0xffffffff -> ALREADY_ON" },
	{ ID_CPU_ON,
	  { 0x100, 4, 0 },
	  "cpu0 CPU_ON target=0x100 entry=0x4 context=0x0 -> INVALID_ADDRESS" },
	{ ID_AFFINITY_INFO, { 1, 0 }, "cpu0 AFFINITY_INFO target=0x1 level=0x0 -> ON_PENDING" },
	{ ID_AFFINITY_INFO, { 0, 3 }, "cpu0 AFFINITY_INFO target=0x0 level=0x3 -> ON" },
	{ ID_AFFINITY_INFO, { 0x100, 0 }, "cpu0 AFFINITY_INFO target=0x100 level=0x0 -> OFF" },
	{ ID_AFFINITY_INFO,
	  { 0, 4 },
	  "cpu0 AFFINITY_INFO target=0x0 level=0x4 -> INVALID_PARAMETERS" },
	{ ID_NODE_HW_STATE, { 0x100, 0 }, "cpu0 NODE_HW_STATE target=0x100 level=0x0 -> HW_OFF" },
	{ ID_MIGRATE_INFO_TYPE, { 0 }, "cpu0 MIGRATE_INFO_TYPE -> 2" },
	{ ID_MIGRATE, { 1 }, "cpu0 MIGRATE target=0x1 -> NOT_SUPPORTED" },
	{ ID_PSCI_FEATURES,
	  { ID_CPU_ON | ID_64 },
	  "cpu0 PSCI_FEATURES function=0xc4000003(CPU_ON) -> 0" },
	{ ID_PSCI_FEATURES,
	  { ID_SMCCC_VERSION },
	  "cpu0 PSCI_FEATURES function=0x80000000(SMCCC_VERSION) -> 0" },
	{ ID_PSCI_FEATURES,
	  { 0x8400001f },
	  "cpu0 PSCI_FEATURES function=0x8400001f -> NOT_SUPPORTED" },
	{ ID_SYSTEM_SUSPEND,
	  { FAKE_ENTRY, 0 },
	  "cpu0 SYSTEM_SUSPEND entry=0x40000200 context=0x0 -> DENIED" },
	{ 0xc400001e, { 1, 2, 3 }, "cpu0 0xc400001e -> NOT_SUPPORTED" },
	{ ID_SYSTEM_OFF, { 0 }, "cpu0 SYSTEM_OFF -> system off" },
	{ ID_SYSTEM_RESET, { 0 }, "cpu0 SYSTEM_RESET -> system reset" },
	{ ID_SYSTEM_RESET2 | ID_64,
	  { 0x80000002, 0xfeed0000beef },
	  "cpu0 SYSTEM_RESET2 type=0x80000002 cookie=0xfeed0000beef -> system reset" },
	{ ID_SYSTEM_OFF2, { 1, 0 }, "cpu0 SYSTEM_OFF2 type=0x1 cookie=0x0 -> hibernate off" },
	{ ID_TRNG_VERSION, { 0 }, "cpu0 TRNG_VERSION -> 1.0" },
	{ ID_TRNG_FEATURES,
	  { ID_TRNG_RND },
	  "cpu0 TRNG_FEATURES function=0x84000053(TRNG_RND) -> 0" },
	{ ID_TRNG_GET_UUID,
	  { 0 },
	  "cpu0 TRNG_GET_UUID -> 0xa1be035d 0x6c4a1f3b 0x4b7f2e9c 0x961ad8e0" },
	/* The bits themselves are the guest's secret. */
	{ ID_TRNG_RND | ID_64, { 192 }, "cpu0 TRNG_RND bits=0xc0 -> SUCCESS" },
	{ ID_TRNG_RND, { 97 }, "cpu0 TRNG_RND bits=0x61 -> INVALID_PARAMETERS" },
	{ ID_CPU_SUSPEND,
	  { 0x10000, FAKE_ENTRY, 7 },
	  "cpu0 CPU_SUSPEND power_state=0x10000 entry=0x40000200 context=0x7 -> "
	  "powerdown" },
};

START_TEST(every_kind_of_line)
{
	for (unsigned int i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		fake_call(&f, 0, lines[i].id, lines[i].x[0], lines[i].x[1], lines[i].x[2]);
		ck_assert_uint_eq(nlines, i + 1);
		ck_assert_str_eq(said(), lines[i].text);
	}
}
END_TEST

START_TEST(calls_that_wait)
{
	uint64_t entry, context;

	fake_call(&f, 0, ID_CPU_SUSPEND, 0, 0, 0);
	ck_assert_str_eq(said(),
			 "cpu0 CPU_SUSPEND power_state=0x0 entry=0x0 context=0x0 -> standby");
	psci_cpu_woken(&f.psci, 0, &entry, &context);
	fake_call(&f, 0, ID_SYSTEM_SUSPEND, FAKE_ENTRY, 1, 0);
	ck_assert_str_eq(said(),
			 "cpu0 SYSTEM_SUSPEND entry=0x40000200 context=0x1 -> system suspend");
	psci_cpu_woken(&f.psci, 0, &entry, &context);
	fake_call(&f, 0, ID_CPU_ON, 1, FAKE_ENTRY, 0);
	ck_assert(psci_cpu_take(&f.psci, 1, &entry, &context));
	fake_call(&f, 1, ID_CPU_OFF, 0, 0, 0);
	ck_assert_str_eq(said(), "cpu1 CPU_OFF -> cpu off");
}
END_TEST

START_TEST(smc_and_0_1)
{
	f.last = (struct smccc_call){ .smc = true, .x = { ID_PSCI_VERSION } };
	smccc_call(&f.fw, &f.last);
	ck_assert_str_eq(said(), "cpu0 PSCI_VERSION (smc) -> 1.3");
	f.psci.version = PSCI_0_1;
	fake_call(&f, 0, PSCI_0_1_CPU_ON, 1, FAKE_ENTRY, 0);
	ck_assert_str_eq(said(), "cpu0 CPU_ON target=0x1 entry=0x40000200 -> SUCCESS");
	/* A function of another version. */
	fake_call(&f, 0, ID_CPU_ON, 1, FAKE_ENTRY, 0);
	ck_assert_str_eq(said(), "cpu0 0x84000003 -> NOT_SUPPORTED");
}
END_TEST

START_TEST(injected_results)
{
	struct fail fail = { 0 };

	f.fw.inject = &inject;
	ck_assert_int_eq(inject_add(&inject, inject_services, "psci:CPU_ON=DENIED", &fail), 0);
	ck_assert_int_eq(inject_add(&inject, inject_services, "psci:SYSTEM_OFF=drop", &fail), 0);
	ck_assert_int_eq(inject_add(&inject, inject_services, "psci:CPU_OFF=-77", &fail), 0);
	ck_assert_int_eq(inject_add(&inject, inject_services, "psci:PSCI_VERSION=0x20007", &fail),
			 0);
	fake_call(&f, 0, ID_CPU_ON, 1, FAKE_ENTRY, 0);
	ck_assert_str_eq(
		said(), "cpu0 CPU_ON target=0x1 entry=0x40000200 context=0x0 -> DENIED (injected)");
	fake_call(&f, 0, ID_SYSTEM_OFF, 0, 0, 0);
	ck_assert_str_eq(said(), "cpu0 SYSTEM_OFF -> SUCCESS (injected)");
	fake_call(&f, 0, ID_CPU_OFF, 0, 0, 0);
	ck_assert_str_eq(said(), "cpu0 CPU_OFF -> -77 (injected)");
	fake_call(&f, 0, ID_PSCI_VERSION, 0, 0, 0);
	ck_assert_str_eq(said(), "cpu0 PSCI_VERSION -> 2.7 (injected)");
}
END_TEST

START_TEST(only_what_was_asked_for)
{
	trace.services = TRACE_TRNG;
	fake_call(&f, 0, ID_PSCI_VERSION, 0, 0, 0);
	fake_call(&f, 0, 0x8400001f, 0, 0, 0);
	ck_assert_uint_eq(nlines, 0);
	fake_call(&f, 0, ID_TRNG_VERSION, 0, 0, 0);
	fake_call(&f, 0, 0x8400005f, 0, 0, 0);
	ck_assert_uint_eq(nlines, 2);
	ck_assert_str_eq(said(), "cpu0 0x8400005f -> NOT_SUPPORTED");
	trace.services = TRACE_TRNG | TRACE_PSCI;
	fake_call(&f, 0, 0x86000000, 0, 0, 0);
	ck_assert_uint_eq(nlines, 2);
}
END_TEST

START_TEST(time_goes_on)
{
	double last = 0, now;
	char rest[LINE_MAX_LEN];

	for (unsigned int i = 0; i < 100; i++) {
		const char *dot;

		fake_call(&f, 0, ID_PSCI_VERSION, 0, 0, 0);
		ck_assert_int_eq(sscanf(line, "%lf %255[^\n]", &now, rest), 2);
		dot = strchr(line, '.');
		ck_assert_ptr_nonnull(dot);
		ck_assert_int_eq(strspn(dot + 1, "0123456789"), 6);
		ck_assert(now >= last && now < 60);
		last = now;
	}
	/* Ten seconds ago. */
	trace.start_ns -= 10000000000;
	fake_call(&f, 0, ID_PSCI_VERSION, 0, 0, 0);
	ck_assert_int_eq(sscanf(line, "%lf", &now), 1);
	ck_assert(now >= 10 && now < 70);
}
END_TEST

START_TEST(option)
{
	static const struct {
		const char *words;
		unsigned int services;
		const char *sentence;
	} cases[] = {
		{ "psci", TRACE_PSCI, NULL },
		{ "trng", TRACE_TRNG, NULL },
		{ "psci,trng", TRACE_PSCI | TRACE_TRNG, NULL },
		{ "psci,psci", TRACE_PSCI, NULL },
		{ "psic", 0, "there is no service 'psic', did you mean 'psci'?" },
		{ "psci,tng", TRACE_PSCI, "there is no service 'tng', did you mean 'trng'?" },
		{ "", 0, "there is no service ''; give" },
		{ "psci,", TRACE_PSCI, "there is no service ''; give" },
		{ "other", 0, "there is no service 'other'; give" },
		{ "a-name-that-is-longer-than-any-service-name-could-be", 0,
		  "there is no service" },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fail fail = { 0 };
		unsigned int services = 0;
		int err = trace_parse(cases[i].words, &services, &fail);

		ck_assert_int_eq(err, cases[i].sentence ? -EINVAL : 0);
		ck_assert_uint_eq(services, cases[i].services);
		if (cases[i].sentence) {
			ck_assert_int_eq(fail.code, EXIT_CONFIG);
			ck_assert_msg(strstr(fail.text, cases[i].sentence) != NULL, "%s",
				      fail.text);
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("smccc_trace");
	TCase *t = tcase_create("trace");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, every_kind_of_line);
	tcase_add_test(t, calls_that_wait);
	tcase_add_test(t, smc_and_0_1);
	tcase_add_test(t, injected_results);
	tcase_add_test(t, only_what_was_asked_for);
	tcase_add_test(t, time_goes_on);
	tcase_add_test(t, option);
	return run_suite(s);
}
