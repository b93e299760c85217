// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/chardev.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "vmm/core/backlog.h"
#include "vmm/core/hostio.h"
#include "vmm/core/loop.h"

enum { OUT_RING = 64 * 1024, OUT_TURN = 256 * 1024, IN_BUF = 4096 };
enum { OUT_HOLD_NS = 5000000 };

/*
 * Output: the device puts bytes into a ring, and only the loop thread takes them out, so write(2)
 * runs without a lock. `kicked` says that the loop thread knows of the bytes: it is about to
 * drain, waits for EPOLLOUT, or holds, and no further byte needs to wake it. It holds for a while
 * after each drain, since a serial console is fed byte by byte and to wake the loop costs more
 * than all the rest: the first byte goes out at once, what follows with the timer.
 *
 * Input: a small buffer, filled while it has room (so that the filter sees an escape key although
 * the guest takes nothing), under the device's lock as every callback of its sources.
 */
struct chardev {
	struct loop *loop;
	struct chardev_user *user;

	struct hostio out;
	struct loop_fd out_ready; /* watched only after EAGAIN */
	struct loop_work out_kick, room;
	struct loop_timer out_hold;

	pthread_mutex_t lock; /* the ring; taken last, after a device's and before the loop's */
	uint8_t ring[OUT_RING];
	size_t head, used; /* first byte, and how many */
	bool kicked, full, closed;

	struct hostio in;
	struct loop_fd in_ready; /* watched while the buffer has room */
	struct loop_work in_more; /* also reads what epoll cannot watch */
	uint8_t buf[IN_BUF];
	size_t buf_pos, buf_len;
	bool in_end, in_unwatchable;
	size_t (*filter)(void *arg, uint8_t *data, size_t len);
	void *filter_arg;
	struct loop_work *fed; /* who waits for room in it, or NULL */

	struct backlog *tap; /* under `lock`; or NULL */
};

/* --- output ----------------------------------------------------------------------------------- */

/* Takes `n` bytes out. Room is announced when half of the ring is free: not for every byte. */
static void ring_consume(struct chardev *chr, size_t n)
{
	bool room;

	pthread_mutex_lock(&chr->lock);
	chr->head = (chr->head + n) % OUT_RING;
	chr->used -= n;
	room = chr->full && chr->used <= OUT_RING / 2;
	if (room)
		chr->full = false;
	pthread_mutex_unlock(&chr->lock);
	if (room)
		loop_post(chr->loop, &chr->room);
}

/* The contiguous bytes to write next. */
static size_t ring_peek(struct chardev *chr, const uint8_t **data)
{
	size_t n;

	pthread_mutex_lock(&chr->lock);
	n = chr->used < OUT_RING - chr->head ? chr->used : OUT_RING - chr->head;
	*data = chr->ring + chr->head;
	pthread_mutex_unlock(&chr->lock);
	return n;
}

/* Nobody will ever read this: from now on output goes nowhere, without end. */
static void out_close(struct chardev *chr)
{
	size_t left;

	pthread_mutex_lock(&chr->lock);
	chr->closed = true;
	left = chr->used;
	pthread_mutex_unlock(&chr->lock);
	ring_consume(chr, left);
}

/* Writes what goes without waiting: 0 when the ring is empty, -EAGAIN when the reader is behind,
 * -EBUSY when others shall have a turn first. */
static int out_drain(struct chardev *chr)
{
	const uint8_t *data;
	size_t len, total = 0;
	ssize_t n;

	while ((len = ring_peek(chr, &data)) > 0) {
		if (total >= OUT_TURN)
			return -EBUSY;
		n = chr->closed ? (ssize_t)len : hostio_write(&chr->out, data, len);
		if (n == -EAGAIN)
			return -EAGAIN;
		if (n <= 0) {
			out_close(chr);
			continue;
		}
		ring_consume(chr, (size_t)n);
		total += (size_t)n;
	}
	return 0;
}

static void out_run(struct chardev *chr)
{
	int err = out_drain(chr);

	if (err == 0)
		loop_timer_set(chr->loop, &chr->out_hold, loop_now_ns() + OUT_HOLD_NS);
	if (err != -EAGAIN)
		loop_fd_del(chr->loop, &chr->out_ready);
	else if (!chr->out_ready.active && loop_fd_add(chr->loop, &chr->out_ready) < 0)
		err = -EBUSY;
	if (err == -EBUSY)
		loop_post(chr->loop, &chr->out_kick);
}

static void on_out_ready(struct loop_fd *src, uint32_t events)
{
	(void)events;
	out_run(container_of(src, struct chardev, out_ready));
}

static void on_out_kick(struct loop_work *work)
{
	out_run(container_of(work, struct chardev, out_kick));
}

