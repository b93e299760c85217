// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "virtio/disk_overlay.h"

/*
 * A throw-away overlay. The base is opened for reading only; what is written lies at the same offset of
 * a scratch file, and a bit for each cluster says in which of the two it is. Bits are only ever set,
 * once the cluster is whole in the scratch file: so a range that is all here or all there needs
 * no lock, and goes to that disk as it is.
 *
 * The base's last cluster, if cut short, is copied at the beginning; what lies behind the base is the
 * scratch file's by nature. The map takes 32 MiB of address space per TiB, and of memory what was
 * written to.
 */

/* --- the map ----------------------------------------------------------------------------------- */

static size_t map_bytes(const struct overlay *ov)
{
	return (ov->clusters + MAP_BITS - 1) / MAP_BITS * sizeof(uint64_t);
}

bool disk_overlay_has(const struct overlay *ov, uint64_t cluster)
{
	uint64_t word;

	if (cluster >= ov->clusters)
		return true;
	word = atomic_load_explicit(&ov->map[cluster / MAP_BITS], memory_order_acquire);
	return word >> cluster % MAP_BITS & 1;
}

static void set_on_top(struct overlay *ov, uint64_t cluster)
{
	if (cluster < ov->clusters)
		atomic_fetch_or_explicit(&ov->map[cluster / MAP_BITS],
					 UINT64_C(1) << cluster % MAP_BITS, memory_order_release);
}

/* Bytes from `off` on, at most `len`, that are on one disk: which one goes to *top. */
static uint64_t run_at(const struct overlay *ov, uint64_t off, uint64_t len, bool *top)
{
	uint64_t cluster = off >> CLUSTER_SHIFT, last = (off + len - 1) >> CLUSTER_SHIFT, end;

	*top = disk_overlay_has(ov, cluster);
	while (cluster < last && disk_overlay_has(ov, cluster + 1) == *top)
		cluster++;
	end = (cluster + 1) << CLUSTER_SHIFT;
	return end - off < len ? end - off : len;
}

/* The disk that can do it alone, or NULL. */
static struct disk *alone(const struct overlay *ov, const struct disk_io *io)
{
	bool top;

	if ((io->op != DISK_READ && io->op != DISK_WRITE) ||
	    run_at(ov, io->off, io->len, &top) < io->len)
		return NULL;
	if (top)
		return ov->top;
	return io->op == DISK_READ ? ov->base : NULL;
}

/* --- copying ----------------------------------------------------------------------------------- */

/* Makes a cluster of the base writable. Under `copying`. */
static int copy_up(struct overlay *ov, uint64_t cluster)
{
	const uint64_t off = cluster << CLUSTER_SHIFT, left = ov->base->size - off;
	_Alignas(CLUSTER) uint8_t data[CLUSTER];
	struct iovec iov = { data, left < CLUSTER ? left : CLUSTER };
	struct disk_io io = {
		.op = DISK_READ, .off = off, .len = iov.iov_len, .iov = &iov, .n = 1
	};
	int err = ov->base->ops->transfer(ov->base, &io);

	if (err)
		return err;
	io.op = DISK_WRITE;
	err = ov->top->ops->transfer(ov->top, &io);
	if (!err)
		set_on_top(ov, cluster);
	return err;
}

/* Copies the clusters at both ends of a range that is about to change, where it cuts them. */
static int copy_ends(struct overlay *ov, uint64_t off, uint64_t len)
{
	const uint64_t end = off + len;
	int err = 0;

	if (off % CLUSTER && !disk_overlay_has(ov, off >> CLUSTER_SHIFT))
		err = copy_up(ov, off >> CLUSTER_SHIFT);
	if (!err && end % CLUSTER && !disk_overlay_has(ov, end >> CLUSTER_SHIFT))
		err = copy_up(ov, end >> CLUSTER_SHIFT);
	return err;
}

void disk_overlay_took(struct overlay *ov, uint64_t off, uint64_t len)
{
	for (uint64_t c = off >> CLUSTER_SHIFT; c << CLUSTER_SHIFT < off + len; c++)
		set_on_top(ov, c);
}

