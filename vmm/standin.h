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
	struct loop *of; /* that was asked to turn; or NULL */
	struct loop_work turn;
	_Atomic bool turned;
};

/* What it answers: `listen_fd` (-1: nobody can ask) and `signal_fd` (-1: none) are borrowed; the ops
 * that `ops->refuses` lets through, and `on_signal`, are called on its thread. 0 or -errno; the
 * machine can go on without. */
int standin_start(struct standin *s, const char *name, int listen_fd, const struct control_ops *ops,
		  void *arg, int signal_fd, void (*on_signal)(void *arg, int sig));
enum { STANDIN_LATE_MS = 300 };

/* For `ops->patience`: for as long as loop `of` turns whoever comes is left to that. Once it has not for
 * so long since somebody came it is 0, until it turns again. */
uint64_t standin_patience(struct standin *s, struct loop *of);
/* Whether it looks at signals, which at first it does not. Any thread. */
void standin_signals(struct standin *s, bool on);
/* It answers no more; who has asked stays connected. Not started is fine, here and below. */
void standin_stop(struct standin *s);
/* And disconnects them. */
void standin_close(struct standin *s);

#endif
