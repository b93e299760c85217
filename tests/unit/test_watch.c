// SPDX-License-Identifier: GPL-2.0-only
/* Rules against console text: expectations, sends, rejects. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/suite.h"
#include "vmm/test_watch.h"

static struct test_rules rules;
static struct test_watch watch;
static char seen[8192]; /* "met 0;send x;reject NAME;" */

static void say(const char *fmt, const char *word)
{
	size_t len = strlen(seen);

	snprintf(seen + len, sizeof(seen) - len, fmt, word);
}

static void on_met(void *arg, unsigned int i)
{
	char n[12];

	(void)arg;
	snprintf(n, sizeof(n), "%u", i);
	say("met %s;", n);
}

static void on_send(void *arg, const struct test_send *send)
{
	char text[TEST_SEND_MAX + 1] = "";

	(void)arg;
	memcpy(text, send->data, send->len);
	say("send %s;", text);
}

static void on_migrate(void *arg)
{
	(void)arg;
	say("%s;", "migrate");
}

static void on_reject(void *arg, const char *name, const char *line, bool panic)
{
	(void)arg;
	(void)line;
	say(panic ? "panic %s;" : "reject %s;", name);
}

static void on_line(void *arg, const char *text, bool whole)
{
	(void)arg;
	(void)text;
	(void)whole;
}

static void start(void)
{
	const struct test_watch_user user = {
		on_met, on_send, on_migrate, on_reject, on_line, NULL
	};

	seen[0] = 0;
	ck_assert_int_eq(test_watch_init(&watch, &rules, &user), 0);
}

static void setup(void)
{
	memset(&rules, 0, sizeof(rules));
}

static void teardown(void)
{
	test_watch_fini(&watch);
	test_rules_fini(&rules);
}

static void feed(const char *text)
{
	test_watch_feed(&watch, text, strlen(text));
}

static void expects(const char *a, const char *b)
{
	ck_assert_int_eq(test_rules_expect(&rules, a, NULL), 0);
	if (b)
		ck_assert_int_eq(test_rules_expect(&rules, b, NULL), 0);
}

static void saw(const char *want)
{
	ck_assert_str_eq(seen, want);
	seen[0] = 0;
}

START_TEST(in_order)
{
	expects("one", "two");
	start();
	feed("two\n");
	saw("");
	feed("one two\n");
	saw("met 0;met 1;");
	feed("one two\n");
	saw("");
}
END_TEST

START_TEST(not_twice_in_one_place)
{
	expects("o", "o");
	start();
	feed("to");
	saw("met 0;");
	feed("-\n");
	saw("");
	feed("o\n");
	saw("met 1;");
}
END_TEST

START_TEST(any_order)
{
	expects("one", "two");
	rules.any_order = true;
	start();
	feed("two\n");
	saw("met 1;");
	feed("one\n");
	saw("met 0;");
}
END_TEST

START_TEST(split_text)
{
	const char *text = "\033[1mboot\033[0m ok\r\n\033[32mlogin\033[m: ";

	expects("^boot ok$", "^login: $");
	start();
	for (const char *p = text; *p; p++)
		test_watch_feed(&watch, p, 1);
	saw("met 0;");
	test_watch_settle(&watch);
	saw("met 1;");
}
END_TEST

/* A dollar waits for the line's end, or for silence. */
START_TEST(prompt_without_newline)
{
	expects("login: ", "# $");
	start();
	feed("login: ");
	saw("met 0;");
	feed("root# ");
	saw("");
	feed("no\n# ");
	saw("");
	test_watch_settle(&watch);
	saw("met 1;");
}
END_TEST

START_TEST(anchors)
{
	expects("^two", NULL);
	expects("^x", NULL);
	start();
	feed("one two\n");
	saw("");
	/* Behind a match is no beginning. */
	feed("twox\n");
	saw("met 0;");
	feed("x\n");
	saw("met 1;");
}
END_TEST

START_TEST(sends)
{
	ck_assert_int_eq(test_rules_send(&rules, "root\\n@login: $", NULL), 0);
	ck_assert_int_eq(test_rules_send(&rules, "a\\@b\\x41\\\\@# ", NULL), 0);
	ck_assert_int_eq(test_rules_send(&rules, "off@# ", NULL), 0);
	start();
	feed("# login: ");
	saw("");
	test_watch_settle(&watch);
	saw("send root\n;");
	feed("root\r\n# ");
	saw("send a@bA\\;");
	test_watch_settle(&watch);
	feed("a@bA\r\n");
	saw("");
	feed("# ");
	saw("send off;");
}
END_TEST

