// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/loop_priv.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

int loop_jobs_init(struct loop_jobs *jobs)
{
	int err = pthread_cond_init(&jobs->wanted, NULL);

	if (err)
		return -err;
	err = pthread_cond_init(&jobs->finished, NULL);
	if (err)
		pthread_cond_destroy(&jobs->wanted);
	return -err;
}

static void append(struct loop_job **list, struct loop_job *job)
{
	while (*list)
		list = &(*list)->next;
	job->next = NULL;
	*list = job;
}

static struct loop_job *take_first(struct loop_job **list)
{
	struct loop_job *job = *list;

	if (job)
		*list = job->next;
	return job;
}

/* The lock is held on entry and on return. */
static void do_job(struct loop *loop, struct loop_job *job)
{
	bool wake;

	loop->jobs.ntodo--;
	pthread_mutex_unlock(&loop->lock);
	job->work(job);
	pthread_mutex_lock(&loop->lock);
	append(&loop->jobs.done, job);
	pthread_cond_signal(&loop->jobs.finished);
	wake = loop_needs_wake(loop);
	if (wake) {
		pthread_mutex_unlock(&loop->lock);
		loop_wake(loop);
		pthread_mutex_lock(&loop->lock);
	}
}

static void *helper(void *arg)
{
	struct loop *loop = arg;
	struct loop_jobs *jobs = &loop->jobs;
	struct loop_job *job;

	pthread_mutex_lock(&loop->lock);
	while (!jobs->quit) {
		job = take_first(&jobs->todo);
		if (job) {
			do_job(loop, job);
			continue;
		}
		jobs->nidle++;
		pthread_cond_wait(&jobs->wanted, &loop->lock);
		jobs->nidle--;
	}
	pthread_mutex_unlock(&loop->lock);
	return NULL;
}

/* Helpers take no signal: those are for the threads that expect them. */
static int add_helper(struct loop *loop)
{
	struct loop_jobs *jobs = &loop->jobs;
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&jobs->threads[jobs->nthreads], NULL, helper, loop);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!err)
		jobs->nthreads++;
	return -err;
}

int loop_offload(struct loop *loop, struct loop_job *job)
{
	struct loop_jobs *jobs = &loop->jobs;
	int err = 0;

	pthread_mutex_lock(&loop->lock);
	if (jobs->ntodo >= jobs->nidle && jobs->nthreads < LOOP_THREADS)
		err = add_helper(loop);
	if (jobs->nthreads) {
		err = 0;
		append(&jobs->todo, job);
		jobs->ntodo++;
		jobs->pending++;
		pthread_cond_signal(&jobs->wanted);
	}
	pthread_mutex_unlock(&loop->lock);
	return err;
}

/* One finished job's `done`. The lock is held on entry and on return. */
static bool finish_one(struct loop *loop)
{
	struct loop_job *job = take_first(&loop->jobs.done);
	struct device *dev;

	if (!job)
		return false;
	pthread_mutex_unlock(&loop->lock);
	dev = job->dev;
	if (dev)
		pthread_mutex_lock(&dev->lock);
	job->done(job);
	if (dev)
		pthread_mutex_unlock(&dev->lock);
	pthread_mutex_lock(&loop->lock);
	loop->jobs.pending--;
	return true;
}

bool loop_run_done(struct loop *loop)
{
	bool ran = false;

	pthread_mutex_lock(&loop->lock);
	while (!loop_stopping(loop) && finish_one(loop))
		ran = true;
	pthread_mutex_unlock(&loop->lock);
	return ran;
}

void loop_jobs_drain(struct loop *loop)
{
	pthread_mutex_lock(&loop->lock);
	while (loop->jobs.pending)
		if (!finish_one(loop))
			pthread_cond_wait(&loop->jobs.finished, &loop->lock);
	pthread_mutex_unlock(&loop->lock);
}

void loop_jobs_fini(struct loop *loop)
{
	struct loop_jobs *jobs = &loop->jobs;

	pthread_mutex_lock(&loop->lock);
	jobs->quit = true;
	pthread_cond_broadcast(&jobs->wanted);
	pthread_mutex_unlock(&loop->lock);
	for (unsigned int i = 0; i < jobs->nthreads; i++)
		pthread_join(jobs->threads[i], NULL);
	pthread_cond_destroy(&jobs->wanted);
	pthread_cond_destroy(&jobs->finished);
}
