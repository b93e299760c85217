/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_TEST_LINES_H
#define VMM_TEST_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a person would read in a console's bytes, however they were split: lines, without escape
 * sequences (ECMA-48), control characters and NULs. LF ends a line, and so does a CR with anything
 * but CR and LF behind it: progress that overwrites itself comes as lines. Tabs, and bytes from
 * 0x80 on, stay as they are. The console may be hostile: nothing is kept that has no bound.
 */

/* The longest line; of a longer one the first half is reported and dropped, again and again. */
enum { TEST_LINE_MAX = 4096, TEST_LINE_HALF = TEST_LINE_MAX / 2 };

struct test_lines {
	/* A line has come to its end (whole), or its first half goes. text[0..fresh) has been
	 * reported before, as the rest of a line that was cut. */
	void (*line)(void *arg, const char *text, size_t fresh, bool whole);
	void *arg;
	/* The line that is under way: NUL-terminated; `cut` if it had a beginning. */
	char text[TEST_LINE_MAX + 1];
	size_t len, fresh;
	bool cut;
	/* Private. */
	bool cr;
	unsigned int escape, escape_len;
};

void test_lines_init(struct test_lines *l,
		     void (*line)(void *arg, const char *text, size_t fresh, bool whole),
		     void *arg);
void test_lines_feed(struct test_lines *l, const void *data, size_t len);
/* The console has ended: reports a last line that has no end. */
void test_lines_end(struct test_lines *l);

#endif
