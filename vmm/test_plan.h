/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_TEST_PLAN_H
#define VMM_TEST_PLAN_H

#include "vmm/test_config.h"

/*
 * A file of tests. A line is `[NAME]`, which begins a test, or what --config has (opts_line()): an option
 * of `vmm test` and its value, a comment, nothing. Options above the first test are for all of them.
 */
struct test_plan {
	struct test **tests;
	unsigned int n;
	char *text; /* private: the file, which the options point into */
};

enum { TEST_PLAN_MAX = 1 << 20, TEST_PLAN_TESTS = 1000, TEST_PLAN_NAME_MAX = 48 };

/*
 * Each test gets the options of the command line (words without the command, not changed), then those
 * for all tests, then its own. 0; or -errno with a sentence that names the line, and `plan` is empty.
 */
int test_plan_load(struct test_plan *plan, const char *file, int argc, char *const *argv,
		   struct fail *fail);
void test_plan_fini(struct test_plan *plan);

#endif
