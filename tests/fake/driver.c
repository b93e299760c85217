// SPDX-License-Identifier: GPL-2.0-only
#include "tests/fake/driver.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/fake/saved.h"

/* A mistake of the test itself. */
#define REQUIRE(cond)                                                              \
	do {                                                                       \
		if (!(cond)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                   \
		}                                                                  \
	} while (0)

/* --- a ring ------------------------------------------------------------------------------------ */

static void *at(const struct fake_ring *ring, gpa_t gpa, uint64_t len)
{
	void *p = guest_mem_ptr(ring->mem, gpa, len);

	REQUIRE(p);
	return p;
}

static _Atomic uint16_t *word(const struct fake_ring *ring, gpa_t gpa)
{
	return at(ring, gpa, sizeof(uint16_t));
}

static gpa_t page_up(gpa_t gpa)
{
	return (gpa + 4095) & ~(gpa_t)4095;
}

gpa_t fake_ring_init(struct fake_ring *ring, struct guest_mem *mem, gpa_t at_gpa, unsigned int num)
{
	gpa_t end;

	*ring = (struct fake_ring){ .mem = mem, .num = num, .desc = at_gpa };
	ring->avail = ring->desc + num * sizeof(struct vring_desc);
	ring->used = page_up(ring->avail + 6 + 2 * num);
	end = page_up(ring->used + 6 + 8 * num);
	memset(at(ring, at_gpa, end - at_gpa), 0, end - at_gpa);
	return end;
}

gpa_t fake_ring_init_for(struct fake_ring *ring, struct guest_mem *mem, gpa_t at, unsigned int num,
			 uint64_t features)
{
	gpa_t end = fake_ring_init(ring, mem, at, num);

	REQUIRE(num <= FAKE_RING_MAX);
	ring->packed = features >> VIRTIO_F_RING_PACKED & 1;
	ring->event_idx = features >> VIRTIO_RING_F_EVENT_IDX & 1;
	ring->in_order = features >> VIRTIO_F_IN_ORDER & 1;
	/* The areas of a split ring have room for a packed one's, and are aligned for it. */
	return end;
}

void fake_table_desc(struct fake_ring *ring, gpa_t table, uint16_t i, gpa_t addr, uint32_t len,
		     uint16_t flags, uint16_t next)
{
	struct vring_desc d = { .addr = addr, .len = len, .flags = flags, .next = next };
	uint8_t *to = at(ring, table + i * sizeof(d), sizeof(d));
	uint64_t words[2];

	if ((uintptr_t)to % 8) {
		memcpy(to, &d, sizeof(d));
		return;
	}
	memcpy(words, &d, sizeof(d));
	for (unsigned int w = 0; w < 2; w++)
		atomic_store_explicit((_Atomic uint64_t *)to + w, words[w], memory_order_relaxed);
}

void fake_ring_desc(struct fake_ring *ring, uint16_t i, gpa_t addr, uint32_t len, uint16_t flags,
		    uint16_t next)
{
	fake_table_desc(ring, ring->desc, i, addr, len, flags, next);
}

void fake_ring_set_avail_idx(struct fake_ring *ring, uint16_t idx)
{
	ring->avail_idx = idx;
	atomic_store_explicit(word(ring, ring->avail + 2), idx, memory_order_release);
}

void fake_ring_avail(struct fake_ring *ring, uint16_t head)
{
	atomic_store_explicit(word(ring, ring->avail + 4 + 2 * (ring->avail_idx % ring->num)), head,
			      memory_order_relaxed);
	fake_ring_set_avail_idx(ring, ring->avail_idx + 1);
}

/* Remembers a chain until it is used. */
static void chain_given(struct fake_ring *ring, uint16_t id, uint16_t entries,
			const struct fake_buf *bufs, unsigned int n)
{
	struct fake_chain *chain = &ring->chains[ring->nchains];

	/* Tests that give chains by hand never ask for them back in order. */
	if (ring->nchains == FAKE_RING_MAX)
		return;
	*chain = (struct fake_chain){ .id = id, .entries = entries };
	for (unsigned int i = 0; i < n; i++)
		chain->in += bufs[i].in ? bufs[i].len : 0;
	ring->nchains++;
}

static uint16_t buf_flags(const struct fake_buf *buf, bool more)
{
	return (buf->in ? VRING_DESC_F_WRITE : 0) | (more ? VRING_DESC_F_NEXT : 0);
}

