/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_VRING_H
#define VIRTIO_VRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vmm/core/mem.h"

/*
 * The host side of a virtqueue, split (VIRTIO 1.2, section 2.7) or packed (2.8). The driver is
 * hostile: every field that it owns is loaded once, every walk is bounded, every address resolved by
 * guest_mem. What breaks the rules is -EPROTO, after which the owner sets DEVICE_NEEDS_RESET and
 * calls nothing here but virtq_disable().
 *
 * Nothing here locks: a queue is its device's, whose lock the caller holds.
 */

struct state;

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
	uint16_t head; /* the driver's name for it: head index, or buffer id */
	/* Bytes of `in` that the device may have written, for the dirty log: virtq_pop() assumes
	 * all, the device may lower it. */
	size_t wrote;
	/* private: the array behind both, the caller's or, once that was too small, malloc'ed */
	struct iovec *iov;
	unsigned int cap, nin;
	bool heap;
	uint16_t entries; /* of the ring that it takes: 1 in a split one */
	uint32_t room; /* bytes of `in` when popped */
};

struct virtq_layout; /* private: split, packed, or closed */

struct virtq {
	/* What the driver chose; constant while `ready`. Saved. */
	uint32_t num; /* queue size, at most `max` */
	gpa_t desc, avail, used; /* descriptor area, driver area, device area */
	/* Saved: free-running positions, 0 in a new queue. A split ring counts modulo 65536. A packed
	 * one counts modulo twice its size, so that a position tells the wrap counter too: 1 in the
	 * first lap, 0 in the second. */
	bool ready;
	uint16_t next_avail; /* first entry not taken yet */
	uint16_t next_used; /* where the next used entry goes ... */
	uint16_t published; /* ... and how far the driver can see them */

	/* Set when the queue is made. */
	struct guest_mem *mem;
	uint16_t max;
	/* Accept several indirect tables in one chain, mixed with direct descriptors, as vringh
	 * does. Otherwise a table ends the chain (2.7.5.3.1), and is all of it if packed (2.8.5). */
	bool mixed_indirect;

	/* Chains pushed, and the bytes that the driver gave with them and got. Kept when the queue
	 * is closed; whoever wants to count anew clears them. */
	uint64_t requests, bytes;

	/* private: derived by virtq_enable() */
	const struct virtq_layout *layout;
	bool indirect, event_idx, in_order, packed; /* negotiated */
	bool muted;
	bool joinable; /* the entry written last may stand for the next chain too (2.7.9, 2.8.8) */
	uint16_t entry; /* position of that entry */
	uint16_t avail_seen; /* split: the driver's index when last looked at */
	uint64_t first; /* packed: second half of the descriptor at `published`, held back */
	uint16_t *sizes; /* packed: entries of the chain that ends at an index */
	struct guest_ram near; /* where the last buffer was found: most are in the same region */
	void *desc_ring, *avail_ring, *used_ring;
};

/* A closed queue that offers up to `max` entries (a power of 2, at most VIRTQ_MAX). */
void virtq_init(struct virtq *vq, struct guest_mem *mem, uint16_t max);

/*
 * Opens the queue in the layout that `features` (the negotiated ones) ask for: checks size,
 * alignment, positions, and that all three areas are RAM (2.7, 2.8.10.1), and keeps their host
 * addresses (RAM regions never move). Positions stay as they are: 0 after virtq_disable(), or as
 * loaded. 0, -EPROTO, or -ENOMEM. With VIRTIO_F_IN_ORDER the owner must push chains in the order of
 * their pops.
 */
int virtq_enable(struct virtq *vq, uint64_t features);

/* Closes the queue and forgets what the driver chose. No chain may be in use. */
void virtq_disable(struct virtq *vq);

/* Ring entries taken and not used yet: 0 when no chain is in flight. In a split ring a chain takes
 * one, in a packed ring as many as it has descriptors there. */
uint16_t virtq_inflight(const struct virtq *vq);

/* Moves an open split queue, of which no chain is in flight, to where somebody else has used it up
 * to: entries before `pos` are used, and the driver has been shown so. */
void virtq_seek(struct virtq *vq, uint16_t pos);

/* A chain that uses the caller's array first, and malloc() only for more entries than `cap`. */
void virtq_chain_init(struct virtq_chain *chain, struct iovec *iov, unsigned int cap);
void virtq_chain_free(struct virtq_chain *chain);

/*
 * Takes the next available chain: 1; 0 when there is none or the queue is closed; -EPROTO; -ENOMEM
 * with the queue as before. `chain` was initialised, and may have been used before.
 */
int virtq_pop(struct virtq *vq, struct virtq_chain *chain);
/* Gives back the chain that was popped last, unused: the next pop finds it again. Again, the one
 * before it, and so on back to what was pushed. */
void virtq_unpop(struct virtq *vq);

/* Returns a chain with the number of bytes written from the start of its `in` buffers. The driver
 * sees it after virtq_publish(). */
void virtq_push(struct virtq *vq, struct virtq_chain *chain, uint32_t len);
/* Shows everything pushed by one store. Whether the driver wants an interrupt for it. */
bool virtq_publish(struct virtq *vq);

/* The driver need not notify while the device looks at the ring by itself ... */
void virtq_mute(struct virtq *vq);
/* ... and shall again from now on: true when more has become available meanwhile, and the
 * caller has to look again, since no notification will tell. */
bool virtq_listen(struct virtq *vq);

/*
 * Saves a chain in flight, or loads one into `chain`, initialised, of a queue that is open: for a
 * device whose requests are under way while its state is taken. Its cursors are at the start after
 * a load. The positions are saved by the queue's owner; a loaded chain whose buffers are not all
 * RAM, or that takes more entries than are in flight, sets the sticky error. The owner has to load
 * chains for exactly virtq_inflight() entries.
 */
void virtq_chain_state(struct virtq *vq, struct virtq_chain *chain, struct state *s);

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
