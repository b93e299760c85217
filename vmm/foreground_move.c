// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/control_report.h"
#include "vmm/foreground_priv.h"
#include "vmm/vm.h"

/*
 * A machine in the foreground that comes, goes, or waits for memory: for as long as the loop thread
 * waits, another answers its socket, what little can be asked of it then.
 */

/* Why a command that is not in `can`, a list that ends with NULL, has to wait. */
static const char *only(const char *command, const char *const *can, const char *why)
{
	for (; *can; can++)
		if (!strcmp(command, *can))
			return NULL;
	return why;
}

static void stand_in(struct run *run, struct standin *standin, const struct control_ops *ops,
		     void (*on_signal)(void *arg, int sig))
{
	int err = standin_start(standin, run->cfg->name, run->socket.fd, ops, run,
				on_signal ? run->signals.fd : -1, on_signal);

	if (err)
		log_line(&run->log, LOG_WARNING, "nobody can ask the machine meanwhile: %s",
			 strerror(-err));
}

/* --- it goes ----------------------------------------------------------------------------------- */

static const char *leaving_refuses(void *arg, const char *command)
{
	static const char *const can[] = { "status", "cancel",	 "send", "resume",
					   "stop",   "commands", NULL };

	(void)arg;
	return only(command, can, "it is being handed over");
}

static const char *leaving_state(void *arg)
{
	return outgoing_state(&((struct run *)arg)->outgoing);
}

static int leaving_cancel(void *arg, struct fail *fail)
{
	return outgoing_cancel(&((struct run *)arg)->outgoing, fail);
}

static int leaving_stop(void *arg, bool force, struct fail *fail)
{
	return outgoing_decide(&((struct run *)arg)->outgoing, DECIDE_END, force, fail);
}

static int leaving_resume(void *arg, bool take, struct fail *fail)
{
	if (!take)
		return fail_set(fail, EXIT_CONFIG, -EPERM, "it is being handed over");
	return outgoing_decide(&((struct run *)arg)->outgoing, DECIDE_TAKE, false, fail);
}

static int leaving_send(void *arg, struct control_files *files, const struct control_send *how,
			struct fail *fail)
{
	if (!how->recover)
		return fail_set(fail, EXIT_CONFIG, -EBUSY, "it is being sent already");
	return outgoing_recover(&((struct run *)arg)->outgoing, files, fail);
}

static const struct control_ops leaving_ops = {
	.refuses = leaving_refuses,
	.state = leaving_state,
	.cancel = leaving_cancel,
	.stop = leaving_stop,
	.resume = leaving_resume,
	.send = leaving_send,
};

/* What the machine was told is for it, if it stays. Where its memory is needed the first signal says
 * so, and the second is obeyed. */
static void leaving_signal(void *arg, int sig)
{
	struct run *run = arg;
	struct fail fail = { 0 };

	if (outgoing_decide(&run->outgoing, DECIDE_END, run->held_signal, &fail)) {
		outgoing_cancel(&run->outgoing, NULL);
		log_line(&run->log, LOG_WARNING, "%s: %s", strsignal(sig), fail.text);
	}
	run->held_signal = sig;
}

enum outgoing_then foreground_leave(struct run *run)
{
	bool waits = outgoing_waits(&run->outgoing);
	enum outgoing_then then;

	if (waits)
		stand_in(run, &run->standin, &leaving_ops, leaving_signal);
	then = outgoing_step(&run->outgoing);
	standin_stop(&run->standin);
	if (then == OUTGOING_GOES_ON || then == OUTGOING_STANDS) {
		standin_close(&run->standin);
		if (run->held_signal)
			kill(getpid(), run->held_signal);
		run->held_signal = 0;
	}
	return then;
}

/* --- it comes ---------------------------------------------------------------------------------- */

static const char *arriving_refuses(void *arg, const char *command)
{
	static const char *const can[] = { "status", "cancel", "stop", "commands", NULL };

	(void)arg;
	return only(command, can, "it has not arrived yet");
}

static const char *arriving_state(void *arg)
{
	(void)arg;
	return "arriving";
}

static int arriving_cancel(void *arg, struct fail *fail)
{
	(void)fail;
	eventfd_write(((struct run *)arg)->cancel, 1);
	return 0;
}

static int arriving_stop(void *arg, bool force, struct fail *fail)
{
	(void)force;
	return arriving_cancel(arg, fail);
}

