/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_TEST_RECORD_H
#define VMM_TEST_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/test_config.h"
#include "vmm/test_verdict.h"
#include "vmm/test_watch.h"

/* What is known of a test at its end, for reports. */

enum { TEST_TAIL_LINES = 40, TEST_MESSAGES_MAX = 16 << 10, TEST_NAME_MAX = 80 };

/* The last lines of a console, cut to TEST_TEXT_MAX. */
struct test_tail {
	char lines[TEST_TAIL_LINES][TEST_TEXT_MAX];
	unsigned int n; /* lines ever added */
};

void test_tail_add(struct test_tail *tail, const char *text);
/* The i-th line that is kept, oldest first; NULL behind the last. */
const char *test_tail_line(const struct test_tail *tail, unsigned int i);

struct test_record {
	enum test_outcome outcome;
	int code;
	uint64_t elapsed_ns; /* to the verdict */
	uint64_t met_ns[TEST_RULES_MAX]; /* to each expectation; 0: not met */
	char reject[TEST_TEXT_MAX], line[TEST_TEXT_MAX]; /* what was rejected, and where */
	char why[TEST_TEXT_MAX]; /* more about the outcome, or empty */
	struct test_tail tail;
	char messages[TEST_MESSAGES_MAX]; /* the last of what vmm itself said */
	char *debug; /* the machine's answer to `debug`, or NULL; owned */
};

/* Copies with control characters made visible as '?', and cut. */
void test_text(char text[TEST_TEXT_MAX], const char *from);
/* Keeps the last lines, from the start of a line on. */
void test_messages_add(struct test_record *result, const char *data, size_t len);
void test_record_fini(struct test_record *result);

/* One test to be run, perhaps one of several repetitions. */
struct test_run {
	const struct test *test;
	char name[TEST_NAME_MAX];
	unsigned int attempts; /* so far */
	struct test_record *result; /* of the last attempt; owned; NULL: none has ended */
	bool running, done;
};

/* Whether it failed first and passed then. */
bool test_run_flaky(const struct test_run *run);
bool test_run_passed(const struct test_run *run);

#endif