START_TEST(nothing_to_migrate_at)
{
	ck_assert_int_eq(test_rules_migrate(&rules, "x*", NULL), 0);
	ck_assert_int_eq(test_rules_migrate(&rules, "", NULL), -EINVAL);
	start();
	feed("abc\n\n");
	saw("");
}
END_TEST

START_TEST(bad_migrate)
{
	ck_assert_int_eq(test_rules_migrate(&rules, "good", NULL), 0);
	ck_assert_int_eq(test_rules_migrate(&rules, "(", NULL), -EINVAL);
	start();
	feed("good\n");
	saw("");
}
END_TEST

/* Before what is sent at the same place; at each match, once. */
START_TEST(migrates_once_a_match)
{
	ck_assert_int_eq(test_rules_migrate(&rules, "never", NULL), 0);
	ck_assert_int_eq(test_rules_migrate(&rules, "Now migrate", NULL), 0);
	ck_assert_int_eq(test_rules_send(&rules, "k@migrate", NULL), 0);
	start();
	feed("Now mig");
	saw("");
	feed("rate the VM");
	saw("migrate;send k;");
	feed(", then\n");
	saw("");
	feed("Now migrate Now migrate\n");
	saw("migrate;migrate;");
}
END_TEST

/* Those without a pattern wait only for the others. */
START_TEST(sends_at_once)
{
	ck_assert_int_eq(test_rules_send(&rules, "a@", NULL), 0);
	ck_assert_int_eq(test_rules_send(&rules, "b@", NULL), 0);
	ck_assert_int_eq(test_rules_send(&rules, "c@^$", NULL), 0);
	ck_assert_int_eq(test_rules_send(&rules, "d@", NULL), 0);
	start();
	saw("");
	test_watch_begin(&watch);
	saw("send a;send b;");
	feed("x\n");
	saw("");
	feed("\n");
	saw("send c;send d;");
}
END_TEST

static const struct {
	const char *line, *want;
} lines[] = {
	{ "[    5.1] Kernel panic - not syncing: sysrq triggered crash", "panic kernel panic;" },
	{ "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)",
	  "panic kernel panic;" },
	{ "[1.0] BUG: KASAN: slab-out-of-bounds in x",
	  "reject KASAN, KCSAN, KMSAN or KFENCE report;" },
	{ "[1.0] BUG: KCSAN: data-race in x", "reject KASAN, KCSAN, KMSAN or KFENCE report;" },
	{ "UBSAN: shift-out-of-bounds in x.c:1:2", "reject UBSAN report;" },
	{ "watchdog: BUG: soft lockup - CPU#0 stuck for 22s!", "reject soft lockup;" },
	{ "rcu: INFO: rcu_preempt self-detected stall on CPU", "reject RCU stall;" },
	{ "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", "reject RCU stall;" },
	{ "rcu: INFO: rcu_sched detected expedited stalls on CPUs/tasks: { 0-... }",
	  "reject RCU stall;" },
	{ "INFO: task dd:123 blocked for more than 120 seconds.", "reject hung task;" },
	{ "Unable to handle kernel NULL pointer dereference at virtual address 0", "reject Oops;" },
	{ "Internal error: Oops: 0000000096000004 [#1] SMP", "reject Oops;" },
	{ "kernel BUG at mm/slub.c:1234!", "reject BUG;" },
	{ "BUG: scheduling while atomic: swapper/0/1/0x2", "reject BUG;" },
	{ "VFS: Cannot open root device \"vda\" or unknown-block(0,0): error -6",
	  "reject no root file system;" },
	{ "ALERT!  /dev/vda1 does not exist.  Dropping to a shell!",
	  "reject no root file system;" },
	{ "rcu: RCU CPU stall warnings timeout set to 60", "" },
	{ "Mounted /boot. DEBUG: 1 and REBUG: fine", "" },
	{ "printk: console [ttyAMA0] enabled", "" },
	{ "Kernel command line: panic=5", "" },
	{ "watchdog: Delayed init of the lockup detector failed", "" },
};

enum { NLINES = sizeof(lines) / sizeof(lines[0]) };

START_TEST(default_rejects)
{
	start();
	feed(lines[_i].line);
	saw("");
	feed("\r\n");
	saw(lines[_i].want);
	feed("all is well\n");
	saw("");
	test_watch_fini(&watch);
	rules.no_default_rejects = true;
	start();
	feed(lines[_i].line);
	feed("\n");
	saw("");
}
END_TEST

