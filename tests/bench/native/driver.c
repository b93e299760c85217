// SPDX-License-Identifier: GPL-2.0-only
#include "tests/bench/native/driver.h"

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	F_AVAIL = 1 << VRING_PACKED_DESC_F_AVAIL,
	F_USED = 1 << VRING_PACKED_DESC_F_USED,
	LAPS = 2 * DRV_NUM,
};

void drv_init(struct drv *drv, uint8_t *ring, uint64_t features)
{
	*drv = (struct drv){
		.packed = features >> VIRTIO_F_RING_PACKED & 1,
		.indirect = features >> VIRTIO_RING_F_INDIRECT_DESC & 1,
		.event_idx = features >> VIRTIO_RING_F_EVENT_IDX & 1,
		.desc = ring,
		.avail = (_Atomic uint16_t *)(ring + DRV_AVAIL),
		.used = (_Atomic uint16_t *)(ring + DRV_USED),
		.free = DRV_NUM,
	};
	drv_disarm(drv);
}

static void store16(_Atomic uint16_t *to, uint16_t val)
{
	atomic_store_explicit(to, val, memory_order_relaxed);
}

static void store_desc(uint8_t *table, unsigned int i, uint64_t addr, uint64_t meta)
{
	_Atomic uint64_t *d = (_Atomic uint64_t *)(table + 16 * i);

	atomic_store_explicit(&d[0], addr, memory_order_relaxed);
	/* Release for the one that makes a packed chain available; others do not mind. */
	atomic_store_explicit(&d[1], meta, memory_order_release);
}

static void given(struct drv *drv, uint16_t id, uint16_t size)
{
	unsigned int at = (drv->first + drv->given++) % DRV_NUM;

	drv->chains[at].id = id;
	drv->chains[at].size = size;
	drv->free -= size;
}

/* --- split ------------------------------------------------------------------------------------- */

static uint64_t split_meta(uint32_t len, uint16_t flags, uint16_t next)
{
	return len | (uint64_t)flags << 32 | (uint64_t)next << 48;
}

static uint16_t buf_flags(const struct drv_buf *buf, bool more)
{
	return (buf->in ? VRING_DESC_F_WRITE : 0) | (more ? VRING_DESC_F_NEXT : 0);
}

static void split_expose(struct drv *drv, uint16_t head)
{
	store16(&drv->avail[2 + drv->avail_idx % DRV_NUM], head);
	atomic_store_explicit(&drv->avail[1], ++drv->avail_idx, memory_order_release);
}

static void split_add(struct drv *drv, const struct drv_buf *bufs, unsigned int n)
{
	unsigned int head = drv->next;

	for (unsigned int i = 0; i < n; i++) {
		unsigned int at = drv->next;

		drv->next = (at + 1) % DRV_NUM;
		store_desc(drv->desc, at, bufs[i].addr,
			   split_meta(bufs[i].len, buf_flags(&bufs[i], i + 1 < n), drv->next));
	}
	given(drv, head, n);
	split_expose(drv, head);
}

static void split_add_table(struct drv *drv, const struct drv_buf *bufs, unsigned int n,
			    uint8_t *table, uint64_t gpa)
{
	unsigned int head = drv->next;

	for (unsigned int i = 0; i < n; i++)
		store_desc(table, i, bufs[i].addr,
			   split_meta(bufs[i].len, buf_flags(&bufs[i], i + 1 < n), i + 1));
	store_desc(drv->desc, head, gpa, split_meta(16 * n, VRING_DESC_F_INDIRECT, 0));
	drv->next = (head + 1) % DRV_NUM;
	given(drv, head, 1);
	split_expose(drv, head);
}

static bool split_wants_kick(struct drv *drv, uint16_t old)
{
	if (drv->event_idx)
		return vring_need_event(
			atomic_load_explicit(&drv->used[2 + 4 * DRV_NUM], memory_order_relaxed),
			drv->avail_idx, old);
	return !(atomic_load_explicit(&drv->used[0], memory_order_relaxed) &
		 VRING_USED_F_NO_NOTIFY);
}

static bool split_used(struct drv *drv, uint32_t *id, uint32_t *len)
{
	const _Atomic uint32_t *elem =
		(const _Atomic uint32_t *)&drv->used[2 + 4 * (drv->used_idx % DRV_NUM)];

	if (atomic_load_explicit(&drv->used[1], memory_order_acquire) == drv->used_idx)
		return false;
	*id = atomic_load_explicit(&elem[0], memory_order_relaxed);
	*len = atomic_load_explicit(&elem[1], memory_order_relaxed);
	drv->used_idx++;
	return true;
}

/* --- packed ------------------------------------------------------------------------------------ */

static uint16_t packed_avail(unsigned int pos)
{
	return pos < DRV_NUM ? F_AVAIL : F_USED;
}

static uint64_t packed_meta(uint32_t len, uint16_t id, uint16_t flags)
{
	return len | (uint64_t)id << 32 | (uint64_t)flags << 48;
}

/* The first one last (2.8.6). */
static void packed_add(struct drv *drv, const struct drv_buf *bufs, unsigned int n, uint16_t flags)
{
	unsigned int head = drv->avail_idx;

	for (unsigned int i = n; i-- > 0;) {
		unsigned int pos = (head + i) % LAPS;

		store_desc(drv->desc, pos % DRV_NUM, bufs[i].addr,
			   packed_meta(bufs[i].len, head % DRV_NUM,
				       packed_avail(pos) | flags | buf_flags(&bufs[i], i + 1 < n)));
	}
	drv->avail_idx = (head + n) % LAPS;
	given(drv, head % DRV_NUM, n);
}

