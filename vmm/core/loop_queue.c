// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/loop_priv.h"

#include <stddef.h>

uint64_t loop_queue_deadline(const struct loop *loop)
{
	return loop->timers ? loop->timers->deadline_ns : UINT64_MAX;
}

bool loop_queue_empty(const struct loop *loop)
{
	return !loop->due && !loop->posted && !loop->running_work && !loop->jobs.done;
}

/* --- timers ----------------------------------------------------------------------------------- */

static bool timer_unlink(struct loop_timer **list, const struct loop_timer *timer)
{
	for (; *list; list = &(*list)->next) {
		if (*list == timer) {
			*list = timer->next;
			return true;
		}
	}
	return false;
}

static void timer_remove(struct loop *loop, struct loop_timer *timer)
{
	if (timer->armed && !timer_unlink(&loop->timers, timer))
		timer_unlink(&loop->due, timer);
	timer->armed = false;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t deadline_ns)
{
	struct loop_timer **at;
	bool wake;

	pthread_mutex_lock(&loop->lock);
	timer_remove(loop, timer);
	timer->deadline_ns = deadline_ns;
	timer->armed = true;
	for (at = &loop->timers; *at && (*at)->deadline_ns <= deadline_ns; at = &(*at)->next)
		;
	timer->next = *at;
	*at = timer;
	wake = deadline_ns < loop->sleep_until && loop_needs_wake(loop);
	pthread_mutex_unlock(&loop->lock);
	if (wake)
		loop_wake(loop);
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
	pthread_mutex_lock(&loop->lock);
	timer_remove(loop, timer);
	pthread_mutex_unlock(&loop->lock);
}

/* Moves what has expired to the end of `due`: a timer that its own callback sets to the past has
 * to wait for the next round. */
static void timers_expire(struct loop *loop)
{
	struct loop_timer **end = &loop->due, *last = NULL;
	uint64_t now;

	if (!loop->timers)
		return;
	now = loop_now_ns();
	for (struct loop_timer *t = loop->timers; t && t->deadline_ns <= now; t = t->next)
		last = t;
	if (!last)
		return;
	while (*end)
		end = &(*end)->next;
	*end = loop->timers;
	loop->timers = last->next;
	last->next = NULL;
}

/* Calls `timer` if it is still due. It is only compared until it is found in the list: without
 * its device's lock it may have been cancelled and freed meanwhile. */
static bool timer_call(struct loop *loop, struct loop_timer *timer, struct device *dev)
{
	bool found;

	if (dev)
		pthread_mutex_lock(&dev->lock);
	pthread_mutex_lock(&loop->lock);
	found = loop->due == timer && timer->dev == dev;
	if (found)
		timer_remove(loop, timer);
	pthread_mutex_unlock(&loop->lock);
	if (found)
		timer->fn(timer);
	if (dev)
		pthread_mutex_unlock(&dev->lock);
	return found;
}

bool loop_run_timers(struct loop *loop)
{
	struct loop_timer *timer;
	struct device *dev = NULL;
	bool ran = false;

	pthread_mutex_lock(&loop->lock);
	timers_expire(loop);
	while ((timer = loop->due) && !loop_stopping(loop)) {
		dev = timer->dev;
		pthread_mutex_unlock(&loop->lock);
		ran |= timer_call(loop, timer, dev);
		pthread_mutex_lock(&loop->lock);
	}
	pthread_mutex_unlock(&loop->lock);
	return ran;
}

/* --- posted work ------------------------------------------------------------------------------ */

static bool work_unlink(struct loop_work **list, const struct loop_work *work)
{
	for (; *list; list = &(*list)->next) {
		if (*list == work) {
			*list = work->next;
			return true;
		}
	}
	return false;
}

static void work_append(struct loop_work **list, struct loop_work *work)
{
	while (*list)
		list = &(*list)->next;
	*list = work;
}

static void work_remove(struct loop *loop, struct loop_work *work)
{
	if (work->queued && !work_unlink(&loop->running_work, work))
		work_unlink(&loop->posted, work);
	work->queued = false;
}

void loop_post(struct loop *loop, struct loop_work *work)
{
	bool wake = false;

	pthread_mutex_lock(&loop->lock);
	if (!work->queued) {
		work->queued = true;
		work->next = NULL;
		work_append(&loop->posted, work);
		wake = loop_needs_wake(loop);
	}
	pthread_mutex_unlock(&loop->lock);
	if (wake)
		loop_wake(loop);
}

void loop_post_cancel(struct loop *loop, struct loop_work *work)
{
	pthread_mutex_lock(&loop->lock);
	work_remove(loop, work);
	pthread_mutex_unlock(&loop->lock);
}

/* As timer_call(). */
static bool work_call(struct loop *loop, struct loop_work *work, struct device *dev)
{
	bool found;

	if (dev)
		pthread_mutex_lock(&dev->lock);
	pthread_mutex_lock(&loop->lock);
	found = loop->running_work == work && work->dev == dev;
	if (found)
		work_remove(loop, work);
	pthread_mutex_unlock(&loop->lock);
	if (found)
		work->fn(work);
	if (dev)
		pthread_mutex_unlock(&dev->lock);
	return found;
}

bool loop_run_work(struct loop *loop)
{
	struct loop_work *work;
	struct device *dev = NULL;
	bool ran = false;

	pthread_mutex_lock(&loop->lock);
	/* What this round's work posts waits for the next round, after the descriptors. */
	if (!loop->running_work) {
		loop->running_work = loop->posted;
		loop->posted = NULL;
	}
	while ((work = loop->running_work) && !loop_stopping(loop)) {
		dev = work->dev;
		pthread_mutex_unlock(&loop->lock);
		ran |= work_call(loop, work, dev);
		pthread_mutex_lock(&loop->lock);
	}
	pthread_mutex_unlock(&loop->lock);
	return ran;
}
