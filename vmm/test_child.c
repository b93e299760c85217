// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/test_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Both ends of everything: [0] ours, [1] the child's. */
struct ends {
	int console[2], messages[2], control[2];
	int snapshot; /* of both */
};

static void close_end(const struct ends *ends, int side)
{
	close(ends->console[side]);
	close(ends->messages[side]);
	close(ends->control[side]);
}

static int make_ends(struct ends *ends)
{
	int type = SOCK_STREAM | SOCK_CLOEXEC, err;

	if (socketpair(AF_UNIX, type, 0, ends->console))
		return -errno;
	if (!socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends->control)) {
		if (!pipe2(ends->messages, O_CLOEXEC))
			return 0;
		err = -errno;
		close(ends->control[0]);
		close(ends->control[1]);
	} else {
		err = -errno;
	}
	close(ends->console[0]);
	close(ends->console[1]);
	return err;
}

/* In the child: a process group of its own, so that a terminal's Ctrl-C is ours alone. */
static void child(const struct ends *ends, pid_t parent, test_machine *machine,
		  const struct test *test, const char *name)
{
	sigset_t none;
	int code;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_SIGNAL + SIGKILL);
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close_end(ends, 0);
	if (dup2(ends->console[1], STDIN_FILENO) < 0 || dup2(ends->console[1], STDOUT_FILENO) < 0 ||
	    dup2(ends->messages[1], STDERR_FILENO) < 0)
		_exit(EXIT_HOST);
	close(ends->console[1]);
	close(ends->messages[1]);
	code = machine(test, name, ends->control[1], ends->snapshot);
	fflush(NULL);
	_exit(code);
}

int test_child_start(struct test_child *out, test_machine *machine, const struct test *test,
		     const char *name)
{
	struct ends ends;
	pid_t parent = getpid();
	int err = make_ends(&ends);

	if (err)
		return err;
	/* Nobody else's, so that what it names is opened again. */
	ends.snapshot = memfd_create("snapshot", MFD_CLOEXEC);
	if (ends.snapshot < 0 || fchmod(ends.snapshot, 0600)) {
		err = -errno;
		close_end(&ends, 0);
		close_end(&ends, 1);
		if (ends.snapshot >= 0)
			close(ends.snapshot);
		return err;
	}
	/* What is buffered is ours to write. */
	fflush(NULL);
	*out = (struct test_child){ .console = ends.console[0],
				    .messages = ends.messages[0],
				    .control = ends.control[0],
				    .snapshot = ends.snapshot };
	out->pid = fork();
	if (!out->pid)
		child(&ends, parent, machine, test, name);
	err = out->pid < 0 ? -errno : 0;
	close_end(&ends, 1);
	out->pidfd = err ? -1 : (int)syscall(SYS_pidfd_open, out->pid, 0);
	if (!err && out->pidfd < 0)
		err = -errno;
	fcntl(out->console, F_SETFL, O_NONBLOCK);
	fcntl(out->messages, F_SETFL, O_NONBLOCK);
	if (err)
		test_child_end(out);
	return err;
}

int test_child_end(struct test_child *child)
{
	int status = 0;

	if (child->pid > 0) {
		kill(child->pid, SIGKILL);
		while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	if (child->pidfd >= 0)
		close(child->pidfd);
	close(child->console);
	close(child->messages);
	close(child->control);
	close(child->snapshot);
	child->pid = -1;
	return status;
}
