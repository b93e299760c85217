// SPDX-License-Identifier: GPL-2.0-only
/* Reports of every outcome, with what a hostile guest may have printed; tails, messages and logs. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/core/json.h"
#include "vmm/test_log.h"
#include "vmm/test_report.h"

static struct test test;
static struct test_run runs[TEST_OUTCOMES];

enum { TEXT, JSON, TAP, JUNIT };

static void setup(void)
{
	test_init(&test);
	ck_assert_int_eq(test_rules_expect(&test.rules, "lo<gin>: \"&$", NULL), 0);
	memset(runs, 0, sizeof(runs));
	for (int i = 0; i < TEST_OUTCOMES; i++) {
		struct test_record *r = calloc(1, sizeof(*r));

		r->outcome = (enum test_outcome)i;
		r->code = test_verdict_code(r->outcome, 0);
		r->elapsed_ns = 1234567890;
		r->met_ns[0] = i == TEST_PASSED ? 1000000000 : 0;
		runs[i] = (struct test_run){
			.test = &test, .attempts = 1, .result = r, .done = true
		};
		snprintf(runs[i].name, sizeof(runs[i].name), "test%d", i);
	}
}

static void teardown(void)
{
	for (int i = 0; i < TEST_OUTCOMES; i++) {
		if (runs[i].result)
			test_record_fini(runs[i].result);
		free(runs[i].result);
	}
	test_fini(&test);
}

static char *print(unsigned int kind, unsigned int n)
{
	const struct test_report report = { .runs = runs, .n = n, .elapsed_ns = 2000000000 };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	test_report_print(&report, kind, out);
	fclose(out);
	return text;
}

static unsigned int count(const char *text, const char *what)
{
	unsigned int n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

static void add_hostile_text(struct test_record *r)
{
	char messages[] = "vmm: <a> & \x01\xff]]>\nsecond\n";

	test_tail_add(&r->tail,
		      "\x1b[2J </failure> \"&\" \xff\xfe\xed\xa0\x80 \xef\xbf\xbf caf\xc3\xa9");
	test_tail_add(&r->tail, "not ok 7 - \\");
	test_messages_add(r, messages, sizeof(messages) - 1);
	test_text(r->line, "line \"quoted\" \x02");
	test_text(r->reject, "name");
	test_text(r->why, "why & <what>");
	r->debug = strdup("{\"ok\":true,\"cpus\":[{\"cpu\":0,\"pc\":\"0x1\"}]}");
}

START_TEST(every_outcome)
{
	char *text = print(TEXT, TEST_OUTCOMES), *tap = print(TAP, TEST_OUTCOMES),
	     *xml = print(JUNIT, TEST_OUTCOMES);

	ck_assert_uint_eq(count(text, "PASS "), 1);
	ck_assert_uint_eq(count(text, "FAIL "), TEST_OUTCOMES - 1);
	ck_assert_ptr_nonnull(strstr(text, "FAIL test6: the guest panicked (1.2 s, exit code 34)"));
	ck_assert_ptr_nonnull(strstr(text, "1 passed, 14 failed in 2.0 s"));
	ck_assert_uint_eq(count(tap, "\nnot ok "), TEST_OUTCOMES - 1);
	ck_assert_uint_eq(count(tap, "\nok 2 - test1\n"), 1);
	ck_assert_ptr_nonnull(strstr(tap, "1..15\n"));
	ck_assert_uint_eq(count(xml, "<testcase "), TEST_OUTCOMES);
	ck_assert_uint_eq(count(xml, "<failure "), 8);
	ck_assert_uint_eq(count(xml, "<error "), 6);
	ck_assert_uint_eq(count(xml, "tests=\"15\" failures=\"8\" errors=\"6\" time=\"2.000\""), 2);
	free(text);
	free(tap);
	free(xml);
}
END_TEST

START_TEST(xml_is_escaped)
{
	char *xml;

	add_hostile_text(runs[0].result);
	xml = print(JUNIT, 1);
	for (const char *p = xml; *p; p++) {
		size_t len = json_utf8(p);

		ck_assert_uint_gt(len, 0);
		ck_assert(len > 1 || *p == '\n' || (*p >= ' ' && *p < 0x7f));
		p += len - 1;
	}
	ck_assert_uint_eq(count(xml, "</error>"), 1);
	ck_assert_uint_eq(count(xml, "</failure>"), 0);
	ck_assert_ptr_null(strstr(xml, "]]>"));
	ck_assert_ptr_null(strstr(xml, "\xef\xbf\xbf"));
	ck_assert_ptr_nonnull(strstr(xml, "caf\xc3\xa9"));
	ck_assert_ptr_nonnull(strstr(xml, "&lt;/failure&gt; &quot;&amp;&quot;"));
	free(xml);
}
END_TEST

START_TEST(json_is_json)
{
	struct json_object report, run;
	struct json_field el;
	char *json, *at;

	add_hostile_text(runs[1].result);
	json = print(JSON, 2);
	ck_assert_int_eq(json_parse(json, &report), 0);
	ck_assert_int_eq(json_get(&report, "passed")->num, 1);
	at = json_get(&report, "tests")->text + 1;
	ck_assert(json_next(&at, &el) && json_next(&at, &el));
	ck_assert_int_eq(json_parse(el.text, &run), 0);
	ck_assert_str_eq(json_get_str(&run, "outcome"), "passed");
	ck_assert_int_eq(json_get(&run, "ms")->num, 1234);
	ck_assert_int_eq(json_get(&run, "debug")->type, JSON_OBJECT);
	ck_assert(!json_next(&at, &el));
	free(json);
}
END_TEST

/* No line of a guest's can be one of ours. */
START_TEST(tap_has_only_our_lines)
{
	char *tap;

	add_hostile_text(runs[0].result);
	tap = print(TAP, 1);
	strtok(tap, "\n");
	for (char *line; (line = strtok(NULL, "\n"));)
		ck_assert(*line == '#' || !strcmp(line, "1..1") ||
			  !strcmp(line, "not ok 1 - test0"));
	free(tap);
}
END_TEST

