/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_PROGRESS_H
#define VMM_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* How far something long is, on standard error: a bar on a terminal, else a line a second. */

struct progress {
	bool terminal;
	bool shown; /* there is a bar to be wiped out */
	uint64_t due; /* when the next line is, ns */
};

void progress_begin(struct progress *p);
/* Whether something may be shown now: always on a terminal, else once a second. */
bool progress_due(struct progress *p);
/* `done` of `total` bytes: a bar, or a line. */
void progress_show(const struct progress *p, uint64_t done, uint64_t total);
void progress_end(struct progress *p);

#endif
