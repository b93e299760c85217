/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_TEST_CHILD_H
#define VMM_TEST_CHILD_H

#include <sys/types.h>

#include "vmm/test_config.h"

/*
 * A machine under test: a process of its own, so that whatever becomes of it touches no other. Its
 * console is a socket in the place of stdin and stdout, its messages a pipe in that of stderr, and it
 * is controlled over a socket as every machine is.
 */
struct test_child {
	pid_t pid; /* -1: none */
	int pidfd; /* readable when it has ended */
	int console, messages, control; /* our ends, non-blocking; owned, as pidfd */
	int snapshot; /* a file that the machine may be saved to, which it has, too; owned */
};

/* What the process does: runs the machine `name` and returns the exit code. One that was saved goes on
 * out of `snapshot_fd`, and greets its client again. */
typedef int test_machine(const struct test *test, const char *name, int control_fd,
			 int snapshot_fd);

/* Starts it; the caller has one thread. 0 or -errno, and nothing is left then. The child ends with this
 * process. */
int test_child_start(struct test_child *child, test_machine *machine, const struct test *test,
		     const char *name);

/* Gives all back; a child that still runs is killed. Returns what wait(2) says of it. */
int test_child_end(struct test_child *child);

#endif
