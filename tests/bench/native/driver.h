/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_BENCH_NATIVE_DRIVER_H
#define TESTS_BENCH_NATIVE_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A driver's side of one ring that is fast enough to measure the device's side with: pointers
 * instead of checks, chains used in the order in which they were given. Addresses on the ring are
 * guest addresses; `map` is where this process sees `base`.
 */

enum { DRV_NUM = 256, DRV_SG_MAX = 6 };

struct drv_buf {
	uint64_t addr;
	uint32_t len;
	bool in;
};

struct drv {
	bool packed, indirect, event_idx;
	uint8_t *desc; /* descriptor table or ring */
	_Atomic uint16_t *avail, *used; /* rings; or event suppression: offset and flags */
	unsigned int free; /* descriptors */
	unsigned int next; /* descriptor to fill next */
	uint16_t avail_idx, used_idx; /* free-running; packed: entries modulo 2 * DRV_NUM */
	uint16_t kicked; /* avail_idx when last asked */
	/* Chains that the device has: a FIFO of their ids and sizes. */
	unsigned int first, given;
	struct {
		uint16_t id, size;
	} chains[DRV_NUM];
};

/* Bytes of a ring, of which the three areas begin at these offsets. */
enum { DRV_AVAIL = 4096, DRV_USED = 8192, DRV_SIZE = 12288 };

void drv_init(struct drv *drv, uint8_t *ring, uint64_t features);

/* Adds a chain; indirect, through the table at `table`, which is `gpa` for the device. False
 * without room. */
bool drv_add(struct drv *drv, const struct drv_buf *bufs, unsigned int n, uint8_t *table,
	     uint64_t gpa);
/* Whether to notify for what was added since it was last asked. */
bool drv_wants_kick(struct drv *drv);
/* The oldest chain, when it has been used. */
bool drv_get(struct drv *drv, uint32_t *len);
/* Asks for an interrupt when most of the chains are used: false when they are already. */
bool drv_arm(struct drv *drv);
void drv_disarm(struct drv *drv);

#endif
