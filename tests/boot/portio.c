// SPDX-License-Identifier: GPL-2.0-only
/*
 * portio PATH BYTES: the host's end of a guest's port, a socket or a terminal: sends stdin there,
 * writes what comes from there to stdout, both at once, and ends after so many bytes have come.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int open_port(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;
	int fd;

	if (stat(path, &st))
		err(1, "%s", path);
	if (!S_ISSOCK(st.st_mode)) {
		fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
	} else {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
		if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
			err(1, "%s", path);
	}
	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static char buf[65536];
static size_t have, sent;

/* Sends what there is, and reads more when it is gone: whether there will be more. */
static int feed(int fd)
{
	ssize_t n;

	if (sent == have) {
		n = read(0, buf, sizeof(buf));
		if (n <= 0)
			return 0;
		have = n;
		sent = 0;
	}
	n = write(fd, buf + sent, have - sent);
	if (n < 0 && errno != EAGAIN)
		err(1, "write");
	sent += n > 0 ? n : 0;
	return 1;
}

int main(int argc, char **argv)
{
	long left = argc == 3 ? atol(argv[2]) : 0;
	int fd = open_port(argv[1]), more = 1;
	static char in[65536];

	while (left > 0) {
		struct pollfd p = { fd, more ? POLLIN | POLLOUT : POLLIN, 0 };
		ssize_t n;

		if (poll(&p, 1, -1) < 0)
			err(1, "poll");
		if (p.revents & POLLOUT)
			more = feed(fd);
		if (!(p.revents & (POLLIN | POLLHUP)))
			continue;
		n = read(fd, in, sizeof(in));
		if (n <= 0 && !(n < 0 && errno == EAGAIN))
			errx(1, "it ended with %ld bytes to come", left);
		if (n > 0 && write(1, in, n) != n)
			err(1, "stdout");
		left -= n > 0 ? n : 0;
	}
	return 0;
}
