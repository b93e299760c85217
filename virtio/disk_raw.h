/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_DISK_RAW_H
#define VIRTIO_DISK_RAW_H

#include <pthread.h>

#include "virtio/disk.h"
#include "vmm/core/device.h" /* container_of */

/*
 * Private part of a raw disk, a regular file or a block device: disk_file.c (opening, locking, size),
 * disk_raw.c (transfers), disk_direct.c (transfers that O_DIRECT cannot take as they are).
 */
struct raw {
	struct disk disk;
	int fd; /* -1: none */
	bool device;
	bool direct;
	/* On tmpfs or ramfs: nothing ever waits for a device. */
	bool in_memory;
	/* How a transfer can be tried without waiting; cleared when the file system cannot. For
	 * disk_ops.attempt alone. */
	bool try_read, try_write;
	/* What O_DIRECT wants of addresses in memory, and of offsets and lengths. */
	uint32_t mem_align, off_align;
	pthread_mutex_t blocks; /* writes of less than off_align read, change and write */
};

static inline struct raw *to_raw(const struct disk *disk)
{
	return container_of(disk, struct raw, disk);
}

extern const struct disk_ops disk_raw_ops;
int disk_file_measure(const struct disk *disk, uint64_t *size);
int disk_file_extend(struct disk *disk, uint64_t size, struct fail *fail);
int disk_file_lock(struct disk *disk, bool on, struct fail *fail);
void disk_file_close(struct disk *disk);

/* Moves all of `len` bytes to or from `iov`, which is whole again afterwards: 0 or -errno. */
typedef ssize_t raw_move_fn(int fd, const struct iovec *iov, int n, off_t off, int flags);
int disk_raw_move(raw_move_fn *fn, int fd, struct iovec *iov, unsigned int n, size_t len, off_t off,
		  int flags);

/* Whether a read or write can go to the file as it is. */
bool disk_direct_fits(const struct raw *raw, const struct disk_io *io);
/* Does one that cannot, by way of aligned memory. */
int disk_direct_bounce(struct raw *raw, const struct disk_io *io);

/* Asks what O_DIRECT wants: 0, or -errno where the file cannot be used so. */
int disk_direct_probe(struct raw *raw);

#endif
