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
 * A machine in the foreground that comes or goes: for as long as the loop thread waits, another answers
 * its socket, what little can be asked of it then.
 */

/* Why a command that is not in `can`, a list that ends with NULL, has to wait. */
const char *foreground_only(const char *command, const char *const *can, const char *why)
{
	for (; *can; can++)
		if (!strcmp(command, *can))
			return NULL;
	return why;
}

void foreground_stand_in(struct run *run, struct standin *standin, const struct control_ops *ops,
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
	return foreground_only(command, can, "it is being handed over");
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
		foreground_stand_in(run, &run->standin, &leaving_ops, leaving_signal);
	standin_signals(&run->standin, true);
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
	return foreground_only(command, can, "it has not arrived yet");
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
	foreground_fetch_begin(run);
	if (restore->from.two_way)
		foreground_stand_in(run, &run->standin, &arriving_ops, NULL);
	err = restore_machine(restore, run->machine, &run->log, fail);
	standin_close(&run->standin);
	return err;
}

void foreground_move_end(struct run *run)
{
	foreground_fetch_end(run);
	standin_close(&run->standin);
	if (run->cancel > 0)
		close(run->cancel);
	if (run->arrives > 0)
		close(run->arrives);
}
