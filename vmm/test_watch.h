/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_TEST_WATCH_H
#define VMM_TEST_WATCH_H

#include "vmm/test_lines.h"
#include "vmm/test_rules.h"

/*
 * One console looked at by a test's rules. Expectations in order, and sends, each look from behind
 * the last match on; expectations in any order, and what is rejected, look at lines from their
 * beginning. A line under way is looked at as it grows, since a prompt has no end, but for what is
 * rejected: that waits until the line is there or nothing more comes.
 */

enum { TEST_TEXT_MAX = 256 };

struct test_watch_user {
	void (*met)(void *arg, unsigned int expect);
	void (*send)(void *arg, const struct test_send *send);
	void (*migrate)(void *arg); /* before what is sent at the same place */
	/* `name` is a default's, or the pattern; `line` shows it. Several can come. */
	void (*rejected)(void *arg, const char *name, const char *line, bool panic);
	/* A line to be kept: text that was not in one before. */
	void (*line)(void *arg, const char *text, bool whole);
	void *arg;
};

struct test_watch {
	const struct test_rules *rules;
	struct test_watch_user user;
	struct test_lines lines;
	regex_t defaults[16];
	unsigned int ndefaults;
	bool met[TEST_RULES_MAX];
	unsigned int nmet, nsent;
	size_t expect_at, send_at, migrate_at; /* in the line under way */
	bool rejected; /* in it */
};

/* `rules` are borrowed. 0 or -ENOMEM. */
int test_watch_init(struct test_watch *w, const struct test_rules *rules,
		    const struct test_watch_user *user);
void test_watch_fini(struct test_watch *w);

/* Nothing has come yet: types what waits for nothing. */
void test_watch_begin(struct test_watch *w);
void test_watch_feed(struct test_watch *w, const void *data, size_t len);
/* Nothing has come for a while: the end of what is there counts as the end of a line ($). */
void test_watch_settle(struct test_watch *w);
/* Nothing will come any more. */
void test_watch_end(struct test_watch *w);

#endif