START_TEST(flaky_and_not_run)
{
	char *text, *tap, *xml, *json;
	struct json_object report;

	runs[1].attempts = 3;
	free(runs[2].result);
	runs[2].result = NULL;
	text = print(TEXT, 3);
	tap = print(TAP, 3);
	xml = print(JUNIT, 3);
	json = print(JSON, 3);
	ck_assert_ptr_nonnull(strstr(text, "PASS test1: passed (1.2 s, flaky: attempt 3)"));
	ck_assert_ptr_nonnull(strstr(text, "FAIL test2: not run\n"));
	ck_assert_ptr_nonnull(strstr(tap, "ok 2 - test1 (flaky)\n"));
	ck_assert_ptr_nonnull(strstr(tap, "not ok 3 - test2\n# not run\n"));
	ck_assert_ptr_nonnull(strstr(xml, "flaky: passed at attempt 3"));
	ck_assert_uint_eq(count(xml, "<error "), 2);
	ck_assert_int_eq(json_parse(json, &report), 0);
	free(text);
	free(tap);
	free(xml);
	free(json);
}
END_TEST

static const struct {
	const char *arg, *file;
	int err;
	unsigned int kind;
} wishes[] = {
	{ "text", NULL, 0, TEXT },  { "junit=a=b", "a=b", 0, JUNIT },
	{ "json=x", "x", 0, JSON }, { "tap", NULL, 0, TAP },
	{ "", NULL, -EINVAL, 0 },   { "junit=", NULL, -EINVAL, 0 },
	{ "te", NULL, -EINVAL, 0 }, { "text2", NULL, -EINVAL, 0 },
	{ "=x", NULL, -EINVAL, 0 },
};

START_TEST(kinds)
{
	const char *file = NULL;
	unsigned int kind = 0;

	ck_assert_int_eq(test_report_find(wishes[_i].arg, &kind, &file), wishes[_i].err);
	ck_assert_uint_eq(kind, wishes[_i].kind);
	ck_assert_pstr_eq(file, wishes[_i].file);
}
END_TEST

