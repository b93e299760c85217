/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_DISK_H
#define VIRTIO_DISK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "vmm/core/fail.h"

/*
 * What a disk is to the host: a raw image (disk_raw.c), or a throw-away overlay over one
 * (disk_overlay.c). It knows bytes and errors; requests, queues and threads are its user's.
 */

struct disk;
struct io_uring_sqe;
struct state;

enum disk_op { DISK_READ, DISK_WRITE, DISK_FLUSH, DISK_DISCARD, DISK_ZEROES };

enum { DISK_STATE_MAX = 192 << 20 };

/* One transfer. Whoever starts it has checked off + len against the disk's size. */
struct disk_io {
	enum disk_op op;
	bool sync; /* what it changes is on stable storage when it ends */
	bool unmap; /* DISK_ZEROES: the space may be given back */
	uint64_t off, len; /* bytes, multiples of 512; of no meaning for DISK_FLUSH */
	/* DISK_READ, DISK_WRITE: where the `len` bytes are; whole again when a call returns. */
	struct iovec *iov;
	unsigned int n;
};

struct disk_ops {
	/* Does it, waiting as long as it takes: 0 or -errno. Several threads at once. */
	int (*transfer)(struct disk *disk, struct disk_io *io);
	/* Does it if it needs no waiting: 0, or -EAGAIN with nothing promised: the caller goes
	 * another way. One thread at a time; beside transfers. */
	int (*attempt)(struct disk *disk, const struct disk_io *io);
	/* Describes it to io_uring: false where that cannot do it. Success is a result of `len` bytes
	 * for reads and writes, 0 for the rest; whatever else comes, the caller goes on to
	 * `transfer`. */
	bool (*prepare)(struct disk *disk, const struct disk_io *io, struct io_uring_sqe *sqe);
	/* How large it could be without becoming longer: 0 or -errno. */
	int (*measure)(const struct disk *disk, uint64_t *size);
	/* Makes it longer than that; the size is checked. 0, or -errno with a sentence. */
	int (*extend)(struct disk *disk, uint64_t size, struct fail *fail);
	/* Saves what was written to it, at most DISK_STATE_MAX bytes (-EFBIG), or loads that into one
	 * that is new; no transfer is under way. NULL for what keeps it by itself. */
	void (*state)(struct disk *disk, struct state *s);
	/* As disk_lock(); NULL: there is nothing to lock. */
	int (*lock)(struct disk *disk, bool on, struct fail *fail);
	/* Gives everything back, the struct itself too; no transfer is under way. */
	void (*close)(struct disk *disk);
};

/* First in the struct of its kind. All but `size` is constant. */
struct disk {
	const struct disk_ops *ops;
	const char *path; /* for messages; borrowed */
	uint64_t size; /* bytes, a multiple of `granule` */
	bool ro;
	bool discards; /* DISK_DISCARD gives space back */
	uint32_t block_size; /* logical: a power of 2 from 512 */
	uint32_t granule; /* what `size` is a multiple of; at least block_size */
	/* Hints, in bytes: what is written without a read before (a power of 2), its offset, and what
	 * is good and best to ask for at once (0: unknown). */
	uint32_t physical, align_offset, min_io, opt_io;
};

struct disk_config {
	const char *path; /* borrowed until the disk is closed */
	bool ro;
	bool direct; /* O_DIRECT: past the host's page cache */
	bool keep; /* never give space back, whatever the guest discards */
	bool unlocked; /* somebody else has it now: disk_lock() follows */
	bool snapshot; /* writes go to a throw-away overlay, the image is only read */
	const char *scratch; /* the folder for that; NULL: $TMPDIR, or that of `path` */
};

/* Opens and locks: shared if the image is only read, else exclusive (OFD locks), so that no second
 * VM writes it. 0, or -errno with a sentence that names the file and what to do. */
int disk_open(const struct disk_config *cfg, struct disk **out, struct fail *fail);
void disk_close(struct disk *disk); /* NULL is fine */
/* Gives the lock up, or takes it again: 0, or -EBUSY with a sentence. Nobody uses it meanwhile. */
int disk_lock(struct disk *disk, bool on, struct fail *fail);

/*
 * Makes the disk `size` bytes long, whole granules and no shorter than it is: a file is extended by a
 * hole, a block device must have become so large. 0 takes what file or device have now. The
 * caller starts nothing meanwhile; transfers may be under way. 0, or -errno with a sentence and the
 * disk as it was.
 */
int disk_resize(struct disk *disk, uint64_t size, struct fail *fail);

/* The kinds. A scratch disk is a file of zeroes without a name, in cfg->scratch. */
int disk_raw_open(const struct disk_config *cfg, struct disk **out, struct fail *fail);
int disk_raw_scratch(const struct disk_config *cfg, uint64_t size, struct disk **out,
		     struct fail *fail);
int disk_overlay_open(const struct disk_config *cfg, struct disk **out, struct fail *fail);

/*
 * A throw-away overlay over `base`, a raw disk that is open and stands still. The base is the
 * overlay's, is only read, and locked for readers, so that others can read it, too. 0, or -errno with a
 * sentence, and `base` as it was.
 */
int disk_overlay_over(struct disk *base, const struct disk_config *cfg, struct disk **out,
		      struct fail *fail);
/* Takes that back while nothing was written: *base is the caller's again. -EBUSY with a sentence where
 * somebody reads it already, and nothing has changed. */
int disk_overlay_undo(struct disk *disk, struct disk **base, struct fail *fail);

#endif
