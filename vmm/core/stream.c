// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/stream.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FILE_BUF = 64 * 1024, BUF_FIRST = 4096 };

void stream_open_fd(struct stream *s, int fd, bool writing)
{
	*s = (struct stream){ .fd = fd, .stop_fd = -1, .writing = writing, .cap = FILE_BUF };
	s->buf = malloc(FILE_BUF);
	if (!s->buf)
		s->err = -ENOMEM;
}

void stream_open_buf(struct stream *s)
{
	*s = (struct stream){ .fd = -1, .stop_fd = -1, .writing = true };
}

void stream_open_data(struct stream *s, const void *data, size_t len)
{
	stream_open_buf(s);
	stream_write(s, data, len);
	stream_rewind(s);
}

void stream_rewind(struct stream *s)
{
	assert(s->fd < 0);
	s->writing = false;
	s->pos = 0;
}

size_t stream_left(const struct stream *s)
{
	return s->err ? 0 : s->len - s->pos;
}

/* Until the deadline, as ppoll() takes it; NULL: for ever. */
static const struct timespec *time_left(const struct stream *s, struct timespec *left)
{
	const uint64_t second = 1000000000;
	struct timespec now;
	uint64_t ns;

	if (!s->deadline_ns)
		return NULL;
	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (uint64_t)now.tv_sec * second + (uint64_t)now.tv_nsec;
	ns = ns < s->deadline_ns ? s->deadline_ns - ns : 0;
	*left = (struct timespec){ (time_t)(ns / second), (long)(ns % second) };
	return left;
}

/* After an errno of a transfer: 0 to try again, or the sticky error. */
static int retry(struct stream *s, short events)
{
	/* A negative descriptor is passed over. */
	struct pollfd p[] = { { .fd = s->fd, .events = events },
			      { .fd = s->stop_fd, .events = POLLIN } };
	struct timespec left;
	int ready;

	if (errno == EINTR)
		return 0;
	if (errno != EAGAIN)
		return s->err = -errno;
	ready = ppoll(p, 2, time_left(s, &left), NULL);
	if (ready > 0 && p[1].revents)
		s->err = -ECANCELED;
	else if (!ready)
		s->err = -ETIMEDOUT;
	return s->err;
}

static int write_all(struct stream *s, const uint8_t *data, size_t len)
{
	while (len && !s->err) {
		ssize_t n = write(s->fd, data, len);

		if (n < 0) {
			retry(s, POLLOUT);
			continue;
		}
		data += n;
		len -= (size_t)n;
	}
	return s->err;
}

/* Room for `more` bytes at the end of a buffer stream. */
static int grow(struct stream *s, size_t more)
{
	size_t cap = s->cap ? s->cap : BUF_FIRST;
	uint8_t *buf;

	if (more > SIZE_MAX / 2 - s->len)
		return s->err = -ENOMEM;
	while (cap < s->len + more)
		cap *= 2;
	if (cap == s->cap)
		return 0;
	buf = realloc(s->buf, cap);
	if (!buf)
		return s->err = -ENOMEM;
	s->buf = buf;
	s->cap = cap;
	return 0;
}

int stream_flush(struct stream *s)
{
	if (s->err || s->fd < 0 || !s->writing)
		return s->err;
	write_all(s, s->buf, s->len);
	s->len = 0;
	return s->err;
}

int stream_write(struct stream *s, const void *data, size_t len)
{
	assert(s->writing);
	if (s->err || len == 0)
		return s->err;
	if (s->fd < 0) {
		if (grow(s, len))
			return s->err;
	} else if (len > s->cap - s->len) {
		if (stream_flush(s))
			return s->err;
		if (len >= s->cap)
			return write_all(s, data, len);
	}
	memcpy(s->buf + s->len, data, len);
	s->len += len;
	return 0;
}

/* One read of at least a byte: how many, or 0 with the sticky error. */
static size_t read_some(struct stream *s, void *data, size_t len)
{
	while (!s->err) {
		ssize_t n = read(s->fd, data, len);

		if (n > 0)
			return (size_t)n;
		if (n == 0)
			s->err = -ENODATA;
		else
			retry(s, POLLIN);
	}
	return 0;
}

int stream_read(struct stream *s, void *data, size_t len)
{
	uint8_t *to = data;
	size_t left = len, n;

	assert(!s->writing);
	while (left && !s->err) {
		if (s->pos < s->len) {
			n = s->len - s->pos < left ? s->len - s->pos : left;
			memcpy(to, s->buf + s->pos, n);
			s->pos += n;
		} else if (s->fd < 0) {
			s->err = -ENODATA;
			break;
		} else if (left >= s->cap) {
			n = read_some(s, to, left);
		} else {
			s->pos = 0;
			s->len = read_some(s, s->buf, s->cap);
			continue;
		}
		to += n;
		left -= n;
	}
	if (s->err && len)
		memset(data, 0, len);
	return s->err;
}

int stream_close(struct stream *s)
{
	stream_flush(s);
	free(s->buf);
	s->buf = NULL;
	s->len = s->cap = s->pos = 0;
	return s->err;
}
