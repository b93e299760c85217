/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CONTROL_PRIV_H
#define VMM_CONTROL_PRIV_H

#include "vmm/control.h"
#include "vmm/core/backlog.h"

/* Private part of control: control.c (clients, requests), control_console.c (attached clients). */

struct client {
	struct control *control;
	struct loop_fd src;
	uint64_t used; /* when it last sent something, counted in such events */
	bool last; /* to be closed when `out` is sent */
	bool kept; /* never has to make room */
	struct control_files files;
	size_t in_len, out_at, out_len;

	/* Of one that is attached to the console. */
	enum control_then mode;
	struct backlog_reader reader;
	struct loop_work room; /* the guest can take more */
	uint64_t attached; /* when, counted as `used` is */
	bool more; /* the backlog may have something */

	char in[CONTROL_LINE_MAX + 1];
	char out[CONTROL_REPLY_MAX]; /* one answer: the next request waits until it is sent */
};

struct control {
	struct loop *loop;
	struct control_target target;
	struct loop_fd listener;
	struct loop_timer retry;
	uint64_t uses;
	struct client *clients[CONTROL_CLIENTS_MAX];
	unsigned int nclients;
};

static inline bool client_pending(const struct client *c)
{
	return c->out_at < c->out_len;
}

/* Sends what the client takes: false when it is to be closed. */
bool client_flush(struct client *c);
/* Receives what there is room for: false at the end. */
bool client_receive(struct client *c);
/* After an event: watches for what it waits for, or closes it. */
void client_update(struct client *c, bool stays);

/* From now on the client is attached; what it has sent already is typed. */
void console_begin(struct client *c, enum control_then mode);
/* Forgets it. */
void console_end(struct client *c);
/* Moves what can be moved, both ways: false when the client is to be closed. `events` are those of
 * its descriptor. */
bool console_serve(struct client *c, uint32_t events);
/* The events it waits for. */
uint32_t console_events(const struct client *c);

#endif
