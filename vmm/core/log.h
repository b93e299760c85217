/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_LOG_H
#define VMM_CORE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Everything that vmm itself says: stderr, or the file of --log-file. The guest's console is not
 * here. One write(2) a line, so lines of several threads never mix. All functions take any thread.
 */
enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

struct log {
	int fd; /* borrowed; -1 says nothing */
	enum log_level level;
	const char *prefix; /* "vmm: ", or with the machine's name; borrowed */
};

/* What a guest can trigger is limited. All zero to begin with. */
struct log_limit {
	atomic_uint_fast64_t window_ns; /* CLOCK_MONOTONIC start of the current second */
	atomic_uint said, dropped;
};

/* Writes one line when `level` is enabled. `fmt` without newline. */
void log_line(struct log *log, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for a mistake of the guest's (level warning), at most 10 lines a second per limit;
 * the next line that gets through tells how many were left out. */
void log_guest(struct log *log, struct log_limit *limit, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* error, warning, info, debug (and kvmtool's "warn"): 0, or -EINVAL. */
int log_level_parse(const char *word, enum log_level *level);

#endif