uint16_t fake_ring_add(struct fake_ring *ring, const struct fake_buf *bufs, unsigned int n)
{
	uint16_t head = ring->packed ? ring->avail_idx % ring->num : ring->next_desc;

	chain_given(ring, head, n, bufs, n);
	if (ring->packed) {
		fake_packed_add(ring, bufs, n, 0, head);
		return head;
	}
	for (unsigned int i = 0; i < n; i++) {
		uint16_t d = (head + i) % ring->num;

		fake_ring_desc(ring, d, bufs[i].addr, bufs[i].len, buf_flags(&bufs[i], i + 1 < n),
			       (d + 1) % ring->num);
	}
	ring->next_desc = (head + n) % ring->num;
	fake_ring_avail(ring, head);
	return head;
}

uint16_t fake_ring_add_indirect(struct fake_ring *ring, gpa_t table, const struct fake_buf *bufs,
				unsigned int n)
{
	const struct fake_buf ref = { table, n * sizeof(struct vring_desc), false };
	uint16_t head = ring->packed ? ring->avail_idx % ring->num : ring->next_desc;

	chain_given(ring, head, 1, bufs, n);
	for (unsigned int i = 0; i < n; i++) {
		if (ring->packed)
			fake_packed_table_desc(ring, table, i, bufs[i].addr, bufs[i].len,
					       buf_flags(&bufs[i], false));
		else
			fake_table_desc(ring, table, i, bufs[i].addr, bufs[i].len,
					buf_flags(&bufs[i], i + 1 < n), i + 1);
	}
	if (ring->packed) {
		fake_packed_add(ring, &ref, 1, VRING_DESC_F_INDIRECT, head);
		return head;
	}
	fake_ring_desc(ring, head, table, ref.len, VRING_DESC_F_INDIRECT, 0);
	ring->next_desc = (head + 1) % ring->num;
	fake_ring_avail(ring, head);
	return head;
}

bool fake_ring_wants_kick(struct fake_ring *ring)
{
	uint16_t old = ring->kicked, new = ring->avail_idx;

	ring->kicked = new;
	atomic_thread_fence(memory_order_seq_cst);
	if (ring->packed)
		return fake_packed_wants_kick(ring, old, new);
	if (!ring->event_idx)
		return old != new &&
		       !(atomic_load(word(ring, ring->used)) & VRING_USED_F_NO_NOTIFY);
	return vring_need_event(atomic_load(word(ring, ring->used + 4 + 8 * ring->num)), new, old);
}

static bool split_peek(struct fake_ring *ring, uint32_t *id, uint32_t *len)
{
	_Atomic uint32_t *elem;

	if (atomic_load_explicit(word(ring, ring->used + 2), memory_order_acquire) ==
	    ring->used_idx)
		return false;
	elem = at(ring, ring->used + 4 + 8 * (ring->used_idx % ring->num), 8);
	*id = atomic_load_explicit(&elem[0], memory_order_relaxed);
	*len = atomic_load_explicit(&elem[1], memory_order_relaxed);
	return true;
}

/* Forgets the chain `id`, the oldest one if in order, and steps over it. */
static struct fake_chain chain_taken(struct fake_ring *ring, uint16_t id)
{
	struct fake_chain chain = { .id = id, .entries = 1 };
	unsigned int i = 0;

	while (i < ring->nchains && ring->chains[i].id != id && !ring->in_order)
		i++;
	if (i < ring->nchains) {
		chain = ring->chains[i];
		memmove(&ring->chains[i], &ring->chains[i + 1],
			(ring->nchains - i - 1) * sizeof(chain));
		ring->nchains--;
	}
	if (ring->packed)
		ring->used_idx = fake_packed_advance(ring, ring->used_idx, chain.entries);
	else
		ring->used_idx++;
	return chain;
}

/* In order, one entry may stand for all chains up to the one that it names; those before that are
 * used completely (2.7.9, 2.8.8). */
bool fake_ring_used(struct fake_ring *ring, uint32_t *id, uint32_t *len)
{
	struct fake_chain chain;

	if (!ring->batch) {
		if (!(ring->packed ? fake_packed_peek(ring, id, len) : split_peek(ring, id, len)))
			return false;
		ring->batch_last = (struct fake_chain){ .id = *id, .in = *len };
	}
	chain = chain_taken(ring, ring->batch_last.id);
	ring->batch = ring->in_order && chain.id != ring->batch_last.id;
	*id = chain.id;
	*len = ring->batch ? chain.in : ring->batch_last.in;
	return true;
}

