/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_BALLOON_H
#define VIRTIO_BALLOON_H

#include "virtio/virtio.h"

/*
 * A memory balloon (VIRTIO 1.2, section 5.5): what the guest puts into it, and free pages that it
 * reports, go back to the host; the guest's next access finds zeroed memory there. A guest that
 * runs out of memory takes pages back by itself (DEFLATE_ON_OOM). Memory is given back in whole
 * pages of the host; only a large one returns at once where the host uses huge pages.
 */
struct balloon_config {
	const struct virtio_transport *transport; /* &virtio_mmio */
	/* The RAM that it may take from; nothing else of guest memory is ever given back. */
	gpa_t ram_base;
	uint64_t ram_size;
	uint64_t target; /* bytes that the guest shall be left with, 1..ram_size */
};

/* The machine owns *out and calls only its device_ops, and what is below. 0 or -errno with `fail`
 * set. */
int balloon_create(const struct device_env *env, const struct balloon_config *cfg,
		   struct device **out, struct fail *fail);

/*
 * Asks the guest to use only `target` bytes of its RAM, in whole pages of 4 KiB. It does so in its
 * own time, and as far as it can; a reset of the guest does not change what is asked for. -ERANGE
 * with a sentence (EXIT_CONFIG) for 0 and for more than the RAM. Any thread that holds no device
 * lock.
 */
int balloon_set(struct device *dev, uint64_t target, struct fail *fail);

#endif
