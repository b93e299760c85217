// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/core/loop.h"

static struct loop *loop;
static struct device dev;
static const struct device_ops dev_ops;

static void setup(void)
{
	struct device_env env = { .base = 0 };

	ck_assert_int_eq(loop_create(&loop), 0);
	memset(&dev, 0, sizeof(dev));
	device_init(&dev, &dev_ops, "dev", &env);
}

static void teardown(void)
{
	loop_destroy(loop);
	device_fini(&dev);
}

static int signalled(void)
{
	int fd = eventfd(1, EFD_NONBLOCK);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void ring(int fd)
{
	const uint64_t one = 1;

	ck_assert_int_eq(write(fd, &one, sizeof(one)), sizeof(one));
}

static bool locked(struct device *d)
{
	if (pthread_mutex_trylock(&d->lock) == EBUSY)
		return true;
	pthread_mutex_unlock(&d->lock);
	return false;
}

/* --- descriptors ------------------------------------------------------------------------------ */

struct watch {
	struct loop_fd fd;
	unsigned int calls;
	uint32_t events;
	bool locked;
	void (*then)(struct watch *w);
	struct watch *other;
};

static void on_watch(struct loop_fd *src, uint32_t events)
{
	struct watch *w = container_of(src, struct watch, fd);

	w->calls++;
	w->events = events;
	w->locked = w->fd.dev && locked(w->fd.dev);
	if (w->then)
		w->then(w);
}

static struct watch watching(int fd, uint32_t events)
{
	return (struct watch){ .fd = { .fd = fd, .events = events, .dev = &dev, .fn = on_watch } };
}

START_TEST(fd_is_called_under_its_lock)
{
	struct watch w = watching(signalled(), EPOLLIN);

	ck_assert_int_eq(loop_fd_add(loop, &w.fd), 0);
	ck_assert_int_eq(loop_fd_add(loop, &w.fd), -EEXIST);
	ck_assert(loop_poll(loop, -1));
	ck_assert(loop_poll(loop, 0)); /* level-triggered: still ready */
	ck_assert_uint_eq(w.calls, 2);
	ck_assert_uint_eq(w.events, EPOLLIN);
	ck_assert(w.locked && !locked(&dev));

	ck_assert_int_eq(loop_fd_mod(loop, &w.fd, 0), 0);
	ck_assert(!loop_poll(loop, 0));
	ck_assert_int_eq(loop_fd_mod(loop, &w.fd, EPOLLIN | EPOLLET), 0);
	ck_assert(loop_poll(loop, 0));
	ck_assert(!loop_poll(loop, 0)); /* edge-triggered: once */
	ring(w.fd.fd);
	ck_assert(loop_poll(loop, 0)); /* a new signal is a new edge, though nobody read */

	loop_fd_del(loop, &w.fd);
	loop_fd_del(loop, &w.fd);
	ring(w.fd.fd);
	ck_assert(!loop_poll(loop, 0));
	ck_assert_int_eq(loop_fd_mod(loop, &w.fd, EPOLLIN), -ENOENT);
	ck_assert_uint_eq(w.calls, 4);
	close(w.fd.fd);
}
END_TEST

START_TEST(fd_that_epoll_refuses)
{
	struct watch w = watching(open("/proc/self/exe", O_RDONLY), EPOLLIN);

	ck_assert_int_eq(loop_fd_add(loop, &w.fd), -EPERM);
	ck_assert(!w.fd.active);
	loop_fd_del(loop, &w.fd);
	close(w.fd.fd);
}
END_TEST

static void delete_other(struct watch *w)
{
	loop_fd_del(loop, &w->other->fd);
}

/* Both are ready in one batch; whichever runs first deletes the other. */
START_TEST(deleted_in_the_same_batch_is_not_called)
{
	struct watch a = watching(signalled(), EPOLLIN | EPOLLET);
	struct watch b = watching(signalled(), EPOLLIN | EPOLLET);

	a.then = b.then = delete_other;
	a.other = &b;
	b.other = &a;
	ck_assert_int_eq(loop_fd_add(loop, &a.fd), 0);
	ck_assert_int_eq(loop_fd_add(loop, &b.fd), 0);
	ck_assert(loop_poll(loop, -1));
	ck_assert(!loop_poll(loop, 0));
	ck_assert_uint_eq(a.calls + b.calls, 1);
	ck_assert_int_ne(a.fd.active, b.fd.active);
	loop_fd_del(loop, &a.fd);
	loop_fd_del(loop, &b.fd);
	close(a.fd.fd);
	close(b.fd.fd);
}
END_TEST

static struct watch *freed_victim, replacement;

static void free_and_replace(struct watch *w)
{
	(void)w;
	loop_fd_del(loop, &freed_victim->fd);
	close(freed_victim->fd.fd);
	free(freed_victim);
	freed_victim = NULL;
	ck_assert_int_eq(loop_fd_add(loop, &replacement.fd), 0);
}

/* A source freed by an earlier callback of the batch is not touched, and the one that took its
 * slot does not get its event. Added last, the victim comes last in the batch. */
START_TEST(freed_and_replaced_in_the_same_batch)
{
	int quiet = eventfd(0, EFD_NONBLOCK);
	struct watch first = watching(signalled(), EPOLLIN | EPOLLET);

	freed_victim = malloc(sizeof(*freed_victim));
	*freed_victim = watching(signalled(), EPOLLIN);
	replacement = watching(quiet, EPOLLIN);
	first.then = free_and_replace;
	ck_assert_int_eq(loop_fd_add(loop, &first.fd), 0);
	ck_assert_int_eq(loop_fd_add(loop, &freed_victim->fd), 0);
	ck_assert(loop_poll(loop, -1));
	ck_assert_uint_eq(first.calls, 1);
	ck_assert_uint_eq(replacement.calls, 0);
	ring(quiet);
	ck_assert(loop_poll(loop, -1));
	ck_assert_uint_eq(replacement.calls, 1);
	loop_fd_del(loop, &replacement.fd);
	close(quiet);
	close(first.fd.fd);
}
END_TEST

START_TEST(many_descriptors)
{
	enum { N = 100 };
	static struct watch w[N];
	unsigned int calls = 0;

	for (int i = 0; i < N; i++) {
		w[i] = watching(signalled(), EPOLLIN | EPOLLET);
		ck_assert_int_eq(loop_fd_add(loop, &w[i].fd), 0);
	}
	while (loop_poll(loop, 0))
		;
	for (int i = 0; i < N; i++) {
		calls += w[i].calls == 1;
		loop_fd_del(loop, &w[i].fd);
		close(w[i].fd.fd);
	}
	ck_assert_uint_eq(calls, N);
}
END_TEST

static void stop_now(struct watch *w)
{
	(void)w;
	loop_stop(loop);
}

/* loop_stop() ends the round after the callback; the batch's other edges are not lost. */
START_TEST(stop_keeps_the_rest_of_the_batch)
{
	struct watch w[4];
	unsigned int total = 0;

	for (int i = 0; i < 4; i++) {
		w[i] = watching(signalled(), EPOLLIN | EPOLLET);
		w[i].then = stop_now;
		ck_assert_int_eq(loop_fd_add(loop, &w[i].fd), 0);
	}
	for (unsigned int i = 1; i <= 4; i++) {
		loop_run(loop);
		total = w[0].calls + w[1].calls + w[2].calls + w[3].calls;
		ck_assert_uint_eq(total, i);
	}
	for (int i = 0; i < 4; i++) {
		ck_assert_uint_eq(w[i].calls, 1);
		close(w[i].fd.fd);
	}
}
END_TEST

START_TEST(stop_before_run_counts)
{
	struct watch w = watching(signalled(), EPOLLIN);

	ck_assert_int_eq(loop_fd_add(loop, &w.fd), 0);
	loop_stop(loop);
	loop_run(loop);
	ck_assert_uint_eq(w.calls, 0);
	loop_fd_del(loop, &w.fd);
	close(w.fd.fd);
}
END_TEST

/* --- timers ----------------------------------------------------------------------------------- */

struct tick {
	struct loop_timer timer;
	int id;
	unsigned int calls;
	bool locked, rearm;
};

static int order[64], norder;

static void on_tick(struct loop_timer *timer)
{
	struct tick *t = container_of(timer, struct tick, timer);

	t->calls++;
	t->locked = t->timer.dev && locked(t->timer.dev);
	ck_assert(!timer->armed);
	order[norder++ % 64] = t->id;
	if (t->rearm)
		loop_timer_set(loop, timer, 0);
}

static struct tick ticking(int id)
{
	return (struct tick){ .id = id, .timer = { .dev = &dev, .fn = on_tick } };
}

START_TEST(timers_fire_in_order_and_not_early)
{
	static const int delays_ms[] = { 8, 2, 5, 2, 0 };
	uint64_t now = loop_now_ns();
	struct tick t[5];

	norder = 0;
	for (int i = 0; i < 5; i++) {
		t[i] = ticking(i);
		loop_timer_set(loop, &t[i].timer, now + (uint64_t)delays_ms[i] * 1000000);
	}
	while (norder < 5) {
		ck_assert(loop_poll(loop, -1));
		ck_assert_uint_ge(loop_now_ns() - now,
				  (uint64_t)delays_ms[order[norder - 1]] * 1000000);
	}
	ck_assert_int_eq(order[0], 4);
	ck_assert_int_eq(order[1], 1); /* equal deadlines: first set, first called */
	ck_assert_int_eq(order[2], 3);
	ck_assert_int_eq(order[3], 2);
	ck_assert_int_eq(order[4], 0);
	ck_assert(t[0].locked);
}
END_TEST

START_TEST(timers_rearm_and_cancel)
{
	struct tick a = ticking(0), b = ticking(1);
	uint64_t far = loop_now_ns() + UINT64_C(3600000000000);

	loop_timer_set(loop, &a.timer, 0);
	loop_timer_set(loop, &a.timer, far);
	ck_assert(!loop_poll(loop, 0));
	loop_timer_set(loop, &b.timer, far);
	loop_timer_set(loop, &b.timer, 1);
	ck_assert(loop_poll(loop, -1));
	ck_assert_uint_eq(b.calls, 1);
	ck_assert(a.timer.armed && !b.timer.armed);
	loop_timer_cancel(loop, &a.timer);
	loop_timer_cancel(loop, &a.timer);
	ck_assert(!loop_poll(loop, 1));
	ck_assert_uint_eq(a.calls, 0);
}
END_TEST

START_TEST(timer_rearmed_to_the_past_does_not_starve)
{
	struct tick t = ticking(0);
	struct watch w = watching(signalled(), EPOLLIN);

	t.rearm = true;
	ck_assert_int_eq(loop_fd_add(loop, &w.fd), 0);
	loop_timer_set(loop, &t.timer, 0);
	for (unsigned int i = 1; i < 5; i++) {
		ck_assert(loop_poll(loop, -1));
		ck_assert_uint_eq(t.calls, i);
		ck_assert_uint_eq(w.calls, i);
	}
	loop_timer_cancel(loop, &t.timer);
	loop_fd_del(loop, &w.fd);
	close(w.fd.fd);
}
END_TEST

static void cancel_next(struct loop_timer *timer)
{
	struct tick *t = container_of(timer, struct tick, timer);

	t->calls++;
	loop_timer_cancel(loop, &t[1].timer);
}

START_TEST(timer_cancelled_by_one_due_before_it)
{
	struct tick t[2] = { ticking(0), ticking(1) };

	t[0].timer.fn = cancel_next;
	loop_timer_set(loop, &t[0].timer, 1);
	loop_timer_set(loop, &t[1].timer, 2);
	ck_assert(loop_poll(loop, -1));
	ck_assert(!loop_poll(loop, 0));
	ck_assert_uint_eq(t[0].calls, 1);
	ck_assert_uint_eq(t[1].calls, 0);
}
END_TEST

/* --- posted work ------------------------------------------------------------------------------ */

struct task {
	struct loop_work work;
	unsigned int calls;
	bool locked, repost;
	struct task *cancels;
};

static void on_task(struct loop_work *work)
{
	struct task *t = container_of(work, struct task, work);

	t->calls++;
	t->locked = t->work.dev && locked(t->work.dev);
	if (t->repost)
		loop_post(loop, work);
	if (t->cancels)
		loop_post_cancel(loop, &t->cancels->work);
}

static struct task tasking(void)
{
	return (struct task){ .work = { .dev = &dev, .fn = on_task } };
}

START_TEST(posts_coalesce)
{
	struct task t = tasking();

	for (int i = 0; i < 10; i++)
		loop_post(loop, &t.work);
	ck_assert(loop_poll(loop, -1));
	ck_assert(!loop_poll(loop, 0));
	ck_assert_uint_eq(t.calls, 1);
	ck_assert(t.locked);
	loop_post(loop, &t.work);
	loop_post_cancel(loop, &t.work);
	loop_post_cancel(loop, &t.work);
	ck_assert(!loop_poll(loop, 0));
	ck_assert_uint_eq(t.calls, 1);
}
END_TEST

START_TEST(work_cancelled_by_earlier_work)
{
	struct task a = tasking(), b = tasking();

	a.cancels = &b;
	loop_post(loop, &a.work);
	loop_post(loop, &b.work);
	ck_assert(loop_poll(loop, -1));
	ck_assert(!loop_poll(loop, 0));
	ck_assert_uint_eq(b.calls, 0);
}
END_TEST

START_TEST(reposting_work_does_not_starve)
{
	struct task t = tasking();
	struct watch w = watching(signalled(), EPOLLIN);

	t.repost = true;
	loop_post(loop, &t.work);
	ck_assert_int_eq(loop_fd_add(loop, &w.fd), 0);
	for (unsigned int i = 1; i < 5; i++) {
		ck_assert(loop_poll(loop, -1));
		ck_assert_uint_eq(t.calls, i);
		ck_assert_uint_eq(w.calls, i);
	}
	loop_post_cancel(loop, &t.work);
	loop_fd_del(loop, &w.fd);
	close(w.fd.fd);
}
END_TEST

/* --- offload ---------------------------------------------------------------------------------- */

struct chore {
	struct loop_job job;
	unsigned int worked, finished;
	bool on_helper, free_lock, locked, again;
	pthread_t creator;
	int hold; /* eventfd that `work` waits for, or -1 */
};

static void on_work(struct loop_job *job)
{
	struct chore *c = container_of(job, struct chore, job);
	uint64_t n;

	c->worked++;
	c->on_helper = !pthread_equal(pthread_self(), c->creator);
	if (c->hold >= 0)
		ck_assert_int_eq(read(c->hold, &n, sizeof(n)), sizeof(n));
}

static void on_done(struct loop_job *job)
{
	struct chore *c = container_of(job, struct chore, job);

	c->finished++;
	c->locked = locked(&dev);
	ck_assert(pthread_equal(pthread_self(), c->creator));
	if (c->again) {
		c->again = false;
		ck_assert_int_eq(loop_offload(loop, job), 0);
	}
}

static struct chore chore(void)
{
	return (struct chore){ .job = { .dev = &dev, .work = on_work, .done = on_done },
			       .creator = pthread_self(),
			       .hold = -1 };
}

START_TEST(offload_works_elsewhere_and_is_done_here)
{
	struct chore c = chore();

	c.again = true;
	ck_assert_int_eq(loop_offload(loop, &c.job), 0);
	while (c.finished < 2)
		ck_assert(loop_poll(loop, -1));
	ck_assert_uint_eq(c.worked, 2);
	ck_assert(c.on_helper && c.locked);
}
END_TEST

/* Four run at once, though each waits; the others queue. Drain waits for all. */
START_TEST(offload_in_parallel_and_drain)
{
	enum { N = 40 };
	struct chore c[N];
	int hold = eventfd(0, EFD_SEMAPHORE);
	uint64_t n = N;

	for (int i = 0; i < N; i++) {
		c[i] = chore();
		c[i].hold = hold;
		c[i].again = i % 2;
		ck_assert_int_eq(loop_offload(loop, &c[i].job), 0);
	}
	ck_assert(!loop_poll(loop, 0));
	n += N / 2;
	ck_assert_int_eq(write(hold, &n, sizeof(n)), sizeof(n));
	loop_drain(loop);
	for (int i = 0; i < N; i++)
		ck_assert_uint_eq(c[i].finished, 1 + i % 2);
	loop_drain(loop);
	close(hold);
}
END_TEST

/* What a source waits for may leave a job. */
static void drain_to_job(struct loop_fd *src)
{
	struct watch *w = container_of(src, struct watch, fd);
	struct chore *c = (struct chore *)w->other;

	w->calls++;
	w->locked = locked(&dev);
	if (c)
		ck_assert_int_eq(loop_offload(loop, &c->job), 0);
	w->other = NULL;
}

START_TEST(sources_are_drained)
{
	struct chore c = chore();
	struct watch first = watching(signalled(), EPOLLIN), gone = watching(signalled(), EPOLLIN);

	first.fd.drain = gone.fd.drain = drain_to_job;
	first.other = (struct watch *)&c;
	ck_assert_int_eq(loop_fd_add(loop, &first.fd), 0);
	ck_assert_int_eq(loop_fd_add(loop, &gone.fd), 0);
	loop_fd_del(loop, &gone.fd);
	loop_drain(loop);
	ck_assert_uint_eq(first.calls, 1);
	ck_assert(first.locked);
	ck_assert_uint_eq(c.finished, 1);
	ck_assert_uint_eq(gone.calls, 0);
	loop_fd_del(loop, &first.fd);
	close(first.fd.fd);
	close(gone.fd.fd);
}
END_TEST

START_TEST(destroy_drains)
{
	struct chore c = chore();

	ck_assert_int_eq(loop_offload(loop, &c.job), 0);
	loop_destroy(loop);
	ck_assert_uint_eq(c.finished, 1);
	loop_destroy(NULL);
	ck_assert_int_eq(loop_create(&loop), 0);
}
END_TEST

/* --- several threads -------------------------------------------------------------------------- */

enum { THREADS = 3, ROUNDS = 3000 };

static void *run_loop(void *arg)
{
	loop_run(arg);
	return NULL;
}

/* Whether a thread that waits for ever is woken by a post, an earlier timer, a stop. */
struct wake {
	struct loop_work work;
	struct loop_timer timer;
	int fd;
};

static void on_wake_work(struct loop_work *work)
{
	ring(container_of(work, struct wake, work)->fd);
}

static void on_wake_timer(struct loop_timer *timer)
{
	ring(container_of(timer, struct wake, timer)->fd);
}

static void await(int fd)
{
	uint64_t n;

	ck_assert_int_eq(read(fd, &n, sizeof(n)), sizeof(n));
}

START_TEST(sleeping_loop_is_woken)
{
	struct wake w = { .work = { .fn = on_wake_work },
			  .timer = { .fn = on_wake_timer },
			  .fd = eventfd(0, 0) };
	struct tick far = ticking(0);
	pthread_t thread;

	loop_timer_set(loop, &far.timer, loop_now_ns() + UINT64_C(3600000000000));
	pthread_create(&thread, NULL, run_loop, loop);
	for (int i = 0; i < 500; i++) {
		loop_post(loop, &w.work);
		await(w.fd);
		loop_timer_set(loop, &w.timer, loop_now_ns() + 1000 * (uint64_t)(i % 100));
		await(w.fd);
	}
	loop_stop(loop);
	pthread_join(thread, NULL);
	loop_timer_cancel(loop, &far.timer);
	close(w.fd);
}
END_TEST

/*
 * Each thread makes, uses and frees sources under the device's lock while the loop runs them: once
 * the lock is taken and the source deleted, no callback may come. `gone` is poison for callbacks.
 */
struct source {
	struct loop_fd fd;
	struct loop_timer timer;
	struct loop_work work;
	bool gone;
	unsigned int *calls;
};

static void source_called(struct source *s)
{
	if (s->gone)
		abort();
	++*s->calls;
}

static void on_source_fd(struct loop_fd *fd, uint32_t events)
{
	(void)events;
	source_called(container_of(fd, struct source, fd));
}

static void on_source_timer(struct loop_timer *timer)
{
	source_called(container_of(timer, struct source, timer));
}

static void on_source_work(struct loop_work *work)
{
	source_called(container_of(work, struct source, work));
}

static void *churn(void *arg)
{
	struct device *d = arg;
	unsigned int calls = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct source *s = calloc(1, sizeof(*s));
		int fd = eventfd(1, EFD_NONBLOCK);

		s->calls = &calls;
		s->fd = (struct loop_fd){
			.fd = fd, .events = EPOLLIN | EPOLLET, .dev = d, .fn = on_source_fd
		};
		s->timer = (struct loop_timer){ .dev = d, .fn = on_source_timer };
		s->work = (struct loop_work){ .dev = d, .fn = on_source_work };
		pthread_mutex_lock(&d->lock);
		if (loop_fd_add(loop, &s->fd) < 0)
			abort();
		loop_timer_set(loop, &s->timer, loop_now_ns() + (uint64_t)(i % 3) * 10000);
		loop_post(loop, &s->work);
		pthread_mutex_unlock(&d->lock);
		if (i % 2)
			ring(fd);
		pthread_mutex_lock(&d->lock);
		loop_fd_del(loop, &s->fd);
		loop_timer_cancel(loop, &s->timer);
		loop_post_cancel(loop, &s->work);
		pthread_mutex_unlock(&d->lock);
		s->gone = true;
		free(s);
		close(fd);
	}
	return NULL;
}

