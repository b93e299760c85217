// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "virtio/disk_raw.h"

/*
 * O_DIRECT wants memory, offsets and lengths aligned, and a guest's buffers need not be. What does not
 * fit goes through aligned memory, a piece at a time; a write of parts of blocks reads them first,
 * under a lock, so that two of them in one block do not undo each other. (A whole block written at
 * the same time overlaps either, and the guest has to expect anything.)
 */

enum { PIECE = 1 << 20, PAGE = 1 << 12, SECTOR = 512 };

static bool aligned(uint64_t v, uint32_t align)
{
	return !(v & (align - 1));
}

bool disk_direct_fits(const struct raw *raw, const struct disk_io *io)
{
	if (!aligned(io->off, raw->off_align))
		return false;
	for (unsigned int i = 0; i < io->n; i++)
		if (!aligned((uintptr_t)io->iov[i].iov_base, raw->mem_align) ||
		    !aligned(io->iov[i].iov_len, raw->off_align))
			return false;
	return true;
}

/* --- bouncing ---------------------------------------------------------------------------------- */

struct bounce {
	struct raw *raw;
	uint8_t *mem;
	struct iovec *iov; /* the guest's; entries before it are through ... */
	size_t skip; /* ... and so many bytes of it */
};

/* Copies `len` bytes between the bounce memory at `at` and the guest's, and moves on there. */
static void copy(struct bounce *b, size_t at, size_t len, bool to_guest)
{
	while (len) {
		size_t part = b->iov->iov_len - b->skip;
		uint8_t *guest = (uint8_t *)b->iov->iov_base + b->skip;

		if (part > len)
			part = len;
		memcpy(to_guest ? guest : b->mem + at, to_guest ? b->mem + at : guest, part);
		at += part;
		len -= part;
		b->skip += part;
		if (b->skip == b->iov->iov_len) {
			b->iov++;
			b->skip = 0;
		}
	}
}

static int blocks(const struct bounce *b, raw_move_fn *fn, uint64_t begin, uint64_t end, int flags)
{
	struct iovec iov = { b->mem, end - begin };

	return disk_raw_move(fn, b->raw->fd, &iov, 1, end - begin, (off_t)begin, flags);
}

/* Bytes [from, to) of the disk, which lie in the blocks [begin, end). */
static int one_piece(struct bounce *b, const struct disk_io *io, uint64_t from, uint64_t to)
{
	const uint64_t mask = b->raw->off_align - 1;
	const uint64_t begin = from & ~mask, end = (to + mask) & ~mask;
	int err = 0;

	if (io->op == DISK_READ) {
		err = blocks(b, preadv2, begin, end, 0);
		if (!err)
			copy(b, from - begin, to - from, true);
		return err;
	}
	if (begin != from || end != to)
		err = blocks(b, preadv2, begin, end, 0);
	if (err)
		return err;
	copy(b, from - begin, to - from, false);
	return blocks(b, pwritev2, begin, end, io->sync ? RWF_DSYNC : 0);
}

int disk_direct_bounce(struct raw *raw, const struct disk_io *io)
{
	struct bounce b = { .raw = raw, .iov = io->iov };
	const uint64_t end = io->off + io->len;
	uint64_t from = io->off, to;
	bool parts = io->op == DISK_WRITE &&
		     !(aligned(io->off, raw->off_align) && aligned(io->len, raw->off_align));
	int err = 0;

	b.mem = aligned_alloc(PAGE > raw->mem_align ? PAGE : raw->mem_align, PIECE);
	if (!b.mem)
		return -ENOMEM;
	if (parts)
		pthread_mutex_lock(&raw->blocks);
	for (; !err && from < end; from = to) {
		/* Pieces end at multiples of their size, so blocks are never cut. */
		to = (from / PIECE + 1) * PIECE;
		if (to > end)
			to = end;
		err = one_piece(&b, io, from, to);
	}
	if (parts)
		pthread_mutex_unlock(&raw->blocks);
	free(b.mem);
	return err;
}

/* --- what is wanted ---------------------------------------------------------------------------- */

/* Before Linux 6.1 nothing tells: the smallest read that works. Every kernel takes whole pages. */
static int try_reads(struct raw *raw)
{
	void *mem = aligned_alloc(PAGE, PAGE);
	ssize_t got = -1;

	if (!mem)
		return -ENOMEM;
	raw->mem_align = PAGE;
	raw->off_align = raw->disk.block_size / 2;
	while (got < 0 && raw->off_align < PAGE) {
		raw->off_align *= 2;
		got = pread(raw->fd, mem, raw->off_align, 0);
	}
	free(mem);
	return got < 0 ? -EINVAL : 0;
}

static int ask(struct raw *raw)
{
#ifdef STATX_DIOALIGN
	struct statx stx;

	if (!statx(raw->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) &&
	    stx.stx_mask & STATX_DIOALIGN) {
		raw->mem_align = stx.stx_dio_mem_align;
		raw->off_align = stx.stx_dio_offset_align;
		return raw->off_align ? 0 : -EINVAL;
	}
#endif
	return try_reads(raw);
}

int disk_direct_probe(struct raw *raw)
{
	int err = ask(raw);

	if (err)
		return err;
	/* A piece has to hold whole blocks. */
	if (!raw->mem_align || !aligned(PIECE, raw->mem_align) || !aligned(PIECE, raw->off_align))
		return -EINVAL;
	if (raw->off_align < SECTOR)
		raw->off_align = SECTOR;
	if (raw->disk.granule < raw->off_align)
		raw->disk.granule = raw->off_align;
	if (raw->disk.physical < raw->off_align)
		raw->disk.physical = raw->off_align;
	return 0;
}
