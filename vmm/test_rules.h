/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_TEST_RULES_H
#define VMM_TEST_RULES_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#include "vmm/core/fail.h"

/*
 * What a boot test waits for on the console, what it must not see, and what it types. Patterns are
 * POSIX extended regular expressions over one line, as test_lines.h gives them; they see bytes.
 */

enum { TEST_RULES_MAX = 64, TEST_SEND_MAX = 1024 };

struct test_pattern {
	char *text; /* as it was written; owned */
	regex_t re;
};

struct test_send {
	struct test_pattern at;
	size_t len;
	char *data; /* owned */
};

struct test_rules {
	struct test_pattern expects[TEST_RULES_MAX], rejects[TEST_RULES_MAX];
	struct test_send sends[TEST_RULES_MAX];
	unsigned int nexpects, nrejects, nsends;
	struct test_pattern migrate; /* text NULL: none */
	bool any_order, no_default_rejects;
};

/* What nobody wants on a console, unless they say so. */
struct test_reject {
	const char *name, *pattern;
	bool panic; /* the guest's end, not only a mistake */
};

/* The i-th of them, the gravest first; NULL behind the last. */
const struct test_reject *test_default_reject(unsigned int i);

/* Each adds one: 0, or -errno with a sentence. `arg` is copied. */
int test_rules_expect(struct test_rules *rules, const char *arg, struct fail *fail);
int test_rules_reject(struct test_rules *rules, const char *arg, struct fail *fail);
/* TEXT@RE: TEXT may hold \n \r \t \e \\ \@ and \xHH; the first @ without a backslash ends it.
 * With no RE it is typed as soon as those before it are, the first one at the start. */
int test_rules_send(struct test_rules *rules, const char *arg, struct fail *fail);
/* The machine is moved at each line with RE; the last one given counts. */
int test_rules_migrate(struct test_rules *rules, const char *arg, struct fail *fail);
void test_rules_fini(struct test_rules *rules);

#endif
