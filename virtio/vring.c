// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/vring.h"

#include <assert.h>
#include <linux/virtio_config.h>
#include <stdlib.h>

#include "virtio/vring_layout.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "rings are little-endian, and so are we");

/* --- a closed queue ---------------------------------------------------------------------------- */

static int closed_pop(struct virtq *vq, struct virtq_chain *chain)
{
	(void)vq;
	(void)chain;
	return 0;
}

static void closed_mute(struct virtq *vq)
{
	(void)vq;
}

static bool closed_listen(struct virtq *vq)
{
	(void)vq;
	return false;
}

static uint16_t closed_inflight(const struct virtq *vq)
{
	return vq->next_avail - vq->next_used;
}

/* No chain can have come from it, so none comes back. */
static const struct virtq_layout closed = {
	.pop = closed_pop,
	.mute = closed_mute,
	.listen = closed_listen,
	.inflight = closed_inflight,
};

/* --- opening and closing ----------------------------------------------------------------------- */

void virtq_init(struct virtq *vq, struct guest_mem *mem, uint16_t max)
{
	assert(max && max <= VIRTQ_MAX && !(max & (max - 1)));
	*vq = (struct virtq){ .mem = mem, .max = max, .layout = &closed };
}

int virtq_map(struct virtq *vq, struct virtq_area desc, struct virtq_area avail,
	      struct virtq_area used)
{
	if (vq->desc % desc.align || vq->avail % avail.align || vq->used % used.align)
		return -EPROTO;
	vq->desc_ring = guest_mem_ptr(vq->mem, vq->desc, desc.size);
	vq->avail_ring = guest_mem_ptr(vq->mem, vq->avail, avail.size);
	vq->used_ring = guest_mem_ptr(vq->mem, vq->used, used.size);
	return vq->desc_ring && vq->avail_ring && vq->used_ring ? 0 : -EPROTO;
}

static bool negotiated(uint64_t features, unsigned int feature)
{
	return features >> feature & 1;
}

int virtq_enable(struct virtq *vq, uint64_t features)
{
	const struct virtq_layout *layout;
	int err;

	vq->indirect = negotiated(features, VIRTIO_RING_F_INDIRECT_DESC);
	vq->event_idx = negotiated(features, VIRTIO_RING_F_EVENT_IDX);
	vq->in_order = negotiated(features, VIRTIO_F_IN_ORDER);
	layout = negotiated(features, VIRTIO_F_RING_PACKED) ? &virtq_packed : &virtq_split;
	if (!vq->num || vq->num > vq->max)
		return -EPROTO;
	err = layout->enable(vq);
	if (err)
		return err;
	vq->layout = layout;
	vq->published = vq->next_used;
	vq->joinable = vq->muted = false;
	vq->ready = true;
	return 0;
}

void virtq_disable(struct virtq *vq)
{
	struct virtq old = *vq;

	free(old.sizes);
	virtq_init(vq, old.mem, old.max);
	vq->mixed_indirect = old.mixed_indirect;
	vq->requests = old.requests;
	vq->bytes = old.bytes;
}

void virtq_seek(struct virtq *vq, uint16_t pos)
{
	assert(vq->ready && !vq->packed && !virtq_inflight(vq));
	vq->next_avail = vq->next_used = vq->published = vq->avail_seen = pos;
	vq->joinable = false;
}

uint16_t virtq_inflight(const struct virtq *vq)
{
	return vq->layout->inflight(vq);
}

/* --- use --------------------------------------------------------------------------------------- */

int virtq_pop(struct virtq *vq, struct virtq_chain *chain)
{
	return vq->layout->pop(vq, chain);
}

void virtq_unpop(struct virtq *vq)
{
	assert(virtq_inflight(vq));
	vq->layout->unpop(vq);
}

void virtq_push(struct virtq *vq, struct virtq_chain *chain, uint32_t len)
{
	assert(virtq_inflight(vq) >= chain->entries);
	vq->requests++;
	vq->bytes += len + chain->out.consumed + chain->out.left;
	if (virtq_tracked(vq))
		virtq_dirty_chain(vq, chain);
	vq->layout->push(vq, chain, len);
}

bool virtq_publish(struct virtq *vq)
{
	if (vq->published == vq->next_used)
		return false;
	/* What the driver sees can no longer be joined. */
	vq->joinable = false;
	return vq->layout->publish(vq);
}

void virtq_mute(struct virtq *vq)
{
	if (!vq->muted)
		vq->layout->mute(vq);
	vq->muted = true;
}

bool virtq_listen(struct virtq *vq)
{
	vq->muted = false;
	return vq->layout->listen(vq);
}