START_TEST(tail_keeps_the_last)
{
	struct test_record *r = runs[0].result;
	char text[TEST_TEXT_MAX * 2];

	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "%d", i);
		test_tail_add(&r->tail, text);
	}
	ck_assert_str_eq(test_tail_line(&r->tail, 0), "60");
	ck_assert_str_eq(test_tail_line(&r->tail, TEST_TAIL_LINES - 1), "99");
	ck_assert_ptr_null(test_tail_line(&r->tail, TEST_TAIL_LINES));
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	test_tail_add(&r->tail, text);
	ck_assert_uint_eq(strlen(test_tail_line(&r->tail, TEST_TAIL_LINES - 1)), TEST_TEXT_MAX - 1);
}
END_TEST

/* In pieces of every size, whole lines are kept, and no more than fits. */
START_TEST(messages_keep_the_last_lines)
{
	struct test_record *r = runs[0].result;
	static char text[TEST_MESSAGES_MAX * 3];
	size_t len = 0;

	while (len < sizeof(text) - 20)
		len += (size_t)sprintf(text + len, "line %zu\n", len);
	for (size_t step = 1; step < sizeof(text); step = step * 3 + 1) {
		r->messages[0] = 0;
		for (size_t at = 0; at < len; at += step)
			test_messages_add(r, text + at, len - at < step ? len - at : step);
		ck_assert_uint_lt(strlen(r->messages), TEST_MESSAGES_MAX);
		ck_assert_uint_gt(strlen(r->messages), TEST_MESSAGES_MAX / 2);
		ck_assert_str_eq(text + len - strlen(r->messages), r->messages);
		if (step < 1000)
			ck_assert_int_eq(strncmp(r->messages, "line ", 5), 0);
	}
	r->messages[0] = 0;
	test_messages_add(r, "a\0b", 3);
	ck_assert_str_eq(r->messages, "a?b");
}
END_TEST

START_TEST(log_lines)
{
	char folder[] = "/tmp/vmm-test-XXXXXX", path[100], text[200] = "";
	struct test_log log;
	FILE *in;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/%%%%%%n", folder);
	for (int again = 0; again < 2; again++) {
		ck_assert_int_eq(test_log_open(&log, path, "box", again, NULL), 0);
		test_log_begin(&log, 1234567890);
		test_log_line(&log, "one ", false);
		test_log_begin(&log, 5000000000);
		test_log_line(&log, "line", true);
		test_log_line(&log, "next", true);
		ck_assert_int_eq(test_log_close(&log), 0);
	}
	snprintf(path, sizeof(path), "%s/%%box", folder);
	in = fopen(path, "r");
	ck_assert_ptr_nonnull(in);
	text[fread(text, 1, sizeof(text) - 1, in)] = 0;
	fclose(in);
	ck_assert_str_eq(text, "[    1.234567] one line\n[    5.000000] next\n"
			       "[    1.234567] one line\n[    5.000000] next\n");
	unlink(path);
	rmdir(folder);
	ck_assert(test_log_distinct("a%nb") && test_log_distinct("%%%n"));
	ck_assert(!test_log_distinct("a") && !test_log_distinct("%%n") && !test_log_distinct("%"));
}
END_TEST

START_TEST(log_on_a_full_disk)
{
	struct test_log log;

	ck_assert_int_eq(test_log_open(&log, "/dev/full", "x", true, NULL), 0);
	test_log_begin(&log, 0);
	test_log_line(&log, "text", true);
	ck_assert_int_eq(test_log_close(&log), -ENOSPC);
	ck_assert_int_eq(test_log_close(&log), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("test_report");
	TCase *tc = tcase_create("report");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, every_outcome);
	tcase_add_test(tc, xml_is_escaped);
	tcase_add_test(tc, json_is_json);
	tcase_add_test(tc, tap_has_only_our_lines);
	tcase_add_test(tc, flaky_and_not_run);
	tcase_add_loop_test(tc, kinds, 0, sizeof(wishes) / sizeof(wishes[0]));
	tcase_add_test(tc, tail_keeps_the_last);
	tcase_add_test(tc, messages_keep_the_last_lines);
	tcase_add_test(tc, log_lines);
	tcase_add_test(tc, log_on_a_full_disk);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
