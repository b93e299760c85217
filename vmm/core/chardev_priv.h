/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_CHARDEV_PRIV_H
#define VMM_CORE_CHARDEV_PRIV_H

#include <pthread.h>

#include "vmm/core/chardev.h"
#include "vmm/core/hostio.h"
#include "vmm/core/loop.h"

/* chardev.c: life and ownership; chardev_out.c and chardev_in.c: the two directions. */

enum { CHARDEV_OUT = 64 * 1024, CHARDEV_IN = 4096 };

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
	uint8_t ring[CHARDEV_OUT];
	size_t head, used; /* first byte, and how many */
	bool kicked, full, closed;

	struct hostio in;
	struct loop_fd in_ready; /* watched while the buffer has room */
	struct loop_work in_more; /* also reads what epoll cannot watch */
	uint8_t buf[CHARDEV_IN];
	size_t buf_pos, buf_len;
	bool in_end, in_unwatchable;
	size_t (*filter)(void *arg, uint8_t *data, size_t len);
	void *filter_arg;
	struct loop_work *fed; /* who waits for room in it, or NULL */

	struct backlog *tap; /* under `lock`; or NULL */

	struct chardev_owner *owner;
	struct loop_work gone; /* tells the owner; due once the input that came before is taken */
	struct loop_timer stall; /* armed while the reader is behind */
	bool ended;
	int why;
};

/* The other side has gone, for this reason: the owner hears of it. Loop thread. */
void chardev_gone(struct chardev *chr, int err);

/* The callbacks of each direction's sources. */
void chardev_out_init(struct chardev *chr);
void chardev_in_init(struct chardev *chr);
/* Nobody will ever read this: from now on output goes nowhere, without end. */
void chardev_out_close(struct chardev *chr, int err);

#endif
