/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FAKE_POSTCOPY_H
#define TESTS_FAKE_POSTCOPY_H

#include <pthread.h>
#include <stdatomic.h>

#include "vmm/migrate_priv.h"

/*
 * Post-copy between two threads: the source's machine is RAM that was all written again in the first
 * round, the destination's "guest" a thread that reads and writes all of it backwards. Real
 * userfaultfd, which serves plain threads as it does vCPUs.
 */

/* The destination looks at page PAIR_LOAD while it is loaded. */
enum {
	PAIR_PAGE = 1 << GUEST_PAGE_SHIFT,
	PAIR_PAGES = 600,
	PAIR_BASE = 0x40000000,
	PAIR_LOAD = PAIR_PAGES - 7
};

struct pair {
	struct guest_mem from, to;
	uint8_t *src, *dst;
	int link[2]; /* the source's end, the destination's; whoever uses it closes it */
	int first; /* the destination's of the first link */
	struct sender sender;
	pthread_t thread;
	enum migrate_end end;
	struct fail fail;
	uint32_t value;
	bool behind; /* when it stopped the destination did not have all of the first round */
	unsigned int written; /* pages of the next round */
	struct receiver receiver;
	/* What the destination has been told. */
	_Atomic int lost, found, complete, ended;
	_Atomic int client; /* of the link that is tried */
	_Atomic bool ran;
	bool refuse_found;
	pthread_t guest;
	_Atomic unsigned int seen; /* pages that the guest has read right */
};

extern const struct fetch_ops pair_fetch_ops; /* of a pair */

/* Two machines and a link. */
void pair_begin(struct pair *p);
/* Another link. */
void pair_link(struct pair *p);
/* The source sends: a thread, until pair_sent(). */
void pair_send(struct pair *p);
/* It sends what is missing over another link. */
void pair_recover(struct pair *p);
enum migrate_end pair_sent(struct pair *p);
/* The destination takes and loads what the source sends. 0, or what has failed. */
int pair_take(struct pair *p, struct fail *fail);
/* Reads and writes all of memory, as `pair`'s guest; NULL. */
void *pair_guest(void *pair);
/* Until *what is `value`: 20 s at most. */
void pair_wait(const _Atomic int *what, int value);
void pair_end(struct pair *p);

/* A slow link that is cut. */
struct relay {
	int a, b; /* the source's link, the destination's */
	int left; /* frames of memory to pass on */
	const char *word; /* behind which they are counted */
	pthread_t thread;
};

/*
 * A link that is cut behind `left` frames of memory behind `word`, or from its start if that is NULL;
 * never if `left` is -1. A thread, which ends with the link.
 */
void relay_link(struct pair *p, struct relay *r, const char *word, int left);

#endif
