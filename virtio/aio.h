/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_AIO_H
#define VIRTIO_AIO_H

#include <pthread.h>
#include <stdatomic.h>

#include "virtio/disk.h"
#include "virtio/uring.h"
#include "vmm/core/loop.h"

/*
 * Disk transfers beside the loop, by io_uring or by helper threads (loop_offload). Everything here
 * happens under the device's lock, but for the transfers of helpers; what these share is under `lock`,
 * taken after the device's.
 *
 * An operation belongs to a queue. Once aio_stop() has returned for a queue, no operation begun
 * before touches memory, and each ends as `stale`.
 */

enum { AIO_QUEUES_MAX = 16, AIO_RING = 128 };

enum aio_kind { AIO_AUTO, AIO_URING, AIO_THREADS };

struct aio;

struct aio_op {
	struct disk_io io;
	unsigned int queue;
	/* When it is over, together with others that are. */
	int result; /* 0 or -errno */
	bool stale; /* the queue was stopped meanwhile: `result` means nothing */

	/* private */
	struct aio *aio;
	struct aio_op *next;
	struct loop_job job;
	unsigned int generation;
	bool lent; /* `job` is the loop's, until its `done` */
};

struct aio_ops {
	/* An operation is over; the loop's thread, or that of aio_settle(). */
	void (*done)(struct aio_op *op);
	/* It is the caller's again; after `done`. */
	void (*release)(struct aio_op *op);
	/* Comes after one or several of these. */
	void (*batch)(struct aio *aio);
};

struct aio {
	const struct aio_ops *ops;
	struct device *dev;
	struct disk *disk;
	struct uring ring; /* fd -1: helpers only */
	struct loop_fd completions;
	unsigned int ring_queue[AIO_QUEUES_MAX]; /* operations of a queue in the ring */
	unsigned int jobs; /* with the loop, `release` not called */
	struct loop_work again; /* calls `done` for what aio_stop() met of other queues */

	pthread_mutex_t lock;
	pthread_cond_t quiet; /* a count in `working` became 0 */
	unsigned int working[AIO_QUEUES_MAX]; /* given to helpers, transfer not over */
	struct aio_op *finished; /* over, `done` not called; newest first */
	/* Of each queue: operations of an older one are stale. Written under `lock`. */
	_Atomic unsigned int generation[AIO_QUEUES_MAX];
};

/* For `disk` (borrowed), on dev's loop. AIO_AUTO takes helpers where there is no io_uring, AIO_URING
 * is refused there. 0, or -errno with `fail` set. */
int aio_init(struct aio *aio, const struct aio_ops *ops, struct device *dev, struct disk *disk,
	     enum aio_kind kind, struct fail *fail);
/* All queues are stopped; without the device's lock. `release` is called for what is left. All zero
 * is fine. */
void aio_fini(struct aio *aio);

/* Begins op->io for op->queue; it may be over when this returns, but `done` comes later or from
 * aio_submit(). Loop thread. */
void aio_start(struct aio *aio, struct aio_op *op);
/* Ends a batch of aio_start(): nothing has to begin before. */
void aio_submit(struct aio *aio);

/* Waits until no operation of the queue is under way. Any thread. */
void aio_stop(struct aio *aio, unsigned int queue);

#endif