/* Nothing came meanwhile: the next byte has to kick again. */
static void on_out_hold(struct loop_timer *timer)
{
	struct chardev *chr = container_of(timer, struct chardev, out_hold);
	bool more;

	pthread_mutex_lock(&chr->lock);
	more = chr->used > 0;
	chr->kicked = more;
	pthread_mutex_unlock(&chr->lock);
	if (more)
		out_run(chr);
}

static void on_room(struct loop_work *work)
{
	struct chardev *chr = container_of(work, struct chardev, room);

	if (chr->user && chr->user->room)
		chr->user->room(chr->user);
}

static void ring_put(struct chardev *chr, const uint8_t *data, size_t len)
{
	size_t tail = (chr->head + chr->used) % OUT_RING;
	size_t first = len < OUT_RING - tail ? len : OUT_RING - tail;

	/* A serial console's byte is not worth a call, nor SVE's first use after an exit. */
	if (len == 1) {
		chr->ring[tail] = *data;
	} else {
		memcpy(chr->ring + tail, data, first);
		memcpy(chr->ring, data + first, len - first);
	}
	chr->used += len;
}

size_t chardev_write(struct chardev *chr, const void *data, size_t len)
{
	bool kick;

	pthread_mutex_lock(&chr->lock);
	if (!chr->closed && len > OUT_RING - chr->used)
		len = OUT_RING - chr->used;
	if (chr->tap)
		backlog_put(chr->tap, data, len);
	if (chr->closed) {
		pthread_mutex_unlock(&chr->lock);
		return len;
	}
	ring_put(chr, data, len);
	chr->full |= chr->used == OUT_RING;
	/* What comes fast does not wait until the ring is full. */
	kick = len && (!chr->kicked || chr->used >= OUT_RING / 2);
	chr->kicked |= kick;
	pthread_mutex_unlock(&chr->lock);
	if (kick)
		loop_post(chr->loop, &chr->out_kick);
	return len;
}

size_t chardev_space(struct chardev *chr)
{
	size_t space;

	pthread_mutex_lock(&chr->lock);
	space = chr->closed ? OUT_RING : OUT_RING - chr->used;
	pthread_mutex_unlock(&chr->lock);
	return space;
}

/* No loop runs that would say it: the user hears of the room here. Whether there is more now. */
static bool offer_room(struct chardev *chr)
{
	struct device *dev = chr->user ? chr->user->dev : NULL;

	if (!chr->room.queued)
		return false;
	loop_post_cancel(chr->loop, &chr->room);
	if (dev)
		pthread_mutex_lock(&dev->lock);
	on_room(&chr->room);
	if (dev)
		pthread_mutex_unlock(&dev->lock);
	return true;
}

void chardev_flush(struct chardev *chr, int stop_fd)
{
	int err;

	while ((err = out_drain(chr)) != 0 || offer_room(chr)) {
		struct pollfd p[2] = { { .fd = chr->out.fd, .events = POLLOUT },
				       { .fd = stop_fd, .events = POLLIN } };

		if (poll(p, 2, err == -EAGAIN ? -1 : 0) > 0 && p[1].revents)
			return;
	}
}

/* --- input ------------------------------------------------------------------------------------ */

static void in_stop(struct chardev *chr)
{
	chr->in_end = true;
	loop_fd_del(chr->loop, &chr->in_ready);
}

/* Reads once into the buffer's free end and shows it to the filter. */
static void in_fill(struct chardev *chr)
{
	uint8_t *fresh = chr->buf + chr->buf_len;
	ssize_t n;

	if (chr->in_end || chr->buf_len == IN_BUF)
		return;
	n = hostio_read(&chr->in, fresh, IN_BUF - chr->buf_len);
	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		in_stop(chr);
		return;
	}
	if (chr->filter)
		n = (ssize_t)chr->filter(chr->filter_arg, fresh, (size_t)n);
	chr->buf_len += (size_t)n;
}

static void in_deliver(struct chardev *chr)
{
	size_t left = chr->buf_len - chr->buf_pos;

	if (left)
		chr->buf_pos += chr->user->input(chr->user, chr->buf + chr->buf_pos, left);
	left = chr->buf_len - chr->buf_pos;
	memmove(chr->buf, chr->buf + chr->buf_pos, left);
	chr->buf_pos = 0;
	chr->buf_len = left;
	if (chr->fed && left <= IN_BUF / 2) {
		loop_post(chr->loop, chr->fed);
		chr->fed = NULL;
	}
}

/* Watches or reads on while there is room: a full buffer waits for chardev_resume(). */
static void in_watch(struct chardev *chr)
{
	if (chr->in_end)
		return;
	if (chr->buf_len == IN_BUF)
		loop_fd_del(chr->loop, &chr->in_ready);
	else if (chr->in_unwatchable)
		loop_post(chr->loop, &chr->in_more);
	else if (!chr->in_ready.active && loop_fd_add(chr->loop, &chr->in_ready) == -EPERM) {
		chr->in_unwatchable = true;
		loop_post(chr->loop, &chr->in_more);
	}
}

