/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_STORES_H
#define VMM_CORE_STORES_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/device.h"

/*
 * Stores that do not exit: while an address is watched, the kernel queues what vCPUs store there and
 * they go on. For one device, which takes them in order under its lock: before it handles any
 * access that did exit (a full queue makes a store exit, and it comes after what is queued), and by
 * a timer, since nobody says that there are some. The VM asks for the rest when its vCPUs stand
 * still. A device that finds itself unable to handle more does not give the room back.
 */
struct stores {
	unsigned int room; /* how many it can hold; 0: there is no queue */
	/* Starts or stops queueing stores of at most `size` bytes at [addr, addr + size): 0 or
	 * -errno. When it has stopped, no more come. Takes milliseconds: not on a vCPU's thread. */
	int (*watch)(struct stores *stores, gpa_t addr, uint32_t size, bool on);
	/* The next queued store; bytes of `val` beyond its width mean nothing. False if there is none. */
	bool (*take)(struct stores *stores, gpa_t *addr, uint64_t *val);
	/* What has been taken is done with: its room may be used again. */
	void (*give_back)(struct stores *stores);
	/* The device's: takes what is there; under its lock. */
	struct device *dev;
	void (*drain)(struct device *dev);
};

/* Takes what is queued; the caller holds no device's lock. */
static inline void stores_flush(struct stores *stores)
{
	if (!stores->dev)
		return;
	pthread_mutex_lock(&stores->dev->lock);
	stores->drain(stores->dev);
	pthread_mutex_unlock(&stores->dev->lock);
}

#endif
