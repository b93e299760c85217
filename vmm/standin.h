/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_STANDIN_H
#define VMM_STANDIN_H

#include <pthread.h>

#include "vmm/control.h"

/*
 * Answers a machine's socket, and its signals, while the loop thread cannot: it waits for a machine
 * that comes or goes, or for memory that is elsewhere. On a thread and a loop of its own; what may be
 * asked of it must not need the loop thread.
 */
struct standin {
	/* private */
	struct loop *loop;
	struct control *control;
	struct loop_fd signals;
	void (*on_signal)(void *arg, int sig);
	void *arg;
	pthread_t thread;
	bool running;
};

/* What it answers: `listen_fd` (-1: nobody can ask) and `signal_fd` (-1: none) are borrowed; the ops
 * that `ops->refuses` lets through, and `on_signal`, are called on its thread. 0 or -errno; the
 * machine can go on without. */
int standin_start(struct standin *s, const char *name, int listen_fd, const struct control_ops *ops,
		  void *arg, int signal_fd, void (*on_signal)(void *arg, int sig));
/* It answers no more; who has asked stays connected. Not started is fine, here and below. */
void standin_stop(struct standin *s);
/* And disconnects them. */
void standin_close(struct standin *s);

#endif
