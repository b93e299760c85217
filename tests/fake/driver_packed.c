// SPDX-License-Identifier: GPL-2.0-only
#include <stdatomic.h>
#include <stdlib.h>

#include "tests/fake/driver.h"

/* The driver's side of a packed ring (VIRTIO 1.2, 2.8). */

enum {
	F_AVAIL = 1 << VRING_PACKED_DESC_F_AVAIL,
	F_USED = 1 << VRING_PACKED_DESC_F_USED,
};

static void *at(const struct fake_ring *ring, gpa_t gpa, uint64_t len)
{
	void *p = guest_mem_ptr(ring->mem, gpa, len);

	if (!p)
		abort();
	return p;
}

static _Atomic uint64_t *desc(const struct fake_ring *ring, uint16_t i)
{
	return at(ring, ring->desc + i * sizeof(struct vring_packed_desc),
		  sizeof(struct vring_packed_desc));
}

uint16_t fake_packed_advance(const struct fake_ring *ring, uint16_t pos, unsigned int by)
{
	return (pos + by) % (2 * ring->num);
}

static bool wrap(const struct fake_ring *ring, uint16_t pos)
{
	return pos < ring->num;
}

uint16_t fake_packed_avail(const struct fake_ring *ring, uint16_t pos)
{
	return wrap(ring, pos) ? F_AVAIL : F_USED;
}

static uint64_t meta(uint32_t len, uint16_t id, uint16_t flags)
{
	return len | (uint64_t)id << 32 | (uint64_t)flags << 48;
}

static void store(_Atomic uint64_t *to, gpa_t addr, uint64_t word)
{
	atomic_store_explicit(&to[0], addr, memory_order_relaxed);
	atomic_store_explicit(&to[1], word, memory_order_release);
}

void fake_packed_desc(struct fake_ring *ring, uint16_t i, gpa_t addr, uint32_t len, uint16_t id,
		      uint16_t flags)
{
	store(desc(ring, i), addr, meta(len, id, flags));
}

void fake_packed_table_desc(struct fake_ring *ring, gpa_t table, uint16_t i, gpa_t addr,
			    uint32_t len, uint16_t flags)
{
	/* Its second half has length, id and flags where a split one has length, flags and next. */
	fake_table_desc(ring, table, i, addr, len, 0, flags);
}

/* The first descriptor is made available after the others (2.8.6). */
void fake_packed_add(struct fake_ring *ring, const struct fake_buf *bufs, unsigned int n,
		     uint16_t flags, uint16_t id)
{
	for (unsigned int i = n; i-- > 0;) {
		uint16_t pos = fake_packed_advance(ring, ring->avail_idx, i);

		fake_packed_desc(ring, pos % ring->num, bufs[i].addr, bufs[i].len, id,
				 fake_packed_avail(ring, pos) | flags |
					 (bufs[i].in ? VRING_DESC_F_WRITE : 0) |
					 (i + 1 < n ? VRING_DESC_F_NEXT : 0));
	}
	ring->avail_idx = fake_packed_advance(ring, ring->avail_idx, n);
}

bool fake_packed_wants_kick(struct fake_ring *ring, uint16_t old, uint16_t new)
{
	uint32_t event = atomic_load((_Atomic uint32_t *)at(ring, ring->used, 4));
	uint16_t at_pos = event & 0x7fff,
		 added = fake_packed_advance(ring, new, 2 * ring->num - old);

	switch (event >> 16) {
	case VRING_PACKED_EVENT_FLAG_ENABLE:
		return added;
	case VRING_PACKED_EVENT_FLAG_DESC:
		/* The position among those added. */
		if (at_pos >= ring->num)
			abort();
		at_pos += event >> VRING_PACKED_EVENT_F_WRAP_CTR & 1 ? 0 : ring->num;
		return fake_packed_advance(ring, at_pos, 2 * ring->num - old) < added;
	case VRING_PACKED_EVENT_FLAG_DISABLE:
		return false;
	default:
		abort();
	}
}

bool fake_packed_peek(struct fake_ring *ring, uint32_t *id, uint32_t *len)
{
	uint64_t word = atomic_load_explicit(&desc(ring, ring->used_idx % ring->num)[1],
					     memory_order_acquire);
	uint16_t flags = word >> 48;

	if (!(flags & F_AVAIL) != !(flags & F_USED) ||
	    !(flags & F_USED) == wrap(ring, ring->used_idx))
		return false;
	*id = word >> 32 & 0xffff;
	*len = flags & VRING_DESC_F_WRITE ? word : 0;
	return true;
}

void fake_packed_event(struct fake_ring *ring, uint16_t pos, uint16_t flags)
{
	uint16_t off_wrap = pos % ring->num | wrap(ring, pos) << VRING_PACKED_EVENT_F_WRAP_CTR;

	atomic_store((_Atomic uint32_t *)at(ring, ring->avail, 4),
		     off_wrap | (uint32_t)flags << 16);
}
