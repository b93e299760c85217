// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

enum { SECTOR = 512 };

/* --- opening ----------------------------------------------------------------------------------- */

static int cannot_open(const char *path, bool ro, int err, struct fail *fail)
{
	bool refused = err == -EACCES || err == -EPERM || err == -EROFS;

	if (err == -EISDIR)
		return fail_set(fail, EXIT_CONFIG, err,
				"disk %s is a directory; give a raw image or a block device", path);
	if (refused && !ro)
		return fail_set(fail, EXIT_CONFIG, err,
				"disk %s cannot be written (%s); attach it as %s,ro or make it "
				"writable",
				path, strerror(-err), path);
	return fail_set(fail, EXIT_CONFIG, err, "disk %s cannot be opened: %s", path,
			strerror(-err));
}

static int check_kind(const struct stat *st, const char *path, bool ro, struct fail *fail)
{
	if (S_ISDIR(st->st_mode))
		return cannot_open(path, ro, -EISDIR, fail);
	if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"disk %s is neither a file nor a block device; give a raw image",
				path);
	/* Root may write it all the same, but whoever took the permission away meant it. */
	if (S_ISREG(st->st_mode) && !(st->st_mode & 0222) && !ro)
		return cannot_open(path, ro, -EACCES, fail);
	return 0;
}

/* The size of file or device now. */
static int ask_size(const struct disk *disk, uint64_t *size)
{
	struct stat st;

	if (disk->device)
		return ioctl(disk->fd, BLKGETSIZE64, size) ? -errno : 0;
	if (fstat(disk->fd, &st))
		return -errno;
	*size = st.st_size;
	return 0;
}

static int cannot_measure(const struct disk *disk, int err, struct fail *fail)
{
	return fail_set(fail, EXIT_HOST, err, "disk %s does not tell its size: %s", disk->path,
			strerror(-err));
}

static int measure(struct disk *disk, struct fail *fail)
{
	int block = SECTOR, err = ask_size(disk, &disk->size);

	if (!err && disk->device && ioctl(disk->fd, BLKSSZGET, &block))
		err = -errno;
	if (err)
		return cannot_measure(disk, err, fail);
	disk->block_size = block;
	if (!disk->size)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"disk %s is empty; give it a size with truncate -s SIZE",
				disk->path);
	if (disk->size % SECTOR)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"disk %s has %" PRIu64 " bytes, not a multiple of %d; is it a raw "
				"image?",
				disk->path, disk->size, SECTOR);
	return 0;
}

/* --- resizing ---------------------------------------------------------------------------------- */

static int check_size(const struct disk *disk, uint64_t size, struct fail *fail)
{
	if (size % disk->block_size)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"disk %s: %" PRIu64 " bytes are not a multiple of %u; give whole "
				"blocks",
				disk->path, size, disk->block_size);
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

static int extend(const struct disk *disk, uint64_t size, uint64_t now, struct fail *fail)
{
	int err;

	if (disk->device)
		return fail_set(fail, EXIT_CONFIG, -ENOSPC,
				"disk %s: the device has %" PRIu64 " bytes; make it larger first",
				disk->path, now);
	if (disk->ro)
		return fail_set(fail, EXIT_CONFIG, -EROFS,
				"disk %s is attached read-only; make the file larger, then take "
				"its size",
				disk->path);
	if (!ftruncate(disk->fd, (off_t)size))
		return 0;
	err = -errno;
	return fail_set(fail, EXIT_CONFIG, err, "disk %s cannot have %" PRIu64 " bytes: %s",
			disk->path, size, strerror(-err));
}

int disk_resize(struct disk *disk, uint64_t size, struct fail *fail)
{
	uint64_t now;
	int err = ask_size(disk, &now);

	if (err)
		return cannot_measure(disk, err, fail);
	if (!size)
		size = now;
	err = check_size(disk, size, fail);
	if (!err && size > now)
		err = extend(disk, size, now, fail);
	if (!err)
		disk->size = size;
	return err;
}

