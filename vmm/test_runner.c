// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/test_runner.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "vmm/test_attempt.h"

static const uint64_t PROGRESS_NS = 1000000000;

/* A machine that runs. */
struct job {
	struct runner *runner;
	struct test_run *run;
	struct test_attempt *attempt;
	struct loop_work reap; /* the attempt cannot be destroyed in its own callback */
	struct job *next;
};

struct runner {
	struct loop *loop;
	struct test_run *runs;
	unsigned int n, ndone;
	struct test_budget budget;
	struct test_progress progress;
	test_machine *machine;
	struct job *jobs;
	unsigned int njobs, cpus; /* that run, and theirs */
	uint64_t memory;
	struct loop_fd signals;
	struct loop_timer tick;
	int signal;
	struct fail *fail;
};

void test_budget_host(struct test_budget *budget)
{
	static const char available[] = "MemAvailable:"; /* in KiB */
	char line[128];
	cpu_set_t cpus;
	FILE *info = fopen("/proc/meminfo", "re");

	budget->cpus =
		sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : (unsigned int)CPU_COUNT(&cpus);
	budget->memory = UINT64_MAX;
	while (info && fgets(line, sizeof(line), info))
		/* No sscanf(): it alone would be a part of the program that one sees. */
		if (!strncmp(line, available, strlen(available)))
			budget->memory = strtoull(line + strlen(available), NULL, 10) << 10;
	if (info)
		fclose(info);
}

/* --- progress --------------------------------------------------------------------------------- */

static void show_running(struct runner *r)
{
	unsigned int column = 0;

	if (!r->progress.out || !r->progress.live)
		return;
	column += (unsigned int)fprintf(r->progress.out, "\r\033[K[%u/%u]", r->ndone, r->n) - 4;
	for (const struct job *job = r->jobs; job && column < 60; job = job->next)
		column += (unsigned int)fprintf(
			r->progress.out, " %s %us", job->run->name,
			(unsigned int)(test_attempt_elapsed(job->attempt) / 1000000000));
	fflush(r->progress.out);
}

static void show_done(struct runner *r, const struct test_run *run)
{
	if (!r->progress.out)
		return;
	fprintf(r->progress.out, "%s[%u/%u] %s %s: %s (%.1f s)\n",
		r->progress.live ? "\r\033[K" : "", r->ndone, r->n,
		test_run_passed(run) ? "PASS" : "FAIL", run->name,
		test_verdict(run->result->outcome)->sentence,
		(double)run->result->elapsed_ns / 1e9);
	fflush(r->progress.out);
}

static void on_tick(struct loop_timer *timer)
{
	struct runner *r = container_of(timer, struct runner, tick);

	show_running(r);
	loop_timer_set(r->loop, timer, loop_now_ns() + PROGRESS_NS);
}

/* --- what runs -------------------------------------------------------------------------------- */

static bool fits(const struct runner *r, const struct test_run *run)
{
	const struct config *cfg = &run->test->run;

	if (!r->njobs)
		return true;
	if (r->memory + cfg->mem > r->budget.memory)
		return false;
	return r->budget.jobs ? r->njobs < r->budget.jobs : r->cpus + cfg->cpus <= r->budget.cpus;
}

static void finish_run(struct runner *r, struct test_run *run)
{
	run->done = true;
	r->ndone++;
	show_done(r, run);
	if (r->ndone == r->n)
		loop_stop(r->loop);
}

static void on_reap(struct loop_work *work);

static void on_attempt_done(void *arg)
{
	struct job *job = arg;

	loop_post(job->runner->loop, &job->reap);
}

/* A fresh result for the next attempt. */
static int renew_result(struct test_run *run)
{
	if (run->result)
		test_record_fini(run->result);
	free(run->result);
	run->result = calloc(1, sizeof(*run->result));
	run->attempts++;
	return run->result ? 0 : -ENOMEM;
}

static void refuse(struct runner *r, struct test_run *run, const char *why)
{
	run->result->outcome = TEST_CONFIG;
	run->result->code = test_verdict_code(TEST_CONFIG, 0);
	test_text(run->result->why, why);
	finish_run(r, run);
}

static struct job *add_job(struct runner *r, struct test_run *run)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	*job = (struct job){ .runner = r, .run = run, .reap.fn = on_reap, .next = r->jobs };
	r->jobs = job;
	r->njobs++;
	r->cpus += run->test->run.cpus;
	r->memory += run->test->run.mem;
	return job;
}

static void remove_job(struct job *job)
{
	struct runner *r = job->runner;
	struct job **at = &r->jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	r->njobs--;
	r->cpus -= job->run->test->run.cpus;
	r->memory -= job->run->test->run.mem;
	loop_post_cancel(r->loop, &job->reap);
	test_attempt_destroy(job->attempt);
	free(job);
}

