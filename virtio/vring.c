// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/vring.h"

#include <assert.h>
#include <errno.h>
#include <linux/virtio_ring.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "rings are little-endian, and so are we");

/* The rings in guest memory (2.7.6, 2.7.8). Atomic because the driver writes while we read. */
struct avail_ring {
	_Atomic uint16_t flags, idx;
	_Atomic uint16_t ring[]; /* `num` entries, then used_event */
};

struct used_elem {
	_Atomic uint32_t id, len;
};

struct used_ring {
	_Atomic uint16_t flags, idx;
	struct used_elem ring[]; /* `num` entries, then avail_event */
};

/* A descriptor after its one load. */
struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

_Static_assert(sizeof(struct desc) == sizeof(struct vring_desc), "a copy of the guest's");

/*
 * Where the four index fields may be read relaxed and where not:
 * - avail->idx is loaded with acquire: it pairs with the driver's write barrier between filling
 *   descriptors and ring and moving the index, so all that is read after it is what the index
 *   promised.
 * - used->idx is stored with release: entries and data are visible before it is.
 * - Two pairs are store-then-load on both sides (used->idx against used_event or flags, and
 *   avail_event or flags against avail->idx). Only a full fence between the store and the load
 *   keeps both sides from missing each other.
 * Everything else is relaxed: loaded once, ordered by the above.
 */
