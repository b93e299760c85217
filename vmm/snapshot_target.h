/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_SNAPSHOT_TARGET_H
#define VMM_SNAPSHOT_TARGET_H

#include <limits.h>
#include <stdbool.h>

#include "vmm/core/fail.h"

/*
 * A file that takes the place of another one, or of none, when it is whole and on stable storage:
 * whatever ends the process before, the old one is there as it was.
 */
struct snapshot_target {
	const char *path; /* borrowed */
	char dir[PATH_MAX], temp[PATH_MAX];
	bool named; /* temp is there */
	int fd; /* owned: empty, to write and read */
};

/* Makes it beside `path`. 0, or EXIT_CONFIG with a sentence and nothing to drop. */
int snapshot_target_open(struct snapshot_target *t, const char *path, struct fail *fail);
/* Gives it its name: 0, or EXIT_HOST with a sentence. */
int snapshot_target_commit(struct snapshot_target *t, struct fail *fail);
/* The end of it; what was not committed is gone. */
void snapshot_target_drop(struct snapshot_target *t);

#endif
