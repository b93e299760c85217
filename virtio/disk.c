// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/disk.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int disk_open(const struct disk_config *cfg, struct disk **out, struct fail *fail)
{
	/* What is only read needs none. */
	return cfg->snapshot && !cfg->ro ? disk_overlay_open(cfg, out, fail)
					 : disk_raw_open(cfg, out, fail);
}

void disk_close(struct disk *disk)
{
	if (disk)
		disk->ops->close(disk);
}

int disk_lock(struct disk *disk, bool on, struct fail *fail)
{
	return disk->ops->lock ? disk->ops->lock(disk, on, fail) : 0;
}

static int check_size(const struct disk *disk, uint64_t size, struct fail *fail)
{
	if (size % disk->granule)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"disk %s: %" PRIu64 " bytes are not a multiple of %u; give whole "
				"blocks",
				disk->path, size, disk->granule);
	if (size < disk->size)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"disk %s has %" PRIu64 " bytes and cannot become %" PRIu64
				": a disk in use only grows",
				disk->path, disk->size, size);
	if (size > INT64_MAX)
		return fail_set(fail, EXIT_CONFIG, -EFBIG,
				"disk %s: %" PRIu64 " bytes are too many", disk->path, size);
	return 0;
}

int disk_resize(struct disk *disk, uint64_t size, struct fail *fail)
{
	uint64_t now;
	int err = disk->ops->measure(disk, &now);

	if (err)
		return fail_set(fail, EXIT_HOST, err, "disk %s does not tell its size: %s",
				disk->path, strerror(-err));
	if (!size)
		size = now;
	err = check_size(disk, size, fail);
	if (!err && size > now)
		err = disk->ops->extend(disk, size, fail);
	if (!err)
		disk->size = size;
	return err;
}
