/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_FOREGROUND_PRIV_H
#define VMM_FOREGROUND_PRIV_H

#include "vmm/control.h"
#include "vmm/control_dir.h"
#include "vmm/foreground.h"
#include "vmm/machine.h"
#include "vmm/outgoing.h"
#include "vmm/restore.h"
#include "vmm/save.h"
#include "vmm/standin.h"
#include "vmm/term.h"
#include "vmm/winsize.h"

/* Private part of a machine in the foreground: foreground.c (from its start to its end),
 * foreground_control.c (what clients ask of it), foreground_move.c (while it comes or goes),
 * foreground_fetch.c (while its memory comes behind it). */

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
	struct standin standin; /* for the loop thread, while that waits */
	struct standin following; /* while memory comes; the fetching thread's */
	int cancel; /* of a machine that comes: eventfd; or 0 */
	int arrives; /* an epoll of what ends the wait for it; or 0 */
	bool held; /* what only one machine can have is this one's */
	int held_signal; /* that came while it was handed over; or 0 */
	struct loop_work lost; /* its memory's link: the loop is to end */
	struct loop_work force; /* ends the process, whatever waits in it */
	int fetch_report; /* of whoever gave it another link; or 0; the fetching thread's */
	bool undecided; /* it may run elsewhere: stands still until a person says whose it is */
	bool stays_paused; /* the next run of the loop begins with the vCPUs as they are */
	struct backlog *backlog; /* what clients read of the console; NULL: none can come */
	bool reset_asked; /* by a client, whatever --no-reboot says of the guest's resets */
};

/* What clients can ask for; their argument is the run. */
extern const struct control_ops foreground_ops;

/* Asks the guest to power off, for `who`; after the grace the machine ends as if by `sig`. */
void foreground_power_key(struct run *run, const char *who, int sig);

/* --- foreground_fetch.c ------------------------------------------------------------------------- */

/* Memory of its own that comes when it runs already. */
enum fetch_state foreground_fetching(struct run *run);
int foreground_recover(void *arg, struct control_files *files, struct fail *fail);
/* Before the machine comes. */
void foreground_fetch_begin(struct run *run);
/* Waits while that memory's link is lost. */
void foreground_fetch_wait(struct run *run);
/* The machine has ended, or is reset: nobody needs what has not come. The vCPUs are parked. */
void foreground_fetch_end(struct run *run);

/* --- foreground_move.c -------------------------------------------------------------------------- */

/* A thread that answers the socket with `ops`. */
void foreground_stand_in(struct run *run, struct standin *standin, const struct control_ops *ops,
			 void (*on_signal)(void *arg, int sig));
/* `why`, unless `command` is one of `can`, a list that ends with NULL. */
const char *foreground_only(const char *command, const char *const *can, const char *why);
/* Waits for a machine that comes: restore_machine(). */
int foreground_arrive(struct run *run, struct fail *fail);
/* Everything of the above. */
void foreground_move_end(struct run *run);
/* outgoing_step() */
enum outgoing_then foreground_leave(struct run *run);

#endif
