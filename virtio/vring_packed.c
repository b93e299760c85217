// SPDX-License-Identifier: GPL-2.0-only
#include <assert.h>
#include <stdlib.h>

#include "virtio/vring_layout.h"

/*
 * The packed layout (VIRTIO 1.2, 2.8): one ring of descriptors that both sides write, and two words
 * of event suppression. The second half of a descriptor (length, id, flags) is one 64-bit word: one
 * load tells whether it is available and what it says, one store makes it used.
 */
struct packed_desc {
	_Atomic uint64_t addr, meta;
};

enum {
	F_AVAIL = 1 << VRING_PACKED_DESC_F_AVAIL,
	F_USED = 1 << VRING_PACKED_DESC_F_USED,
};

_Static_assert(sizeof(struct packed_desc) == sizeof(struct vring_packed_desc), "the guest's");

/* --- positions --------------------------------------------------------------------------------- */

/* Modulo 2 * num, by less than that. */
static uint16_t advance(const struct virtq *vq, uint16_t pos, unsigned int by)
{
	unsigned int to = pos + by;

	return to < 2 * vq->num ? to : to - 2 * vq->num;
}

static uint16_t distance(const struct virtq *vq, uint16_t from, uint16_t to)
{
	return to - from + (to < from ? 2 * vq->num : 0);
}

static uint16_t index_of(const struct virtq *vq, uint16_t pos)
{
	return pos < vq->num ? pos : pos - vq->num;
}

/* The wrap counter begins at 1 (2.8.1). */
static bool wrap_of(const struct virtq *vq, uint16_t pos)
{
	return pos < vq->num;
}

/* As the event suppression structures spell it. */
static uint16_t off_wrap(const struct virtq *vq, uint16_t pos)
{
	return index_of(vq, pos) | wrap_of(vq, pos) << VRING_PACKED_EVENT_F_WRAP_CTR;
}

static uint16_t packed_inflight(const struct virtq *vq)
{
	return distance(vq, vq->next_used, vq->next_avail);
}

/* --- opening ----------------------------------------------------------------------------------- */

static int packed_enable(struct virtq *vq)
{
	const struct virtq_area event = { 4, sizeof(struct vring_packed_desc_event) };
	int err;

	if (vq->next_avail >= 2 * vq->num || vq->next_used >= 2 * vq->num ||
	    packed_inflight(vq) > vq->num)
		return -EPROTO;
	err = virtq_map(vq, (struct virtq_area){ 16, vq->num * sizeof(struct packed_desc) }, event,
			event);
	if (err)
		return err;
	vq->sizes = calloc(vq->num, sizeof(*vq->sizes));
	return vq->sizes ? 0 : -ENOMEM;
}

/* --- chains ------------------------------------------------------------------------------------ */

static uint16_t meta_flags(uint64_t meta)
{
	return meta >> 48;
}

static uint16_t meta_id(uint64_t meta)
{
	return meta >> 32;
}

/* 2.8.1: of the two bits, AVAIL is the driver's wrap counter and USED its inverse. */
static bool available(const struct virtq *vq, uint64_t meta)
{
	uint16_t bits = wrap_of(vq, vq->next_avail) ? F_AVAIL : F_USED;

	return (meta_flags(meta) & (F_AVAIL | F_USED)) == bits;
}

/* An indirect table is used from its first entry to its last (2.8.7). Flags but WRITE are reserved
 * and to be ignored; INDIRECT could only mean what no driver may do, and is refused. */
static int walk_table(struct virtq_walk *w, const struct virtq_desc *ref)
{
	uint32_t num;
	const uint8_t *table = virtq_walk_table(w, ref, &num);
	struct virtq_desc d;
	uint16_t flags;
	int err;

	if (!table)
		return -EPROTO;
	for (uint32_t i = 0; i < num; i++) {
		d = desc_load_any(table + i * sizeof(d));
		flags = meta_flags(d.meta);
		if (flags & VRING_DESC_F_INDIRECT)
			return -EPROTO;
		err = walk_buffer(w, &d, flags & VRING_DESC_F_WRITE);
		if (err)
			return err;
	}
	return 0;
}

/* 2.8.5: a list has descriptors of one kind only; a table is a list by itself. */
static int walk_indirect(struct virtq_walk *w, const struct virtq_desc *ref, bool alone)
{
	if (!w->vq->indirect || (!alone && !w->vq->mixed_indirect))
		return -EPROTO;
	return walk_table(w, ref);
}

/* Walks the list whose first descriptor has the second half `meta`: 1 or an error. At most `max`
 * entries, which are those that the driver can have. */
static int walk_chain(struct virtq_walk *w, uint64_t meta, unsigned int max)
{
	struct virtq *vq = w->vq;
	struct packed_desc *ring = vq->desc_ring;
	unsigned int i = index_of(vq, vq->next_avail), count = 0, last;
	int err;

	for (;;) {
		uint16_t flags = meta_flags(meta);
		struct virtq_desc d = { .meta = meta };

		if (++count > max)
			return -EPROTO;
		d.addr = atomic_load_explicit(&ring[i].addr, memory_order_relaxed);
		if (!(flags & VRING_DESC_F_INDIRECT))
			err = walk_buffer(w, &d, flags & VRING_DESC_F_WRITE);
		else
			err = walk_indirect(w, &d, count == 1 && !(flags & VRING_DESC_F_NEXT));
		if (err)
			return err;
		last = i;
		if (++i == vq->num)
			i = 0;
		if (!(flags & VRING_DESC_F_NEXT))
			break;
		/* The first one was made available after the others (2.8.6). */
		meta = atomic_load_explicit(&ring[i].meta, memory_order_relaxed);
	}
	vq->sizes[last] = count;
	/* The id is in the last one. */
	return walk_end(w, meta_id(meta), count);
}

