// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/net_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PREFIX = 4 };

_Static_assert(NET_STREAM_BUF >= 2 * (PREFIX + NET_FRAME_MAX), "a frame fits behind part of one");

static struct net_stream *to_stream(struct net_backend *be)
{
	return container_of(be, struct net_stream, be);
}

static void lose(struct net_stream *s, const char *why)
{
	if (s->dead)
		return;
	s->dead = true;
	/* The peer sees it too; the descriptor stays its owner's to watch. */
	shutdown(s->be.fd[0], SHUT_RDWR);
	if (s->be.lost)
		s->be.lost(s->be.dev, why);
}

/* --- from the peer ----------------------------------------------------------------------------- */

static uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The length of the frame at in_at: 0 while it is not complete, -EPROTO. */
static ssize_t whole_frame(const struct net_stream *s)
{
	size_t have = s->in_end - s->in_at;
	uint32_t len;

	if (have < PREFIX)
		return 0;
	len = get_be32(s->in + s->in_at);
	if (!len || len > NET_FRAME_MAX)
		return -EPROTO;
	return have >= PREFIX + len ? (ssize_t)len : 0;
}

/* Receives what there is room for: 1, -EAGAIN, or -ENOTCONN. */
static int fill(struct net_stream *s)
{
	ssize_t n;

	memmove(s->in, s->in + s->in_at, s->in_end - s->in_at);
	s->in_end -= s->in_at;
	s->in_at = 0;
	do {
		n = recv(s->be.fd[0], s->in + s->in_end, sizeof(s->in) - s->in_end, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		s->in_end += n;
		return 1;
	}
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	lose(s, "the network's other end hung up");
	return -ENOTCONN;
}

/* Copies into vectors, what fits. */
static void scatter(const struct iovec *iov, int n, const uint8_t *frame, size_t len)
{
	static const uint8_t header[NET_HDR];
	size_t done = 0, total = NET_HDR + len, part;

	for (int i = 0; i < n && done < total; i++) {
		uint8_t *to = iov[i].iov_base;
		size_t room = iov[i].iov_len;

		if (done < NET_HDR && room) {
			part = NET_HDR - done < room ? NET_HDR - done : room;
			memcpy(to, header, part);
			done += part;
			to += part;
			room -= part;
		}
		if (done >= NET_HDR && room) {
			part = total - done < room ? total - done : room;
			memcpy(to, frame + (done - NET_HDR), part);
			done += part;
		}
	}
}

static ssize_t stream_recv(struct net_backend *be, unsigned int pair, const struct iovec *iov,
			   int n)
{
	struct net_stream *s = to_stream(be);
	ssize_t len;
	int ret;

	(void)pair;
	if (s->dead)
		return -ENOTCONN;
	while (!(len = whole_frame(s))) {
		ret = fill(s);
		if (ret < 0)
			return ret;
	}
	if (len < 0) {
		lose(s, "the network's other end sent a frame of an impossible length");
		return -ENOTCONN;
	}
	scatter(iov, n, s->in + s->in_at + PREFIX, len);
	s->in_at += PREFIX + len;
	return NET_HDR + len;
}

/* --- to the peer ------------------------------------------------------------------------------- */

static void stream_flush(struct net_backend *be)
{
	struct net_stream *s = to_stream(be);
	ssize_t n;

	while (!s->dead && s->out_at < s->out_end) {
		n = send(s->be.fd[0], s->out + s->out_at, s->out_end - s->out_at,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0)
			s->out_at += n;
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR)
			lose(s, "the network's other end hung up");
	}
	s->out_at = s->out_end = 0;
}

static size_t iov_size(const struct iovec *iov, int n)
{
	size_t size = 0;

	for (int i = 0; i < n; i++)
		size += iov[i].iov_len;
	return size;
}

/* Appends the frame behind the header. */
static void gather(struct net_stream *s, const struct iovec *iov, int n, size_t len)
{
	uint8_t *to = s->out + s->out_end;
	size_t skip = NET_HDR;

	*to++ = len >> 24;
	*to++ = len >> 16;
	*to++ = len >> 8;
	*to++ = len;
	for (int i = 0; i < n; i++) {
		size_t cut = skip < iov[i].iov_len ? skip : iov[i].iov_len;

		memcpy(to, (const uint8_t *)iov[i].iov_base + cut, iov[i].iov_len - cut);
		to += iov[i].iov_len - cut;
		skip -= cut;
	}
	s->out_end += PREFIX + len;
}

static bool has_room(struct net_stream *s, size_t len)
{
	if (sizeof(s->out) - s->out_end >= len)
		return true;
	stream_flush(&s->be);
	memmove(s->out, s->out + s->out_at, s->out_end - s->out_at);
	s->out_end -= s->out_at;
	s->out_at = 0;
	return sizeof(s->out) - s->out_end >= len;
}

static int stream_send(struct net_backend *be, unsigned int pair, const struct iovec *iov, int n)
{
	struct net_stream *s = to_stream(be);
	size_t len = iov_size(iov, n);

	(void)pair;
	/* No frame, or one that no network carries: lost, as is what goes nowhere. */
	if (s->dead || len <= NET_HDR || len - NET_HDR > NET_FRAME_MAX)
		return 0;
	len -= NET_HDR;
	if (!has_room(s, PREFIX + len))
		return -EAGAIN;
	gather(s, iov, n, len);
	return 0;
}

/* --- life -------------------------------------------------------------------------------------- */

static int stream_offload(struct net_backend *be, unsigned int tun_f)
{
	(void)be;
	return tun_f ? -EOPNOTSUPP : 0;
}

static int stream_enable(struct net_backend *be, unsigned int pairs)
{
	(void)be;
	return pairs == 1 ? 0 : -EINVAL;
}

static void stream_destroy(struct net_backend *be)
{
	struct net_stream *s = to_stream(be);

	close(be->fd[0]);
	if (s->end)
		s->end(s);
	free(s);
}

static const struct net_backend_ops stream_ops = {
	.recv = stream_recv,
	.send = stream_send,
	.flush = stream_flush,
	.offload = stream_offload,
	.enable = stream_enable,
	.destroy = stream_destroy,
};

void net_stream_init(struct net_stream *s, int fd, struct device *dev)
{
	s->be = (struct net_backend){
		.ops = &stream_ops,
		.pairs = 1,
		.fd = { fd },
		.dev = dev,
	};
}