static uint16_t load16(const _Atomic uint16_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

static void store16(_Atomic uint16_t *p, uint16_t v)
{
	atomic_store_explicit(p, v, memory_order_relaxed);
}

static _Atomic uint16_t *used_event(const struct virtq *vq)
{
	struct avail_ring *avail = vq->avail_ring;

	return &avail->ring[vq->num];
}

static _Atomic uint16_t *avail_event(const struct virtq *vq)
{
	struct used_ring *used = vq->used_ring;

	return (_Atomic uint16_t *)&used->ring[vq->num];
}

/* --- opening and closing ----------------------------------------------------------------------- */

void virtq_init(struct virtq *vq, struct guest_mem *mem, uint16_t max)
{
	assert(max && max <= VIRTQ_MAX && !(max & (max - 1)));
	*vq = (struct virtq){ .mem = mem, .max = max };
}

static uint64_t used_size(const struct virtq *vq)
{
	return sizeof(struct used_ring) + vq->num * sizeof(struct used_elem) +
	       (vq->event_idx ? sizeof(uint16_t) : 0);
}

int virtq_enable(struct virtq *vq, uint64_t features)
{
	uint64_t desc_size, avail_size;

	vq->indirect = features >> VIRTIO_RING_F_INDIRECT_DESC & 1;
	vq->event_idx = features >> VIRTIO_RING_F_EVENT_IDX & 1;
	if (!vq->num || vq->num > vq->max || (vq->num & (vq->num - 1)))
		return -EPROTO;
	/* 2.7: descriptor table 16, available ring 2, used ring 4. */
	if (vq->desc % 16 || vq->avail % 2 || vq->used % 4)
		return -EPROTO;
	desc_size = (uint64_t)vq->num * sizeof(struct vring_desc);
	avail_size = sizeof(struct avail_ring) + vq->num * sizeof(uint16_t) +
		     (vq->event_idx ? sizeof(uint16_t) : 0);
	vq->desc_ring = guest_mem_ptr(vq->mem, vq->desc, desc_size);
	vq->avail_ring = guest_mem_ptr(vq->mem, vq->avail, avail_size);
	vq->used_ring = guest_mem_ptr(vq->mem, vq->used, used_size(vq));
	if (!vq->desc_ring || !vq->avail_ring || !vq->used_ring)
		return -EPROTO;
	vq->avail_seen = vq->next_avail;
	vq->muted = false;
	vq->ready = true;
	return 0;
}

void virtq_disable(struct virtq *vq)
{
	struct virtq old = *vq;

	virtq_init(vq, old.mem, old.max);
	vq->mixed_indirect = old.mixed_indirect;
	vq->requests = old.requests;
	vq->bytes = old.bytes;
}

/* --- chains ------------------------------------------------------------------------------------ */

void virtq_chain_init(struct virtq_chain *chain, struct iovec *iov, unsigned int cap)
{
	*chain = (struct virtq_chain){ .iov = iov, .cap = cap };
}

void virtq_chain_free(struct virtq_chain *chain)
{
	if (chain->heap)
		free(chain->iov);
	virtq_chain_init(chain, NULL, 0);
}

/* Room for GUEST_RAM_MAX more entries, as many as one descriptor can need. */
static int chain_grow(struct virtq_chain *chain, unsigned int n)
{
	unsigned int cap = 2 * (n + GUEST_RAM_MAX);
	struct iovec *iov = realloc(chain->heap ? chain->iov : NULL, cap * sizeof(*iov));

	if (!iov)
		return -ENOMEM;
	if (!chain->heap && n)
		memcpy(iov, chain->iov, n * sizeof(*iov));
	chain->iov = iov;
	chain->cap = cap;
	chain->heap = true;
	return 0;
}

/* A walk over one chain and its indirect tables. */
struct walk {
	struct virtq *vq;
	struct virtq_chain *chain;
	unsigned int n; /* entries of chain->iov in use */
	unsigned int nout;
	unsigned int seen; /* descriptors so far: bounds the walk */
	uint64_t out_len, in_len;
};

/* One descriptor, loaded once; 16 bytes that may lie anywhere if the table is an indirect one. */
static struct desc load_desc(const uint8_t *p)
{
	union {
		struct desc desc;
		uint64_t words[2];
		uint8_t bytes[16];
	} u;

	if ((uintptr_t)p % 8 == 0) {
		const _Atomic uint64_t *words = (const void *)p;

		for (unsigned int i = 0; i < 2; i++)
			u.words[i] = atomic_load_explicit(&words[i], memory_order_relaxed);
	} else {
		const _Atomic uint8_t *bytes = (const void *)p;

		for (unsigned int i = 0; i < 16; i++)
			u.bytes[i] = atomic_load_explicit(&bytes[i], memory_order_relaxed);
	}
	return u.desc;
}

/* Adds a buffer. Readable ones come first (2.7.4.2); one without bytes is legal and adds none. */
static int walk_buffer(struct walk *w, const struct desc *d)
{
	bool in = d->flags & VRING_DESC_F_WRITE;
	void *host;
	int err;

	if (!in && w->in_len)
		return -EPROTO;
	if (!d->len)
		return 0;
	*(in ? &w->in_len : &w->out_len) += d->len;
	/* 2.7.5.2: a chain has at most 2^32 bytes; `len` in the used ring cannot say more. */
	if (w->in_len + w->out_len > UINT32_MAX)
		return -EPROTO;
	if (w->n == w->chain->cap) {
		err = chain_grow(w->chain, w->n);
		if (err)
			return err;
	}
	host = guest_mem_ptr(w->vq->mem, d->addr, d->len);
	if (host) {
		w->chain->iov[w->n++] = (struct iovec){ .iov_base = host, .iov_len = d->len };
	} else {
		/* Over adjacent regions, or not RAM. */
		if (w->chain->cap - w->n < GUEST_RAM_MAX && (err = chain_grow(w->chain, w->n)))
			return err;
		err = guest_mem_iov(w->vq->mem, d->addr, d->len, w->chain->iov + w->n,
				    w->chain->cap - w->n);
		if (err < 0)
			return -EPROTO;
		w->n += err;
	}
	if (!in)
		w->nout = w->n;
	return 0;
}

/* Follows an indirect table from its first entry (2.7.5.3). */
static int walk_table(struct walk *w, const struct desc *ref)
{
	uint32_t num = ref->len / sizeof(struct vring_desc), i = 0, count = 0;
	const uint8_t *table;
	struct desc d;
	int err;

	if (!num || ref->len % sizeof(struct vring_desc) || num > w->vq->max)
		return -EPROTO;
	table = guest_mem_ptr(w->vq->mem, ref->addr, ref->len);
	if (!table)
		return -EPROTO;
	do {
		if (i >= num || ++count > num || ++w->seen > w->vq->max)
			return -EPROTO;
		d = load_desc(table + i * sizeof(struct vring_desc));
		if (d.flags & VRING_DESC_F_INDIRECT)
			return -EPROTO;
		err = walk_buffer(w, &d);
		if (err)
			return err;
		i = d.next;
	} while (d.flags & VRING_DESC_F_NEXT);
	return 0;
}

static int walk_chain(struct walk *w, uint16_t head)
{
	const struct virtq *vq = w->vq;
	const uint8_t *table = vq->desc_ring;
	unsigned int count = 0;
	uint16_t i = head;
	struct desc d;
	int err;

	do {
		if (i >= vq->num || ++count > vq->num)
			return -EPROTO;
		d = load_desc(table + i * sizeof(struct vring_desc));
		if (!(d.flags & VRING_DESC_F_INDIRECT)) {
			err = ++w->seen > vq->max ? -EPROTO : walk_buffer(w, &d);
		} else if (!vq->indirect || (!vq->mixed_indirect && d.flags & VRING_DESC_F_NEXT)) {
			err = -EPROTO;
		} else {
			err = walk_table(w, &d);
		}
		if (err)
			return err;
		i = d.next;
	} while (d.flags & VRING_DESC_F_NEXT);
	return 0;
}

/* How many chains the driver has made available beyond next_avail, or -EPROTO. */
static int avail_count(struct virtq *vq)
{
	const struct avail_ring *avail = vq->avail_ring;

	if (vq->avail_seen == vq->next_avail) {
		vq->avail_seen = atomic_load_explicit(&avail->idx, memory_order_acquire);
		/* With those in flight there are at most `num` (2.7.13.3.1 follows from it): a
		 * jump, and an index that goes back, show as too large a distance. */
		if ((uint16_t)(vq->avail_seen - vq->next_avail) > vq->num - virtq_inflight(vq))
			return -EPROTO;
	}
	return (uint16_t)(vq->avail_seen - vq->next_avail);
}

int virtq_pop(struct virtq *vq, struct virtq_chain *chain)
{
	const struct avail_ring *avail = vq->avail_ring;
	struct walk w = { .vq = vq, .chain = chain };
	int ret;

	if (!vq->ready)
		return 0;
	ret = avail_count(vq);
	if (ret <= 0)
		return ret;
	chain->head = load16(&avail->ring[vq->next_avail & (vq->num - 1)]);
	ret = walk_chain(&w, chain->head);
	if (ret)
		return ret;
	chain->out = (struct virtq_iov){ .iov = chain->iov, .n = w.nout, .left = w.out_len };
	chain->nin = w.n - w.nout;
	chain->in = (struct virtq_iov){
		.iov = chain->iov + w.nout,
		.n = chain->nin,
		.left = w.in_len,
	};
	chain->wrote = w.in_len;
	vq->next_avail++;
	return 1;
}

void virtq_unpop(struct virtq *vq)
{
	assert(virtq_inflight(vq));
	vq->next_avail--;
}

/* --- completion -------------------------------------------------------------------------------- */

/* All regions record their writes, or none does. */
static bool tracked(const struct virtq *vq)
{
	return vq->mem->ram[0].dirty != NULL;
}

static void dirty_host(struct guest_mem *mem, const uint8_t *host, size_t len)
{
	for (unsigned int i = 0; i < mem->nram; i++) {
		const struct guest_ram *ram = &mem->ram[i];
		uint64_t off = (uintptr_t)host - (uintptr_t)ram->host;

		if (off < ram->size)
			guest_mem_dirty(mem, ram->base + off, len);
	}
}

static void dirty_chain(struct virtq *vq, struct virtq_chain *chain)
{
	size_t left = chain->wrote;
	const struct iovec *iov = chain->in.iov;
	size_t len;

	virtq_rewind(&chain->in);
	/* A byte cut off the last entry lies behind it: whoever cut one wrote it. */
	for (unsigned int i = 0; i < chain->nin && left; i++, left -= len) {
		len = i + 1 == chain->nin || iov[i].iov_len > left ? left : iov[i].iov_len;
		dirty_host(vq->mem, iov[i].iov_base, len);
	}
}

void virtq_push(struct virtq *vq, struct virtq_chain *chain, uint32_t len)
{
	struct used_ring *used = vq->used_ring;
	struct used_elem *elem = &used->ring[vq->next_used & (vq->num - 1)];

	assert(virtq_inflight(vq));
	vq->requests++;
	vq->bytes += len + chain->out.consumed + chain->out.left;
	if (tracked(vq))
		dirty_chain(vq, chain);
	atomic_store_explicit(&elem->id, chain->head, memory_order_relaxed);
	atomic_store_explicit(&elem->len, len, memory_order_relaxed);
	vq->next_used++;
}

bool virtq_publish(struct virtq *vq)
{
	const struct avail_ring *avail = vq->avail_ring;
	struct used_ring *used = vq->used_ring;
	uint16_t old = vq->published, new = vq->next_used;

	if (old == new)
		return false;
	atomic_store_explicit(&used->idx, new, memory_order_release);
	vq->published = new;
	if (tracked(vq))
		guest_mem_dirty(vq->mem, vq->used, used_size(vq));
	/* The driver arms its interrupt, then looks at used->idx; we do the opposite. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!vq->event_idx)
		return !(load16(&avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	return vring_need_event(load16(used_event(vq)), new, old);
}

/* --- notification suppression ------------------------------------------------------------------ */

void virtq_mute(struct virtq *vq)
{
	struct used_ring *used = vq->used_ring;

	/* With the event index the driver notifies once when it passes avail_event, which stays
	 * behind until virtq_listen(): nothing to do. */
	if (!vq->ready || vq->muted)
		return;
	vq->muted = true;
	if (!vq->event_idx)
		store16(&used->flags, VRING_USED_F_NO_NOTIFY);
}

bool virtq_listen(struct virtq *vq)
{
	const struct avail_ring *avail = vq->avail_ring;
	struct used_ring *used = vq->used_ring;

	if (!vq->ready)
		return false;
	if (vq->event_idx)
		store16(avail_event(vq), vq->next_avail);
	else if (vq->muted)
		store16(&used->flags, 0);
	vq->muted = false;
	if (tracked(vq))
		guest_mem_dirty(vq->mem, vq->used, used_size(vq));
	/* The driver moves avail->idx, then looks whether to notify; we do the opposite. */
	atomic_thread_fence(memory_order_seq_cst);
	return load16(&avail->idx) != vq->next_avail;
}