static int packed_pop(struct virtq *vq, struct virtq_chain *chain)
{
	struct packed_desc *ring = vq->desc_ring;
	uint64_t meta = atomic_load_explicit(&ring[index_of(vq, vq->next_avail)].meta,
					     memory_order_acquire);
	struct virtq_walk w;
	int ret;

	if (!available(vq, meta))
		return 0;
	walk_begin(&w, vq, chain);
	/* Entries in flight, or used and not shown yet, are not the driver's. */
	ret = walk_chain(&w, meta, vq->num - distance(vq, vq->published, vq->next_avail));
	if (ret > 0)
		vq->next_avail = advance(vq, vq->next_avail, chain->entries);
	return ret;
}

static void packed_unpop(struct virtq *vq)
{
	uint16_t size = vq->sizes[index_of(vq, advance(vq, vq->next_avail, 2 * vq->num - 1))];

	assert(size && size <= packed_inflight(vq));
	vq->next_avail = advance(vq, vq->next_avail, 2 * vq->num - size);
}

/* --- completion -------------------------------------------------------------------------------- */

/* A used descriptor takes the place of the first one of its list, or of its batch when in order
 * (2.8.6, 2.8.8). The one that the driver looks at first is held back: with it, all can be seen. */
static void packed_push(struct virtq *vq, struct virtq_chain *chain, uint32_t len)
{
	struct packed_desc *ring = vq->desc_ring;
	uint16_t flags = len ? VRING_DESC_F_WRITE : 0;
	uint64_t meta;

	if (!vq->joinable)
		vq->entry = vq->next_used;
	vq->joinable = vq->in_order && len == chain->room;
	if (wrap_of(vq, vq->entry))
		flags |= F_AVAIL | F_USED;
	meta = len | (uint64_t)chain->head << 32 | (uint64_t)flags << 48;
	if (vq->entry == vq->published)
		vq->first = meta;
	else
		atomic_store_explicit(&ring[index_of(vq, vq->entry)].meta, meta,
				      memory_order_relaxed);
	vq->next_used = advance(vq, vq->next_used, chain->entries);
}

static void dirty_ring(struct virtq *vq)
{
	if (!virtq_tracked(vq))
		return;
	guest_mem_dirty(vq->mem, vq->desc, vq->num * sizeof(struct packed_desc));
	guest_mem_dirty(vq->mem, vq->used, sizeof(struct vring_packed_desc_event));
}

/* Whether the driver's event suppression (2.8.10) asks for an interrupt for what was used from
 * `old` to `new`. One load: offset and flags belong together. */
static bool interrupt_wanted(const struct virtq *vq, uint16_t old, uint16_t new)
{
	uint32_t event =
		atomic_load_explicit((_Atomic uint32_t *)vq->avail_ring, memory_order_relaxed);
	uint16_t flags = event >> 16 & 3, at = event & 0x7fff;
	bool wrap = event >> VRING_PACKED_EVENT_F_WRAP_CTR & 1;

	if (!vq->event_idx || flags != VRING_PACKED_EVENT_FLAG_DESC)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	/* Relative to the lap of `new`, the other lap lies before it. */
	if (wrap != wrap_of(vq, new))
		at -= vq->num;
	return vring_need_event(at, index_of(vq, new), index_of(vq, new) - distance(vq, old, new));
}

static bool packed_publish(struct virtq *vq)
{
	struct packed_desc *ring = vq->desc_ring;
	uint16_t old = vq->published, new = vq->next_used;

	atomic_store_explicit(&ring[index_of(vq, old)].meta, vq->first, memory_order_release);
	vq->published = new;
	dirty_ring(vq);
	/* The driver arms its interrupt, then looks at the descriptor; we do the opposite. */
	atomic_thread_fence(memory_order_seq_cst);
	return interrupt_wanted(vq, old, new);
}

/* --- notification suppression ------------------------------------------------------------------ */

static void store_event(struct virtq *vq, uint16_t at, uint16_t flags)
{
	atomic_store_explicit((_Atomic uint32_t *)vq->used_ring, at | (uint32_t)flags << 16,
			      memory_order_relaxed);
}

/* Also with the event index: an offset left behind comes round again after two laps. */
static void packed_mute(struct virtq *vq)
{
	store_event(vq, 0, VRING_PACKED_EVENT_FLAG_DISABLE);
	dirty_ring(vq);
}

static bool packed_listen(struct virtq *vq)
{
	struct packed_desc *ring = vq->desc_ring;

	if (vq->event_idx)
		store_event(vq, off_wrap(vq, vq->next_avail), VRING_PACKED_EVENT_FLAG_DESC);
	else
		store_event(vq, 0, VRING_PACKED_EVENT_FLAG_ENABLE);
	dirty_ring(vq);
	/* The driver makes a descriptor available, then looks whether to notify; we do the
	 * opposite. */
	atomic_thread_fence(memory_order_seq_cst);
	return available(vq, atomic_load_explicit(&ring[index_of(vq, vq->next_avail)].meta,
						  memory_order_relaxed));
}

const struct virtq_layout virtq_packed = {
	.enable = packed_enable,
	.pop = packed_pop,
	.unpop = packed_unpop,
	.push = packed_push,
	.publish = packed_publish,
	.mute = packed_mute,
	.listen = packed_listen,
	.inflight = packed_inflight,
};
