/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_OUTGOING_H
#define VMM_OUTGOING_H

#include "vmm/control.h"
#include "vmm/machine.h"
#include "vmm/migrate.h"

/*
 * A running machine on its way to elsewhere. A thread of its own speaks the protocol
 * (vmm/migrate.h) while the machine runs; what it needs of the machine at rest is done by the loop
 * thread, outside of the loop and with the vCPUs parked, as saving is.
 */
struct outgoing {
	bool active; /* the thread is there; loop thread */
	bool was_paused;
	bool one_way;
	struct machine *machine;
	int link, report; /* owned */
	int events; /* an epoll of what ends it: `report`'s end, and `cancel` */
	int cancel; /* eventfd */
	struct sender sender;
	pthread_t thread;
	struct loop_work wake; /* the loop is to end, so that the thread's wish is looked at */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* All below under the lock. */
	enum outgoing_wish { WISH_NONE, WISH_BEGIN, WISH_STOP, WISH_END } wish;
	struct snapshot *snap; /* where the sections go */
	struct fail fail; /* of the wish, and at last of it all */
	int err; /* of the wish */
	bool dropped; /* the machine has ended or was reset: no wish is granted */
	enum migrate_end end;
	bool given_up;
	bool lost; /* post-copy: the thread has ended, and the machine waits for another link */
	int again; /* that link, owned; -1: none */
	enum outgoing_decision { DECIDE_NONE, DECIDE_END, DECIDE_TAKE } decision;
};

enum outgoing_then {
	OUTGOING_GOES_ON, /* as it was */
	OUTGOING_MOVED,
	OUTGOING_STANDS, /* until a person says whose it is */
	OUTGOING_ENDED, /* a person has said that nobody needs it */
};

/* Takes both descriptors: 0, or -errno with a sentence. */
int outgoing_ask(struct outgoing *o, struct machine *m, struct control_files *files,
		 const struct control_send *how, struct fail *fail);
/* -ENOENT: nothing is on its way. Whoever asked for it hears how it ends. */
int outgoing_cancel(struct outgoing *o, struct fail *fail);

/* Whether outgoing_step() will wait, for as long as the handover takes, or in post-copy until the
 * destination has all of memory: with the calls below for whoever wants something meanwhile. */
bool outgoing_waits(struct outgoing *o);
/* As `vmm list` has it. Any thread, as all until outgoing_step(). */
const char *outgoing_state(struct outgoing *o);
/* Ends it, or takes it back: 0, or -errno with a sentence when that would lose the guest, or make two
 * of it; `force`: lose it. */
int outgoing_decide(struct outgoing *o, enum outgoing_decision decision, bool force,
		    struct fail *fail);
/* Another link for one that was lost, as outgoing_ask() takes it. */
int outgoing_recover(struct outgoing *o, struct control_files *files, struct fail *fail);
/* Does what the thread waits for; the caller is the loop thread, outside of the loop, and the vCPUs
 * are parked. */
enum outgoing_then outgoing_step(struct outgoing *o);

/* The machine has ended, or is reset: it stays. Before its kernel's half goes. */
void outgoing_drop(struct outgoing *o, const char *why);

#endif
