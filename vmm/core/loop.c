// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/loop_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS_FIRST = 16 };

static const uint64_t NS = 1000000000;
static const uint64_t WAKE_ID = UINT64_MAX;

uint64_t loop_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec;
}

static int open_fds(struct loop *loop)
{
	/* Edge-triggered: every signal is one event, and the counter need not be read. */
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.u64 = WAKE_ID };

	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return -errno;
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0)
		return -errno;
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &ev) ? -errno : 0;
}

static void close_fds(struct loop *loop)
{
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
}

int loop_create(struct loop **out)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int err;

	if (!loop)
		return -ENOMEM;
	loop->epoll_fd = loop->wake_fd = -1;
	err = open_fds(loop);
	if (!err)
		err = loop_jobs_init(&loop->jobs);
	if (err) {
		close_fds(loop);
		free(loop);
		return err;
	}
	pthread_mutex_init(&loop->lock, NULL);
	*out = loop;
	return 0;
}

void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	loop_jobs_drain(loop);
	loop_jobs_fini(loop);
	pthread_mutex_destroy(&loop->lock);
	close_fds(loop);
	free(loop->slots);
	free(loop);
}

bool loop_needs_wake(struct loop *loop)
{
	if (!loop->sleeping || loop->woken)
		return false;
	loop->woken = true;
	return true;
}