static void on_in_ready(struct loop_fd *src, uint32_t events)
{
	struct chardev *chr = container_of(src, struct chardev, in_ready);

	(void)events;
	in_fill(chr);
	in_deliver(chr);
	in_watch(chr);
}

static void on_in_more(struct loop_work *work)
{
	struct chardev *chr = container_of(work, struct chardev, in_more);

	if (chr->in_unwatchable)
		in_fill(chr);
	in_deliver(chr);
	in_watch(chr);
}

size_t chardev_feed(struct chardev *chr, const void *data, size_t len, struct loop_work *room)
{
	struct device *dev = chr->user ? chr->user->dev : NULL;
	size_t n;

	if (dev)
		pthread_mutex_lock(&dev->lock);
	n = len < IN_BUF - chr->buf_len ? len : IN_BUF - chr->buf_len;
	memcpy(chr->buf + chr->buf_len, data, n);
	chr->buf_len += n;
	chr->fed = n < len ? room : chr->fed;
	if (chr->user)
		in_deliver(chr);
	in_watch(chr);
	if (dev)
		pthread_mutex_unlock(&dev->lock);
	return n;
}

void chardev_feed_cancel(struct chardev *chr, struct loop_work *room)
{
	struct device *dev = chr->user ? chr->user->dev : NULL;

	if (dev)
		pthread_mutex_lock(&dev->lock);
	if (chr->fed == room)
		chr->fed = NULL;
	if (dev)
		pthread_mutex_unlock(&dev->lock);
	loop_post_cancel(chr->loop, room);
}

void chardev_resume(struct chardev *chr)
{
	if (chr->user && chr->buf_len)
		loop_post(chr->loop, &chr->in_more);
}

void chardev_tap(struct chardev *chr, struct backlog *log)
{
	pthread_mutex_lock(&chr->lock);
	chr->tap = log;
	pthread_mutex_unlock(&chr->lock);
}

void chardev_filter(struct chardev *chr, size_t (*fn)(void *arg, uint8_t *data, size_t len),
		    void *arg)
{
	chr->filter = fn;
	chr->filter_arg = arg;
}

/* --- life ------------------------------------------------------------------------------------- */

void chardev_connect(struct chardev *chr, struct chardev_user *user)
{
	loop_fd_del(chr->loop, &chr->in_ready);
	loop_post_cancel(chr->loop, &chr->in_more);
	loop_post_cancel(chr->loop, &chr->room);
	chr->user = user;
	if (!user)
		return;
	chr->in_ready.dev = chr->in_more.dev = chr->room.dev = user->dev;
	loop_post(chr->loop, &chr->in_more);
}

int chardev_create(struct chardev **out, struct loop *loop, int in_fd, int out_fd)
{
	struct chardev *chr = calloc(1, sizeof(*chr));
	int err = 0;

	if (!chr)
		return -ENOMEM;
	pthread_mutex_init(&chr->lock, NULL);
	chr->loop = loop;
	chr->in.fd = chr->out.fd = -1;
	chr->in_end = in_fd < 0;
	chr->closed = out_fd < 0;
	if (in_fd >= 0)
		err = hostio_open(&chr->in, in_fd, O_RDONLY);
	if (!err && out_fd >= 0)
		err = hostio_open(&chr->out, out_fd, O_WRONLY);
	if (err) {
		chardev_destroy(chr);
		return err;
	}
	chr->in_ready = (struct loop_fd){ .fd = chr->in.fd, .events = EPOLLIN, .fn = on_in_ready };
	chr->out_ready =
		(struct loop_fd){ .fd = chr->out.fd, .events = EPOLLOUT, .fn = on_out_ready };
	chr->in_more.fn = on_in_more;
	chr->out_kick.fn = on_out_kick;
	chr->out_hold.fn = on_out_hold;
	chr->room.fn = on_room;
	*out = chr;
	return 0;
}

void chardev_destroy(struct chardev *chr)
{
	if (!chr)
		return;
	loop_fd_del(chr->loop, &chr->in_ready);
	loop_fd_del(chr->loop, &chr->out_ready);
	loop_post_cancel(chr->loop, &chr->in_more);
	loop_post_cancel(chr->loop, &chr->out_kick);
	loop_timer_cancel(chr->loop, &chr->out_hold);
	loop_post_cancel(chr->loop, &chr->room);
	hostio_close(&chr->in);
	hostio_close(&chr->out);
	pthread_mutex_destroy(&chr->lock);
	free(chr);
}