START_TEST(storm_of_short_lived_sources)
{
	struct device devs[THREADS];
	struct device_env env = { .base = 0 };
	pthread_t runner, threads[THREADS];

	pthread_create(&runner, NULL, run_loop, loop);
	for (int i = 0; i < THREADS; i++) {
		device_init(&devs[i], &dev_ops, "churn", &env);
		pthread_create(&threads[i], NULL, churn, &devs[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	loop_stop(loop);
	pthread_join(runner, NULL);
	ck_assert(!loop_poll(loop, 0));
	for (int i = 0; i < THREADS; i++)
		device_fini(&devs[i]);
}
END_TEST

/* Nothing that was posted is forgotten, whoever posts and whenever. */
struct counter {
	struct loop_work work;
	atomic_uint todo;
	unsigned int done;
	unsigned int target;
};

static void on_counter(struct loop_work *work)
{
	struct counter *c = container_of(work, struct counter, work);

	c->done += atomic_exchange(&c->todo, 0);
	if (c->done == c->target)
		loop_stop(loop);
}

static void *poster(void *arg)
{
	struct counter *c = arg;

	for (int i = 0; i < ROUNDS; i++) {
		atomic_fetch_add(&c->todo, 1);
		loop_post(loop, &c->work);
	}
	return NULL;
}

START_TEST(no_post_is_lost)
{
	struct counter c = { .work = { .fn = on_counter }, .target = THREADS * ROUNDS };
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, poster, &c);
	loop_run(loop);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(c.done, c.target);
	/* The last one to add may have posted after its number was taken. */
	loop_post_cancel(loop, &c.work);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_loop");
	TCase *tc = tcase_create("loop");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, fd_is_called_under_its_lock);
	tcase_add_test(tc, fd_that_epoll_refuses);
	tcase_add_test(tc, deleted_in_the_same_batch_is_not_called);
	tcase_add_test(tc, freed_and_replaced_in_the_same_batch);
	tcase_add_test(tc, many_descriptors);
	tcase_add_test(tc, stop_keeps_the_rest_of_the_batch);
	tcase_add_test(tc, stop_before_run_counts);
	tcase_add_test(tc, timers_fire_in_order_and_not_early);
	tcase_add_test(tc, timers_rearm_and_cancel);
	tcase_add_test(tc, timer_rearmed_to_the_past_does_not_starve);
	tcase_add_test(tc, timer_cancelled_by_one_due_before_it);
	tcase_add_test(tc, posts_coalesce);
	tcase_add_test(tc, work_cancelled_by_earlier_work);
	tcase_add_test(tc, reposting_work_does_not_starve);
	tcase_add_test(tc, offload_works_elsewhere_and_is_done_here);
	tcase_add_test(tc, offload_in_parallel_and_drain);
	tcase_add_test(tc, sources_are_drained);
	tcase_add_test(tc, destroy_drains);
	tcase_add_test(tc, sleeping_loop_is_woken);
	tcase_add_test(tc, storm_of_short_lived_sources);
	tcase_add_test(tc, no_post_is_lost);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
