// SPDX-License-Identifier: GPL-2.0-only
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/vring_layout.h"
#include "vmm/core/state.h"

/* Chains: their array of buffers, and the rare parts of a walk. */

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

/* Room for GUEST_RAM_MAX more entries behind `n`, as many as one descriptor can need. */
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

int virtq_walk_far(struct virtq_walk *w, gpa_t addr, uint32_t len)
{
	struct guest_mem *mem = w->vq->mem;
	const struct guest_ram *region = guest_mem_region(mem, addr);
	int n;

	if (!region)
		return -EPROTO;
	w->vq->near = *region;
	if (w->cap - w->n < GUEST_RAM_MAX) {
		int err = chain_grow(w->chain, w->n);

		if (err)
			return err;
		w->iov = w->chain->iov;
		w->cap = w->chain->cap;
	}
	n = guest_mem_iov(mem, addr, len, w->iov + w->n, w->cap - w->n);
	if (n < 0)
		return -EPROTO;
	w->n += n;
	return 0;
}

struct virtq_desc virtq_desc_load_bytes(const void *p)
{
	const _Atomic uint8_t *from = p;
	uint8_t bytes[sizeof(struct virtq_desc)];
	struct virtq_desc d;

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = atomic_load_explicit(&from[i], memory_order_relaxed);
	memcpy(&d, bytes, sizeof(d));
	return d;
}

const uint8_t *virtq_walk_table(struct virtq_walk *w, const struct virtq_desc *ref, uint32_t *num)
{
	uint32_t len = desc_len(ref);
	const uint8_t *table;

	*num = len / sizeof(struct virtq_desc);
	if (!*num || len % sizeof(struct virtq_desc) || *num > w->vq->max)
		return NULL;
	table = guest_ram_ptr(&w->vq->near, ref->addr, len);
	return table ?: guest_mem_ptr(w->vq->mem, ref->addr, len);
}

/* --- dirty log --------------------------------------------------------------------------------- */

/* The guest's address of a pointer into its RAM. */
static gpa_t gpa_of(const struct guest_mem *mem, const uint8_t *host)
{
	for (unsigned int i = 0; i < mem->nram; i++) {
		const struct guest_ram *ram = &mem->ram[i];
		uint64_t off = (uintptr_t)host - (uintptr_t)ram->host;

		if (off < ram->size)
			return ram->base + off;
	}
	assert(!"a buffer outside RAM");
	return 0;
}

void virtq_dirty_chain(struct virtq *vq, struct virtq_chain *chain)
{
	size_t left = chain->wrote;
	const struct iovec *iov = chain->in.iov;
	size_t len;

	virtq_rewind(&chain->in);
	/* A byte cut off the last entry lies behind it: whoever cut one wrote it. */
	for (unsigned int i = 0; i < chain->nin && left; i++, left -= len) {
		len = i + 1 == chain->nin || iov[i].iov_len > left ? left : iov[i].iov_len;
		guest_mem_dirty(vq->mem, gpa_of(vq->mem, iov[i].iov_base), len);
	}
}

/* --- state ------------------------------------------------------------------------------------- */

/* One buffer; a chain is saved as the driver gave it, so with the byte that was cut off. */
static void buffer_state(struct virtq_walk *w, struct iovec *iov, size_t more, bool in,
			 struct state *s)
{
	uint64_t gpa = s->loading ? 0 : gpa_of(w->vq->mem, iov->iov_base);
	uint32_t len = s->loading ? 0 : iov->iov_len + more;
	struct virtq_desc d;

	state_u64(s, "buffer", &gpa);
	state_u32(s, "len", &len);
	if (!s->loading || s->err)
		return;
	d = (struct virtq_desc){ .addr = gpa, .meta = len };
	/* A buffer over several regions was saved in parts: more than there were descriptors. */
	w->seen = 0;
	state_check(s, len && !walk_buffer(w, &d, in), "buffer");
}

void virtq_chain_state(struct virtq *vq, struct virtq_chain *chain, struct state *s)
{
	uint16_t nout = chain->out.n, nin = chain->nin;
	struct virtq_walk w;
	size_t left;

	assert(vq->ready);
	if (!s->loading) {
		virtq_rewind(&chain->out);
		virtq_rewind(&chain->in);
	}
	left = chain->room - chain->in.left;
	state_u16(s, "head", &chain->head);
	state_u16(s, "entries", &chain->entries);
	state_u16(s, "out", &nout);
	state_u16(s, "in", &nin);
	state_check(s,
		    nout + nin <= VIRTQ_MAX * GUEST_RAM_MAX && chain->entries &&
			    chain->entries <= virtq_inflight(vq),
		    "entries");
	walk_begin(&w, vq, chain);
	for (unsigned int i = 0; i < nout && !s->err; i++)
		buffer_state(&w, &chain->iov[i], 0, false, s);
	for (unsigned int i = 0; i < nin && !s->err; i++)
		buffer_state(&w, &chain->in.iov[i], i + 1 == nin ? left : 0, true, s);
	if (s->loading && !s->err)
		state_check(s, walk_end(&w, chain->head, chain->entries) == 1, "len");
}
