// SPDX-License-Identifier: GPL-2.0-only
/* Answers as people see them. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/control_print.h"

static char shown[4096];

/* Runs fn with stdout going to `shown`. */
static void capture(void (*fn)(char *text), const char *text)
{
	FILE *file = tmpfile();
	int old = dup(STDOUT_FILENO);
	char *copy = strdup(text);

	ck_assert_ptr_nonnull(file);
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	fn(copy);
	fflush(stdout);
	dup2(old, STDOUT_FILENO);
	close(old);
	rewind(file);
	shown[fread(shown, 1, sizeof(shown) - 1, file)] = 0;
	fclose(file);
	free(copy);
}

static void print(char *text)
{
	struct json_object obj;

	ck_assert_int_eq(json_parse(text, &obj), 0);
	control_print(&obj);
}

static void print_text(char *text)
{
	control_print_plain(text);
}

static const struct {
	const char *json, *lines;
} answers[] = {
	{ "{\"ok\":true}", "" },
	{ "{\"ok\":true,\"name\":\"box\",\"pid\":12,\"paused\":false}",
	  "name: box\npid: 12\npaused: false\n" },
	{ "{\"exits\":{\"mmio_read\":[1,2],\"nisv\":[0,3]}}",
	  "exits mmio_read: [1,2]\nexits nisv: [0,3]\n" },
	{ "{\"a\":{},\"b\":[],\"c\":[ ],\"d\":null}", "b: []\nc: [ ]\nd: null\n" },
	{ "{\"devices\":[{\"name\":\"uart\",\"interrupts\":3},{\"name\":\"disk\",\"interrupts\":1,"
	  "\"queues\":[{\"requests\":7,\"bytes\":8},{\"requests\":0}],\"more\":true}, {\"x\":1}]}",
	  "devices uart: interrupts 3\n"
	  "devices disk: interrupts 1, more true\n"
	  "devices disk queues 0: requests 7, bytes 8\n"
	  "devices disk queues 1: requests 0\n"
	  "devices 2: x 1\n" },
	{ "{\"a\":[ {\"b\":{\"c\":{\"d\":\"\\u001b[2J\\n\"}}}]}", "a 0 b c: d ?[2J?\n" },
	{ "{\"a\":[{\"name\":5}]}", "" },
	{ "{\"a\":{\"b\":[[1],[2]]}}", "a b: [[1],[2]]\n" },
	{ "{\"a\\u001b\":\"\\u007f\"}", "a?: ?\n" },
};

enum { NANSWERS = sizeof(answers) / sizeof(answers[0]) };

START_TEST(one_answer)
{
	capture(print, answers[_i].json);
	ck_assert_str_eq(shown, answers[_i].lines);
}
END_TEST

START_TEST(plain_text)
{
	capture(print_text, "a\x1b[1mb\tc\r\nd\x7f \xc3\xa9");
	ck_assert_str_eq(shown, "a?[1mb?c??d? \xc3\xa9");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_print");
	TCase *tc = tcase_create("print");

	tcase_add_loop_test(tc, one_answer, 0, NANSWERS);
	tcase_add_test(tc, plain_text);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
