/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_BLK_CONFIG_H
#define VIRTIO_BLK_CONFIG_H

#include <linux/virtio_blk.h>

#include "virtio/disk.h"

/* Private part of virtio-blk: what the driver is told of a disk. */

enum {
	SECTOR_SHIFT = 9, /* the unit of requests, whatever the block size */
	BLK_QUEUE = 256,
	/* Sectors that one request may discard or zero. Zeroes may have to be written, and a reset
	 * waits for them. */
	BLK_DISCARD_MAX = 1 << 22,
	BLK_ZEROES_MAX = 1 << 17,
};

void blk_fill_config(struct virtio_blk_config *c, const struct disk *disk, unsigned int queues);
uint64_t blk_features(const struct disk *disk, unsigned int queues);

#endif