static void packed_add_table(struct drv *drv, const struct drv_buf *bufs, unsigned int n,
			     uint8_t *table, uint64_t gpa)
{
	const struct drv_buf ref = { .addr = gpa, .len = 16 * n };

	for (unsigned int i = 0; i < n; i++)
		store_desc(table, i, bufs[i].addr,
			   packed_meta(bufs[i].len, 0, buf_flags(&bufs[i], false)));
	packed_add(drv, &ref, 1, VRING_DESC_F_INDIRECT);
}

static bool packed_wants_kick(struct drv *drv, uint16_t old)
{
	uint32_t event = atomic_load_explicit((_Atomic uint32_t *)drv->used, memory_order_relaxed);
	unsigned int at = event & 0x7fff;

	if (event >> 16 != VRING_PACKED_EVENT_FLAG_DESC)
		return event >> 16 == VRING_PACKED_EVENT_FLAG_ENABLE;
	at += event >> VRING_PACKED_EVENT_F_WRAP_CTR & 1 ? 0 : DRV_NUM;
	return (at - old) % LAPS < (uint32_t)(drv->avail_idx - old) % LAPS;
}

static bool packed_used(struct drv *drv, uint32_t *id, uint32_t *len)
{
	const _Atomic uint64_t *d =
		(const _Atomic uint64_t *)(drv->desc + 16 * (drv->used_idx % DRV_NUM));
	uint64_t meta = atomic_load_explicit(&d[1], memory_order_acquire);
	uint16_t flags = meta >> 48, want = drv->used_idx < DRV_NUM ? F_AVAIL | F_USED : 0;

	if ((flags & (F_AVAIL | F_USED)) != want)
		return false;
	*id = meta >> 32 & 0xffff;
	*len = flags & VRING_DESC_F_WRITE ? meta : 0;
	drv->used_idx = (drv->used_idx + drv->chains[drv->first].size) % LAPS;
	return true;
}

static void packed_event(struct drv *drv, unsigned int pos, uint32_t flags)
{
	uint16_t off_wrap = pos % DRV_NUM | (pos < DRV_NUM) << VRING_PACKED_EVENT_F_WRAP_CTR;

	atomic_store_explicit((_Atomic uint32_t *)drv->avail, off_wrap | flags << 16,
			      memory_order_relaxed);
}

/* --- both -------------------------------------------------------------------------------------- */

bool drv_add(struct drv *drv, const struct drv_buf *bufs, unsigned int n, uint8_t *table,
	     uint64_t gpa)
{
	bool indirect = drv->indirect && n > 1;

	if (drv->free < (indirect ? 1 : n))
		return false;
	if (drv->packed && indirect)
		packed_add_table(drv, bufs, n, table, gpa);
	else if (drv->packed)
		packed_add(drv, bufs, n, 0);
	else if (indirect)
		split_add_table(drv, bufs, n, table, gpa);
	else
		split_add(drv, bufs, n);
	return true;
}

bool drv_wants_kick(struct drv *drv)
{
	uint16_t old = drv->kicked;

	drv->kicked = drv->avail_idx;
	/* What was added must be seen before we look whether anybody waits for it. */
	atomic_thread_fence(memory_order_seq_cst);
	return drv->packed ? packed_wants_kick(drv, old) : split_wants_kick(drv, old);
}

bool drv_get(struct drv *drv, uint32_t *len)
{
	uint32_t id;

	if (!drv->given || !(drv->packed ? packed_used(drv, &id, len) : split_used(drv, &id, len)))
		return false;
	if (id != drv->chains[drv->first].id) {
		fprintf(stderr, "used %u instead of %u\n", id, drv->chains[drv->first].id);
		abort();
	}
	drv->free += drv->chains[drv->first].size;
	drv->first = (drv->first + 1) % DRV_NUM;
	drv->given--;
	return true;
}

/* How many entries of the ring three quarters of the chains take. */
static unsigned int most(const struct drv *drv)
{
	unsigned int chains = drv->given * 3 / 4, entries = 0;

	if (!drv->packed)
		return chains;
	for (unsigned int i = 0; i < chains; i++)
		entries += drv->chains[(drv->first + i) % DRV_NUM].size;
	return entries;
}

bool drv_arm(struct drv *drv)
{
	unsigned int delay = drv->event_idx ? most(drv) : 0;
	uint16_t flags;

	if (drv->packed && drv->event_idx)
		packed_event(drv, (drv->used_idx + delay) % LAPS, VRING_PACKED_EVENT_FLAG_DESC);
	else if (drv->packed)
		packed_event(drv, 0, VRING_PACKED_EVENT_FLAG_ENABLE);
	else if (drv->event_idx)
		store16(&drv->avail[2 + DRV_NUM], drv->used_idx + delay);
	else
		store16(&drv->avail[0], 0);
	atomic_thread_fence(memory_order_seq_cst);
	if (!drv->packed)
		return (uint16_t)(atomic_load(&drv->used[1]) - drv->used_idx) <= delay;
	/* Entries are used in order, so the one waited for tells. */
	flags = *(_Atomic uint64_t *)(drv->desc + 16 * ((drv->used_idx + delay) % DRV_NUM) + 8) >>
		48;
	return (flags & (F_AVAIL | F_USED)) !=
	       ((drv->used_idx + delay) % LAPS < DRV_NUM ? F_AVAIL | F_USED : 0);
}

void drv_disarm(struct drv *drv)
{
	if (drv->packed)
		packed_event(drv, 0, VRING_PACKED_EVENT_FLAG_DISABLE);
	else if (!drv->event_idx)
		store16(&drv->avail[0], VRING_AVAIL_F_NO_INTERRUPT);
}
