// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "virtio/disk_raw.h"

enum { SECTOR = 512 };

/* --- what can be opened ------------------------------------------------------------------------ */

static int cannot_open(const struct disk_config *cfg, int err, struct fail *fail)
{
	bool refused = err == -EACCES || err == -EPERM || err == -EROFS;

	if (err == -EISDIR)
		return fail_set(fail, EXIT_CONFIG, err,
				"disk %s is a directory; give a raw image or a block device",
				cfg->path);
	if (refused && !cfg->ro)
		return fail_set(fail, EXIT_CONFIG, err,
				"disk %s cannot be written (%s); attach it as %s,ro or make it "
				"writable",
				cfg->path, strerror(-err), cfg->path);
	if (err == -EINVAL && cfg->direct)
		return fail_set(fail, EXIT_CONFIG, err,
				"disk %s: its file system has no direct I/O; leave direct=on away",
				cfg->path);
	return fail_set(fail, EXIT_CONFIG, err, "disk %s cannot be opened: %s", cfg->path,
			strerror(-err));
}

static int check_kind(const struct stat *st, const struct disk_config *cfg, struct fail *fail)
{
	if (S_ISDIR(st->st_mode))
		return cannot_open(cfg, -EISDIR, fail);
	if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode))
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"disk %s is neither a file nor a block device; give a raw image",
				cfg->path);
	/* Root may write it all the same, but whoever took the permission away meant it. */
	if (S_ISREG(st->st_mode) && !(st->st_mode & 0222) && !cfg->ro)
		return cannot_open(cfg, -EACCES, fail);
	return 0;
}

int disk_file_lock(struct disk *disk, bool on, struct fail *fail)
{
	const struct raw *raw = to_raw(disk);
	struct flock range = {
		.l_type = !on	     ? F_UNLCK
			  : disk->ro ? F_RDLCK
				     : F_WRLCK,
		.l_whence = SEEK_SET,
	};
	int err;

	if (!fcntl(raw->fd, F_OFD_SETLK, &range))
		return 0;
	err = -errno;
	if (err == -EAGAIN || err == -EACCES)
		return fail_set(fail, EXIT_CONFIG, -EBUSY,
				"disk %s is in use by another program; stop that%s", raw->disk.path,
				raw->disk.ro ? "" : ", or attach it as ,ro on both sides");
	return fail_set(fail, EXIT_CONFIG, err, "disk %s cannot be locked: %s", raw->disk.path,
			strerror(-err));
}

/* --- what it is like --------------------------------------------------------------------------- */

int disk_file_measure(const struct disk *disk, uint64_t *size)
{
	const struct raw *raw = to_raw(disk);
	struct stat st;

	if (raw->device)
		return ioctl(raw->fd, BLKGETSIZE64, size) ? -errno : 0;
	if (fstat(raw->fd, &st))
		return -errno;
	*size = st.st_size;
	return 0;
}

static bool power_of_2(uint32_t v)
{
	return v && !(v & (v - 1));
}

/* A device tells all; a file's blocks are those that its file system allocates. */
static void ask_blocks(struct raw *raw, const struct stat *st)
{
	struct disk *disk = &raw->disk;
	int block = SECTOR, offset = 0;
	unsigned int physical = 0, min_io = 0, opt_io = 0;

	if (!raw->device) {
		physical = st->st_blksize;
	} else {
		/* What one does not say stays unknown. */
		if (ioctl(raw->fd, BLKSSZGET, &block) || block < SECTOR || !power_of_2(block))
			block = SECTOR;
		if (ioctl(raw->fd, BLKPBSZGET, &physical))
			physical = 0;
		if (ioctl(raw->fd, BLKALIGNOFF, &offset) || offset < 0)
			offset = 0;
		if (ioctl(raw->fd, BLKIOMIN, &min_io))
			min_io = 0;
		if (ioctl(raw->fd, BLKIOOPT, &opt_io))
			opt_io = 0;
	}
	disk->block_size = disk->granule = block;
	disk->physical =
		power_of_2(physical) && physical > disk->block_size ? physical : disk->block_size;
	disk->align_offset = offset;
	disk->min_io = min_io;
	disk->opt_io = opt_io;
}

static int check_size(const struct disk *disk, struct fail *fail)
{
	if (!disk->size)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"disk %s is empty; give it a size with truncate -s SIZE",
				disk->path);
	if (disk->size % SECTOR)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"disk %s has %" PRIu64 " bytes, not a multiple of %d; is it a raw "
				"image?",
				disk->path, disk->size, SECTOR);
	if (disk->size % disk->granule)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"disk %s has %" PRIu64 " bytes, not a multiple of the %u that its "
				"file system needs; leave direct=on away or extend it",
				disk->path, disk->size, disk->granule);
	return 0;
}

