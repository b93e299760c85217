/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FAKE_SUITE_H
#define TESTS_FAKE_SUITE_H

#include <check.h>

/* An assertion for loops. Check's own note their place each time, which takes longer than what they
 * look at. */
#define quick_assert(expr, ...)                    \
	do {                                       \
		if (!(expr))                       \
			ck_abort_msg(__VA_ARGS__); \
	} while (0)

/* Runs all of `suite` and frees it: what main() returns. */
static inline int run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}

#endif
