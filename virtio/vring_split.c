// SPDX-License-Identifier: GPL-2.0-only
#include <assert.h>

#include "virtio/vring_layout.h"

/* The split layout (VIRTIO 1.2, 2.7): a table of descriptors, and two rings of heads. */

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

_Static_assert(sizeof(struct virtq_desc) == sizeof(struct vring_desc), "a copy of the guest's");

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

static uint64_t used_size(const struct virtq *vq)
{
	return sizeof(struct used_ring) + vq->num * sizeof(struct used_elem) +
	       (vq->event_idx ? sizeof(uint16_t) : 0);
}

static uint16_t split_inflight(const struct virtq *vq)
{
	return vq->next_avail - vq->next_used;
}

static int split_enable(struct virtq *vq)
{
	uint64_t desc_size = vq->num * sizeof(struct vring_desc);
	uint64_t avail_size = sizeof(struct avail_ring) + vq->num * sizeof(uint16_t) +
			      (vq->event_idx ? sizeof(uint16_t) : 0);

	if ((vq->num & (vq->num - 1)) || split_inflight(vq) > vq->num)
		return -EPROTO;
	vq->avail_seen = vq->next_avail;
	return virtq_map(vq, (struct virtq_area){ 16, desc_size },
			 (struct virtq_area){ 2, avail_size },
			 (struct virtq_area){ 4, used_size(vq) });
}

/* --- chains ------------------------------------------------------------------------------------ */

static uint16_t desc_next(const struct virtq_desc *d)
{
	return d->meta >> 48;
}

static uint16_t desc_flags(const struct virtq_desc *d)
{
	return d->meta >> 32;
}

/* Follows an indirect table from its first entry (2.7.5.3). */
static int walk_table(struct virtq_walk *w, const struct virtq_desc *ref)
{
	uint32_t num, i = 0, count = 0;
	const uint8_t *table = virtq_walk_table(w, ref, &num);
	struct virtq_desc d;
	int err;

	if (!table)
		return -EPROTO;
	do {
		if (i >= num || ++count > num)
			return -EPROTO;
		d = desc_load_any(table + i * sizeof(d));
		if (desc_flags(&d) & VRING_DESC_F_INDIRECT)
			return -EPROTO;
		err = walk_buffer(w, &d, desc_flags(&d) & VRING_DESC_F_WRITE);
		if (err)
			return err;
		i = desc_next(&d);
	} while (desc_flags(&d) & VRING_DESC_F_NEXT);
	return 0;
}

static int walk_chain(struct virtq_walk *w, uint16_t head)
{
	const struct virtq *vq = w->vq;
	const struct virtq_desc *table = vq->desc_ring;
	uint32_t i = head, count = 0;
	struct virtq_desc d;
	uint16_t flags;
	int err;

	do {
		if (i >= vq->num || ++count > vq->num)
			return -EPROTO;
		d = desc_load(&table[i]);
		flags = desc_flags(&d);
		if (!(flags & VRING_DESC_F_INDIRECT))
			err = walk_buffer(w, &d, flags & VRING_DESC_F_WRITE);
		else if (!vq->indirect || (!vq->mixed_indirect && flags & VRING_DESC_F_NEXT))
			err = -EPROTO;
		else
			err = walk_table(w, &d);
		if (err)
			return err;
		i = desc_next(&d);
	} while (flags & VRING_DESC_F_NEXT);
	return 0;
}

/* How many chains the driver has made available beyond next_avail, or -EPROTO. */
static int avail_count(struct virtq *vq)
{
	const struct avail_ring *avail = vq->avail_ring;
	uint16_t idx;

	if (vq->avail_seen == vq->next_avail) {
		idx = atomic_load_explicit(&avail->idx, memory_order_acquire);
		/* With those in flight there are at most `num` (2.7.13.3.1 follows from it): a
		 * jump, and an index that goes back, show as too large a distance. */
		if ((uint16_t)(idx - vq->next_avail) > vq->num - split_inflight(vq))
			return -EPROTO;
		vq->avail_seen = idx;
	}
	return (uint16_t)(vq->avail_seen - vq->next_avail);
}

static int split_pop(struct virtq *vq, struct virtq_chain *chain)
{
	const struct avail_ring *avail = vq->avail_ring;
	struct virtq_walk w;
	uint16_t head;
	int ret = avail_count(vq);

	if (ret <= 0)
		return ret;
	walk_begin(&w, vq, chain);
	head = load16(&avail->ring[vq->next_avail & (vq->num - 1)]);
	ret = walk_chain(&w, head) ?: walk_end(&w, head, 1);
	if (ret > 0)
		vq->next_avail++;
	return ret;
}

static void split_unpop(struct virtq *vq)
{
	vq->next_avail--;
}

/* --- completion -------------------------------------------------------------------------------- */

static void split_push(struct virtq *vq, struct virtq_chain *chain, uint32_t len)
{
	struct used_ring *used = vq->used_ring;
	struct used_elem *elem;

	/* In order, the last of a batch names all of it, in the entry of the first; but those before
	 * it are taken to be written completely (2.7.9). */
	if (!vq->joinable)
		vq->entry = vq->next_used;
	vq->joinable = vq->in_order && len == chain->room;
	elem = &used->ring[vq->entry & (vq->num - 1)];
	atomic_store_explicit(&elem->id, chain->head, memory_order_relaxed);
	atomic_store_explicit(&elem->len, len, memory_order_relaxed);
	vq->next_used++;
}

static bool split_publish(struct virtq *vq)
{
	const struct avail_ring *avail = vq->avail_ring;
	struct used_ring *used = vq->used_ring;
	uint16_t old = vq->published, new = vq->next_used;

	atomic_store_explicit(&used->idx, new, memory_order_release);
	vq->published = new;
	if (virtq_tracked(vq))
		guest_mem_dirty(vq->mem, vq->used, used_size(vq));
	/* The driver arms its interrupt, then looks at used->idx; we do the opposite. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!vq->event_idx)
		return !(load16(&avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	return vring_need_event(load16(used_event(vq)), new, old);
}

/* --- notification suppression ------------------------------------------------------------------ */

static void split_mute(struct virtq *vq)
{
	struct used_ring *used = vq->used_ring;

	/* With the event index the driver notifies once when it passes avail_event, which stays
	 * behind until split_listen(): nothing to do. */
	if (vq->event_idx)
		return;
	store16(&used->flags, VRING_USED_F_NO_NOTIFY);
	if (virtq_tracked(vq))
		guest_mem_dirty(vq->mem, vq->used, used_size(vq));
}

static bool split_listen(struct virtq *vq)
{
	const struct avail_ring *avail = vq->avail_ring;
	struct used_ring *used = vq->used_ring;

	if (vq->event_idx)
		store16(avail_event(vq), vq->next_avail);
	else
		store16(&used->flags, 0);
	if (virtq_tracked(vq))
		guest_mem_dirty(vq->mem, vq->used, used_size(vq));
	/* The driver moves avail->idx, then looks whether to notify; we do the opposite. */
	atomic_thread_fence(memory_order_seq_cst);
	return load16(&avail->idx) != vq->next_avail;
}

const struct virtq_layout virtq_split = {
	.enable = split_enable,
	.pop = split_pop,
	.unpop = split_unpop,
	.push = split_push,
	.publish = split_publish,
	.mute = split_mute,
	.listen = split_listen,
	.inflight = split_inflight,
};
