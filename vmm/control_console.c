// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "vmm/control_priv.h"
#include "vmm/core/chardev.h"

enum { NOTE_MAX = 80 };

/* Of those who can type, the one that came last does; when it leaves, the one before it. */
static bool types(const struct client *c)
{
	const struct control *control = c->control;

	for (unsigned int i = 0; i < control->nclients; i++) {
		const struct client *other = control->clients[i];

		if (other->mode == CONTROL_THEN_TYPE && other->attached > c->attached)
			return false;
	}
	return c->mode == CONTROL_THEN_TYPE;
}

/* Input waits here as long as the guest takes none; that of others is dropped. */
static void type(struct client *c)
{
	size_t done = c->in_len;

	if (types(c))
		done = chardev_feed(c->control->target.console, c->in, c->in_len, &c->room);
	c->in_len -= done;
	memmove(c->in, c->in + done, c->in_len);
}

static void on_room(struct loop_work *work)
{
	struct client *c = container_of(work, struct client, room);

	type(c);
	client_update(c, true);
}

/* Fills the empty `out`. What was lost is said where it is missing. */
static void refill(struct client *c)
{
	const struct control_target *t = &c->control->target;
	uint64_t lost = 0;
	size_t len = backlog_read(t->backlog, &c->reader, c->out + NOTE_MAX,
				  sizeof(c->out) - NOTE_MAX, &lost);
	char note[NOTE_MAX];
	int n = 0;

	c->more = len > 0;
	if (lost)
		n = snprintf(note, sizeof(note), "\r\n[vmm: %llu bytes of output are lost]\r\n",
			     (unsigned long long)lost);
	memcpy(c->out + NOTE_MAX - n, note, (size_t)n);
	c->out_at = NOTE_MAX - (size_t)n;
	c->out_len = NOTE_MAX + len;
	if (len)
		c->used = ++c->control->uses;
}

static void on_more(struct backlog_reader *reader)
{
	struct client *c = container_of(reader, struct client, reader);

	c->more = true;
	client_update(c, console_serve(c, 0));
}

/* Who typed before does so no longer: what the guest has not taken is dropped. */
static void drop_waiting(struct control *control)
{
	for (unsigned int i = 0; i < control->nclients; i++)
		if (control->clients[i]->mode == CONTROL_THEN_TYPE)
			loop_post(control->loop, &control->clients[i]->room);
}

void console_begin(struct client *c, enum control_then mode)
{
	if (mode == CONTROL_THEN_TYPE)
		drop_waiting(c->control);
	c->mode = mode;
	c->attached = ++c->control->uses;
	c->room = (struct loop_work){ .fn = on_room };
	c->reader.more = on_more;
	c->more = true;
	backlog_attach(c->control->target.backlog, &c->reader);
	type(c);
}

void console_end(struct client *c)
{
	if (!c->mode)
		return;
	backlog_detach(c->control->target.backlog, &c->reader);
	chardev_feed_cancel(c->control->target.console, &c->room);
}

/* One filling an event, so that others have their turn: there is more while `more` is set. */
bool console_serve(struct client *c, uint32_t events)
{
	if (events & EPOLLIN) {
		if (!client_receive(c))
			return false;
		type(c);
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		return false;
	}
	if (!client_flush(c))
		return false;
	if (client_pending(c) || !c->more)
		return true;
	refill(c);
	return client_flush(c);
}

uint32_t console_events(const struct client *c)
{
	uint32_t events = client_pending(c) || c->more ? EPOLLOUT : 0;

	return events | (c->in_len < CONTROL_LINE_MAX ? EPOLLIN : 0);
}