void loop_wake(struct loop *loop)
{
	const uint64_t one = 1;

	/* It fails only when the counter is full, and then an event is due anyway. */
	while (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* --- descriptors ------------------------------------------------------------------------------ */

static uint64_t slot_id(const struct loop *loop, uint32_t slot)
{
	return (uint64_t)loop->slots[slot].generation << 32 | slot;
}

static int slot_take(struct loop *loop, struct loop_fd *src)
{
	uint32_t slot = 0, more;
	struct loop_slot *slots;

	while (slot < loop->nslots && loop->slots[slot].src)
		slot++;
	if (slot == loop->nslots) {
		more = loop->nslots ? loop->nslots : SLOTS_FIRST;
		slots = reallocarray(loop->slots, loop->nslots + more, sizeof(*slots));
		if (!slots)
			return -ENOMEM;
		for (uint32_t i = loop->nslots; i < loop->nslots + more; i++)
			slots[i] = (struct loop_slot){ NULL, 0 };
		loop->slots = slots;
		loop->nslots += more;
	}
	loop->slots[slot].src = src;
	src->slot = slot;
	return 0;
}

static void slot_drop(struct loop *loop, struct loop_fd *src)
{
	loop->slots[src->slot].src = NULL;
	loop->slots[src->slot].generation++;
	src->active = false;
}

/* The source that an event was reported for, unless it has gone since. Under the lock. */
static struct loop_fd *slot_source(const struct loop *loop, uint64_t id)
{
	uint32_t slot = (uint32_t)id;

	if (slot >= loop->nslots || slot_id(loop, slot) != id)
		return NULL;
	return loop->slots[slot].src;
}

static int control(struct loop *loop, int op, const struct loop_fd *src)
{
	struct epoll_event ev = { .events = src->events, .data.u64 = slot_id(loop, src->slot) };

	return epoll_ctl(loop->epoll_fd, op, src->fd, &ev) ? -errno : 0;
}

int loop_fd_add(struct loop *loop, struct loop_fd *src)
{
	int err = -EEXIST;

	pthread_mutex_lock(&loop->lock);
	if (!src->active)
		err = slot_take(loop, src);
	if (!err) {
		src->active = true;
		err = control(loop, EPOLL_CTL_ADD, src);
		if (err)
			slot_drop(loop, src);
	}
	pthread_mutex_unlock(&loop->lock);
	return err;
}

int loop_fd_mod(struct loop *loop, struct loop_fd *src, uint32_t events)
{
	int err = -ENOENT;

	pthread_mutex_lock(&loop->lock);
	src->events = events;
	if (src->active)
		err = control(loop, EPOLL_CTL_MOD, src);
	pthread_mutex_unlock(&loop->lock);
	return err;
}

void loop_fd_del(struct loop *loop, struct loop_fd *src)
{
	pthread_mutex_lock(&loop->lock);
	if (src->active) {
		control(loop, EPOLL_CTL_DEL, src);
		slot_drop(loop, src);
	}
	pthread_mutex_unlock(&loop->lock);
}

static void drain_fd(struct loop *loop, uint64_t id, struct device *dev)
{
	struct loop_fd *src;

	if (dev)
		pthread_mutex_lock(&dev->lock);
	pthread_mutex_lock(&loop->lock);
	src = slot_source(loop, id);
	pthread_mutex_unlock(&loop->lock);
	if (src)
		src->drain(src);
	if (dev)
		pthread_mutex_unlock(&dev->lock);
}

void loop_drain(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	for (uint32_t slot = 0; slot < loop->nslots; slot++) {
		const struct loop_fd *src = loop->slots[slot].src;
		struct device *dev;
		uint64_t id;

		if (!src || !src->drain)
			continue;
		dev = src->dev;
		id = slot_id(loop, slot);
		pthread_mutex_unlock(&loop->lock);
		drain_fd(loop, id, dev);
		pthread_mutex_lock(&loop->lock);
	}
	pthread_mutex_unlock(&loop->lock);
	/* Last, since these may have started some. */
	loop_jobs_drain(loop);
}

/* --- rounds ----------------------------------------------------------------------------------- */

static int wait_events(struct loop *loop, struct epoll_event *events, uint64_t timeout_ns)
{
	struct timespec ts = { .tv_sec = (time_t)(timeout_ns / NS),
			       .tv_nsec = (long)(timeout_ns % NS) };
	struct timespec *tsp = timeout_ns == UINT64_MAX ? NULL : &ts;
	int n = epoll_pwait2(loop->epoll_fd, events, LOOP_BATCH, tsp, NULL);
	int ms = -1;

	if (n >= 0 || errno != ENOSYS)
		return n;
	/* Before Linux 5.11: whole milliseconds, rounded up. */
	if (tsp)
		ms = timeout_ns > 60 * NS ? 60000 : (int)((timeout_ns + 999999) / 1000000);
	return epoll_wait(loop->epoll_fd, events, LOOP_BATCH, ms);
}

/* Until when to sleep; announces it to those who may have to wake the loop. */
static uint64_t prepare_sleep(struct loop *loop, uint64_t until)
{
	uint64_t deadline;

	pthread_mutex_lock(&loop->lock);
	deadline = loop_queue_deadline(loop);
	if (deadline < until)
		until = deadline;
	if (!loop_queue_empty(loop) || loop_stopping(loop))
		until = 0;
	loop->sleep_until = until;
	loop->sleeping = until != 0;
	loop->woken = false;
	pthread_mutex_unlock(&loop->lock);
	return until;
}

/* Waits for events, at most until an absolute time, and makes them the batch. */
static void collect(struct loop *loop, uint64_t until)
{
	struct epoll_event events[LOOP_BATCH];
	uint64_t now, timeout;
	int n;

	until = prepare_sleep(loop, until);
	timeout = until;
	if (until && until != UINT64_MAX) {
		now = loop_now_ns();
		timeout = until > now ? until - now : 0;
	}
	n = wait_events(loop, events, timeout);

	loop->batch_len = loop->batch_pos = 0;
	pthread_mutex_lock(&loop->lock);
	loop->sleeping = false;
	for (int i = 0; i < n; i++) {
		const struct loop_fd *src = slot_source(loop, events[i].data.u64);

		if (src)
			loop->batch[loop->batch_len++] = (struct loop_event){
				.dev = src->dev,
				.id = events[i].data.u64,
				.events = events[i].events,
			};
	}
	pthread_mutex_unlock(&loop->lock);
}

static bool run_event(struct loop *loop, const struct loop_event *ev)
{
	struct loop_fd *src;
	uint32_t events = 0;

	if (ev->dev)
		pthread_mutex_lock(&ev->dev->lock);
	pthread_mutex_lock(&loop->lock);
	src = slot_source(loop, ev->id);
	if (src)
		events = ev->events & (src->events | EPOLLERR | EPOLLHUP);
	pthread_mutex_unlock(&loop->lock);
	if (events)
		src->fn(src, events);
	if (ev->dev)
		pthread_mutex_unlock(&ev->dev->lock);
	return events != 0;
}

static bool run_batch(struct loop *loop)
{
	bool ran = false;

	while (loop->batch_pos < loop->batch_len && !loop_stopping(loop))
		ran |= run_event(loop, &loop->batch[loop->batch_pos++]);
	return ran;
}

bool loop_stopping(const struct loop *loop)
{
	return loop->running && atomic_load(&loop->stop);
}

static bool round_once(struct loop *loop, uint64_t until)
{
	bool ran;

	if (loop->batch_pos == loop->batch_len)
		collect(loop, until);
	ran = run_batch(loop);
	ran |= loop_run_timers(loop);
	ran |= loop_run_work(loop);
	ran |= loop_run_done(loop);
	return ran;
}

void loop_run(struct loop *loop)
{
	loop->running = true;
	while (!loop_stopping(loop))
		round_once(loop, UINT64_MAX);
	atomic_store(&loop->stop, false);
	loop->running = false;
}

void loop_stop(struct loop *loop)
{
	bool wake;

	atomic_store(&loop->stop, true);
	pthread_mutex_lock(&loop->lock);
	wake = loop_needs_wake(loop);
	pthread_mutex_unlock(&loop->lock);
	if (wake)
		loop_wake(loop);
}

bool loop_poll(struct loop *loop, int timeout_ms)
{
	uint64_t until = UINT64_MAX;
	bool ran;

	if (timeout_ms == 0)
		return round_once(loop, 0);
	if (timeout_ms > 0)
		until = loop_now_ns() + (uint64_t)timeout_ms * 1000000;
	do
		ran = round_once(loop, until);
	while (!ran && !atomic_load(&loop->stop) && loop_now_ns() < until);
	return ran;
}