/* --- locking ----------------------------------------------------------------------------------- */

static int lock(const struct disk *disk, const char *path, struct fail *fail)
{
	struct flock range = { .l_type = disk->ro ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };
	int err;

	if (!fcntl(disk->fd, F_OFD_SETLK, &range))
		return 0;
	err = -errno;
	if (err == -EAGAIN || err == -EACCES)
		return fail_set(fail, EXIT_CONFIG, -EBUSY,
				"disk %s is in use by another program; stop that%s", path,
				disk->ro ? "" : ", or attach it as ,ro on both sides");
	return fail_set(fail, EXIT_CONFIG, err, "disk %s cannot be locked: %s", path,
			strerror(-err));
}

static int prepare(struct disk *disk, const char *path, struct fail *fail)
{
	struct statfs fs;
	struct stat st;
	int err;

	if (fstat(disk->fd, &st))
		return cannot_open(path, disk->ro, -errno, fail);
	disk->device = S_ISBLK(st.st_mode);
	err = check_kind(&st, path, disk->ro, fail);
	if (!err)
		err = lock(disk, path, fail);
	if (!err)
		err = measure(disk, fail);
	if (err)
		return err;
	disk->in_memory = S_ISREG(st.st_mode) && !fstatfs(disk->fd, &fs) &&
			  (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
	disk->try_read = disk->try_write = true;
	return 0;
}

int disk_open(struct disk *disk, const char *path, bool ro, struct fail *fail)
{
	int err;

	/* O_NONBLOCK: opening a FIFO by mistake must not hang. It means nothing for the rest. */
	*disk = (struct disk){ .ro = ro, .path = path };
	disk->fd = open(path, (ro ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (disk->fd < 0)
		return cannot_open(path, ro, -errno, fail);
	err = prepare(disk, path, fail);
	if (err)
		disk_close(disk);
	return err;
}

void disk_close(struct disk *disk)
{
	if (disk->fd >= 0)
		close(disk->fd);
	disk->fd = -1;
}

/* --- transfers --------------------------------------------------------------------------------- */

typedef ssize_t transfer_fn(int fd, const struct iovec *iov, int n, off_t off, int flags);

/* Repeats until `len` bytes are through; entries of `iov` are changed only for the call. */
static int transfer(transfer_fn *fn, int fd, struct iovec *iov, unsigned int n, size_t len,
		    off_t off, int flags)
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

int disk_read(const struct disk *disk, struct iovec *iov, unsigned int n, size_t len, off_t off)
{
	return transfer(preadv2, disk->fd, iov, n, len, off, 0);
}

int disk_write(const struct disk *disk, struct iovec *iov, unsigned int n, size_t len, off_t off,
	       bool sync)
{
	return transfer(pwritev2, disk->fd, iov, n, len, off, sync ? RWF_DSYNC : 0);
}

int disk_flush(const struct disk *disk)
{
	int ret;

	do {
		ret = fdatasync(disk->fd);
	} while (ret && errno == EINTR);
	return ret ? -errno : 0;
}

static int try_transfer(struct disk *disk, transfer_fn *fn, bool *may, const struct iovec *iov,
			unsigned int n, size_t len, off_t off)
{
	ssize_t got;

	if (n > IOV_MAX || (!*may && !disk->in_memory))
		return -EAGAIN;
	got = fn(disk->fd, iov, n, off, disk->in_memory ? 0 : RWF_NOWAIT);
	if (got < 0 && (errno == EOPNOTSUPP || errno == EINVAL))
		*may = false;
	return got >= 0 && (size_t)got == len ? 0 : -EAGAIN;
}

int disk_try_read(struct disk *disk, const struct iovec *iov, unsigned int n, size_t len, off_t off)
{
	return try_transfer(disk, preadv2, &disk->try_read, iov, n, len, off);
}

int disk_try_write(struct disk *disk, const struct iovec *iov, unsigned int n, size_t len,
		   off_t off)
{
	return try_transfer(disk, pwritev2, &disk->try_write, iov, n, len, off);
}