static bool in_memory(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

static int inspect(struct raw *raw, const struct disk_config *cfg, struct fail *fail)
{
	struct disk *disk = &raw->disk;
	struct stat st;
	int err;

	if (fstat(raw->fd, &st))
		return cannot_open(cfg, -errno, fail);
	raw->device = S_ISBLK(st.st_mode);
	err = check_kind(&st, cfg, fail);
	if (!err)
		err = cfg->unlocked ? 0 : disk_file_lock(disk, true, fail);
	if (err)
		return err;
	err = disk_file_measure(disk, &disk->size);
	if (err)
		return fail_set(fail, EXIT_HOST, err, "disk %s does not tell its size: %s",
				disk->path, strerror(-err));
	ask_blocks(raw, &st);
	raw->in_memory = !raw->device && in_memory(raw->fd);
	raw->direct = cfg->direct;
	err = raw->direct ? disk_direct_probe(raw) : 0;
	if (err)
		return cannot_open(cfg, err, fail);
	disk->discards = !cfg->keep && !disk->ro;
	return check_size(disk, fail);
}

/* --- life -------------------------------------------------------------------------------------- */

static struct raw *new_raw(int fd, const char *path, bool ro)
{
	struct raw *raw = calloc(1, sizeof(*raw));

	if (!raw) {
		close(fd);
		return NULL;
	}
	*raw = (struct raw){
		.disk = { .ops = &disk_raw_ops, .path = path, .ro = ro },
		.fd = fd,
		.try_read = true,
		.try_write = true,
	};
	pthread_mutex_init(&raw->blocks, NULL);
	return raw;
}

void disk_file_close(struct disk *disk)
{
	struct raw *raw = to_raw(disk);

	close(raw->fd);
	pthread_mutex_destroy(&raw->blocks);
	free(raw);
}

int disk_raw_open(const struct disk_config *cfg, struct disk **out, struct fail *fail)
{
	/* O_NONBLOCK: opening a FIFO by mistake must not hang. It means nothing for the rest. */
	const int flags = (cfg->ro ? O_RDONLY : O_RDWR) | (cfg->direct ? O_DIRECT : 0) | O_CLOEXEC |
			  O_NONBLOCK | O_NOCTTY;
	int fd = open(cfg->path, flags), err;
	struct raw *raw;

	if (fd < 0)
		return cannot_open(cfg, -errno, fail);
	raw = new_raw(fd, cfg->path, cfg->ro);
	if (!raw)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "disk %s: out of memory", cfg->path);
	err = inspect(raw, cfg, fail);
	if (err)
		disk_file_close(&raw->disk);
	else
		*out = &raw->disk;
	return err;
}

int disk_file_extend(struct disk *disk, uint64_t size, struct fail *fail)
{
	const struct raw *raw = to_raw(disk);
	int err;

	if (raw->device)
		return fail_set(fail, EXIT_CONFIG, -ENOSPC,
				"disk %s: the device is smaller than %" PRIu64
				" bytes; make that larger first",
				disk->path, size);
	if (disk->ro)
		return fail_set(fail, EXIT_CONFIG, -EROFS,
				"disk %s is attached read-only; make the file larger, then take "
				"its size",
				disk->path);
	if (!ftruncate(raw->fd, (off_t)size))
		return 0;
	err = -errno;
	return fail_set(fail, EXIT_CONFIG, err, "disk %s cannot have %" PRIu64 " bytes: %s",
			disk->path, size, strerror(-err));
}

/* --- scratch files ----------------------------------------------------------------------------- */

/* Where one goes: the folder that is named, $TMPDIR, or beside a file (a device has nothing but devices beside it).
 * The length of the folder's name in *dir. */
static int scratch_folder(const struct disk_config *cfg, const char **dir)
{
	const char *path = cfg->path, *slash = strrchr(path, '/');
	struct stat st;

	*dir = cfg->scratch ? cfg->scratch : getenv("TMPDIR");
	if (*dir && **dir)
		return (int)strlen(*dir);
	*dir = "/var/tmp";
	if (!stat(path, &st) && S_ISBLK(st.st_mode))
		return (int)strlen(*dir);
	*dir = slash ? path : ".";
	return slash && slash > path ? (int)(slash - path) : 1;
}

/* A file without a name, also on file systems that do not make such at once. */
static int open_unnamed(const char *dir, int len)
{
	char name[PATH_MAX];
	int fd;

	snprintf(name, sizeof(name), "%.*s", len, dir);
	fd = open(name, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
		return fd;
	if (snprintf(name, sizeof(name), "%.*s/vmm-XXXXXX", len, dir) >= (int)sizeof(name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	return fd;
}

int disk_raw_scratch(const struct disk_config *cfg, uint64_t size, struct disk **out,
		     struct fail *fail)
{
	const char *path = cfg->path, *dir;
	int len = scratch_folder(cfg, &dir), fd = open_unnamed(dir, len), err;
	struct raw *raw;

	if (fd < 0 || ftruncate(fd, (off_t)size)) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		return fail_set(fail, EXIT_CONFIG, err,
				"disk %s: no overlay can be made in %.*s (%s); %s a folder with "
				"room",
				path, len, dir, strerror(-err),
				cfg->scratch ? "name" : "set TMPDIR to");
	}
	raw = new_raw(fd, path, false);
	if (!raw)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "disk %s: out of memory", path);
	raw->disk.size = size;
	raw->disk.block_size = raw->disk.granule = raw->disk.physical = SECTOR;
	raw->disk.discards = true;
	raw->in_memory = in_memory(fd);
	*out = &raw->disk;
	return 0;
}