/* A write, or zeroes: nothing of it has to last. */
static int change(struct overlay *ov, struct disk_io *io)
{
	struct disk_io whole = *io;
	int err;

	whole.sync = false;
	pthread_mutex_lock(&ov->copying);
	err = copy_ends(ov, io->off, io->len);
	if (!err)
		err = ov->top->ops->transfer(ov->top, &whole);
	if (!err)
		disk_overlay_took(ov, io->off, io->len);
	pthread_mutex_unlock(&ov->copying);
	return err;
}

/* Whole clusters become holes of the scratch file; parts of some are not worth a copy. */
static int discard(struct overlay *ov, const struct disk_io *io)
{
	struct disk_io zeroes = { .op = DISK_ZEROES, .unmap = true };
	uint64_t end = (io->off + io->len) & ~(uint64_t)(CLUSTER - 1);

	zeroes.off = (io->off + CLUSTER - 1) & ~(uint64_t)(CLUSTER - 1);
	if (zeroes.off >= end)
		return 0;
	zeroes.len = end - zeroes.off;
	return change(ov, &zeroes);
}

/* --- reading from both ------------------------------------------------------------------------- */

/* What of a request's buffers is through: entries, and bytes of the next one. */
struct cursor {
	unsigned int at;
	size_t skip;
};

/* The next `len` bytes of `io`, from `off` on, from one disk. */
static int read_run(struct disk *from, struct disk_io *io, struct cursor *c, uint64_t off,
		    uint64_t len)
{
	struct iovec *first = io->iov + c->at, *last = first, was_first = *first, was_last;
	struct disk_io part = { .op = DISK_READ, .off = off, .len = len, .iov = first };
	size_t left = len;
	int err;

	first->iov_base = (char *)first->iov_base + c->skip;
	first->iov_len -= c->skip;
	while (left > last->iov_len)
		left -= last++->iov_len;
	was_last = *last;
	last->iov_len = left;
	part.n = (unsigned int)(last - first) + 1;
	err = from->ops->transfer(from, &part);
	*last = was_last;
	if (left == was_last.iov_len)
		*c = (struct cursor){ (unsigned int)(last - io->iov) + 1, 0 };
	else
		*c = (struct cursor){ (unsigned int)(last - io->iov),
				      (last == first ? c->skip : 0) + left };
	*first = was_first;
	return err;
}

static int read_both(struct overlay *ov, struct disk_io *io)
{
	struct cursor c = { 0 };
	uint64_t off = io->off, end = io->off + io->len, len;
	bool top;
	int err = 0;

	for (; !err && off < end; off += len) {
		len = run_at(ov, off, end - off, &top);
		err = read_run(top ? ov->top : ov->base, io, &c, off, len);
	}
	return err;
}

/* --- operations -------------------------------------------------------------------------------- */

static int overlay_transfer(struct disk *disk, struct disk_io *io)
{
	struct overlay *ov = to_overlay(disk);

	switch (io->op) {
	case DISK_READ:
		return read_both(ov, io);
	case DISK_DISCARD:
		return discard(ov, io);
	case DISK_FLUSH:
		return 0;
	default:
		return change(ov, io);
	}
}

/* Whole clusters that are new need no copy. */
static int attempt_new(struct overlay *ov, const struct disk_io *io)
{
	int err;

	if (io->op != DISK_WRITE || io->off % CLUSTER || io->len % CLUSTER ||
	    pthread_mutex_trylock(&ov->copying))
		return -EAGAIN;
	err = ov->top->ops->attempt(ov->top, io);
	if (!err)
		disk_overlay_took(ov, io->off, io->len);
	pthread_mutex_unlock(&ov->copying);
	return err;
}

static int overlay_attempt(struct disk *disk, const struct disk_io *io)
{
	struct overlay *ov = to_overlay(disk);
	struct disk_io now = *io;
	struct disk *to;

	if (io->op == DISK_FLUSH)
		return 0;
	to = alone(ov, io);
	now.sync = false;
	return to ? to->ops->attempt(to, &now) : attempt_new(ov, &now);
}

static bool overlay_prepare(struct disk *disk, const struct disk_io *io, struct io_uring_sqe *sqe)
{
	struct disk *to = alone(to_overlay(disk), io);
	struct disk_io now = *io;

	now.sync = false;
	return to && to->ops->prepare(to, &now, sqe);
}

static int overlay_measure(const struct disk *disk, uint64_t *size)
{
	*size = disk->size;
	return 0;
}

