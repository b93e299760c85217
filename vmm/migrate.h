/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_MIGRATE_H
#define VMM_MIGRATE_H

#include "vmm/migrate_fetch.h"
#include "vmm/migrate_sum.h"
#include "vmm/snapshot_stream.h"

/*
 * A running machine goes over a two-way stream of bytes: vmm/migrate.md is the protocol. The source
 * owns the guest until it says *commit*, which it says only once the destination has said *loaded*;
 * the destination runs only then. So there are never two that run; and when the link breaks, each
 * side knows whether the guest is its own, the other's, or nobody's until a person says so.
 *
 * Nothing here knows a machine: the two sides are run natively against one another by the tests.
 */

/* Whose the guest is now. */
enum migrate_end {
	MIGRATE_STAYED, /* the source's */
	MIGRATE_MOVED, /* the destination's */
	/* Either's: the link was lost between commit and its receipt. Both stand still. */
	MIGRATE_UNDECIDED,
	/* Post-copy: it was given up, and the link lost before the destination had all of its memory,
	 * which is here: until migrate_recover(). */
	MIGRATE_PAUSED,
};

enum {
	MIGRATE_VERSION = 2,
	MIGRATE_ROUNDS_MAX = 40,
	MIGRATE_SILENCE_MS = 30000, /* after so long without a byte that is due the link is lost */
	MIGRATE_ID = 16, /* bytes */
	MIGRATE_LIST_MAX = 4000, /* characters of all reasons why it cannot be */
};

/* --- the source -------------------------------------------------------------------------------- */

/* What its machine does. None is called twice at a time, or while another is. */
struct sender_ops {
	/* Records from now on what is written to RAM; its sections as they are now, which the
	 * destination checks. It runs on. */
	int (*begin)(void *arg, struct snapshot *snap, struct fail *fail);
	/* Adds to `bits`, one a page of region `ram`, what was written since it was last asked. */
	int (*written)(void *arg, unsigned int ram, uint64_t *bits, struct fail *fail);
	/* It stands still, nothing is under way in its devices, and disks and networks are given
	 * back: its sections. */
	int (*stop)(void *arg, struct snapshot *snap, struct fail *fail);
	/* From now on it goes on only at a person's word, or when migrate_send() ends with
	 * MIGRATE_STAYED. */
	void (*give_up)(void *arg);
};

struct sender_stats {
	unsigned int rounds;
	uint64_t bytes; /* that went over the link */
	uint64_t done, total; /* bytes of RAM, of this round */
	uint64_t pending; /* bytes of RAM that were written in the round before */
	uint64_t rate; /* bytes a second */
	uint64_t total_ns, down_ns;
	uint64_t missing; /* bytes of RAM that the destination did not have when it went on */
	uint64_t
		unchanged; /* bytes of pages that were written, and not sent again: they are the same */
	uint64_t wanted; /* requests for some of them */
};

struct sender {
	const struct sender_ops *ops;
	void *arg;
	struct guest_mem *mem;
	int in, out; /* borrowed, may be one; neither blocks */
	int stop_fd; /* gives up when it is readable, until the commit; or -1 */
	uint64_t bandwidth; /* bytes a second while the machine runs; 0: what the link takes */
	uint64_t downtime_ns; /* the most that the machine may stand still */
	uint64_t timeout_ns; /* the most that all may take; 0: any */
	unsigned int silence_ms; /* 0: MIGRATE_SILENCE_MS */
	bool verify; /* compare all of RAM on both sides before the handover */
	bool postcopy; /* after the first round it goes on there, and the rest of RAM follows */
	/* Now and then. */
	void (*progress)(void *arg, const struct sender_stats *stats);
	struct sender_stats stats;
	bool runs_there; /* the destination has said so: nobody may go on here */
	/* Why it refuses, if it has said more than a sentence: a line each, nothing that drives a
	 * terminal. */
	char reasons[MIGRATE_LIST_MAX + 1];

	/* private */
	uint8_t id[MIGRATE_ID];
	struct stream to;
	struct frames from;
	struct snapshot snap;
	uint64_t *bits[GUEST_RAM_MAX];
	struct page_sum *sums[GUEST_RAM_MAX]; /* of what was sent; 0: zeros. NULL: not compared */
	uint64_t key[2]; /* of the sums */
	uint8_t *copy; /* of pages that the guest may change meanwhile */
	uint64_t began, reported, stopped;
	uint64_t paced, paced_bytes; /* the bandwidth is kept since then, from so many bytes on */
	bool hurried; /* the deadline is that of the machine's standing still */
	/* Post-copy: pages whose bits are set, and where to look for the next. */
	uint64_t left, at;
	unsigned int at_ram;
};

/* Returns when the machine has moved, or not. `fail` says why not, with EXIT_MIGRATION or
 * EXIT_UNDECIDED. */
enum migrate_end migrate_send(struct sender *s, struct fail *fail);
/* After MIGRATE_PAUSED, with the same `s` but another link, and RAM as it was: until the destination
 * has all of it. MIGRATE_MOVED, or MIGRATE_PAUSED with the reason. */
enum migrate_end migrate_recover(struct sender *s, struct fail *fail);

/* --- the destination --------------------------------------------------------------------------- */

/* In the order of the calls. Every error but those of receiver_loaded() leaves the guest the
 * source's, and is told to it by receiver_close(). */
struct receiver {
	int in, out; /* borrowed */
	int stop_fd; /* gives up when it is readable, until all is loaded; or -1; may be set anew */
	/* Of a source that waits for answers; before it has said that it does, 0 is for ever: somebody
	 * else's pipe may take its time. After that, 0 is MIGRATE_SILENCE_MS. */
	unsigned int silence_ms;
	bool two_way; /* whoever sends waits for answers: all of the handover */
	struct fetch fetch; /* of memory that comes when all else has */
	/* Borrowed, a line each: all that speaks against the machine here, for receiver_close(); or NULL. */
	const char *reasons;

	/* private */
	struct frames frames;
	struct stream to;
	bool over; /* both sides know how it ended */
	bool postcopy; /* part of memory may come later */
};

/* Reads the head and the sections that it takes to make the machine, and to check whether it can be
 * made here. Of what goes one way only these are the sections themselves. EXIT_SNAPSHOT. */
int receiver_open(struct receiver *r, struct snapshot *snap, struct fail *fail);
/* It can be made here: memory may come. */
int receiver_ready(struct receiver *r, struct fail *fail);
/* RAM, and into `snap`, which has none of them yet, the sections in the state that they have now. */
int receiver_memory(struct receiver *r, struct snapshot *snap, const struct guest_mem *mem,
		    struct fail *fail);
/* Where part of it comes later: it comes from now on, while the machine is loaded and runs, until
 * receiver_close(). Whoever touches what is missing waits. */
int receiver_fetch(struct receiver *r, const struct fetch_ops *ops, void *arg, struct fail *fail);
/* All is loaded, disks and networks are taken: says so, and waits for the source's last word. After
 * MIGRATE_PAUSED it may go on when fetch_wait() returns. */
enum migrate_end receiver_loaded(struct receiver *r, struct fail *fail);
/* It runs. The source need not hear it. */
void receiver_runs(struct receiver *r);
/* Tells the source what went wrong, if something did and it does not know. */
void receiver_close(struct receiver *r, const struct fail *fail);

#endif
