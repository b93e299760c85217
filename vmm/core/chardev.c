// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "vmm/core/chardev_priv.h"

/* --- the other side's end --------------------------------------------------------------------- */

/* Only the first reason counts. */
void chardev_gone(struct chardev *chr, int err)
{
	if (!chr->owner || chr->ended)
		return;
	chr->ended = true;
	chr->why = err;
	if (!chr->buf_len)
		loop_post(chr->loop, &chr->gone);
}

static void on_gone(struct loop_work *work)
{
	struct chardev *chr = container_of(work, struct chardev, gone);

	chr->owner->gone(chr->owner, chr->why);
}

/* --- life ------------------------------------------------------------------------------------- */

void chardev_connect(struct chardev *chr, struct chardev_user *user)
{
	loop_fd_del(chr->loop, &chr->in_ready);
	loop_post_cancel(chr->loop, &chr->in_more);
	loop_post_cancel(chr->loop, &chr->room);
	loop_post_cancel(chr->loop, &chr->gone);
	chr->user = user;
	if (!user)
		return;
	chr->in_ready.dev = chr->in_more.dev = chr->room.dev = chr->gone.dev = user->dev;
	loop_post(chr->loop, &chr->in_more);
}

struct device *chardev_device(struct chardev *chr)
{
	return chr->user ? chr->user->dev : NULL;
}

void chardev_tap(struct chardev *chr, struct backlog *log)
{
	pthread_mutex_lock(&chr->lock);
	chr->tap = log;
	pthread_mutex_unlock(&chr->lock);
}

void chardev_own(struct chardev *chr, struct chardev_owner *owner)
{
	chr->owner = owner;
}

int chardev_attach(struct chardev *chr, int in_fd, int out_fd)
{
	int err = 0;

	if (in_fd >= 0)
		err = hostio_open(&chr->in, in_fd, O_RDONLY);
	if (!err && out_fd >= 0)
		err = hostio_open(&chr->out, out_fd, O_WRONLY);
	if (err) {
		hostio_close(&chr->in);
		return err;
	}
	chr->in_ready.fd = chr->in.fd;
	chr->in_ready.events = EPOLLIN;
	chr->out_ready.fd = chr->out.fd;
	chr->in_unwatchable = chr->ended = false;
	chr->in_end = in_fd < 0;
	pthread_mutex_lock(&chr->lock);
	chr->closed = out_fd < 0;
	chr->kicked = false;
	pthread_mutex_unlock(&chr->lock);
	if (!chr->user)
		return 0;
	loop_post(chr->loop, &chr->in_more);
	if (chr->user->attached)
		chr->user->attached(chr->user);
	return 0;
}

void chardev_detach(struct chardev *chr)
{
	chardev_out_close(chr, 0);
	loop_post_cancel(chr->loop, &chr->gone);
	loop_timer_cancel(chr->loop, &chr->stall);
	loop_fd_del(chr->loop, &chr->in_ready);
	loop_fd_del(chr->loop, &chr->out_ready);
	hostio_close(&chr->in);
	hostio_close(&chr->out);
	chr->in_end = true;
	chr->ended = false;
	if (chr->user && chr->user->attached)
		chr->user->attached(chr->user);
}

bool chardev_attached(struct chardev *chr)
{
	return chr->in.fd >= 0 || chr->out.fd >= 0;
}

int chardev_create(struct chardev **out, struct loop *loop, int in_fd, int out_fd)
{
	struct chardev *chr = calloc(1, sizeof(*chr));
	int err;

	if (!chr)
		return -ENOMEM;
	pthread_mutex_init(&chr->lock, NULL);
	chr->loop = loop;
	chr->in.fd = chr->out.fd = -1;
	err = chardev_attach(chr, in_fd, out_fd);
	if (err) {
		chardev_destroy(chr);
		return err;
	}
	chardev_out_init(chr);
	chardev_in_init(chr);
	chr->gone.fn = on_gone;
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
	loop_post_cancel(chr->loop, &chr->gone);
	loop_timer_cancel(chr->loop, &chr->stall);
	hostio_close(&chr->in);
	hostio_close(&chr->out);
	pthread_mutex_destroy(&chr->lock);
	free(chr);
}
