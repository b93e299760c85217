/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FAKE_DRIVER_H
#define TESTS_FAKE_DRIVER_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/fake/irq.h"
#include "vmm/core/bus.h"
#include "vmm/core/device.h"
#include "vmm/core/log.h"
#include "vmm/core/loop.h"
#include "vmm/core/mem.h"
#include "vmm/core/regpage.h"
#include "vmm/core/stream.h"

/*
 * The driver's side of virtio, as a small model of the specification: rings in guest memory that
 * can also be filled with nonsense, and a guest with one device behind virtio-mmio.
 */

/* --- a ring ------------------------------------------------------------------------------------ */

struct fake_buf {
	gpa_t addr;
	uint32_t len;
	bool in; /* the device writes it */
};

enum { FAKE_RING_MAX = 1024 };

/* A chain that is the device's. */
struct fake_chain {
	uint16_t id, entries; /* entries of a packed ring that it takes */
	uint32_t in; /* bytes that the device may write */
};

/* Positions run modulo 65536 in a split ring; in a packed one modulo 2 * num, where the first lap is
 * the one with wrap counter 1. */
struct fake_ring {
	struct guest_mem *mem;
	unsigned int num;
	gpa_t desc, avail, used;
	uint16_t avail_idx; /* next entry to make available */
	uint16_t used_idx; /* next entry to take back */
	uint16_t kicked; /* avail_idx when fake_ring_wants_kick() was asked last */
	uint16_t next_desc; /* split: descriptors are handed out in a circle */
	bool packed, event_idx, in_order;
	/* Those that the device has, oldest first; and what remains of a batch that it used by one
	 * entry for its last chain. */
	struct fake_chain chains[FAKE_RING_MAX];
	unsigned int nchains;
	bool batch;
	struct fake_chain batch_last;
};

/* Lays a zeroed ring out from `at` on (page aligned) and returns the first address behind it. */
gpa_t fake_ring_init(struct fake_ring *ring, struct guest_mem *mem, gpa_t at, unsigned int num);
/* The same in the layout that these features ask for. */
gpa_t fake_ring_init_for(struct fake_ring *ring, struct guest_mem *mem, gpa_t at, unsigned int num,
			 uint64_t features);

/* Adds a chain of direct descriptors, or one through a table at `table`: its head, or buffer id. */
uint16_t fake_ring_add(struct fake_ring *ring, const struct fake_buf *bufs, unsigned int n);
uint16_t fake_ring_add_indirect(struct fake_ring *ring, gpa_t table, const struct fake_buf *bufs,
				unsigned int n);

/* Whether a driver would notify for what it added since it was last asked. */
bool fake_ring_wants_kick(struct fake_ring *ring);
/* Takes the next used entry: false when there is none. */
bool fake_ring_used(struct fake_ring *ring, uint32_t *id, uint32_t *len);
/* Interrupt suppression: the flag, or (event index) the position to interrupt after. */
void fake_ring_no_interrupt(struct fake_ring *ring, bool off);
void fake_ring_used_event(struct fake_ring *ring, uint16_t idx);

/* Nonsense, split: one descriptor, of the ring or of a table anywhere. */
void fake_ring_desc(struct fake_ring *ring, uint16_t i, gpa_t addr, uint32_t len, uint16_t flags,
		    uint16_t next);
void fake_table_desc(struct fake_ring *ring, gpa_t table, uint16_t i, gpa_t addr, uint32_t len,
		     uint16_t flags, uint16_t next);
/* Makes the chain at `head` available. */
void fake_ring_avail(struct fake_ring *ring, uint16_t head);
/* Moves the available index without an entry, for impossible positions. */
void fake_ring_set_avail_idx(struct fake_ring *ring, uint16_t idx);

/* Nonsense, packed: a descriptor at an index of the ring, with these flags as they are; the two
 * bits that make one at a position available; and one of a table. */
void fake_packed_desc(struct fake_ring *ring, uint16_t i, gpa_t addr, uint32_t len, uint16_t id,
		      uint16_t flags);
uint16_t fake_packed_avail(const struct fake_ring *ring, uint16_t pos);
void fake_packed_table_desc(struct fake_ring *ring, gpa_t table, uint16_t i, gpa_t addr,
			    uint32_t len, uint16_t flags);

/* private: the two layouts' parts of the functions above */
void fake_packed_add(struct fake_ring *ring, const struct fake_buf *bufs, unsigned int n,
		     uint16_t flags, uint16_t id);
bool fake_packed_wants_kick(struct fake_ring *ring, uint16_t old, uint16_t new);
bool fake_packed_peek(struct fake_ring *ring, uint32_t *id, uint32_t *len);
void fake_packed_event(struct fake_ring *ring, uint16_t pos, uint16_t flags);
uint16_t fake_packed_advance(const struct fake_ring *ring, uint16_t pos, unsigned int by);

/* --- a guest with one device ------------------------------------------------------------------- */

enum {
	FAKE_RAM_BASE = 0x40000000,
	FAKE_RAM_SIZE = 4 << 20,
	FAKE_DEV_BASE = 0xa000000,
	FAKE_WINDOW = 0x10000, /* of registers, from there */
	FAKE_QUEUES = 16,
	FAKE_DATA = FAKE_RAM_BASE + (1 << 20), /* free for buffers from here on */
};

struct fake_guest {
	uint8_t *ram;
	struct guest_mem mem;
	struct bus bus;
	struct loop *loop;
	struct regpage page;
	pthread_rwlock_t view; /* held for writing: no load of the guest's is under way */
	bool shown; /* the guest sees the page; under view */
	struct log log; /* silent */
	struct fake_irq irq;
	struct device_env env; /* to create the device with */
	struct device *dev; /* set by the test; destroyed with the guest */
	struct fake_ring rings[FAKE_QUEUES];
};

void fake_guest_init(struct fake_guest *g);
void fake_guest_fini(struct fake_guest *g);

void *fake_ptr(struct fake_guest *g, gpa_t gpa);

/* The guest sees its registers as memory from now on. */
void fake_guest_show(struct fake_guest *g);
/* A load as the guest does it: from the page while that is shown, else by an exit. Any thread. */
uint64_t fake_see(struct fake_guest *g, uint64_t off, unsigned int size);

uint32_t fake_read(struct fake_guest *g, uint64_t reg);
void fake_write(struct fake_guest *g, uint64_t reg, uint32_t val);

/* The driver's initialisation (VIRTIO 1.2, 3.1.1) with as many of `features` as are offered, and
 * queues of `num` entries: whether the device took it. */
bool fake_guest_start(struct fake_guest *g, uint64_t features, unsigned int nqueues,
		      unsigned int num);
/* Its parts. */
bool fake_guest_negotiate(struct fake_guest *g, uint64_t features);
void fake_guest_queue(struct fake_guest *g, unsigned int q, const struct fake_ring *ring);

/* Notifies queue q, if the ring asks for it. */
void fake_guest_kick(struct fake_guest *g, unsigned int q);
/* Runs the loop until nothing is left to do, offloaded work included. */
void fake_guest_run(struct fake_guest *g);
/* Runs the loop until queue q has a used entry (10 s at most): whether it has. */
bool fake_guest_wait(struct fake_guest *g, unsigned int q, uint32_t *id, uint32_t *len);

/* Saves the device and loads it into `to`, whose memory becomes a copy: 0 or state_end()'s error. */
int fake_guest_move(struct fake_guest *from, struct fake_guest *to);

#endif
