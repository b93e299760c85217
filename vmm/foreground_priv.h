/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_FOREGROUND_PRIV_H
#define VMM_FOREGROUND_PRIV_H

#include "vmm/control.h"
#include "vmm/control_dir.h"
#include "vmm/foreground.h"
#include "vmm/machine.h"
#include "vmm/outgoing.h"
#include "vmm/save.h"
#include "vmm/term.h"
#include "vmm/winsize.h"

/* Private part of a machine in the foreground: foreground.c (from its start to its end),
 * foreground_control.c (what clients ask of it). */

/* A machine in the foreground of a user: its signals, its terminal, its socket, its end. */
struct run {
	struct config *cfg;
	const struct foreground *how;
	struct log log;
	struct machine *machine;
	struct vm *vm;
	struct term term;
	bool escaped; /* the last input byte was Ctrl-A */
	struct winsize_watch winsize;
	struct loop_fd signals;
	struct loop_timer grace;
	int first_signal; /* or SIGTERM, for the first request to stop */
	int log_fd;
	char name[24]; /* when none was given */
	struct control_socket socket;
	struct control *control;
	struct save save;
	struct outgoing outgoing;
	bool undecided; /* it may run elsewhere: stands still until a person says whose it is */
	bool stays_paused; /* the next run of the loop begins with the vCPUs as they are */
	struct backlog *backlog; /* what clients read of the console; NULL: none can come */
	bool reset_asked; /* by a client, whatever --no-reboot says of the guest's resets */
};

/* What clients can ask for; their argument is the run. */
extern const struct control_ops foreground_ops;

/* Asks the guest to power off, for `who`; after the grace the machine ends as if by `sig`. */
void foreground_power_key(struct run *run, const char *who, int sig);

#endif
