/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FAKE_DISK_H
#define TESTS_FAKE_DISK_H

#include <pthread.h>

#include "virtio/disk.h"

/*
 * A disk that ends its transfers on command and notes what it was asked for. Reads fill their buffers
 * with FAKE_DISK_BYTE, at their very end.
 */

enum { FAKE_DISK_BYTE = 0xd5, FAKE_DISK_SEEN = 512 };

struct fake_disk {
	struct disk disk;
	/* Set by the test before there are transfers. */
	bool instant; /* attempts succeed */
	int result; /* of transfers */
	int pipe[2]; /* with `ring`, reads read this: io_uring waits until it is written to */
	bool ring;

	pthread_mutex_t lock; /* all below */
	pthread_cond_t changed;
	bool held; /* transfers do not end */
	unsigned int begun, running;
	struct disk_io seen[FAKE_DISK_SEEN]; /* transfers and attempts, as they begin */
	unsigned int nseen;
	bool closed;
};

/* 16 MiB, writable, discards. */
void fake_disk_init(struct fake_disk *fake);
void fake_disk_fini(struct fake_disk *fake);

/* Whether this machine gives io_uring; says on stderr that tests are left out where not (containers
 * often forbid it). */
bool fake_disk_has_ring(void);

/* Transfers end only after fake_disk_release(). */
void fake_disk_hold(struct fake_disk *fake);
void fake_disk_release(struct fake_disk *fake);
/* Waits until `n` transfers have begun in all. */
void fake_disk_await(struct fake_disk *fake, unsigned int n);
/* Transfers under way now. */
unsigned int fake_disk_running(struct fake_disk *fake);
/* Ends reads that are in the ring, `len` bytes in all. */
void fake_disk_feed(struct fake_disk *fake, size_t len);

#endif
