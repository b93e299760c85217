/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_SNAPSHOT_CREW_H
#define VMM_SNAPSHOT_CREW_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct snapshot;

struct snapshot_progress {
	/* `done` of `total` bytes of RAM are through. */
	void (*fn)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

/*
 * Threads that go through all chunks of a snapshot's RAM, each time the next that nobody has, as many
 * as the host has CPUs, up to four. Whoever has one fill in the first part, and leaves the rest.
 */
struct snapshot_crew {
	const struct snapshot *snap; /* its runs of RAM and the number of chunks are known */
	/* Chunk `i` of run `run`, on any of the threads: 0, or -errno, after which no more begin. */
	int (*chunk)(void *arg, unsigned int run, uint32_t i);
	void *arg;
	int nice; /* of the threads; 0: as their creator's */
	/* The caller's, or NULL: told several times a second while crew_wait() waits. */
	const struct snapshot_progress *progress;

	_Atomic uint32_t next;
	_Atomic uint64_t wrong; /* the lowest chunk with an error, and the error below it */
	pthread_t threads[4];
	unsigned int nthreads; /* not 0: crew_wait() is due */
};

/* 0 or -errno. */
int crew_start(struct snapshot_crew *crew);
/* Until the last chunk: 0, or the error of `*bad` (NULL: who asks does not care), the lowest that
 * has one. */
int crew_wait(struct snapshot_crew *crew, uint32_t *bad);
/* Both; a few chunks are done here, and all if there can be no threads. */
int crew_run(struct snapshot_crew *crew);

#endif
