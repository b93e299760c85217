// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/outgoing_priv.h"
#include "vmm/vm.h"

/* While it is handed over, and in post-copy for as long as its memory is needed here. */

/* The destination may lack memory, which stays here as it is. */
static void lose(struct outgoing *o)
{
	log_line(machine_vm(o->machine)->log, LOG_ERROR,
		 "%s; its memory is kept here: vmm send --recover%s", o->fail.text,
		 o->sender.runs_there ? ""
				      : ", or, if it does not run there, vmm resume "
					"--take-ownership");
	o->fail.code = EXIT_UNDECIDED;
	outgoing_report_end(o);
	close(o->link);
	close(o->report);
	o->link = o->report = -1;
	o->lost = true;
	o->wish = WISH_NONE;
}

static void go_again(struct outgoing *o)
{
	int err;

	o->lost = false;
	o->sender.in = o->sender.out = o->link = o->again;
	o->again = -1;
	err = outgoing_run(o);
	if (!err)
		return;
	fail_set(&o->fail, EXIT_UNDECIDED, err, "cannot start a thread: %s", strerror(-err));
	lose(o);
}

void outgoing_wait_end(struct outgoing *o)
{
	for (;;) {
		if (o->wish == WISH_END && o->end != MIGRATE_PAUSED)
			return;
		if (o->wish == WISH_END) {
			pthread_join(o->thread, NULL);
			lose(o);
		} else if (o->lost && o->decision)
			return;
		else if (o->lost && o->again >= 0)
			go_again(o);
		else
			pthread_cond_wait(&o->changed, &o->lock);
	}
}

bool outgoing_waits(struct outgoing *o)
{
	bool waits = false;

	if (!o->active)
		return false;
	pthread_mutex_lock(&o->lock);
	waits = o->wish == WISH_STOP;
	pthread_mutex_unlock(&o->lock);
	return waits;
}

const char *outgoing_state(struct outgoing *o)
{
	const char *state;

	pthread_mutex_lock(&o->lock);
	state = o->lost				    ? "postcopy-paused"
		: o->given_up && o->sender.postcopy ? "postcopy"
						    : "moving";
	pthread_mutex_unlock(&o->lock);
	return state;
}

int outgoing_decide(struct outgoing *o, enum outgoing_decision decision, bool force,
		    struct fail *fail)
{
	int err = 0;

	pthread_mutex_lock(&o->lock);
	if (!o->given_up)
		err = fail_set(fail, EXIT_CONFIG, -EBUSY,
			       "it is being handed over; vmm send --cancel ends that");
	else if (decision == DECIDE_TAKE && (!o->lost || o->sender.runs_there))
		err = fail_set(fail, EXIT_CONFIG, -EPERM,
			       "it runs at the destination, which needs the memory that is here");
	else if (!force && decision == DECIDE_END)
		err = fail_set(
			fail, EXIT_CONFIG, -EPERM,
			"the destination needs the memory that is here: without it the guest "
			"is lost; vmm stop --force, if it shall be");
	if (!err)
		o->decision = decision;
	/* The thread sees the end of its link. */
	if (!err && !o->lost)
		shutdown(o->link, SHUT_RDWR);
	pthread_cond_broadcast(&o->changed);
	pthread_mutex_unlock(&o->lock);
	return err;
}

int outgoing_recover(struct outgoing *o, struct control_files *files, struct fail *fail)
{
	int err = 0, flags = files->n == 2 ? fcntl(files->fd[0], F_GETFL) : -1;

	if (flags < 0 || fcntl(files->fd[0], F_SETFL, flags | O_NONBLOCK))
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"two descriptors go with it: the link, and a socket");
	pthread_mutex_lock(&o->lock);
	if (!o->lost || o->again >= 0)
		err = fail_set(fail, EXIT_CONFIG, -EBUSY,
			       "its link is not lost: nothing is to be recovered");
	if (!err) {
		o->again = files->fd[0];
		o->report = files->fd[1];
		o->fail = (struct fail){ 0 };
		files->fd[0] = files->fd[1] = -1;
		pthread_cond_broadcast(&o->changed);
	}
	pthread_mutex_unlock(&o->lock);
	return err;
}