/* Fails only where nothing else could start either. */
static int start_run(struct runner *r, struct test_run *run)
{
	struct test_attempt_env env = { r->loop, r->machine, on_attempt_done, NULL };
	struct fail why = { 0 };
	struct job *job;
	char text[160];

	if (renew_result(run) || !(job = add_job(r, run)))
		return fail_set(r->fail, EXIT_HOST, -ENOMEM, "out of memory");
	env.arg = job;
	snprintf(text, sizeof(text),
		 "it needs %llu MiB of memory, of which this host has %llu; use a smaller --mem",
		 (unsigned long long)(run->test->run.mem >> 20),
		 (unsigned long long)(r->budget.memory >> 20));
	if (run->test->run.mem > r->budget.memory) {
		remove_job(job);
		refuse(r, run, text);
	} else if (test_attempt_start(&env, run->test, run->name, run->attempts, run->result,
				      &job->attempt, &why)) {
		remove_job(job);
		if (why.code != EXIT_CONFIG)
			return fail_set(r->fail, why.code, -EIO, "%s", why.text);
		refuse(r, run, why.text);
	}
	return 0;
}

static void start_runs(struct runner *r)
{
	for (unsigned int i = 0; i < r->n && !r->signal; i++) {
		struct test_run *run = &r->runs[i];

		if (run->running || run->done || !fits(r, run))
			continue;
		run->running = true;
		if (start_run(r, run)) {
			loop_stop(r->loop);
			return;
		}
	}
	show_running(r);
}

/* The machine has ended: the next attempt, or the next test. */
static void on_reap(struct loop_work *work)
{
	struct job *job = container_of(work, struct job, reap);
	struct runner *r = job->runner;
	struct test_run *run = job->run;

	remove_job(job);
	run->running = false;
	if (test_run_passed(run) || run->result->outcome == TEST_CONFIG ||
	    run->attempts > run->test->retries)
		finish_run(r, run);
	start_runs(r);
}

static void on_signal(struct loop_fd *src, uint32_t events)
{
	struct runner *r = container_of(src, struct runner, signals);
	struct signalfd_siginfo info;

	(void)events;
	if (read(src->fd, &info, sizeof(info)) != sizeof(info))
		return;
	r->signal = (int)info.ssi_signo;
	loop_stop(r->loop);
}

/* --- all of it -------------------------------------------------------------------------------- */

static int watch_signals(struct runner *r, sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, old);
	r->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	r->signals.events = EPOLLIN;
	r->signals.fn = on_signal;
	return r->signals.fd < 0 ? -errno : loop_fd_add(r->loop, &r->signals);
}

static void cleanup(struct runner *r, const sigset_t *old)
{
	while (r->jobs)
		remove_job(r->jobs);
	if (r->progress.out && r->progress.live)
		fputs("\r\033[K", r->progress.out);
	if (r->loop) {
		loop_fd_del(r->loop, &r->signals);
		loop_timer_cancel(r->loop, &r->tick);
	}
	if (r->signals.fd >= 0)
		close(r->signals.fd);
	loop_destroy(r->loop);
	sigprocmask(SIG_SETMASK, old, NULL);
}

/* What was under way has no result. */
static void forget_unfinished(struct runner *r)
{
	for (unsigned int i = 0; i < r->n; i++) {
		struct test_run *run = &r->runs[i];

		if (run->done || !run->result)
			continue;
		test_record_fini(run->result);
		free(run->result);
		run->result = NULL;
	}
}

int test_runner(struct test_run *runs, unsigned int n, const struct test_budget *budget,
		const struct test_progress *progress, test_machine *machine, struct fail *fail)
{
	struct runner r = { .runs = runs,
			    .n = n,
			    .budget = *budget,
			    .progress = *progress,
			    .machine = machine,
			    .signals.fd = -1,
			    .tick.fn = on_tick,
			    .fail = fail };
	sigset_t old;
	int err;

	sigprocmask(SIG_BLOCK, NULL, &old);
	err = loop_create(&r.loop);
	if (!err)
		err = watch_signals(&r, &old);
	if (err) {
		fail_set(fail, EXIT_HOST, err, "cannot watch machines: %s", strerror(-err));
	} else {
		if (progress->live)
			on_tick(&r.tick);
		start_runs(&r);
		loop_run(r.loop);
	}
	cleanup(&r, &old);
	forget_unfinished(&r);
	if (r.signal)
		return r.signal;
	return !err && r.ndone < n ? -EIO : err;
}
