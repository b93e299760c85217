/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_CHARDEV_H
#define VMM_CORE_CHARDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/core/device.h"

/*
 * The host side of a guest console: bytes out to a descriptor, bytes in from one. Output is queued
 * and written by the loop, after 5 ms at most where it follows other output, so a slow reader never
 * blocks a vCPU: when the queue is full the device says so to the guest (flow control) and is called
 * when there is room again. A closed reader (EPIPE, EIO) turns output into nothing and never ends
 * the VM. Nothing is lost otherwise: chardev_flush() at the end writes what is left.
 *
 * A chardev may also have an owner who brings the descriptors, as clients come and go: without any
 * it takes output for nothing. That owner chooses how long a reader may hold the guest up.
 */
struct backlog;
struct chardev;
struct loop_work;

struct chardev_user {
	struct device *dev; /* its lock is held around both */
	/* Up to `room` bytes are wanted now: called when input has arrived. Takes what it can and
	 * returns how many; the rest waits until chardev_resume(). */
	size_t (*input)(struct chardev_user *user, const uint8_t *data, size_t len);
	/* There is room in the output queue again after it was full: chardev_write() was short, or
	 * chardev_space() became 0. */
	void (*room)(struct chardev_user *user);
	/* Somebody is there now, or no longer; NULL if the guest cannot be told. */
	void (*attached)(struct chardev_user *user);
};

struct chardev_owner {
	/* The other side has gone, all its input has been taken, and its descriptors should be
	 * detached: err is 0, the -errno of reading or writing, or -ETIMEDOUT when it took no
	 * output for `patience_ns`. On the loop thread, under the device's lock. */
	void (*gone)(struct chardev_owner *owner, int err);
	uint64_t patience_ns;
};

/*
 * Opens the console over `in_fd` (or -1) and `out_fd` (or -1), both borrowed. Where it can, it
 * reopens pipes and terminals so that O_NONBLOCK does not leak to other users of the descriptor.
 */
int chardev_create(struct chardev **out, struct loop *loop, int in_fd, int out_fd);
void chardev_destroy(struct chardev *chr);

/* Sets who is told of the other side's end. Before any device is connected. */
void chardev_own(struct chardev *chr, struct chardev_owner *owner);
/* Brings other descriptors, as for chardev_create(), while there are none: 0 or -errno. Detaching
 * drops what has not been written. Both on the loop thread under the device's lock, or while the
 * loop is idle. */
int chardev_attach(struct chardev *chr, int in_fd, int out_fd);
void chardev_detach(struct chardev *chr);
/* Whether anybody is there. Caller holds its device's lock. */
bool chardev_attached(struct chardev *chr);

/* The device that is connected, or NULL. */
struct device *chardev_device(struct chardev *chr);

/* Connects the one device; input flows from now on. NULL disconnects. While the loop is idle, on
 * its thread, or under the device's lock. */
void chardev_connect(struct chardev *chr, struct chardev_user *user);

/* Queues bytes: returns how many fit (0..len). Caller holds its device's lock. */
size_t chardev_write(struct chardev *chr, const void *data, size_t len);
/* Bytes that chardev_write() would take now. */
size_t chardev_space(struct chardev *chr);
/* The device can take input again. Caller holds its device's lock. */
void chardev_resume(struct chardev *chr);

/* Copies all output there too from now on, whoever reads it at the descriptor, or NULL. While no
 * device is connected or the loop is idle. */
void chardev_tap(struct chardev *chr, struct backlog *log);
/* Gives input beside the descriptor's, past the filter: returns how many bytes fit (0..len). After
 * less than all, `room` is posted when there is room again. Loop thread, no lock held. */
size_t chardev_feed(struct chardev *chr, const void *data, size_t len, struct loop_work *room);
/* Forgets `room`, which is not posted any more. */
void chardev_feed_cancel(struct chardev *chr, struct loop_work *room);

/* Sees input before the device does, for the escape key: returns how many bytes of `data` (edited
 * in place) remain for the guest. On the loop thread, under the device's lock. */
void chardev_filter(struct chardev *chr, size_t (*fn)(void *arg, uint8_t *data, size_t len),
		    void *arg);

/* Writes out all that is queued, and what the device held back for lack of room; waits for the
 * reader, as long as its owner would, until `stop` (if any) becomes readable. No loop may run, no
 * lock be held. */
void chardev_flush(struct chardev *chr, int stop_fd);

#endif
