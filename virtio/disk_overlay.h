/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_DISK_OVERLAY_H
#define VIRTIO_DISK_OVERLAY_H

#include <pthread.h>
#include <stdatomic.h>

#include "virtio/disk.h"
#include "vmm/core/device.h" /* container_of */

/* Private part of a throw-away overlay: disk_overlay.c (transfers, making), disk_overlay_state.c. */

enum { CLUSTER_SHIFT = 12, CLUSTER = 1 << CLUSTER_SHIFT, MAP_BITS = 64 };

struct overlay {
	struct disk disk;
	struct disk *base, *top;
	uint64_t clusters; /* of the base: those that have a bit */
	_Atomic uint64_t *map;
	pthread_mutex_t copying; /* whoever sets bits */
};

static inline struct overlay *to_overlay(const struct disk *disk)
{
	return container_of(disk, struct overlay, disk);
}

/* Whether a cluster is in the scratch file; all are that lie behind the base. */
bool disk_overlay_has(const struct overlay *ov, uint64_t cluster);
/* The clusters of a range are whole in the scratch file from now on. */
void disk_overlay_took(struct overlay *ov, uint64_t off, uint64_t len);

void disk_overlay_state(struct disk *disk, struct state *s);

#endif
