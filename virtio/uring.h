/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_URING_H
#define VIRTIO_URING_H

#include <linux/io_uring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * An io_uring (Linux 5.7 and later), by system calls alone. Submissions are filled in one by one and
 * given to the kernel together; each ends in one completion, in any order. Nothing here locks: a ring
 * is its owner's, whose lock the caller holds.
 */
struct uring {
	int fd; /* -1: none */
	/* An eventfd, signalled by completions. Never read: watch its edges. */
	int event_fd;
	unsigned int entries;
	unsigned int inflight; /* submitted or filled in, completion not taken */

	/* private: what the kernel shares */
	unsigned int filled; /* filled in, not submitted */
	void *rings;
	size_t rings_size, sqes_size;
	struct io_uring_sqe *sqes;
	const struct io_uring_cqe *cqes;
	uint32_t sq_mask, cq_mask;
	_Atomic uint32_t *sq_head, *sq_tail, *cq_head, *cq_tail;
	uint32_t *sq_array;
};

/* A ring for up to `entries` (a power of 2) operations at a time. 0, or -errno where the kernel has none
 * (ENOSYS), forbids it (EPERM) or is too old for it (EOPNOTSUPP). */
int uring_create(struct uring *ring, unsigned int entries);
/* Waits for what is in flight, whose completions are lost. Created or all zero with fd -1. */
void uring_destroy(struct uring *ring);

/* A zeroed submission to fill in, or NULL when `entries` are in flight. uring_drop() takes it back. */
struct io_uring_sqe *uring_get(struct uring *ring);
void uring_drop(struct uring *ring);

/* Gives all that is filled in to the kernel. Returns how many it did not take, for want of memory
 * mostly: uring_untaken() gives the user_data of the last of them and forgets it. */
unsigned int uring_submit(struct uring *ring);
uint64_t uring_untaken(struct uring *ring);

/* Takes one completion: false when there is none. */
bool uring_reap(struct uring *ring, uint64_t *user_data, int32_t *res);

/* Waits until a completion can be taken; something is in flight and submitted. */
void uring_wait(struct uring *ring);

#endif
