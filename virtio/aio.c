// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/aio.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "vmm/core/log.h"

static bool is_stale(const struct aio_op *op)
{
	return op->generation != atomic_load(&op->aio->generation[op->queue]);
}

/* --- the end of operations --------------------------------------------------------------------- */

/* Under `lock`. */
static void add_finished(struct aio_op *op)
{
	op->next = op->aio->finished;
	op->aio->finished = op;
}

static void finished(struct aio_op *op, int result)
{
	op->result = result;
	pthread_mutex_lock(&op->aio->lock);
	add_finished(op);
	pthread_mutex_unlock(&op->aio->lock);
}

/* `done` for all that are over: whether there was one. */
static bool finish(struct aio *aio)
{
	struct aio_op *op, *next;

	pthread_mutex_lock(&aio->lock);
	op = aio->finished;
	aio->finished = NULL;
	pthread_mutex_unlock(&aio->lock);
	if (!op)
		return false;
	for (; op; op = next) {
		next = op->next;
		op->stale = is_stale(op);
		aio->ops->done(op);
		if (!op->lent)
			aio->ops->release(op);
	}
	aio->ops->batch(aio);
	return true;
}

/* --- helper threads ---------------------------------------------------------------------------- */

static void job_work(struct loop_job *job)
{
	struct aio_op *op = container_of(job, struct aio_op, job);
	struct aio *aio = op->aio;

	/* Those of a queue that is being stopped shall not begin. */
	op->result = is_stale(op) ? -ECANCELED : aio->disk->ops->transfer(aio->disk, &op->io);
	pthread_mutex_lock(&aio->lock);
	add_finished(op);
	if (!--aio->working[op->queue])
		pthread_cond_broadcast(&aio->quiet);
	pthread_mutex_unlock(&aio->lock);
}

/* Whichever comes first ends all that are over, as one batch. */
static void job_done(struct loop_job *job)
{
	struct aio_op *op = container_of(job, struct aio_op, job);
	struct aio *aio = op->aio;

	finish(aio);
	aio->jobs--;
	aio->ops->release(op);
}

static void offload(struct aio_op *op)
{
	struct aio *aio = op->aio;

	op->lent = true;
	op->job = (struct loop_job){ .dev = aio->dev, .work = job_work, .done = job_done };
	pthread_mutex_lock(&aio->lock);
	aio->working[op->queue]++;
	pthread_mutex_unlock(&aio->lock);
	aio->jobs++;
	if (!loop_offload(aio->dev->env.loop, &op->job))
		return;
	/* No thread to be had: slow, but right. */
	aio->jobs--;
	op->lent = false;
	job_work(&op->job);
	loop_post(aio->dev->env.loop, &aio->again);
}

/* --- io_uring ---------------------------------------------------------------------------------- */

static bool ring_start(struct aio_op *op)
{
	struct aio *aio = op->aio;
	struct io_uring_sqe *sqe = uring_get(&aio->ring);

	if (!sqe)
		return false;
	if (!aio->disk->ops->prepare(aio->disk, &op->io, sqe)) {
		uring_drop(&aio->ring);
		return false;
	}
	sqe->user_data = (uintptr_t)op;
	op->lent = false;
	aio->ring_queue[op->queue]++;
	return true;
}

static int64_t success(const struct disk_io *io)
{
	return io->op == DISK_READ || io->op == DISK_WRITE ? (int64_t)io->len : 0;
}

/* Takes the ring's completions. What did not end well or not whole, a helper does again, with all
 * the cases it knows; but no longer for a queue that was stopped. */
static void take(struct aio *aio)
{
	uint64_t user_data;
	struct aio_op *op;
	int32_t res;

	while (uring_reap(&aio->ring, &user_data, &res)) {
		op = (struct aio_op *)(uintptr_t)user_data;
		aio->ring_queue[op->queue]--;
		if (res == success(&op->io) || is_stale(op))
			finished(op, 0);
		else
			offload(op);
	}
}

