// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/control_attach.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/term.h"

enum { IN_MAX = 4096, OUT_MAX = 65536 };

static const char help[] = "\r\nCtrl-A d  detach\r\nCtrl-A h  this help\r\n"
			   "Ctrl-A Ctrl-A  send Ctrl-A to the guest\r\n";

struct attached {
	struct term term;
	int fd;
	bool escaped, detached, in_end;
	size_t len; /* typed, not sent */
	char in[IN_MAX];
};

static int write_all(const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, data, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		data += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Keeps what is the guest's, as far as there is room: a terminal is read on without, or nobody could
 * detach from a guest that takes nothing. */
static void take_keys(struct attached *a, const char *data, size_t len)
{
	for (size_t i = 0; i < len && !a->detached; i++) {
		int key = a->term.raw ? term_escape(&a->escaped, (uint8_t)data[i]) : TERM_GUEST;

		if (key == TERM_GUEST && a->len < IN_MAX)
			a->in[a->len++] = data[i];
		else if (key == 'd')
			a->detached = true;
		else if (key == 'h' && write(STDERR_FILENO, help, sizeof(help) - 1) < 0)
			return;
	}
}

static void read_keys(struct attached *a)
{
	char data[IN_MAX];
	size_t room = a->term.raw ? IN_MAX : IN_MAX - a->len;
	ssize_t n = read(STDIN_FILENO, data, room);

	if (n > 0)
		take_keys(a, data, (size_t)n);
	else if (n == 0 || errno != EINTR)
		a->in_end = true;
}

static void send_keys(struct attached *a)
{
	ssize_t n = send(a->fd, a->in, a->len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n <= 0)
		return; /* its end is seen by reading */
	a->len -= (size_t)n;
	memmove(a->in, a->in + n, a->len);
}

/* 0; -EPIPE at the machine's end; another -errno when nobody reads our output. */
static int show(struct attached *a)
{
	char data[OUT_MAX];
	ssize_t n = recv(a->fd, data, sizeof(data), MSG_DONTWAIT);
	int err;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -EPIPE;
	err = write_all(data, (size_t)n);
	return err == -EPIPE ? -EIO : err;
}

static int pump(struct attached *a)
{
	int err = 0;

	while (!err && !a->detached) {
		bool wants_in = !a->in_end && (a->term.raw || a->len < IN_MAX);
		struct pollfd p[2] = {
			{ .fd = a->fd, .events = (short)(POLLIN | (a->len ? POLLOUT : 0)) },
			{ .fd = wants_in ? STDIN_FILENO : -1, .events = POLLIN },
		};

		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents)
			read_keys(a);
		if (a->len)
			send_keys(a);
		if (p[0].revents & ~POLLOUT)
			err = show(a);
	}
	return err;
}

int attach_console(struct control_conn *conn, const char *name, struct fail *fail)
{
	struct attached a = { 0 };
	const char *data;
	size_t len;
	bool raw;
	int err;

	a.fd = control_raw(conn, &data, &len);
	if (term_raw(&a.term, STDIN_FILENO))
		return fail_set(fail, EXIT_HOST, -EIO, "cannot set up the terminal: %s",
				strerror(errno));
	raw = a.term.raw;
	err = write_all(data, len);
	if (!err)
		err = pump(&a);
	term_restore(&a.term);
	if (raw)
		fputs("\r\n", stderr);
	if (err == -EPIPE)
		fprintf(stderr, "vmm: machine '%s' has ended\n", name);
	return err == -EPIPE ? 0 : err;
}
