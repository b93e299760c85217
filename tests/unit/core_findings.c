// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <stdlib.h>

#include "tests/fake/suite.h"
#include "vmm/core/findings.h"

START_TEST(each_is_a_line)
{
	struct findings f = { 0 };

	findings_add(&f, "%s %d", "one", 1);
	findings_add(&f, "two");
	ck_assert_str_eq(f.text, "one 1\ntwo\n");
	ck_assert_uint_eq(f.n, 2);
	findings_free(&f);
	ck_assert_ptr_null(f.text);
	ck_assert_uint_eq(f.n, 0);
}
END_TEST

START_TEST(taken_from_failures)
{
	struct findings f = { 0 };
	struct fail why = { 0 };

	fail_set(&why, EXIT_CONFIG, -1, "no such disk");
	findings_take(&f, "disk 0", &why);
	ck_assert_int_eq(why.text[0], 0);
	fail_set(&why, EXIT_SNAPSHOT, -1, "does not hold");
	findings_take(&f, NULL, &why);
	ck_assert_str_eq(f.text, "disk 0: no such disk\ndoes not hold\n");
	ck_assert_uint_eq(f.n, 2);
	ck_assert_uint_eq(f.fixable, 1);
	ck_assert(findings_has(&f, "no such disk"));
	ck_assert(findings_has(&f, "does not hold"));
	ck_assert(!findings_has(&f, "no such"));
	ck_assert(!findings_has(&f, "does not hold at all"));
	findings_free(&f);
	ck_assert(!findings_has(&f, "x"));
}
END_TEST

/* What a file says of itself is shown, and never drives a terminal. */
START_TEST(nothing_but_text)
{
	struct findings f = { 0 };

	findings_add(&f, "a\x1b[2Jb\nc\x7f\xc2\x9b"
			 "d \xc3\xa9 \xff");
	ck_assert_str_eq(f.text, "a?[2Jb?c???d \xc3\xa9 ?\n");
	findings_free(&f);
}
END_TEST

/* Longer than anybody reads: counted on. */
START_TEST(bounded)
{
	struct findings f = { 0 };

	for (unsigned int i = 0; i < 10000; i++)
		findings_add(&f, "finding %u", i);
	ck_assert_uint_eq(f.n, 10000);
	ck_assert_uint_le(f.len, FINDINGS_MAX);
	ck_assert_uint_gt(f.len, FINDINGS_MAX - 100);
	ck_assert_int_eq(f.text[f.len - 1], '\n');
	findings_free(&f);
}
END_TEST

/* Which name is allowed by which list. */
static const struct {
	const char *allowed, *name;
	bool is;
} allowances[] = {
	{ NULL, "CLIDR_EL1", false },
	{ "", "CLIDR_EL1", false },
	{ "CLIDR_EL1", "CLIDR_EL1", true },
	{ "clidr_el1", "CLIDR_EL1", true },
	{ "CLIDR_EL", "CLIDR_EL1", false },
	{ "CLIDR_EL12", "CLIDR_EL1", false },
	{ "CTR_EL0,CLIDR_EL1", "CLIDR_EL1", true },
	{ "CTR_EL0,CLIDR_EL1", "CTR_EL0", true },
	{ "CTR_EL0,CLIDR_EL1", "CTR_EL0,CLIDR_EL1", false },
	{ ",,", "CLIDR_EL1", false },
	{ "CCSIDR*", "CCSIDR_EL1[3]", true },
	{ "CCSIDR*", "CLIDR_EL1", false },
	{ "*", "CLIDR_EL1", true },
	{ "*,x", "CLIDR_EL1", true },
	{ "*EL1", "ID_AA64DFR0_EL1", true },
	{ "*EL1", "CTR_EL0", false },
	{ "ID*DFR?_EL1", "ID_AA64DFR0_EL1", true },
	{ "ID*DFR?_EL1", "ID_AA64DFR_EL1", false },
	{ "a*b*c", "aXbXbXc", true },
	{ "a*b*c", "aXbXbX", false },
	{ "?", "", false },
	{ "*", "", true },
	{ "**", "x", true },
};

START_TEST(allowed)
{
	const struct findings f = { .allowed = allowances[_i].allowed };

	ck_assert_msg(findings_allowed(&f, allowances[_i].name) == allowances[_i].is,
		      "'%s' of '%s'", allowances[_i].name, f.allowed ? f.allowed : "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("findings");
	TCase *tc = tcase_create("findings");

	tcase_add_test(tc, each_is_a_line);
	tcase_add_test(tc, taken_from_failures);
	tcase_add_test(tc, nothing_but_text);
	tcase_add_test(tc, bounded);
	tcase_add_loop_test(tc, allowed, 0, (int)(sizeof(allowances) / sizeof(allowances[0])));
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