void fake_ring_no_interrupt(struct fake_ring *ring, bool off)
{
	if (ring->packed)
		fake_packed_event(ring, 0,
				  off ? VRING_PACKED_EVENT_FLAG_DISABLE
				      : VRING_PACKED_EVENT_FLAG_ENABLE);
	else
		atomic_store(word(ring, ring->avail), off ? VRING_AVAIL_F_NO_INTERRUPT : 0);
}

void fake_ring_used_event(struct fake_ring *ring, uint16_t idx)
{
	if (ring->packed)
		fake_packed_event(ring, idx, VRING_PACKED_EVENT_FLAG_DESC);
	else
		atomic_store(word(ring, ring->avail + 4 + 2 * ring->num), idx);
}

/* --- a guest with one device ------------------------------------------------------------------- */

void fake_guest_init(struct fake_guest *g)
{
	memset(g, 0, sizeof(*g));
	g->ram = mmap(NULL, FAKE_RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	REQUIRE(g->ram != MAP_FAILED);
	REQUIRE(!guest_mem_add(&g->mem, FAKE_RAM_BASE, FAKE_RAM_SIZE, g->ram));
	bus_init(&g->bus);
	REQUIRE(!loop_create(&g->loop));
	g->log = (struct log){ .fd = -1, .prefix = "" };
	pthread_rwlock_init(&g->view, NULL);
	REQUIRE(!regpage_init(&g->page, FAKE_DEV_BASE, FAKE_WINDOW));
	g->env = (struct device_env){
		.mem = &g->mem,
		.bus = &g->bus,
		.loop = g->loop,
		.log = &g->log,
		.base = FAKE_DEV_BASE,
		.page = &g->page,
		.irq = fake_irq(&g->irq),
	};
	g->env.irq.edge = true;
}

void fake_guest_fini(struct fake_guest *g)
{
	if (g->dev)
		g->dev->ops->destroy(g->dev);
	loop_destroy(g->loop);
	bus_fini(&g->bus);
	regpage_fini(&g->page);
	pthread_rwlock_destroy(&g->view);
	guest_mem_destroy(&g->mem);
	munmap(g->ram, FAKE_RAM_SIZE);
}

void *fake_ptr(struct fake_guest *g, gpa_t gpa)
{
	REQUIRE(gpa - FAKE_RAM_BASE < FAKE_RAM_SIZE);
	return g->ram + (gpa - FAKE_RAM_BASE);
}

static int map_view(struct regpage *page, bool on)
{
	struct fake_guest *g = page->map_arg;

	pthread_rwlock_wrlock(&g->view);
	g->shown = on;
	pthread_rwlock_unlock(&g->view);
	return 0;
}

void fake_guest_show(struct fake_guest *g)
{
	g->page.map = map_view;
	g->page.map_arg = g;
	regpage_show(&g->page);
}

/* One instruction's worth. */
static uint64_t load(const uint8_t *p, unsigned int size)
{
	uint64_t val = 0;

	if ((uintptr_t)p % size == 0 && size == 8)
		return __atomic_load_n((const uint64_t *)p, __ATOMIC_ACQUIRE);
	if ((uintptr_t)p % size == 0 && size == 4)
		return __atomic_load_n((const uint32_t *)p, __ATOMIC_ACQUIRE);
	memcpy(&val, p, size);
	return val;
}

uint64_t fake_see(struct fake_guest *g, uint64_t off, unsigned int size)
{
	uint64_t val = 0;
	bool direct;

	pthread_rwlock_rdlock(&g->view);
	direct = g->shown;
	if (direct)
		val = load(regpage_at(&g->page, FAKE_DEV_BASE + off), size);
	pthread_rwlock_unlock(&g->view);
	if (!direct)
		REQUIRE(!bus_read(&g->bus, FAKE_DEV_BASE + off, size, &val));
	return val;
}

uint32_t fake_read(struct fake_guest *g, uint64_t reg)
{
	uint64_t val;

	REQUIRE(!bus_read(&g->bus, FAKE_DEV_BASE + reg, 4, &val));
	return val;
}

void fake_write(struct fake_guest *g, uint64_t reg, uint32_t val)
{
	REQUIRE(!bus_write(&g->bus, FAKE_DEV_BASE + reg, 4, val));
}

bool fake_guest_negotiate(struct fake_guest *g, uint64_t features)
{
	uint32_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE;

	fake_write(g, VIRTIO_MMIO_STATUS, 0);
	fake_write(g, VIRTIO_MMIO_STATUS, status);
	fake_write(g, VIRTIO_MMIO_STATUS, status |= VIRTIO_CONFIG_S_DRIVER);
	for (unsigned int sel = 0; sel < 2; sel++) {
		fake_write(g, VIRTIO_MMIO_DEVICE_FEATURES_SEL, sel);
		fake_write(g, VIRTIO_MMIO_DRIVER_FEATURES_SEL, sel);
		fake_write(g, VIRTIO_MMIO_DRIVER_FEATURES,
			   fake_read(g, VIRTIO_MMIO_DEVICE_FEATURES) & features >> 32 * sel);
	}
	fake_write(g, VIRTIO_MMIO_STATUS, status |= VIRTIO_CONFIG_S_FEATURES_OK);
	return fake_read(g, VIRTIO_MMIO_STATUS) == status;
}

void fake_guest_queue(struct fake_guest *g, unsigned int q, const struct fake_ring *ring)
{
	fake_write(g, VIRTIO_MMIO_QUEUE_SEL, q);
	fake_write(g, VIRTIO_MMIO_QUEUE_NUM, ring->num);
	fake_write(g, VIRTIO_MMIO_QUEUE_DESC_LOW, ring->desc);
	fake_write(g, VIRTIO_MMIO_QUEUE_DESC_HIGH, ring->desc >> 32);
	fake_write(g, VIRTIO_MMIO_QUEUE_AVAIL_LOW, ring->avail);
	fake_write(g, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, ring->avail >> 32);
	fake_write(g, VIRTIO_MMIO_QUEUE_USED_LOW, ring->used);
	fake_write(g, VIRTIO_MMIO_QUEUE_USED_HIGH, ring->used >> 32);
	fake_write(g, VIRTIO_MMIO_QUEUE_READY, 1);
}

static uint64_t offered(struct fake_guest *g)
{
	uint64_t features = 0;

	for (unsigned int sel = 0; sel < 2; sel++) {
		fake_write(g, VIRTIO_MMIO_DEVICE_FEATURES_SEL, sel);
		features |= (uint64_t)fake_read(g, VIRTIO_MMIO_DEVICE_FEATURES) << 32 * sel;
	}
	return features;
}

bool fake_guest_start(struct fake_guest *g, uint64_t features, unsigned int nqueues,
		      unsigned int num)
{
	gpa_t next = FAKE_RAM_BASE;
	uint32_t status;

	features |= 1ULL << VIRTIO_F_VERSION_1;
	if (!fake_guest_negotiate(g, features))
		return false;
	features &= offered(g);
	for (unsigned int q = 0; q < nqueues; q++) {
		next = fake_ring_init_for(&g->rings[q], &g->mem, next, num, features);
		fake_guest_queue(g, q, &g->rings[q]);
	}
	status = fake_read(g, VIRTIO_MMIO_STATUS) | VIRTIO_CONFIG_S_DRIVER_OK;
	fake_write(g, VIRTIO_MMIO_STATUS, status);
	return fake_read(g, VIRTIO_MMIO_STATUS) == status;
}

void fake_guest_kick(struct fake_guest *g, unsigned int q)
{
	if (fake_ring_wants_kick(&g->rings[q]))
		fake_write(g, VIRTIO_MMIO_QUEUE_NOTIFY, q);
}

void fake_guest_run(struct fake_guest *g)
{
	do
		loop_drain(g->loop);
	while (loop_poll(g->loop, 0));
}

bool fake_guest_wait(struct fake_guest *g, unsigned int q, uint32_t *id, uint32_t *len)
{
	uint64_t end = loop_now_ns() + 10000000000;

	while (!fake_ring_used(&g->rings[q], id, len)) {
		if (loop_now_ns() > end)
			return false;
		loop_poll(g->loop, 100);
	}
	return true;
}

int fake_guest_move(struct fake_guest *from, struct fake_guest *to)
{
	struct stream saved;
	int err;

	saved = device_saved(from->dev);
	memcpy(to->ram, from->ram, FAKE_RAM_SIZE);
	memcpy(to->rings, from->rings, sizeof(to->rings));
	for (unsigned int q = 0; q < FAKE_QUEUES; q++)
		to->rings[q].mem = &to->mem;
	err = device_load(to->dev, saved.buf, saved.len);
	stream_close(&saved);
	return err;
}
