/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_DISK_H
#define VIRTIO_DISK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "vmm/core/fail.h"

/*
 * A raw disk image: a regular file or a block device, a multiple of 512 bytes long. While open it
 * is locked (OFD lock: shared if read-only, else exclusive), so that no second VM writes it.
 * Transfers may be called by several threads at once.
 */
struct disk {
	int fd; /* -1: closed */
	bool ro, device; /* a block device, not a file */
	const char *path; /* for messages; the caller's */
	uint64_t size; /* bytes */
	uint32_t block_size; /* logical, a power of 2 from 512 */
	/* How a transfer can be tried without waiting; cleared when the file system cannot. */
	bool try_read, try_write;
	/* On tmpfs or ramfs: always in memory, so a transfer never waits for a device. */
	bool in_memory;
};

/* 0, or -errno with a sentence that names the file and what to do. `path` is borrowed until the disk
 * is closed. */
int disk_open(struct disk *disk, const char *path, bool ro, struct fail *fail);
void disk_close(struct disk *disk); /* closed already is fine */

/*
 * Makes the disk `size` bytes long, a multiple of its block size and no shorter than it is: a file is
 * extended by a hole, a block device must have become so large. 0 takes what file or device have
 * now. The caller lets nobody start transfers meanwhile. 0, or -errno with a sentence and the disk
 * as it was.
 */
int disk_resize(struct disk *disk, uint64_t size, struct fail *fail);

/*
 * Transfers all of `len` bytes described by `iov` (changed, but only during the call) at `off`: 0
 * or -errno. Whoever calls has checked off + len against `size`.
 */
int disk_read(const struct disk *disk, struct iovec *iov, unsigned int n, size_t len, off_t off);
/* `sync`: on stable storage when it returns. */
int disk_write(const struct disk *disk, struct iovec *iov, unsigned int n, size_t len, off_t off,
	       bool sync);
int disk_flush(const struct disk *disk);

/* The same if it needs no waiting: 0, or -EAGAIN with nothing promised and `iov` as before. One
 * thread at a time. */
int disk_try_read(struct disk *disk, const struct iovec *iov, unsigned int n, size_t len,
		  off_t off);
int disk_try_write(struct disk *disk, const struct iovec *iov, unsigned int n, size_t len,
		   off_t off);

#endif
