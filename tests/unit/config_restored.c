// SPDX-License-Identifier: GPL-2.0-only
/* Options out of a snapshot are somebody else's words: nothing of them may lead out of bounds. */
#include <check.h>
#include <errno.h>

#include "tests/fake/suite.h"
#include "vmm/config.h"

static struct config cfg;

static void setup(void)
{
	config_init(&cfg);
}

static void teardown(void)
{
	config_fini(&cfg);
}

static int take(const char *name, const char *value)
{
	struct fail fail = { 0 };
	int err = opts_set(config_options, name, value, &cfg, &fail);

	if (!err)
		err = config_check_restored(&cfg, &fail);
	ck_assert(!err == !fail.text[0]);
	ck_assert(!err || fail.code == EXIT_CONFIG);
	return err;
}

START_TEST(needs_no_kernel)
{
	struct fail fail = { 0 };

	ck_assert_int_eq(config_check_restored(&cfg, &fail), 0);
	ck_assert_int_eq(config_check(&cfg, &fail), -EINVAL);
}
END_TEST

START_TEST(names_that_lead_elsewhere)
{
	static const char *const names[] = { "../box", "a/b", "/box", ".box", "-box", "", "a b" };

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_msg(take("name", names[i]) == -EINVAL, "%s", names[i]);
	ck_assert_int_eq(take("name", "box"), 0);
}
END_TEST

START_TEST(sizes)
{
	ck_assert_int_eq(take("mem", "4095K"), -EINVAL);
	ck_assert_int_eq(take("mem", "1K"), -EINVAL);
	ck_assert_int_eq(take("mem", "18446744073709551615G"), -EINVAL);
	ck_assert_int_eq(take("mem", "64M"), 0);
	ck_assert_int_eq(take("balloon", "65M"), -EINVAL);
	ck_assert_int_eq(take("cpus", "4097"), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config_restored");
	TCase *tc = tcase_create("config_restored");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, needs_no_kernel);
	tcase_add_test(tc, names_that_lead_elsewhere);
	tcase_add_test(tc, sizes);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
