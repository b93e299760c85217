/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_VRING_H
#define VIRTIO_VRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vmm/core/mem.h"

/*
 * The host side of a split virtqueue (VIRTIO 1.2, section 2.7). The driver is hostile: every field
 * that it owns is loaded once, every walk is bounded, every address resolved by guest_mem. What
 * breaks the rules is -EPROTO, after which the owner sets DEVICE_NEEDS_RESET and calls nothing
 * here but virtq_disable().
 *
 * Nothing here locks: a queue is its device's, whose lock the caller holds.
 */

/* The largest queue that a device may offer; also bounds the descriptors of one chain. */
enum { VIRTQ_MAX = 1024 };

/*
 * Guest buffers of one direction. Entries [at, n) are what is left; iov[at] is already cut by the
 * `consumed` bytes at its front, so `iov + at` with `n - at` entries can go to readv() as it is.
 */
struct virtq_iov {
	struct iovec *iov;
	unsigned int n, at;
	size_t consumed;
	size_t left; /* bytes in [at, n) */
};

/* A chain of descriptors: what the device reads (`out`), then what it writes (`in`). */
struct virtq_chain {
	struct virtq_iov out, in;
	uint16_t head; /* the driver's name for it */
	/* Bytes of `in` that the device may have written, for the dirty log: virtq_pop() assumes
	 * all, the device may lower it. */
	size_t wrote;
	/* private: the array behind both, the caller's or, once that was too small, malloc'ed */
	struct iovec *iov;
	unsigned int cap, nin;
	bool heap;
};

struct virtq {
	/* What the driver chose; constant while `ready`. Saved. */
	uint32_t num; /* queue size, at most `max` */
	gpa_t desc, avail, used; /* descriptor area, driver area, device area */
	/* Saved: positions are free-running and wrap at 65536. */
	bool ready;
	uint16_t next_avail; /* first entry of the available ring not taken yet */
	uint16_t next_used; /* entries of the used ring written ... */
	uint16_t published; /* ... and shown to the driver */

	/* Set when the queue is made. */
	struct guest_mem *mem;
	uint16_t max;
	/* Accept several indirect tables in one chain, mixed with direct descriptors, as vringh
	 * does. Otherwise only the last descriptor may be indirect (2.7.5.3.1). */
	bool mixed_indirect;

	/* Chains pushed, and the bytes that the driver gave with them and got. Kept when the queue
	 * is closed; whoever wants to count anew clears them. */
	uint64_t requests, bytes;

	/* private: derived by virtq_enable() */
	bool indirect, event_idx; /* negotiated */
	bool muted;
	uint16_t avail_seen; /* the driver's index when last looked at */
	const void *desc_ring;
	void *avail_ring, *used_ring;
};

/* A closed queue that offers up to `max` entries (a power of 2, at most VIRTQ_MAX). */
void virtq_init(struct virtq *vq, struct guest_mem *mem, uint16_t max);

/* Opens the queue: checks size, alignment and that all three areas are RAM (2.7), and keeps their
 * host addresses (RAM regions never move). `features` are the negotiated ones. Positions stay as
 * they are: 0 after virtq_disable(), or as loaded. 0 or -EPROTO. */
int virtq_enable(struct virtq *vq, uint64_t features);

/* Closes the queue and forgets what the driver chose. No chain may be in use. */
void virtq_disable(struct virtq *vq);

/* Chains taken and not pushed yet. */
static inline uint16_t virtq_inflight(const struct virtq *vq)
{
	return vq->next_avail - vq->next_used;
}

/* A chain that uses the caller's array first, and malloc() only for more entries than `cap`. */
void virtq_chain_init(struct virtq_chain *chain, struct iovec *iov, unsigned int cap);
void virtq_chain_free(struct virtq_chain *chain);

/*
 * Takes the next available chain: 1; 0 when there is none or the queue is closed; -EPROTO; -ENOMEM
 * with the queue as before. `chain` was initialised, and may have been used before.
 */
int virtq_pop(struct virtq *vq, struct virtq_chain *chain);
/* Gives back the chain that was popped last, unused: the next pop finds it again. */
void virtq_unpop(struct virtq *vq);

/* Returns a chain with the number of bytes written from the start of its `in` buffers. The driver
 * sees it after virtq_publish(). */
void virtq_push(struct virtq *vq, struct virtq_chain *chain, uint32_t len);
/* Shows everything pushed by one index update. Whether the driver wants an interrupt for it. */
bool virtq_publish(struct virtq *vq);

/* The driver need not notify while the device looks at the ring by itself ... */
void virtq_mute(struct virtq *vq);
/* ... and shall again from now on: true when more has become available meanwhile, and the
 * caller has to look again, since no notification will tell. */
bool virtq_listen(struct virtq *vq);

/* Copies up to `len` bytes out of the `out` buffers and moves on: how many. */
size_t virtq_pull(struct virtq_chain *chain, void *buf, size_t len);
/* Copies up to `len` bytes into the `in` buffers and moves on: how many. */
size_t virtq_put(struct virtq_chain *chain, const void *buf, size_t len);
/* Moves on by up to `len` bytes: how many. */
size_t virtq_skip(struct virtq_iov *iov, size_t len);
/* Back to the start. */
void virtq_rewind(struct virtq_iov *iov);
/* Cuts the last byte off the `in` buffers, of which nothing has been consumed, for a device that
 * puts its status there: its address, or NULL when there is none. */
uint8_t *virtq_cut_tail(struct virtq_chain *chain);

#endif
