// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/core/loop.h"

enum { WIDTH = 30 };

static const uint64_t SECOND = 1000000000;

void progress_begin(struct progress *p)
{
	*p = (struct progress){
		.terminal = isatty(STDERR_FILENO),
		.due = loop_now_ns() + SECOND,
	};
}

bool progress_due(struct progress *p)
{
	uint64_t now = loop_now_ns();

	if (!p->terminal && now < p->due)
		return false;
	p->due = now + SECOND;
	p->shown = p->terminal;
	return true;
}

void progress_show(const struct progress *p, uint64_t done, uint64_t total)
{
	unsigned int full = total ? (unsigned int)(done * WIDTH / total) : 0;
	uint64_t percent = total ? done * 100 / total : 0;
	char bar[WIDTH + 1];

	if (!p->terminal) {
		fprintf(stderr, "%" PRIu64 " %% of %" PRIu64 " MiB\n", percent, total >> 20);
		return;
	}
	memset(bar, '-', WIDTH);
	memset(bar, '#', full < WIDTH ? full : WIDTH);
	bar[WIDTH] = 0;
	fprintf(stderr, "\r[%s] %3" PRIu64 " %% of %" PRIu64 " MiB", bar, percent, total >> 20);
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
