/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_BLK_H
#define VIRTIO_BLK_H

#include "virtio/aio.h"
#include "virtio/disk.h"
#include "virtio/virtio.h"

/* A block device (VIRTIO 1.2, section 5.2): read, write, flush, get-id, discard, write zeroes. */
struct blk_config {
	const struct virtio_transport *transport; /* &virtio_mmio */
	struct disk_config disk;
	const char *serial; /* at most 20 bytes are shown; NULL: none */
	unsigned int queues; /* 1 to AIO_QUEUES_MAX; 0: one */
	enum aio_kind aio;
};

/* Reads "FILE[,OPTION]..." as --disk takes it (blk_opts.c has the list); a comma of the file's name is
 * doubled. Fills all but `transport`; strings point into `arg`, which is written to. 0, or -EINVAL
 * with `fail` set. */
int blk_parse(struct blk_config *cfg, char *arg, struct fail *fail);

/* Opens and locks the image. The machine owns *out and calls only its device_ops. 0 or -errno with
 * `fail` set. */
int blk_create(const struct device_env *env, const struct blk_config *cfg, struct device **out,
	       struct fail *fail);

/* The same over `disk` instead of cfg->disk: it is the device's from now on, also on failure. */
int blk_create_on(const struct device_env *env, const struct blk_config *cfg, struct disk *disk,
		  struct device **out, struct fail *fail);

/* Whether what the guest writes is in a throw-away overlay. */
bool blk_is_overlay(const struct device *dev);
/* Saves what it wrote to that, or loads it into a new one, before the device's own state. The machine
 * stands still. */
void blk_written_state(struct device *dev, struct state *s);

/*
 * From now on what the guest writes goes to a throw-away overlay, cfg->scratch, over the image, which
 * stays as it is; no overlay yet, and not read-only. blk_thaw() takes that back while nothing was
 * written. Both while the machine stands still, with the loop drained: 0, or -errno with `fail` set and
 * nothing changed.
 */
int blk_freeze(struct device *dev, const struct disk_config *cfg, struct fail *fail);
int blk_thaw(struct device *dev, struct fail *fail);

/*
 * Makes the disk `size` bytes long and tells the driver: a file is extended, a block device's new
 * size is taken (see disk_resize()); 0 takes what file or device have now. Any thread that holds no
 * device lock. 0, or -errno with `fail` set and nothing changed.
 */
int blk_resize(struct device *dev, uint64_t size, struct fail *fail);

#endif
