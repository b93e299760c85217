/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_WINSIZE_H
#define VMM_WINSIZE_H

#include "vmm/core/loop.h"
#include "vmm/term.h"

struct machine;

/* Follows the size of the user's terminal, for a guest whose console can. All zero to begin with. */
struct winsize_watch {
	struct loop_fd signal;
	struct loop *loop;
	const struct term *term;
	struct machine *machine;
};

/* Tells the machine the size now and whenever it changes; nothing without a terminal of ours. While
 * the process has one thread. 0 or -errno. */
int winsize_follow(struct winsize_watch *watch, struct loop *loop, const struct term *term,
		   struct machine *machine);
/* While the loop is idle; harmless if it was never begun. */
void winsize_end(struct winsize_watch *watch);

#endif