START_TEST(rejected_before_expected)
{
	expects("BUG", NULL);
	ck_assert_int_eq(test_rules_reject(&rules, "mine$", NULL), 0);
	start();
	test_watch_feed(&watch, "BUG: x\n", 7);
	saw("reject BUG;");
	/* A hang in the middle of a line is seen, and its end says nothing new. */
	feed("it is mine");
	saw("");
	test_watch_settle(&watch);
	saw("reject mine$;");
	feed("\n");
	saw("");
}
END_TEST

/* Across the places where long lines are cut, and not twice. */
START_TEST(long_lines)
{
	expects("needle", "needle");
	start();
	for (int at = TEST_LINE_MAX - 10; at < TEST_LINE_MAX + 10; at++) {
		char *text = malloc(12000);

		memset(text, 'x', 11999);
		text[11999] = 0;
		memcpy(text + at, "needle", 6);
		memcpy(text + 11990, "^needle", 7);
		test_watch_fini(&watch);
		start();
		feed(text);
		feed("\n");
		saw("met 0;met 1;");
		free(text);
	}
}
END_TEST

START_TEST(binary)
{
	expects("caf.*\xff", NULL);
	start();
	test_watch_feed(&watch, "caf\xc3\xa9\0\xfe\xff\n", 9);
	saw("met 0;");
}
END_TEST

static const struct {
	int (*add)(struct test_rules *rules, const char *arg, struct fail *fail);
	const char *arg, *why;
} bad[] = {
	{ test_rules_expect, "(", "--expect '(': " },
	{ test_rules_reject, "[a", "--reject '[a': " },
	{ test_rules_expect, "", "--expect: the empty pattern" },
	{ test_rules_send, "text", "--send 'text': give TEXT@PATTERN or TEXT@" },
	{ test_rules_send, "@x", "--send '@x': give TEXT@PATTERN" },
	{ test_rules_send, "\\q@x", "--send '\\q@x': give" },
	{ test_rules_send, "\\x4@x", "--send '\\x4@x': give" },
	{ test_rules_send, "\\xg1@x", "--send" },
	{ test_rules_send, "\\", "--send" },
	{ test_rules_send, "a\\@x", "--send" },
	{ test_rules_send, "a@(", "--send '(': " },
};

START_TEST(refused)
{
	struct fail fail = { 0 };

	ck_assert_int_eq(bad[_i].add(&rules, bad[_i].arg, &fail), -EINVAL);
	ck_assert_int_eq(strncmp(fail.text, bad[_i].why, strlen(bad[_i].why)), 0);
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
	start();
}
END_TEST

START_TEST(too_many)
{
	struct fail fail = { 0 };

	for (int i = 0; i < TEST_RULES_MAX; i++) {
		expects("x", NULL);
		ck_assert_int_eq(test_rules_reject(&rules, "y", NULL), 0);
		ck_assert_int_eq(test_rules_send(&rules, "z@z", NULL), 0);
	}
	ck_assert_int_eq(test_rules_expect(&rules, "x", &fail), -E2BIG);
	ck_assert_int_eq(test_rules_reject(&rules, "x", &fail), -E2BIG);
	ck_assert_int_eq(test_rules_send(&rules, "z@z", &fail), -E2BIG);
	start();
}
END_TEST

START_TEST(random_bytes)
{
	expects("a+b", "^c");
	ck_assert_int_eq(test_rules_send(&rules, "z@a", NULL), 0);
	start();
	srand(3);
	for (int round = 0; round < 3000; round++) {
		uint8_t in[50];

		for (size_t i = 0; i < sizeof(in); i++)
			in[i] = (uint8_t)(rand() % 3 ? "ab\033[;mc\r"[rand() % 8] : rand());
		test_watch_feed(&watch, in, sizeof(in));
		if (rand() % 5 == 0)
			test_watch_settle(&watch);
	}
	test_watch_end(&watch);
	ck_assert_uint_le(watch.nmet, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("test_watch");
	TCase *tc = tcase_create("watch");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, in_order);
	tcase_add_test(tc, not_twice_in_one_place);
	tcase_add_test(tc, any_order);
	tcase_add_test(tc, split_text);
	tcase_add_test(tc, prompt_without_newline);
	tcase_add_test(tc, anchors);
	tcase_add_test(tc, sends);
	tcase_add_test(tc, sends_at_once);
	tcase_add_test(tc, migrates_once_a_match);
	tcase_add_test(tc, nothing_to_migrate_at);
	tcase_add_test(tc, bad_migrate);
	tcase_add_loop_test(tc, default_rejects, 0, NLINES);
	tcase_add_test(tc, rejected_before_expected);
	tcase_add_test(tc, long_lines);
	tcase_add_test(tc, binary);
	tcase_add_loop_test(tc, refused, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tc, too_many);
	tcase_add_test(tc, random_bytes);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
