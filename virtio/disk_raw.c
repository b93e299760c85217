// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/disk_raw.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* --- reads and writes -------------------------------------------------------------------------- */

int disk_raw_move(raw_move_fn *fn, int fd, struct iovec *iov, unsigned int n, size_t len, off_t off,
		  int flags)
{
	struct iovec first;
	size_t skip = 0; /* bytes of *iov that are through */
	ssize_t got;

	while (len) {
		first = *iov;
		iov->iov_base = (char *)iov->iov_base + skip;
		iov->iov_len -= skip;
		got = fn(fd, iov, n < IOV_MAX ? n : IOV_MAX, off, flags);
		*iov = first;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		/* The file was made shorter behind our back. */
		if (!got)
			return -EIO;
		len -= got;
		off += got;
		for (skip += got; n && skip >= iov->iov_len; n--)
			skip -= iov++->iov_len;
	}
	return 0;
}

static int move(struct raw *raw, const struct disk_io *io)
{
	raw_move_fn *fn = io->op == DISK_READ ? preadv2 : pwritev2;

	if (raw->direct && !disk_direct_fits(raw, io))
		return disk_direct_bounce(raw, io);
	return disk_raw_move(fn, raw->fd, io->iov, io->n, io->len, (off_t)io->off,
			     io->sync ? RWF_DSYNC : 0);
}

/* --- the rest ---------------------------------------------------------------------------------- */

