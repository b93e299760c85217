/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_TEST_CONFIG_H
#define VMM_TEST_CONFIG_H

#include "vmm/config.h"
#include "vmm/test_rules.h"

/* What `vmm test` is asked for: one of these a test. Its tables go over run's options as well. */

enum { TEST_REPORTS_MAX = 4, TEST_REPEAT_MAX = 1000 };

struct test_report_wish {
	unsigned int kind; /* index in the table of test_report.h */
	const char *file; /* NULL: stdout */
};

struct test {
	struct config run; /* first, so that run's options find it */
	struct test_rules rules;
	uint64_t timeout_ns, idle_ns; /* 0: none */
	unsigned int repeat, retries;
	const char *log;
	const char *from_snapshot; /* NULL: it boots */
	int snapshot_fd; /* that file, known to be whole; -1: none */
	bool owns_snapshot; /* closes it; one of several tests of it does */
	/* Of all tests together: only on the command line. */
	unsigned int jobs; /* 0: what the CPUs allow */
	const char *plan;
	struct test_report_wish reports[TEST_REPORTS_MAX];
	unsigned int nreports;
};

/* Options of one test, in a plan too; and those of the command line alone, which goes on with them. */
extern const struct opt test_options[];
extern const struct opt test_session_options[];

void test_init(struct test *test);
/* The machine comes out of a snapshot: what there is to know of it before it does. Sets run.cpus and
 * run.mem. 0 or -errno with a sentence. */
typedef int test_look(int fd, struct config *run, struct fail *fail);
/* Opens the snapshot, or shares that of `last` (or NULL), which lives as long. */
int test_open(struct test *test, const struct test *last, test_look *look, struct fail *fail);
/* Checks what needs nothing but the words: 0 or -errno with a sentence. */
int test_check(const struct test *test, struct fail *fail);
void test_fini(struct test *test);

#endif
