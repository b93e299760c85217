/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_TEST_LOG_H
#define VMM_TEST_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "vmm/core/fail.h"

/* A console's lines in a file, each with the seconds since the start at which it began. */
struct test_log {
	FILE *file; /* NULL: nobody wants it */
	uint64_t begin_ns; /* of the line under way */
	bool middle; /* in a line that was too long to come in one piece */
	int err; /* of the first write that failed */
};

/* Opens `pattern` with %n made `name`, and %% a %: 0 or -errno with a sentence. `again` appends. */
int test_log_open(struct test_log *log, const char *pattern, const char *name, bool again,
		  struct fail *fail);
/* A line's bytes begin to arrive, so long after the start. */
void test_log_begin(struct test_log *log, uint64_t ns);
/* A line, or a piece of one that goes on. */
void test_log_line(struct test_log *log, const char *text, bool whole);
/* 0, or the -errno of what could not be written. */
int test_log_close(struct test_log *log);

/* Whether two names make two files. */
bool test_log_distinct(const char *pattern);

#endif