static int flush(const struct raw *raw)
{
	int ret;

	do {
		ret = fdatasync(raw->fd);
	} while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

static int allocate(const struct raw *raw, int mode, const struct disk_io *io)
{
	int ret;

	do {
		ret = fallocate(raw->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)io->off,
				(off_t)io->len);
	} while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

/* What a device discards it need not read as zero, so a hole says too much there. */
static int discard_device(const struct raw *raw, const struct disk_io *io)
{
	uint64_t mask = raw->disk.block_size - 1;
	uint64_t begin = (io->off + mask) & ~mask, end = (io->off + io->len) & ~mask;
	uint64_t range[2] = { begin, end - begin };

	if (begin >= end)
		return 0;
	return ioctl(raw->fd, BLKDISCARD, range) ? -errno : 0;
}

/* 5.2.6.2: a discard is a hint, so whoever cannot does nothing. */
static int discard(const struct raw *raw, const struct disk_io *io)
{
	int err;

	if (!raw->disk.discards)
		return 0;
	err = raw->device ? discard_device(raw, io) : allocate(raw, FALLOC_FL_PUNCH_HOLE, io);
	return err == -EOPNOTSUPP || err == -ENOTTY || err == -ENOSYS ? 0 : err;
}

/* How zeroes come about without being written. */
static int zero_mode(const struct raw *raw, const struct disk_io *io)
{
	return io->unmap && raw->disk.discards ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
}

static int write_zeroes(struct raw *raw, const struct disk_io *io)
{
	enum { PIECE = 1 << 18, ALIGN = 1 << 12 };
	const uint64_t end = io->off + io->len;
	struct iovec iov;
	struct disk_io part = { .op = DISK_WRITE, .off = io->off, .iov = &iov, .n = 1 };
	void *zeroes = aligned_alloc(ALIGN, PIECE);
	int err = zeroes ? 0 : -ENOMEM;

	if (zeroes)
		memset(zeroes, 0, PIECE);
	for (; !err && part.off < end; part.off += part.len) {
		part.len = end - part.off < PIECE ? end - part.off : PIECE;
		iov = (struct iovec){ zeroes, part.len };
		err = move(raw, &part);
	}
	free(zeroes);
	return err;
}

static int zero(struct raw *raw, const struct disk_io *io)
{
	int err = allocate(raw, zero_mode(raw, io), io);

	/* Not every file system can do either, nor a device parts of its blocks. */
	return err == -EOPNOTSUPP || err == -EINVAL || err == -ENOSYS ? write_zeroes(raw, io) : err;
}

static int raw_transfer(struct disk *disk, struct disk_io *io)
{
	struct raw *raw = to_raw(disk);
	int err;

	switch (io->op) {
	case DISK_READ:
	case DISK_WRITE:
		return move(raw, io);
	case DISK_DISCARD:
		err = discard(raw, io);
		break;
	case DISK_ZEROES:
		err = zero(raw, io);
		break;
	default:
		return flush(raw);
	}
	return err || !io->sync ? err : flush(raw);
}

/* --- without waiting --------------------------------------------------------------------------- */

static int attempt_move(struct raw *raw, raw_move_fn *fn, bool *may, const struct disk_io *io)
{
	ssize_t got;

	/* Direct I/O waits for the device, and a promise of stable storage for more than that. */
	if (io->n > IOV_MAX || (!raw->in_memory && (!*may || raw->direct || io->sync)))
		return -EAGAIN;
	got = fn(raw->fd, io->iov, (int)io->n, (off_t)io->off, raw->in_memory ? 0 : RWF_NOWAIT);
	if (got < 0 && (errno == EOPNOTSUPP || errno == EINVAL))
		*may = false;
	return got >= 0 && (uint64_t)got == io->len ? 0 : -EAGAIN;
}

static int raw_attempt(struct disk *disk, const struct disk_io *io)
{
	struct raw *raw = to_raw(disk);

	switch (io->op) {
	case DISK_READ:
		return attempt_move(raw, preadv2, &raw->try_read, io);
	case DISK_WRITE:
		return attempt_move(raw, pwritev2, &raw->try_write, io);
	case DISK_FLUSH:
		return raw->in_memory ? 0 : -EAGAIN;
	default:
		return -EAGAIN;
	}
}

/* --- by io_uring ------------------------------------------------------------------------------- */

static bool prepare_move(struct raw *raw, const struct disk_io *io, struct io_uring_sqe *sqe)
{
	if (io->n > IOV_MAX || (raw->direct && !disk_direct_fits(raw, io)))
		return false;
	sqe->opcode = io->op == DISK_READ ? IORING_OP_READV : IORING_OP_WRITEV;
	sqe->addr = (uintptr_t)io->iov;
	sqe->len = io->n;
	sqe->off = io->off;
	sqe->rw_flags = io->sync ? RWF_DSYNC : 0;
	return true;
}

/* `addr` is the length, as the kernel has it. */
static bool prepare_allocate(int mode, const struct disk_io *io, struct io_uring_sqe *sqe)
{
	sqe->opcode = IORING_OP_FALLOCATE;
	sqe->off = io->off;
	sqe->addr = io->len;
	sqe->len = mode | FALLOC_FL_KEEP_SIZE;
	return true;
}

static bool raw_prepare(struct disk *disk, const struct disk_io *io, struct io_uring_sqe *sqe)
{
	struct raw *raw = to_raw(disk);

	sqe->fd = raw->fd;
	switch (io->op) {
	case DISK_READ:
	case DISK_WRITE:
		return prepare_move(raw, io, sqe);
	case DISK_FLUSH:
		sqe->opcode = IORING_OP_FSYNC;
		sqe->fsync_flags = IORING_FSYNC_DATASYNC;
		return true;
	case DISK_DISCARD:
		/* Two calls in a row are no submission. */
		return !raw->device && disk->discards && !io->sync &&
		       prepare_allocate(FALLOC_FL_PUNCH_HOLE, io, sqe);
	default:
		return !io->sync && prepare_allocate(zero_mode(raw, io), io, sqe);
	}
}

const struct disk_ops disk_raw_ops = {
	.transfer = raw_transfer,
	.attempt = raw_attempt,
	.prepare = raw_prepare,
	.measure = disk_file_measure,
	.extend = disk_file_extend,
	.lock = disk_file_lock,
	.close = disk_file_close,
};
