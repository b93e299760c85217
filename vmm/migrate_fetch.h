/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_MIGRATE_FETCH_H
#define VMM_MIGRATE_FETCH_H

#include <pthread.h>

#include "vmm/migrate_missing.h"
#include "vmm/snapshot_stream.h"

/*
 * The destination's side of post-copy: a thread of its own that takes over the link once all but
 * memory has come, asks for the pages that somebody waits for, and puts what comes. So whoever
 * touches guest memory may wait for it; this thread never touches it.
 */

/* All on the fetching thread. */
struct fetch_ops {
	/* The first of the calls. */
	void (*begun)(void *arg);
	/* The link is lost: whoever needs what is missing waits until another is there. `runs`: the
	 * machine is this side's; else the source has not said so, and may go on itself. */
	void (*lost)(void *arg, bool runs, const char *why);
	/* There is another, which is tried: `client` is fetch_recover()'s, for this side to keep. */
	void (*tried)(void *arg, int client);
	/* It is the right one: 0, or why the machine cannot go on here. */
	int (*found)(void *arg, struct fail *fail);
	/* The last: nothing is missing any more, or nobody needs it (`complete` is false). */
	void (*ended)(void *arg, bool complete);
};

enum fetch_state {
	FETCH_NONE, /* nothing was missing */
	FETCH_LOADS, /* the source has not given up the machine */
	FETCH_RUNS, /* the machine is this side's */
	FETCH_LOST, /* the link is; the machine is this side's once another is there */
	FETCH_COMPLETE, /* all is here */
	FETCH_STAYS, /* the source keeps the machine, and nobody waits for memory any more */
};

struct fetch {
	const struct fetch_ops *ops;
	void *arg;
	struct missing missing;
	uint8_t id[16]; /* of the migration */
	unsigned int silence_ms;

	/* private: the thread's */
	struct frames *from;
	struct stream *to;
	struct frames again; /* of links that came later */
	struct stream again_to;
	uint64_t heard; /* when the source's last word came, or was due first */
	bool told; /* that all is loaded */
	bool started;
	pthread_t thread;
	int wake; /* eventfd */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock. */
	enum fetch_state state;
	bool loaded, ending;
	int in, out; /* a link to go on with, owned; -1: none */
	int client; /* whose it is, owned */
	bool tries; /* a link that was given is not the right one as yet */
	struct fail why; /* why it is lost, or stays */
};

/* Takes over the link, which is nobody else's until fetch_end(): 0, or -errno with a sentence.
 * `f->missing` says what is missing; ops, arg, id and silence_ms are set. */
int fetch_start(struct fetch *f, struct frames *from, struct stream *to, struct fail *fail);
/* All else is loaded: tells the source, and waits for its word. FETCH_RUNS, or FETCH_COMPLETE;
 * FETCH_LOST; or FETCH_STAYS. `fail` says why. */
enum fetch_state fetch_loaded(struct fetch *f, struct fail *fail);
/* Any thread. */
enum fetch_state fetch_state(struct fetch *f);
/* Waits while the link is lost. */
void fetch_wait(struct fetch *f);
/* Another link, which is taken over, and a descriptor of whoever gives it, for ops->tried(). -EBUSY, and
 * all three stay the caller's: it is not lost, or somebody else has given one. Any thread, while it is
 * started. */
int fetch_recover(struct fetch *f, int in, int out, int client, struct fail *fail);
/* Nobody needs what is missing any more, and nobody waits for it: the source is told, if it can be.
 * Not started is fine. */
void fetch_end(struct fetch *f);

#endif
