/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_TEST_REPORT_H
#define VMM_TEST_REPORT_H

#include <stdio.h>
#include <time.h>

#include "vmm/test_record.h"

/* What the tests of one `vmm test` came to, for people and for other programs. */

struct test_report {
	const struct test_run *runs;
	unsigned int n;
	uint64_t elapsed_ns; /* of all */
	time_t began;
};

/* "junit=FILE": the kind's number and the file's name (in `arg`), or NULL. -EINVAL: no such kind. */
int test_report_find(const char *arg, unsigned int *kind, const char **file);

/* Writes one to its file, beside it and renamed, or to stdout: 0 or -errno with a sentence. */
int test_report_write(const struct test_report *report, const struct test_report_wish *wish,
		      struct fail *fail);

/* One of the kinds, to a stream. */
void test_report_print(const struct test_report *report, unsigned int kind, FILE *out);

/* "1 passed, 1 failed" by test_run_passed(). */
unsigned int test_report_failed(const struct test_report *report);

#endif
