// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "vmm/core/chardev_priv.h"

/* A peer that has only ended its output may still read: then its hang-up is awaited. */
static void in_stop(struct chardev *chr, int err)
{
	chr->in_end = true;
	loop_fd_del(chr->loop, &chr->in_ready);
	if (err) {
		chardev_gone(chr, err);
	} else if (chr->owner) {
		chr->in_ready.events = 0;
		loop_fd_add(chr->loop, &chr->in_ready);
	}
}

/* Reads once into the buffer's free end and shows it to the filter. */
static void in_fill(struct chardev *chr)
{
	uint8_t *fresh = chr->buf + chr->buf_len;
	ssize_t n;

	if (chr->in_end || chr->buf_len == CHARDEV_IN)
		return;
	n = hostio_read(&chr->in, fresh, CHARDEV_IN - chr->buf_len);
	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		in_stop(chr, (int)n);
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
	if (chr->fed && left <= CHARDEV_IN / 2) {
		loop_post(chr->loop, chr->fed);
		chr->fed = NULL;
	}
	if (chr->ended && !left)
		loop_post(chr->loop, &chr->gone);
}

/* Watches or reads on while there is room: a full buffer waits for chardev_resume(). */
static void in_watch(struct chardev *chr)
{
	if (chr->in_end)
		return;
	if (chr->buf_len == CHARDEV_IN)
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

	if (chr->in_end) {
		if (events & (EPOLLHUP | EPOLLERR)) {
			loop_fd_del(chr->loop, src);
			chardev_gone(chr, 0);
		}
		return;
	}
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
	n = len < CHARDEV_IN - chr->buf_len ? len : CHARDEV_IN - chr->buf_len;
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

void chardev_filter(struct chardev *chr, size_t (*fn)(void *arg, uint8_t *data, size_t len),
		    void *arg)
{
	chr->filter = fn;
	chr->filter_arg = arg;
}

void chardev_in_init(struct chardev *chr)
{
	chr->in_ready.fn = on_in_ready;
	chr->in_more.fn = on_in_more;
}