static int overlay_extend(struct disk *disk, uint64_t size, struct fail *fail)
{
	return disk_resize(to_overlay(disk)->top, size, fail);
}

static int overlay_lock(struct disk *disk, bool on, struct fail *fail)
{
	return disk_lock(to_overlay(disk)->base, on, fail);
}

static void overlay_close(struct disk *disk)
{
	struct overlay *ov = to_overlay(disk);

	disk_close(ov->top);
	disk_close(ov->base);
	if (ov->map)
		munmap((void *)ov->map, map_bytes(ov));
	pthread_mutex_destroy(&ov->copying);
	free(ov);
}

static const struct disk_ops overlay_ops = {
	.transfer = overlay_transfer,
	.attempt = overlay_attempt,
	.prepare = overlay_prepare,
	.measure = overlay_measure,
	.extend = overlay_extend,
	.state = disk_overlay_state,
	.lock = overlay_lock,
	.close = overlay_close,
};

/* --- making it --------------------------------------------------------------------------------- */

static int no_memory(const char *path, struct fail *fail)
{
	return fail_set(fail, EXIT_HOST, -ENOMEM, "disk %s: out of memory for its overlay", path);
}

static int make_map(struct overlay *ov, struct fail *fail)
{
	void *map;

	ov->clusters = (ov->base->size + CLUSTER - 1) >> CLUSTER_SHIFT;
	map = mmap(NULL, map_bytes(ov), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return no_memory(ov->disk.path, fail);
	ov->map = map;
	return 0;
}

static int copy_tail(struct overlay *ov, struct fail *fail)
{
	int err = ov->base->size % CLUSTER ? copy_up(ov, ov->clusters - 1) : 0;

	return err ? fail_set(fail, EXIT_HOST, err, "disk %s: its end cannot be copied: %s",
			      ov->disk.path, strerror(-err))
		   : 0;
}

/* What goes on top of a base that is there. */
static int fill(struct overlay *ov, const struct disk_config *cfg, struct fail *fail)
{
	int err;

	ov->disk = *ov->base;
	ov->disk.ops = &overlay_ops;
	ov->disk.ro = false;
	ov->disk.discards = !cfg->keep;
	err = disk_raw_scratch(cfg, ov->disk.size, &ov->top, fail);
	if (!err)
		err = make_map(ov, fail);
	return err ? err : copy_tail(ov, fail);
}

static struct overlay *overlay_new(const struct disk_config *cfg, struct fail *fail)
{
	struct overlay *ov = calloc(1, sizeof(*ov));

	if (ov)
		pthread_mutex_init(&ov->copying, NULL);
	else
		no_memory(cfg->path, fail);
	return ov;
}

int disk_overlay_open(const struct disk_config *cfg, struct disk **out, struct fail *fail)
{
	struct overlay *ov = overlay_new(cfg, fail);
	struct disk_config base = *cfg;
	int err;

	if (!ov)
		return -ENOMEM;
	base.ro = true;
	err = disk_raw_open(&base, &ov->base, fail);
	if (!err)
		err = fill(ov, cfg, fail);
	if (err)
		overlay_close(&ov->disk);
	else
		*out = &ov->disk;
	return err;
}

/* --- over a disk in use ------------------------------------------------------------------------ */

/* All but the base is given back. */
static void overlay_leave(struct overlay *ov)
{
	ov->base = NULL;
	overlay_close(&ov->disk);
}

int disk_overlay_over(struct disk *base, const struct disk_config *cfg, struct disk **out,
		      struct fail *fail)
{
	struct overlay *ov = overlay_new(cfg, fail);
	int err;

	if (!ov)
		return -ENOMEM;
	ov->base = base;
	err = fill(ov, cfg, fail);
	base->ro = !err;
	if (!err)
		err = disk_lock(base, true, fail);
	if (err) {
		base->ro = false;
		overlay_leave(ov);
		return err;
	}
	*out = &ov->disk;
	return 0;
}

int disk_overlay_undo(struct disk *disk, struct disk **base, struct fail *fail)
{
	struct overlay *ov = to_overlay(disk);
	int err;

	*base = ov->base;
	ov->base->ro = false;
	err = disk_lock(ov->base, true, fail);
	ov->base->ro = err;
	if (!err)
		overlay_leave(ov);
	return err;
}
