/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_LOOP_PRIV_H
#define VMM_CORE_LOOP_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#include "vmm/core/loop.h"

/*
 * Private part of the loop: loop.c (descriptors, rounds), loop_queue.c (timers, posted work),
 * loop_jobs.c (offload).
 *
 * Lock order: device, then loop. So before a callback the loop notes the source and its device,
 * drops its own lock, takes the device's, and looks under its own lock whether the source is still
 * there: by slot and generation or by searching a list, since the owner may have freed it.
 */

enum { LOOP_BATCH = 32, LOOP_THREADS = 4 };

/* What epoll knows instead of a pointer: generation << 32 | index. */
struct loop_slot {
	struct loop_fd *src; /* NULL: free */
	uint32_t generation;
};

/* One ready descriptor of a batch. */
struct loop_event {
	struct device *dev;
	uint64_t id;
	uint32_t events;
};

struct loop_jobs {
	pthread_cond_t wanted; /* a helper has something to do */
	pthread_cond_t finished; /* a job waits for its `done` */
	struct loop_job *todo, *done; /* oldest first */
	unsigned int pending; /* given and not yet done */
	unsigned int ntodo, nidle, nthreads;
	pthread_t threads[LOOP_THREADS];
	bool quit;
};

struct loop {
	int epoll_fd, wake_fd;
	atomic_bool stop;

	/* The loop thread's own. What a stop leaves of a batch is handled by the next round: an
	 * edge is reported once. */
	struct loop_event batch[LOOP_BATCH];
	unsigned int batch_len, batch_pos;
	bool running; /* in loop_run(): obeys stop */

	pthread_mutex_t lock; /* all below, and the sources' private fields */
	struct loop_slot *slots;
	uint32_t nslots;
	struct loop_timer *timers; /* by deadline */
	struct loop_timer *due; /* expired, to be called in this round */
	struct loop_work *posted; /* oldest first */
	struct loop_work *running_work; /* to be called in this round */
	struct loop_jobs jobs;
	bool sleeping; /* in epoll_wait, or about to be */
	bool woken; /* wake_fd was signalled since */
	uint64_t sleep_until; /* deadline it sleeps for */
};

/* Whether the round must end after the current callback. Loop thread. */
bool loop_stopping(const struct loop *loop);
/* Under the lock: whether the caller must wake the loop once it has dropped the lock. */
bool loop_needs_wake(struct loop *loop);
void loop_wake(struct loop *loop);

/* Under the lock. */
bool loop_queue_empty(const struct loop *loop); /* no due timer, no work, no finished job */
uint64_t loop_queue_deadline(const struct loop *loop); /* UINT64_MAX: none */
/* Each calls what is ready at its begin: whether anything ran. */
bool loop_run_timers(struct loop *loop);
bool loop_run_work(struct loop *loop);
bool loop_run_done(struct loop *loop);

int loop_jobs_init(struct loop_jobs *jobs);
void loop_jobs_drain(struct loop *loop);
void loop_jobs_fini(struct loop *loop); /* joins the helpers; no job is under way */

#endif
