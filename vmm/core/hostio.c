// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/hostio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* O_NONBLOCK belongs to the open file, which the descriptor's other users share. A named or
 * anonymous pipe and a terminal can be opened once more; opening a pty's master would make a new
 * pty, and a regular file has an offset to share. */
static int reopen(int fd, int mode)
{
	char path[32];
	struct stat st;
	unsigned int pty;

	if (fstat(fd, &st) < 0)
		return -1;
	if (!S_ISFIFO(st.st_mode) && !(isatty(fd) && ioctl(fd, TIOCGPTN, &pty) < 0))
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

int hostio_open(struct hostio *io, int fd, int mode)
{
	struct stat st = { 0 };

	io->kind = HOSTIO_DIRECT;
	io->fd = reopen(fd, mode);
	if (io->fd >= 0)
		return 0;
	io->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (io->fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		io->kind = S_ISSOCK(st.st_mode) ? HOSTIO_SOCKET : HOSTIO_POLL;
	return 0;
}

void hostio_close(struct hostio *io)
{
	if (io->fd >= 0)
		close(io->fd);
	io->fd = -1;
}

static int ready(const struct hostio *io, short events)
{
	struct pollfd p = { .fd = io->fd, .events = events };

	return poll(&p, 1, 0) > 0;
}

static ssize_t read_some(struct hostio *io, void *buf, size_t len)
{
	if (io->kind == HOSTIO_SOCKET)
		return recv(io->fd, buf, len, MSG_DONTWAIT);
	if (io->kind == HOSTIO_POLL && !ready(io, POLLIN)) {
		errno = EAGAIN;
		return -1;
	}
	return read(io->fd, buf, len);
}

static ssize_t write_some(struct hostio *io, const void *buf, size_t len)
{
	if (io->kind == HOSTIO_SOCKET)
		return send(io->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (io->kind == HOSTIO_POLL) {
		if (!ready(io, POLLOUT)) {
			errno = EAGAIN;
			return -1;
		}
		/* What poll promises room for in a pipe. */
		if (len > PIPE_BUF)
			len = PIPE_BUF;
	}
	return write(io->fd, buf, len);
}

ssize_t hostio_read(struct hostio *io, void *buf, size_t len)
{
	ssize_t n;

	do
		n = read_some(io, buf, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t hostio_write(struct hostio *io, const void *buf, size_t len)
{
	ssize_t n;

	do
		n = write_some(io, buf, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}
