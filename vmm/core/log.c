// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024, GUEST_LINES = 10 };

static const uint64_t GUEST_WINDOW_NS = 1000000000;

static const char *const level_tag[] = {
	[LOG_ERROR] = "error: ",
	[LOG_WARNING] = "warning: ",
	[LOG_INFO] = "",
	[LOG_DEBUG] = "debug: ",
};

static bool enabled(const struct log *log, enum log_level level)
{
	return log && log->fd >= 0 && level <= log->level;
}

static size_t append(char *line, size_t at, const char *word)
{
	size_t n = strnlen(word, LINE_MAX_BYTES - 1 - at);

	memcpy(line + at, word, n);
	return at + n;
}

static void emit(struct log *log, enum log_level level, unsigned int dropped, const char *fmt,
		 va_list ap)
{
	char line[LINE_MAX_BYTES];
	size_t at = append(line, 0, log->prefix ? log->prefix : "");

	at = append(line, at, level_tag[level]);
	vsnprintf(line + at, sizeof(line) - at, fmt, ap);
	at = strnlen(line, sizeof(line) - 1);
	if (dropped)
		snprintf(line + at, sizeof(line) - at, " (%u more left out)", dropped);
	at = strnlen(line, sizeof(line) - 1);
	/* The text may carry what a guest or a file chose: keep it from driving the terminal. */
	for (size_t i = 0; i < at; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[at] = '\n';
	/* Nobody is left to be told when the log itself cannot be written. */
	if (write(log->fd, line, at + 1) < 0)
		return;
}

void log_line(struct log *log, enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (!enabled(log, level))
		return;
	va_start(ap, fmt);
	emit(log, level, 0, fmt, ap);
	va_end(ap);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Whether this line gets through; two threads that open a new second at once may let one line
 * too many pass, which is harmless. */
static bool limit_pass(struct log_limit *limit)
{
	uint64_t now = now_ns();
	uint_fast64_t start = atomic_load(&limit->window_ns);

	if (start == 0 || now - start >= GUEST_WINDOW_NS) {
		if (atomic_compare_exchange_strong(&limit->window_ns, &start, now))
			atomic_store(&limit->said, 0);
	}
	if (atomic_fetch_add(&limit->said, 1) < GUEST_LINES)
		return true;
	atomic_fetch_add(&limit->dropped, 1);
	return false;
}

void log_guest(struct log *log, struct log_limit *limit, const char *fmt, ...)
{
	va_list ap;

	if (!enabled(log, LOG_WARNING) || !limit_pass(limit))
		return;
	va_start(ap, fmt);
	emit(log, LOG_WARNING, atomic_exchange(&limit->dropped, 0), fmt, ap);
	va_end(ap);
}

int log_level_parse(const char *word, enum log_level *level)
{
	static const struct {
		const char *word;
		enum log_level level;
	} words[] = {
		{ "error", LOG_ERROR }, { "warning", LOG_WARNING }, { "warn", LOG_WARNING },
		{ "info", LOG_INFO },	{ "debug", LOG_DEBUG },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(word, words[i].word) == 0) {
			*level = words[i].level;
			return 0;
		}
	}
	return -EINVAL;
}
