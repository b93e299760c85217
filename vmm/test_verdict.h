/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_TEST_VERDICT_H
#define VMM_TEST_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/core/fail.h"

/* How a test ends. Each has a word for reports, an exit code, and a sentence. */
enum test_outcome {
	TEST_NONE, /* not yet */
	TEST_PASSED,
	TEST_REJECTED,
	TEST_ENDED,
	TEST_RESET,
	TEST_CRASH,
	TEST_PANIC,
	TEST_STALL_WAITING,
	TEST_STALL_SPINNING,
	TEST_TIMEOUT,
	TEST_CONFIG,
	TEST_HOST,
	TEST_STOPPED,
	TEST_KILLED,
	TEST_OTHER,
	TEST_OUTCOMES,
};

struct test_verdict {
	const char *word; /* one word, for programs */
	int code; /* the exit code; -1: that of the machine's process */
	const char *sentence; /* what happened, for people: "the guest panicked" */
};

const struct test_verdict *test_verdict(enum test_outcome outcome);

/* What the end of a machine's process says when nothing was decided before: `status` is wait(2)'s, `met`
 * whether all that was expected has come. */
enum test_outcome test_verdict_end(int status, bool met);

/* The exit code of an outcome, for a process that ended with `status`. */
int test_verdict_code(enum test_outcome outcome, int status);

#endif
