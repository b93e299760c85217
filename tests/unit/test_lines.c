// SPDX-License-Identifier: GPL-2.0-only
/* Console bytes become lines, however they are split. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/suite.h"
#include "vmm/test_lines.h"

/* "line|line|", with "..." behind a piece. */
static char seen[200000];

static void on_line(void *arg, const char *text, size_t fresh, bool whole)
{
	(void)arg;
	ck_assert_uint_le(fresh, strlen(text));
	strcat(seen, text + fresh);
	strcat(seen, whole ? "|" : "...");
}

#define BYTES(text) text, sizeof(text) - 1

static const struct {
	const char *in;
	size_t len;
	const char *out; /* then what is left */
} rows[] = {
	{ BYTES(""), "+" },
	{ BYTES("one\ntwo\n"), "one|two|+" },
	{ BYTES("one\r\ntwo\r\r\nthree\n"), "one|two|three|+" },
	{ BYTES("\n\n"), "||+" },
	{ BYTES("login: "), "+login: " },
	{ BYTES("login: \r"), "+login: " },
	{ BYTES(" 10%\r 20%\r\n"), " 10%| 20%|+" },
	{ BYTES("a\0b\001c\x7f\n"), "abc|+" },
	{ BYTES("t\tab\n"), "t\tab|+" },
	{ BYTES("\xc3\xa9 \xff\xfe\n"), "\xc3\xa9 \xff\xfe|+" },
	{ BYTES("\033[1;31mred\033[0m\n"), "red|+" },
	{ BYTES("\033[?2004h# "), "+# " },
	{ BYTES("\033]0;title\007text\n"), "text|+" },
	{ BYTES("\033]0;title\033\\text\n"), "text|+" },
	{ BYTES("\033Pdata\033\\text\n"), "text|+" },
	{ BYTES("\033(Btext\0337\n"), "text|+" },
	{ BYTES("\033\033[mtext\n"), "text|+" },
	{ BYTES("a\033[12\nb\n"), "a|b|+" },
	{ BYTES("a\033[1\030b\n"), "ab|+" },
	{ BYTES("a\033"), "+a" },
	{ BYTES("\033]never ends\nKernel panic\n"), "|Kernel panic|+" },
};

enum { NROWS = sizeof(rows) / sizeof(rows[0]) };

/* In pieces of each size. */
START_TEST(bytes_to_lines)
{
	for (size_t step = 1; step <= rows[_i].len + 1; step++) {
		struct test_lines l;

		seen[0] = 0;
		test_lines_init(&l, on_line, NULL);
		for (size_t at = 0; at < rows[_i].len; at += step)
			test_lines_feed(&l, rows[_i].in + at,
					rows[_i].len - at < step ? rows[_i].len - at : step);
		strcat(seen, "+");
		strcat(seen, l.text);
		ck_assert_str_eq(seen, rows[_i].out);
	}
}
END_TEST

START_TEST(long_lines)
{
	size_t len = 50000;
	char *in = malloc(len), *want = malloc(len + 1), *at;
	struct test_lines l;

	for (size_t i = 0; i < len; i++)
		in[i] = want[i] = (char)('a' + i % 23);
	want[len] = 0;
	seen[0] = 0;
	test_lines_init(&l, on_line, NULL);
	test_lines_feed(&l, in, len);
	ck_assert(l.cut);
	ck_assert_uint_le(l.len, TEST_LINE_MAX);
	test_lines_end(&l);
	ck_assert(!l.cut);
	/* Nothing is lost and nothing comes twice. */
	while ((at = strstr(seen, "...")))
		memmove(at, at + 3, strlen(at + 3) + 1);
	seen[strlen(seen) - 1] = 0;
	ck_assert_str_eq(seen, want);
	free(in);
	free(want);
}
END_TEST

START_TEST(end_without_newline)
{
	struct test_lines l;

	seen[0] = 0;
	test_lines_init(&l, on_line, NULL);
	test_lines_feed(&l, "last", 4);
	test_lines_end(&l);
	test_lines_end(&l);
	ck_assert_str_eq(seen, "last|");
}
END_TEST

/* An OSC that never ends hides no more than ESCAPE_MAX bytes. */
START_TEST(endless_sequence)
{
	char in[1000];
	struct test_lines l;

	memset(in, 'x', sizeof(in));
	in[0] = 033;
	in[1] = ']';
	test_lines_init(&l, on_line, NULL);
	test_lines_feed(&l, in, sizeof(in));
	ck_assert_uint_gt(l.len, 700);
}
END_TEST

START_TEST(random_bytes)
{
	struct test_lines l;
	uint8_t in[64];

	srand(7);
	test_lines_init(&l, on_line, NULL);
	for (int round = 0; round < 20000; round++) {
		seen[0] = 0;
		for (size_t i = 0; i < sizeof(in); i++)
			in[i] = (uint8_t)(rand() % 4 ? rand() % 64 : rand());
		test_lines_feed(&l, in, sizeof(in));
		ck_assert_uint_eq(strlen(l.text), l.len);
		ck_assert_uint_le(l.len, TEST_LINE_MAX);
		ck_assert_ptr_null(strpbrk(l.text, "\n\r\033\007"));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("test_lines");
	TCase *tc = tcase_create("lines");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, bytes_to_lines, 0, NROWS);
	tcase_add_test(tc, long_lines);
	tcase_add_test(tc, end_without_newline);
	tcase_add_test(tc, endless_sequence);
	tcase_add_test(tc, random_bytes);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