static void on_completions(struct loop_fd *src, uint32_t events)
{
	struct aio *aio = container_of(src, struct aio, completions);

	(void)events;
	take(aio);
	finish(aio);
}

/* Whoever pauses the machine wants nothing under way. */
static void settle(struct loop_fd *src)
{
	struct aio *aio = container_of(src, struct aio, completions);

	while (aio->ring.inflight) {
		uring_wait(&aio->ring);
		take(aio);
	}
	finish(aio);
}

static void on_again(struct loop_work *work)
{
	finish(container_of(work, struct aio, again));
}

/* --- for the device ---------------------------------------------------------------------------- */

void aio_start(struct aio *aio, struct aio_op *op)
{
	assert(op->queue < AIO_QUEUES_MAX);
	op->aio = aio;
	op->generation = atomic_load(&aio->generation[op->queue]);
	if (!ring_start(op))
		offload(op);
}

void aio_submit(struct aio *aio)
{
	unsigned int left;

	if (!aio->ring.inflight)
		return;
	for (left = uring_submit(&aio->ring); left; left--) {
		struct aio_op *op = (struct aio_op *)(uintptr_t)uring_untaken(&aio->ring);

		aio->ring_queue[op->queue]--;
		offload(op);
	}
	/* What was in the page cache is over. */
	take(aio);
	finish(aio);
}

void aio_stop(struct aio *aio, unsigned int queue)
{
	atomic_fetch_add(&aio->generation[queue], 1);
	while (aio->ring_queue[queue]) {
		uring_wait(&aio->ring);
		take(aio);
	}
	pthread_mutex_lock(&aio->lock);
	while (aio->working[queue])
		pthread_cond_wait(&aio->quiet, &aio->lock);
	pthread_mutex_unlock(&aio->lock);
	loop_post(aio->dev->env.loop, &aio->again);
}

static int start_ring(struct aio *aio, enum aio_kind kind, struct fail *fail)
{
	struct loop *loop = aio->dev->env.loop;
	int err;

	if (kind == AIO_THREADS)
		return 0;
	err = uring_create(&aio->ring, AIO_RING);
	if (err && kind == AIO_AUTO) {
		log_line(aio->dev->env.log, LOG_DEBUG, "%s: no io_uring (%s): helper threads",
			 aio->dev->name, strerror(-err));
		return 0;
	}
	if (err)
		return fail_set(fail, EXIT_CONFIG, err,
				"disk %s: this kernel does not give io_uring (%s); use aio=auto or "
				"aio=threads",
				aio->disk->path, strerror(-err));
	aio->completions = (struct loop_fd){
		.fd = aio->ring.event_fd,
		.events = EPOLLIN | EPOLLET,
		.dev = aio->dev,
		.fn = on_completions,
		.drain = settle,
	};
	err = loop_fd_add(loop, &aio->completions);
	return err ? fail_set(fail, EXIT_HOST, err, "%s: cannot watch its disk: %s", aio->dev->name,
			      strerror(-err))
		   : 0;
}

int aio_init(struct aio *aio, const struct aio_ops *ops, struct device *dev, struct disk *disk,
	     enum aio_kind kind, struct fail *fail)
{
	*aio = (struct aio){ .ops = ops, .dev = dev, .disk = disk };
	aio->ring.fd = aio->ring.event_fd = -1;
	aio->again = (struct loop_work){ .dev = dev, .fn = on_again };
	pthread_mutex_init(&aio->lock, NULL);
	pthread_cond_init(&aio->quiet, NULL);
	return start_ring(aio, kind, fail);
}

void aio_fini(struct aio *aio)
{
	if (!aio->ops)
		return;
	if (aio->jobs)
		loop_drain(aio->dev->env.loop);
	finish(aio);
	loop_post_cancel(aio->dev->env.loop, &aio->again);
	loop_fd_del(aio->dev->env.loop, &aio->completions);
	uring_destroy(&aio->ring);
	pthread_cond_destroy(&aio->quiet);
	pthread_mutex_destroy(&aio->lock);
}
