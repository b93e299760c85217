// SPDX-License-Identifier: GPL-2.0-only
/* Tables that go on with others, times, and single options as files have them. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/suite.h"
#include "vmm/core/opts.h"

struct conf {
	const char *kernel;
	unsigned int cpus;
	bool quiet;
	uint64_t limit;
};

#define AT(field) .offset = offsetof(struct conf, field)

static const struct opt inner[] = {
	{ "kernel", 'k', OPT_STR, "image", "FILE", "kernel", AT(kernel) },
	{ "cpus", 'c', OPT_UINT, NULL, "N", "CPUs", AT(cpus), .min = 1, .max = 8 },
	{ 0 },
};
static const struct opt empty[] = { { .more = inner } };
static const struct opt table[] = {
	{ "limit", 0, OPT_TIME, NULL, "TIME", "time", AT(limit), .min = 1000000,
	  .max = 7200000000000 },
	{ "quiet", 'q', OPT_FLAG, NULL, NULL, "say less", AT(quiet) },
	{ .more = empty },
};

START_TEST(all_tables_are_looked_at)
{
	char *argv[] = { "-qc3", "--image", "Image", "--limit=5m" };
	struct conf c = { 0 };

	ck_assert_int_eq(opts_parse(table, 4, argv, &c, NULL), 0);
	ck_assert(c.quiet);
	ck_assert_uint_eq(c.cpus, 3);
	ck_assert_str_eq(c.kernel, "Image");
	ck_assert_uint_eq(c.limit, 300000000000);
}
END_TEST

START_TEST(help_has_all_tables)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	opts_help(table, out);
	opts_man(table, out);
	fclose(out);
	ck_assert_ptr_nonnull(strstr(text, "Fl -limit"));
	ck_assert_ptr_nonnull(strstr(text, "Fl -cpus"));
	ck_assert_ptr_nonnull(strstr(text, "--limit TIME"));
	ck_assert_ptr_nonnull(strstr(text, "--kernel FILE"));
	free(text);
}
END_TEST

START_TEST(nearest_of_all_tables)
{
	char *argv[] = { "--kernle" };
	struct conf c = { 0 };
	struct fail fail = { 0 };

	ck_assert_int_eq(opts_parse(table, 1, argv, &c, &fail), -EINVAL);
	ck_assert_str_eq(fail.text, "unknown option --kernle; did you mean --kernel?");
}
END_TEST

static const struct {
	const char *word;
	uint64_t ns;
	int err;
} times[] = {
	{ "0", 0, 0 },
	{ "60", 60000000000, 0 },
	{ "60s", 60000000000, 0 },
	{ "1500ms", 1500000000, 0 },
	{ "2m", 120000000000, 0 },
	{ "1h", 3600000000000, 0 },
	{ "5000000h", 18000000000000000000ULL, 0 },
	{ "6000000h", 0, -ERANGE },
	{ "99999999999999999999s", 0, -ERANGE },
	{ "", 0, -EINVAL },
	{ "s", 0, -EINVAL },
	{ "-1s", 0, -EINVAL },
	{ "1.5s", 0, -EINVAL },
	{ "1 s", 0, -EINVAL },
	{ "1M", 0, -EINVAL },
	{ "1sec", 0, -EINVAL },
};

enum { NTIMES = sizeof(times) / sizeof(times[0]) };

START_TEST(time_words)
{
	uint64_t ns = 0;

	ck_assert_int_eq(opts_time(times[_i].word, &ns), times[_i].err);
	ck_assert_uint_eq(ns, times[_i].ns);
}
END_TEST

static const struct {
	const char *name, *value, *why;
} settings[] = {
	{ "limit", "90s", "" },
	{ "quiet", NULL, "" },
	{ "image", "a b", "" },
	{ "limit", "0", "limit 0: give a time from 1ms to 2h" },
	{ "limit", "3h", "limit 3h: give a time from 1ms to 2h" },
	{ "limit", "soon",
	  "limit soon: give a time such as 90s, 1500ms, 5m or 2h (a bare number is seconds)" },
	{ "limit", NULL, "limit needs a value: limit TIME" },
	{ "quiet", "yes", "quiet takes no value" },
	{ "cpus", "9", "cpus 9: give a number from 1 to 8" },
	{ "kernal", "x", "unknown option kernal; did you mean kernel?" },
	{ "q", NULL, "unknown option q" },
};

enum { NSETTINGS = sizeof(settings) / sizeof(settings[0]) };

START_TEST(single_options)
{
	struct conf c = { 0 };
	struct fail fail = { 0 };
	int err = opts_set(table, settings[_i].name, settings[_i].value, &c, &fail);

	ck_assert_str_eq(fail.text, settings[_i].why);
	ck_assert_int_eq(err, *settings[_i].why ? -EINVAL : 0);
	ck_assert_int_eq(fail.code, err ? EXIT_CONFIG : EXIT_OK);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_opts_more");
	TCase *tc = tcase_create("opts");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, all_tables_are_looked_at);
	tcase_add_test(tc, help_has_all_tables);
	tcase_add_test(tc, nearest_of_all_tables);
	tcase_add_loop_test(tc, time_words, 0, NTIMES);
	tcase_add_loop_test(tc, single_options, 0, NSETTINGS);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
