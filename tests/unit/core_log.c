// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/core/device.h"
#include "vmm/core/fail.h"
#include "vmm/core/log.h"

static int fds[2];
static struct log logger;

static void setup(void)
{
	ck_assert_int_eq(pipe(fds), 0);
	logger = (struct log){ .fd = fds[1], .level = LOG_INFO, .prefix = "vmm: " };
}

static void teardown(void)
{
	close(fds[0]);
	if (logger.fd >= 0)
		close(fds[1]);
}

/* All that was said since, after the log's end. */
static const char *said(void)
{
	static char text[65536];
	ssize_t n;

	close(fds[1]);
	logger.fd = -1;
	n = read(fds[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = 0;
	return text;
}

START_TEST(levels_and_prefix)
{
	log_line(&logger, LOG_ERROR, "one %d", 1);
	log_line(&logger, LOG_WARNING, "two");
	log_line(&logger, LOG_INFO, "three");
	log_line(&logger, LOG_DEBUG, "four");
	log_line(NULL, LOG_ERROR, "nobody");
	ck_assert_str_eq(said(), "vmm: error: one 1\nvmm: warning: two\nvmm: three\n");
	log_line(&logger, LOG_ERROR, "to nowhere");
}
END_TEST

START_TEST(control_characters_do_not_reach_the_terminal)
{
	log_line(&logger, LOG_ERROR, "a\033[2Jb\nc\x7f \xc3\xa4");
	ck_assert_str_eq(said(), "vmm: error: a?[2Jb?c? \xc3\xa4\n");
}
END_TEST

START_TEST(long_lines_are_cut_to_one)
{
	char text[5000];
	const char *line;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	log_line(&logger, LOG_ERROR, "%s", text);
	line = said();
	ck_assert_uint_eq(strlen(line), 1024);
	ck_assert_ptr_eq(strchr(line, '\n'), line + 1023);
}
END_TEST

START_TEST(a_guest_is_limited)
{
	struct log_limit limit = { 0 };
	unsigned int lines = 0;
	const char *text;

	log_guest(&logger, &limit, "first");
	for (int i = 0; i < 24; i++)
		log_guest(&logger, &limit, "more");
	ck_assert_uint_eq(atomic_load(&limit.dropped), 15);
	atomic_fetch_sub(&limit.window_ns, UINT64_C(2000000000)); /* two seconds ago */
	log_guest(&logger, &limit, "later");
	log_guest(&logger, &limit, "last");
	text = said();
	for (const char *p = text; (p = strchr(p, '\n')); p++)
		lines++;
	ck_assert_uint_eq(lines, 12);
	ck_assert_ptr_nonnull(strstr(text, "vmm: warning: later (15 more left out)\n"));
	ck_assert_ptr_nonnull(strstr(text, "vmm: warning: last\n"));
}
END_TEST

START_TEST(level_words)
{
	enum log_level level = LOG_ERROR;

	ck_assert_int_eq(log_level_parse("debug", &level), 0);
	ck_assert_int_eq(level, LOG_DEBUG);
	ck_assert_int_eq(log_level_parse("warn", &level), 0);
	ck_assert_int_eq(level, LOG_WARNING);
	ck_assert_int_eq(log_level_parse("warning", &level), 0);
	ck_assert_int_eq(log_level_parse("Error", &level), -EINVAL);
	ck_assert_int_eq(level, LOG_WARNING);
}
END_TEST

START_TEST(first_failure_stays)
{
	struct fail f = { 0 };
	char text[1000];

	ck_assert_int_eq(fail_set(&f, EXIT_CONFIG, -ENOENT, "%s: no such file", "a\nb"), -ENOENT);
	ck_assert_int_eq(fail_set(&f, EXIT_HOST, -EIO, "other"), -EIO);
	ck_assert_str_eq(f.text, "a?b: no such file");
	ck_assert_int_eq(f.code, EXIT_CONFIG);
	ck_assert_int_eq(fail_set(NULL, EXIT_HOST, -EIO, "nobody"), -EIO);

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	memset(&f, 0, sizeof(f));
	fail_set(&f, EXIT_HOST, -EIO, "%s", text);
	ck_assert_uint_eq(strlen(f.text), sizeof(f.text) - 1);
}
END_TEST

START_TEST(device_common_part)
{
	static const struct device_ops ops;
	struct device_env env = { .base = 0x9000000, .irq = { .spi = 5 } };
	struct device dev, untouched;

	memset(&untouched, 0, sizeof(untouched));
	device_init(&dev, &ops, "pl011", &env);
	ck_assert_str_eq(dev.name, "pl011@9000000");
	ck_assert_uint_eq(dev.env.irq.spi, 5);
	ck_assert_int_eq(pthread_mutex_trylock(&dev.lock), 0);
	pthread_mutex_unlock(&dev.lock);
	device_fini(&dev);
	device_fini(&untouched);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_log");
	TCase *tc = tcase_create("log, fail, device");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, levels_and_prefix);
	tcase_add_test(tc, control_characters_do_not_reach_the_terminal);
	tcase_add_test(tc, long_lines_are_cut_to_one);
	tcase_add_test(tc, a_guest_is_limited);
	tcase_add_test(tc, level_words);
	tcase_add_test(tc, first_failure_stays);
	tcase_add_test(tc, device_common_part);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
