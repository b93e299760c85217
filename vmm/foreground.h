/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_FOREGROUND_H
#define VMM_FOREGROUND_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/config.h"

/* How it differs from `vmm run`. */
struct foreground {
	int client_fd; /* a connected client of the machine's control, taken over; -1: none */
	struct restore *restore; /* comes out of this; NULL: boots */
	bool dump; /* say all registers on stderr at every end, not only at a crash */
};

/*
 * A machine in the foreground of this process, from its start to its end: console on stdin and
 * stdout, signals, terminal, socket. Blocks signals for good. Returns the exit
 * code, `fail` telling what there is to say; `cfg` is the caller's, and has a name while it runs.
 */
int foreground_run(struct config *cfg, const struct foreground *how, struct fail *fail);

#endif
