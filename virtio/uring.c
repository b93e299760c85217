// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/uring.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Memory ordering (io_uring(7)): our store of sq_tail releases the entries before it, our load of
 * cq_tail acquires those that the kernel has written, and our store of cq_head lets it write over them.
 */
static uint32_t load(const _Atomic uint32_t *p)
{
	return atomic_load_explicit(p, memory_order_acquire);
}

static void store(_Atomic uint32_t *p, uint32_t v)
{
	atomic_store_explicit(p, v, memory_order_release);
}

static int enter(const struct uring *ring, unsigned int submit, unsigned int wait)
{
	int ret = (int)syscall(__NR_io_uring_enter, ring->fd, submit, wait,
			       wait ? IORING_ENTER_GETEVENTS : 0, NULL, 0);

	return ret < 0 ? -errno : ret;
}

/* --- life -------------------------------------------------------------------------------------- */

/* One mapping for both rings, and one for the submissions (IORING_FEAT_SINGLE_MMAP). */
static int map(struct uring *ring, const struct io_uring_params *p)
{
	const int prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_POPULATE;
	size_t sq = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
	size_t cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	uint8_t *base;

	ring->rings_size = sq > cq ? sq : cq;
	ring->sqes_size = p->sq_entries * sizeof(struct io_uring_sqe);
	base = mmap(NULL, ring->rings_size, prot, flags, ring->fd, IORING_OFF_SQ_RING);
	if (base == MAP_FAILED)
		return -errno;
	ring->rings = base;
	ring->sqes = mmap(NULL, ring->sqes_size, prot, flags, ring->fd, IORING_OFF_SQES);
	if (ring->sqes == MAP_FAILED) {
		ring->sqes = NULL;
		return -errno;
	}
	ring->sq_mask = p->sq_entries - 1;
	ring->cq_mask = p->cq_entries - 1;
	ring->sq_head = (void *)(base + p->sq_off.head);
	ring->sq_tail = (void *)(base + p->sq_off.tail);
	ring->sq_array = (void *)(base + p->sq_off.array);
	ring->cq_head = (void *)(base + p->cq_off.head);
	ring->cq_tail = (void *)(base + p->cq_off.tail);
	ring->cqes = (void *)(base + p->cq_off.cqes);
	/* Entries are used in the order of their slots. */
	for (unsigned int i = 0; i < p->sq_entries; i++)
		ring->sq_array[i] = i;
	return 0;
}

/* What we rely on: completions are never dropped, iovecs are read at submission; and the last is of
 * Linux 5.7, which has all operations. */
static const uint32_t WANTED = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP |
			       IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_FAST_POLL;

static int set_up(struct uring *ring, unsigned int entries)
{
	struct io_uring_params params = { 0 };

	ring->fd = (int)syscall(__NR_io_uring_setup, entries, &params);
	if (ring->fd < 0)
		return -errno;
	if ((params.features & WANTED) != WANTED)
		return -EOPNOTSUPP;
	ring->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ring->event_fd < 0)
		return -errno;
	if (syscall(__NR_io_uring_register, ring->fd, IORING_REGISTER_EVENTFD, &ring->event_fd, 1))
		return -errno;
	return map(ring, &params);
}

static void release(struct uring *ring)
{
	if (ring->sqes)
		munmap(ring->sqes, ring->sqes_size);
	if (ring->rings)
		munmap(ring->rings, ring->rings_size);
	if (ring->event_fd >= 0)
		close(ring->event_fd);
	if (ring->fd >= 0)
		close(ring->fd);
	*ring = (struct uring){ .fd = -1, .event_fd = -1 };
}

int uring_create(struct uring *ring, unsigned int entries)
{
	int err;

	*ring = (struct uring){ .fd = -1, .event_fd = -1, .entries = entries };
	err = set_up(ring, entries);
	if (err)
		release(ring);
	return err;
}

void uring_destroy(struct uring *ring)
{
	uint64_t user_data;
	int32_t res;

	if (ring->fd < 0)
		return;
	while (ring->inflight) {
		uring_wait(ring);
		while (uring_reap(ring, &user_data, &res))
			;
	}
	release(ring);
}

/* --- submissions ------------------------------------------------------------------------------- */

struct io_uring_sqe *uring_get(struct uring *ring)
{
	struct io_uring_sqe *sqe;

	if (ring->fd < 0 || ring->inflight == ring->entries)
		return NULL;
	sqe = &ring->sqes[(atomic_load_explicit(ring->sq_tail, memory_order_relaxed) +
			   ring->filled) &
			  ring->sq_mask];
	memset(sqe, 0, sizeof(*sqe));
	ring->filled++;
	ring->inflight++;
	return sqe;
}

void uring_drop(struct uring *ring)
{
	assert(ring->filled);
	ring->filled--;
	ring->inflight--;
}

/* The kernel reads the tail only within the call, so that what it leaves can be taken back. */
unsigned int uring_submit(struct uring *ring)
{
	unsigned int left = ring->filled;
	uint32_t tail;
	int ret;

	if (!left)
		return 0;
	tail = atomic_load_explicit(ring->sq_tail, memory_order_relaxed) + left;
	store(ring->sq_tail, tail);
	do {
		ret = enter(ring, left, 0);
		if (ret > 0)
			left -= (unsigned int)ret;
	} while (left && (ret > 0 || ret == -EINTR));
	store(ring->sq_tail, tail - left);
	ring->filled = left;
	return left;
}

uint64_t uring_untaken(struct uring *ring)
{
	uint32_t tail = atomic_load_explicit(ring->sq_tail, memory_order_relaxed);
	uint64_t user_data;

	assert(ring->filled);
	user_data = ring->sqes[(tail + ring->filled - 1) & ring->sq_mask].user_data;
	uring_drop(ring);
	return user_data;
}

/* --- completions ------------------------------------------------------------------------------- */

bool uring_reap(struct uring *ring, uint64_t *user_data, int32_t *res)
{
	uint32_t head;
	const struct io_uring_cqe *cqe;

	if (ring->fd < 0)
		return false;
	head = atomic_load_explicit(ring->cq_head, memory_order_relaxed);
	if (head == load(ring->cq_tail))
		return false;
	cqe = &ring->cqes[head & ring->cq_mask];
	*user_data = cqe->user_data;
	*res = cqe->res;
	store(ring->cq_head, head + 1);
	ring->inflight--;
	return true;
}

void uring_wait(struct uring *ring)
{
	int ret;

	assert(ring->inflight > ring->filled);
	do {
		ret = enter(ring, 0, 1);
	} while (ret == -EINTR);
}
