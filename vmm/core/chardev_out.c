// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#include "vmm/core/backlog.h"
#include "vmm/core/chardev_priv.h"

enum { OUT_TURN = 256 * 1024, OUT_HOLD_NS = 5000000 };

/* Takes `n` bytes out. Room is announced when half of the ring is free: not for every byte. */
static void ring_consume(struct chardev *chr, size_t n)
{
	bool room;

	pthread_mutex_lock(&chr->lock);
	chr->head = (chr->head + n) % CHARDEV_OUT;
	chr->used -= n;
	room = chr->full && chr->used <= CHARDEV_OUT / 2;
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
	n = chr->used < CHARDEV_OUT - chr->head ? chr->used : CHARDEV_OUT - chr->head;
	*data = chr->ring + chr->head;
	pthread_mutex_unlock(&chr->lock);
	return n;
}

void chardev_out_close(struct chardev *chr, int err)
{
	size_t left;

	pthread_mutex_lock(&chr->lock);
	chr->closed = true;
	left = chr->used;
	pthread_mutex_unlock(&chr->lock);
	ring_consume(chr, left);
	chardev_gone(chr, err);
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
			chardev_out_close(chr, n == -EPIPE ? 0 : (int)n);
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

	if (chr->owner && err == -EAGAIN)
		loop_timer_set(chr->loop, &chr->stall, loop_now_ns() + chr->owner->patience_ns);
	else if (chr->owner)
		loop_timer_cancel(chr->loop, &chr->stall);
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

/* Armed anew whenever the reader takes something: it has not. */
static void on_stall(struct loop_timer *timer)
{
	struct chardev *chr = container_of(timer, struct chardev, stall);

	chardev_out_close(chr, -ETIMEDOUT);
	loop_fd_del(chr->loop, &chr->out_ready);
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
	size_t tail = (chr->head + chr->used) % CHARDEV_OUT;
	size_t first = len < CHARDEV_OUT - tail ? len : CHARDEV_OUT - tail;

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
	if (!chr->closed && len > CHARDEV_OUT - chr->used)
		len = CHARDEV_OUT - chr->used;
	if (chr->tap)
		backlog_put(chr->tap, data, len);
	if (chr->closed) {
		pthread_mutex_unlock(&chr->lock);
		return len;
	}
	ring_put(chr, data, len);
	chr->full |= chr->used == CHARDEV_OUT;
	/* What comes fast does not wait until the ring is full. */
	kick = len && (!chr->kicked || chr->used >= CHARDEV_OUT / 2);
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
	space = chr->closed ? CHARDEV_OUT : CHARDEV_OUT - chr->used;
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
	const int limit = chr->owner ? (int)(chr->owner->patience_ns / 1000000) : -1;
	int err, n;

	while ((err = out_drain(chr)) != 0 || offer_room(chr)) {
		struct pollfd p[2] = { { .fd = chr->out.fd, .events = POLLOUT },
				       { .fd = stop_fd, .events = POLLIN } };

		n = poll(p, 2, err == -EAGAIN ? limit : 0);
		if ((n > 0 && p[1].revents) || (n == 0 && err == -EAGAIN))
			return;
	}
}

void chardev_out_init(struct chardev *chr)
{
	chr->out_ready.events = EPOLLOUT;
	chr->out_ready.fn = on_out_ready;
	chr->out_kick.fn = on_out_kick;
	chr->out_hold.fn = on_out_hold;
	chr->room.fn = on_room;
	chr->stall.fn = on_stall;
}
