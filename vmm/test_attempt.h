/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_TEST_ATTEMPT_H
#define VMM_TEST_ATTEMPT_H

#include "vmm/core/loop.h"
#include "vmm/test_child.h"
#include "vmm/test_record.h"

/* One machine started, watched, judged and ended. All on the loop's thread. */
struct test_attempt;

struct test_attempt_env {
	struct loop *loop;
	test_machine *machine;
	/* The machine has ended, and the attempt may be destroyed from here on, after this call. */
	void (*done)(void *arg);
	void *arg;
};

/* Starts it as `name`, the n-th attempt (from 1) at it. `test` and `result` are borrowed, `result` is
 * filled. 0 or -errno with a sentence. */
int test_attempt_start(const struct test_attempt_env *env, const struct test *test,
		       const char *name, unsigned int n, struct test_record *result,
		       struct test_attempt **out, struct fail *fail);
/* Ends the machine at once, should it run. NULL is fine. */
void test_attempt_destroy(struct test_attempt *a);

/* Seconds since its start, in ns. */
uint64_t test_attempt_elapsed(const struct test_attempt *a);

#endif
