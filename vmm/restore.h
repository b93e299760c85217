/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_RESTORE_H
#define VMM_RESTORE_H

#include "vmm/machine_state.h"
#include "vmm/migrate.h"
#include "vmm/progress.h"

enum { RESTORE_TEXTS_MAX = CONFIG_DISKS_MAX + 8 };

/*
 * A machine that comes out of a snapshot. The order is safe: nothing runs before everything was
 * read and found right, but RAM with `lazy`, which is verified while the guest runs already.
 */
struct restore {
	struct snapshot snap;
	struct machine_saved saved;
	struct findings refused;
	bool json; /* the result is said so */
	bool lazy; /* RAM is the file's, and verified while the guest runs */
	bool paused, check, allow_changed_disk;
	bool clone; /* one of several: with addresses of its own */
	bool psci_downgrade; /* a host with less of PSCI will do */
	bool advance_clock; /* the guest's counters have gone on meanwhile */
	bool moves; /* nobody else goes on from it: its generation stays */
	bool verified; /* RAM is known to be whole */
	bool throw_away; /* what the guest writes to its disks */
	uint32_t unnamed[MACHINE_PARTS]; /* as of struct machine_like */
	/* Of a machine that comes while it runs elsewhere, for as long as it does: */
	bool answers; /* `from.out` is where answers go */
	struct receiver from;
	const struct fetch_ops *fetch_ops; /* of memory that comes later, and their argument */
	void *fetch_arg;
	bool undecided; /* it may run elsewhere still, and stands here */
	bool taken; /* it runs here, or stands; until then it is whose it was */
	/* private */
	char *texts[RESTORE_TEXTS_MAX]; /* of the configuration */
	unsigned int ntexts;
	bool streamed; /* through a pipe: sections and RAM come as they come */
	struct vm *vm;
	struct log *log;
	uint64_t began, bytes; /* when, ns; and how much of RAM was read */
	struct progress progress;
	struct snapshot_load load;
	struct loop_work begin;
	struct loop_job verify;
	bool verifying;
	struct fail wrong; /* what verifying has found, once it has ended */
};

/* Opens the file, the caller's, and reads what it takes to make the machine. EXIT_SNAPSHOT. */
int restore_open(struct restore *r, int fd, struct fail *fail);

/* Fills the machine, made like r->saved, with RAM and state, ready to run. What this host refuses
 * is in r->refused, and restore_check_findings() says how much. */
int restore_machine(struct restore *r, struct machine *m, struct log *log, struct fail *fail);

/* The same of one that comes while it runs elsewhere, of which r->snap has what it is made of:
 * memory, then all state, then disks and networks, then the handover. */
int restore_live(struct restore *r, struct machine *m, struct fail *fail);
/* The machine is started, without a vCPU running, and compared with r->snap, that is, all of it that can
 * be before memory is there. 0, or as below. */
int restore_compare(struct restore *r, struct machine *m, struct fail *fail);
/* EXIT_SNAPSHOT when anything is in r->refused; EXIT_CONFIG when other options could fix all of it. */
int restore_check_findings(struct restore *r, struct fail *fail);
/* Compares the disks with `snap`'s. */
int restore_check_disks(struct restore *r, struct machine *m, struct snapshot *snap,
			struct fail *fail);

/* Whoever verifies RAM has finished; before the machine's memory goes. */
void restore_stop(struct restore *r);
void restore_close(struct restore *r);

#endif
