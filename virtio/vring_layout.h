/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_VRING_LAYOUT_H
#define VIRTIO_VRING_LAYOUT_H

#include <errno.h>
#include <linux/virtio_ring.h>
#include <stdatomic.h>

#include "virtio/vring.h"

/*
 * Private to the ring: what split and packed share, and what tells them apart.
 *
 * Orderings. What the driver publishes (avail->idx, flags of a head descriptor) is loaded with
 * acquire: it pairs with the driver's barrier before that store, so all that is read after it is
 * what it promised. What we publish (used->idx, flags of the first used descriptor) is stored with
 * release: entries and data are visible before it is. Notification suppression is store-then-load on
 * both sides, where only a full fence between the two keeps both from missing each other.
 * Everything else is relaxed: loaded once, ordered by the above.
 */

struct virtq_layout {
	/* The areas are checked and mapped; positions, too. */
	int (*enable)(struct virtq *vq);
	int (*pop)(struct virtq *vq, struct virtq_chain *chain);
	void (*unpop)(struct virtq *vq);
	void (*push)(struct virtq *vq, struct virtq_chain *chain, uint32_t len);
	bool (*publish)(struct virtq *vq);
	void (*mute)(struct virtq *vq);
	bool (*listen)(struct virtq *vq);
	uint16_t (*inflight)(const struct virtq *vq);
};

extern const struct virtq_layout virtq_split, virtq_packed;

/* Host addresses of the three areas, of these alignments and sizes, into `vq`: 0 or -EPROTO. */
struct virtq_area {
	unsigned int align;
	uint64_t size;
};
int virtq_map(struct virtq *vq, struct virtq_area desc, struct virtq_area avail,
	      struct virtq_area used);

/* --- dirty log --------------------------------------------------------------------------------- */

/* All regions record their writes, or none does. */
static inline bool virtq_tracked(const struct virtq *vq)
{
	return guest_mem_tracked(vq->mem);
}

/* Records what the device wrote into the buffers of a chain that is pushed. */
void virtq_dirty_chain(struct virtq *vq, struct virtq_chain *chain);

/* --- walks ------------------------------------------------------------------------------------- */

/* A descriptor after its one load: 16 bytes, of which both layouts have address and length at the
 * same place. `meta` is len, then next and flags (split) or id and flags (packed). */
struct virtq_desc {
	uint64_t addr, meta;
};

static inline uint32_t desc_len(const struct virtq_desc *d)
{
	return d->meta;
}

static inline struct virtq_desc desc_load(const void *p)
{
	const _Atomic uint64_t *words = p;

	return (struct virtq_desc){
		.addr = atomic_load_explicit(&words[0], memory_order_relaxed),
		.meta = atomic_load_explicit(&words[1], memory_order_relaxed),
	};
}

/* The same at any address, since a driver may place an indirect table anywhere. */
struct virtq_desc virtq_desc_load_bytes(const void *p);

static inline struct virtq_desc desc_load_any(const uint8_t *p)
{
	return (uintptr_t)p % 8 ? virtq_desc_load_bytes(p) : desc_load(p);
}

/* A walk over one chain and its indirect tables. */
struct virtq_walk {
	struct virtq *vq;
	struct virtq_chain *chain;
	struct iovec *iov; /* the chain's */
	unsigned int n, cap; /* entries of iov: in use, and there */
	unsigned int nout; /* those of readable buffers, which come first */
	unsigned int seen; /* descriptors in tables and beside them: bounds the walk */
	uint64_t out_len, in_len;
};

static inline void walk_begin(struct virtq_walk *w, struct virtq *vq, struct virtq_chain *chain)
{
	*w = (struct virtq_walk){
		.vq = vq,
		.chain = chain,
		.iov = chain->iov,
		.cap = chain->cap,
	};
}

/* For a buffer in another region or over several, and an array that is full. */
int virtq_walk_far(struct virtq_walk *w, gpa_t addr, uint32_t len);

/* Adds a buffer. Readable ones come first (2.7.4.2, 2.8.5); one without bytes is legal and adds
 * none. 0, -EPROTO, -ENOMEM. */
static inline int walk_buffer(struct virtq_walk *w, const struct virtq_desc *d, bool in)
{
	uint32_t len = desc_len(d);
	void *host;
	int err;

	if (++w->seen > w->vq->max || (!in && w->in_len))
		return -EPROTO;
	if (!len)
		return 0;
	*(in ? &w->in_len : &w->out_len) += len;
	host = guest_ram_ptr(&w->vq->near, d->addr, len);
	if (host && w->n < w->cap) {
		w->iov[w->n++] = (struct iovec){ .iov_base = host, .iov_len = len };
	} else {
		err = virtq_walk_far(w, d->addr, len);
		if (err)
			return err;
	}
	if (!in)
		w->nout = w->n;
	return 0;
}

/* The table that a descriptor refers to, and how many descriptors it has, or NULL. It lies in one
 * region and is no longer than a ring may be. */
const uint8_t *virtq_walk_table(struct virtq_walk *w, const struct virtq_desc *ref, uint32_t *num);

/* 2.7.5.2: a chain has at most 2^32 bytes; `len` of a used entry cannot say more. */
static inline int walk_end(struct virtq_walk *w, uint16_t head, uint16_t entries)
{
	struct virtq_chain *chain = w->chain;

	if (w->in_len + w->out_len > UINT32_MAX)
		return -EPROTO;
	chain->head = head;
	chain->entries = entries;
	chain->room = chain->wrote = w->in_len;
	chain->nin = w->n - w->nout;
	chain->out = (struct virtq_iov){ .iov = w->iov, .n = w->nout, .left = w->out_len };
	chain->in = (struct virtq_iov){
		.iov = w->iov + w->nout,
		.n = chain->nin,
		.left = w->in_len,
	};
	return 1;
}

#endif
