/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_LOOP_H
#define VMM_CORE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/device.h"

/*
 * The event loop: one thread runs all device work that is not a register access. Sources are
 * embedded in their owner and borrowed while registered; if `dev` is set, the loop holds that
 * device's lock around the callback. Unless said otherwise, functions may be called by any thread,
 * also under a device lock; none calls back directly.
 */

struct loop;

/* A file descriptor. `events` are EPOLLIN, EPOLLOUT, EPOLLET ... */
struct loop_fd {
	int fd; /* borrowed */
	uint32_t events;
	struct device *dev;
	void (*fn)(struct loop_fd *src, uint32_t events);
	/* For loop_drain(), or NULL: waits for what is under way and would be reported here. */
	void (*drain)(struct loop_fd *src);
	bool active; /* private: registered */
	uint32_t slot; /* private */
};

/* A one-shot timer on CLOCK_MONOTONIC. */
struct loop_timer {
	struct device *dev;
	void (*fn)(struct loop_timer *timer);
	uint64_t deadline_ns; /* private */
	struct loop_timer *next; /* private: sorted list */
	bool armed;
};

/* Work done on the loop thread as soon as it comes round: post it from anywhere. */
struct loop_work {
	struct device *dev;
	void (*fn)(struct loop_work *work);
	struct loop_work *next; /* private */
	bool queued;
};

/* Slow work: `work` runs on a helper thread without any lock, then `done` on the loop thread. */
struct loop_job {
	struct device *dev;
	void (*work)(struct loop_job *job);
	void (*done)(struct loop_job *job);
	struct loop_job *next; /* private */
};

int loop_create(struct loop **out); /* 0 or -errno */
void loop_destroy(struct loop *loop); /* not from a callback; NULL is fine; drains offloaded jobs */

/* 0 or -errno (-EPERM: a file that epoll cannot watch, such as a regular one). */
int loop_fd_add(struct loop *loop, struct loop_fd *src);
/* Changes the watched events. */
int loop_fd_mod(struct loop *loop, struct loop_fd *src, uint32_t events);
/* When called on the loop thread, the callback never runs again after this; from another thread
 * hold the device's lock, and the callback does not run again after the lock is taken. (Without a
 * device: on the loop thread only, or while it is idle.) The same holds for timers and work. Not
 * registered is fine. The descriptor may be closed after this, not before. */
void loop_fd_del(struct loop *loop, struct loop_fd *src);

/* (Re)arms for an absolute CLOCK_MONOTONIC time in ns. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns);
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer);
uint64_t loop_now_ns(void); /* CLOCK_MONOTONIC */

/* Queued twice before it runs, it runs once. */
void loop_post(struct loop *loop, struct loop_work *work);
void loop_post_cancel(struct loop *loop, struct loop_work *work);

/* Starts a job; helper threads are created when first needed, up to a small number. 0, or -errno
 * when not even one can be created. The job is the loop's until `done` is called. */
int loop_offload(struct loop *loop, struct loop_job *job);

/* Runs callbacks until loop_stop(); the calling thread is the loop thread. */
void loop_run(struct loop *loop);
/* Makes loop_run() return after the current callback. A stop before loop_run() counts. */
void loop_stop(struct loop *loop);
/* One round for tests: handles what is ready, waits at most timeout_ms (-1: for ever) for the
 * first event. Returns whether anything ran. */
bool loop_poll(struct loop *loop, int timeout_ms);
/* Returns when sources with a `drain` are drained, no offloaded job is under way and every `done` has
 * run. On the loop thread or while
 * it is idle; the caller holds no device's lock. */
void loop_drain(struct loop *loop);

#endif