static const struct control_ops arriving_ops = {
	.refuses = arriving_refuses,
	.state = arriving_state,
	.cancel = arriving_cancel,
	.stop = arriving_stop,
};

/* --- its memory's link is lost ----------------------------------------------------------------- */

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

static const char *waiting_refuses(void *arg, const char *command)
{
	static const char *const can[] = { "status", "recover", "stop", "commands", NULL };

	(void)arg;
	return only(command, can, "it waits for its memory: vmm receive --recover");
}

static const char *waiting_state(void *arg)
{
	(void)arg;
	return "postcopy-paused";
}

static int waiting_stop(void *arg, bool force, struct fail *fail)
{
	if (force)
		abandon(arg, EXIT_SIGNAL + SIGTERM);
	return fail_set(
		fail, EXIT_CONFIG, -EPERM,
		"it cannot power off without its memory: vmm receive --recover, or vmm stop "
		"--force, by which it is lost");
}

/* As above. */
static void waiting_signal(void *arg, int sig)
{
	struct run *run = arg;
	struct fail fail = { 0 };

	if (run->held_signal)
		abandon(run, EXIT_SIGNAL + sig);
	run->held_signal = sig;
	waiting_stop(run, false, &fail);
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

static const struct control_ops waiting_ops = {
	.refuses = waiting_refuses,
	.state = waiting_state,
	.stop = waiting_stop,
	.recover = foreground_recover,
};

/* On the loop thread, if that does not wait for memory itself. */
static void on_lost_work(struct loop_work *work)
{
	struct run *run = container_of(work, struct run, lost);

	run->stays_paused = vm_paused(run->vm);
	vm_interrupt(run->vm);
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
	stand_in(run, &run->waiting, &waiting_ops, waiting_signal);
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
	standin_close(&run->waiting);
	return 0;
}

static void on_ended(void *arg, bool complete)
{
	struct run *run = arg;

	standin_close(&run->waiting);
	if (complete)
		log_line(&run->log, LOG_INFO, "all of the guest's memory is here");
	if (complete)
		end_report(run, &(struct fail){ 0 });
}

static const struct fetch_ops fetch_ops = { on_lost, on_tried, on_found, on_ended };

void foreground_fetch_wait(struct run *run)
{
	if (foreground_fetching(run) == FETCH_LOST)
		fetch_wait(&run->how->restore->from.fetch);
}

void foreground_fetch_end(struct run *run)
{
	enum fetch_state state = foreground_fetching(run);

	/* What is under way in devices may wait for it. */
	if (state == FETCH_RUNS || state == FETCH_LOST)
		loop_drain(run->vm->loop);
	if (state != FETCH_NONE)
		fetch_end(&run->how->restore->from.fetch);
	end_report(run, &(struct fail){ 0 });
}

/* --- coming ------------------------------------------------------------------------------------ */

/* What ends the wait for what is sent: a signal, or whoever asks. */
static int watch(struct run *run)
{
	struct epoll_event ev = { .events = EPOLLIN };

	run->cancel = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	run->arrives = epoll_create1(EPOLL_CLOEXEC);
	if (run->cancel < 0 || run->arrives < 0 ||
	    epoll_ctl(run->arrives, EPOLL_CTL_ADD, run->cancel, &ev) ||
	    epoll_ctl(run->arrives, EPOLL_CTL_ADD, run->signals.fd, &ev))
		return -errno;
	return 0;
}

int foreground_arrive(struct run *run, struct fail *fail)
{
	struct restore *restore = run->how->restore;
	int err = watch(run);

	if (err)
		return fail_set(fail, EXIT_HOST, err, "cannot wait: %s", strerror(-err));
	restore->from.stop_fd = run->arrives;
	restore->fetch_ops = &fetch_ops;
	restore->fetch_arg = run;
	run->lost.fn = on_lost_work;
	if (restore->from.two_way)
		stand_in(run, &run->standin, &arriving_ops, NULL);
	err = restore_machine(restore, run->machine, &run->log, fail);
	standin_close(&run->standin);
	return err;
}

void foreground_move_end(struct run *run)
{
	struct restore *restore = run->how->restore;

	if (restore)
		fetch_end(&restore->from.fetch);
	standin_close(&run->standin);
	standin_close(&run->waiting);
	end_report(run, &(struct fail){ 0 });
	if (run->vm)
		loop_post_cancel(run->vm->loop, &run->lost);
	if (run->cancel > 0)
		close(run->cancel);
	if (run->arrives > 0)
		close(run->arrives);
}
