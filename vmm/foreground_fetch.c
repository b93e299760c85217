// SPDX-License-Identifier: GPL-2.0-only
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/control_report.h"
#include "vmm/foreground_priv.h"
#include "vmm/vm.h"

/*
 * A machine in the foreground whose memory comes when it runs already: whoever touches what is missing
 * waits, the loop thread, too. So another answers its socket when that does not turn, and when the link
 * is lost, for as long as it is. All that needs memory or threads for it is there from the beginning.
 */

enum fetch_state foreground_fetching(struct run *run)
{
	return run->how->restore ? fetch_state(&run->how->restore->from.fetch) : FETCH_NONE;
}

/* Threads that wait for memory that does not come cannot be ended but with the process; and what they
 * do must not be done with other memory. */
static _Noreturn void abandon(struct run *run, int code)
{
	log_line(&run->log, LOG_ERROR, "ended without the memory that has not come");
	term_restore(&run->term);
	control_forget(&run->socket);
	_exit(code);
}

/* --- who asks meanwhile ------------------------------------------------------------------------ */

static bool is_lost(struct run *run)
{
	return foreground_fetching(run) == FETCH_LOST;
}

static uint64_t following_patience(void *arg)
{
	struct run *run = arg;

	switch (foreground_fetching(run)) {
	case FETCH_LOST:
		return 0;
	case FETCH_RUNS:
		/* As long as the loop thread turns it is asked: it can do more. */
		return standin_patience(&run->following, run->vm->loop);
	default:
		/* While it arrives another answers. */
		return STANDIN_LATE_MS * 1000000;
	}
}

static const char *following_refuses(void *arg, const char *command)
{
	static const char *const can[] = { "status", "recover", "stop", "commands", NULL };

	return foreground_only(command, can,
			       is_lost(arg) ? "it waits for its memory: vmm receive --recover"
					    : "it waits for memory that is late");
}

static const char *following_state(void *arg)
{
	return is_lost(arg) ? "postcopy-paused" : "running";
}

static void on_force(struct loop_work *work)
{
	abandon(container_of(work, struct run, force), EXIT_SIGNAL + SIGTERM);
}

/* By force behind the answer, on this thread's own loop. */
static int following_stop(void *arg, bool force, struct fail *fail)
{
	struct run *run = arg;

	if (force)
		loop_post(run->following.loop, &run->force);
	if (force)
		return 0;
	return fail_set(fail, EXIT_CONFIG, -EPERM,
			"it cannot power off without its memory: %s, or vmm stop --force, by which "
			"it is lost",
			is_lost(arg) ? "vmm receive --recover" : "wait for it, which is late");
}

/* While the link is lost. The first says what it would do, the second is obeyed. */
static void following_signal(void *arg, int sig)
{
	struct run *run = arg;
	struct fail fail = { 0 };

	if (run->held_signal)
		abandon(run, EXIT_SIGNAL + sig);
	run->held_signal = sig;
	following_stop(run, false, &fail);
	log_line(&run->log, LOG_WARNING, "%s: %s", strsignal(sig), fail.text);
}

static void end_report(struct run *run, const struct fail *fail)
{
	struct control_report report;

	if (!run->fetch_report)
		return;
	control_report_end(&report, run->fetch_report, fail);
	control_report_send(&report);
	close(run->fetch_report);
	run->fetch_report = 0;
}

int foreground_recover(void *arg, struct control_files *files, struct fail *fail)
{
	struct run *run = arg;
	int err;

	if (files->n != 3)
		return fail_set(
			fail, EXIT_CONFIG, -EINVAL,
			"three descriptors go with it: in and out of the link, and a socket");
	if (foreground_fetching(run) == FETCH_NONE)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"it does not wait for its memory: nothing is to be recovered");
	err = fetch_recover(&run->how->restore->from.fetch, files->fd[0], files->fd[1],
			    files->fd[2], fail);
	if (!err)
		files->fd[0] = files->fd[1] = files->fd[2] = -1;
	return err;
}

static const struct control_ops following_ops = {
	.patience = following_patience,
	.refuses = following_refuses,
	.state = following_state,
	.stop = following_stop,
	.recover = foreground_recover,
};

/* --- what becomes of the link ------------------------------------------------------------------- */

/* On the loop thread, if that does not wait for memory itself. */
static void on_lost_work(struct loop_work *work)
{
	struct run *run = container_of(work, struct run, lost);

	run->stays_paused = vm_paused(run->vm);
	vm_interrupt(run->vm);
}

static void on_begun(void *arg)
{
	struct run *run = arg;

	foreground_stand_in(run, &run->following, &following_ops, following_signal);
}

static void on_lost(void *arg, bool runs, const char *why)
{
	struct run *run = arg;
	struct fail fail = { .code = EXIT_UNDECIDED };

	run->held = runs;
	if (!runs)
		machine_hold(run->machine, false, NULL);
	log_line(&run->log, LOG_ERROR,
		 "%s: the guest stands still, and part of its memory is where it was: vmm receive "
		 "--recover here, and vmm send --recover there%s",
		 why, runs ? "" : "; or vmm stop --force, if it goes on there");
	fail_set(&fail, EXIT_UNDECIDED, -EPIPE, "%s", why);
	end_report(run, &fail);
	standin_signals(&run->following, true);
	loop_post(run->vm->loop, &run->lost);
}

static void on_tried(void *arg, int client)
{
	((struct run *)arg)->fetch_report = client;
}

static int on_found(void *arg, struct fail *fail)
{
	struct run *run = arg;
	int err = run->held ? 0 : machine_hold(run->machine, true, fail);

	if (err)
		return err;
	run->held = true;
	log_line(&run->log, LOG_WARNING, "the guest goes on, and its memory comes");
	standin_signals(&run->following, false);
	/* What it was told meanwhile is for the guest. */
	if (run->held_signal)
		kill(getpid(), run->held_signal);
	run->held_signal = 0;
	return 0;
}

static void on_ended(void *arg, bool complete)
{
	struct run *run = arg;

	standin_close(&run->following);
	if (complete)
		log_line(&run->log, LOG_INFO, "all of the guest's memory is here");
	if (complete)
		end_report(run, &(struct fail){ 0 });
}

static const struct fetch_ops fetch_ops = {
	on_begun, on_lost, on_tried, on_found, on_ended,
};

/* --- what the loop thread calls ----------------------------------------------------------------- */

void foreground_fetch_begin(struct run *run)
{
	run->lost.fn = on_lost_work;
	run->force.fn = on_force;
	run->how->restore->fetch_ops = &fetch_ops;
	run->how->restore->fetch_arg = run;
}

void foreground_fetch_wait(struct run *run)
{
	if (is_lost(run))
		fetch_wait(&run->how->restore->from.fetch);
}

void foreground_fetch_end(struct run *run)
{
	enum fetch_state state = foreground_fetching(run);

	if (state == FETCH_NONE)
		return;
	/* What is under way in devices may wait for it. */
	if (state == FETCH_RUNS || state == FETCH_LOST)
		loop_drain(run->vm->loop);
	fetch_end(&run->how->restore->from.fetch);
	loop_post_cancel(run->vm->loop, &run->lost);
	end_report(run, &(struct fail){ 0 });
}
