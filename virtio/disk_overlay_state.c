// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/disk_overlay.h"
#include "vmm/core/state.h"

/*
 * What a guest wrote to an overlay, as state: the disk's size, then pieces of the scratch file, each
 * with the offset where it goes. All of it is in memory at once, which is why there is a limit.
 */
enum { PIECE = 64 * CLUSTER };

static const uint64_t END = UINT64_MAX;

static int move(struct overlay *ov, enum disk_op op, uint64_t off, void *data, uint64_t len)
{
	struct iovec iov = { data, len };
	struct disk_io io = { .op = op, .off = off, .len = len, .iov = &iov, .n = 1 };

	return ov->top->ops->transfer(ov->top, &io);
}

static bool all_zero(const uint8_t *data, uint64_t len)
{
	return !data[0] && !memcmp(data, data + 1, len - 1);
}

/* One run of clusters, or a part of it, from `off` on: its length in bytes, 0 for none. */
static uint64_t piece_at(const struct overlay *ov, uint64_t off)
{
	uint64_t end = off;

	while (end - off < PIECE && end < ov->disk.size &&
	       disk_overlay_has(ov, end >> CLUSTER_SHIFT))
		end += CLUSTER;
	return (end < ov->disk.size ? end : ov->disk.size) - off;
}

/* Behind the base, zeroes are what a new scratch file has. */
static bool worth_saving(const struct overlay *ov, uint64_t off, const uint8_t *data, uint64_t len)
{
	return off >> CLUSTER_SHIFT < ov->clusters || !all_zero(data, len);
}

static int save_piece(struct overlay *ov, struct state *s, uint64_t off, uint8_t *data,
		      uint64_t len, uint64_t *total)
{
	uint32_t size = (uint32_t)len;
	int err = move(ov, DISK_READ, off, data, len);

	if (err || !worth_saving(ov, off, data, len))
		return err;
	*total += len;
	if (*total > DISK_STATE_MAX)
		return -EFBIG;
	state_u64(s, "at", &off);
	state_blob(s, "data", data, &size, PIECE);
	return 0;
}

static int save_pieces(struct overlay *ov, struct state *s, uint8_t *data)
{
	uint64_t end = END, total = 0, len;
	int err = 0;

	for (uint64_t off = 0; !err && !s->err && off < ov->disk.size; off += len ? len : CLUSTER) {
		len = piece_at(ov, off);
		if (len)
			err = save_piece(ov, s, off, data, len, &total);
	}
	state_u64(s, "at", &end);
	return err;
}

static int load_pieces(struct overlay *ov, struct state *s, uint8_t *data)
{
	uint64_t size = ov->disk.size;
	int err = 0;

	while (!err) {
		uint64_t off = END;
		uint32_t len = 0;

		state_u64(s, "at", &off);
		if (s->err || off == END)
			break;
		state_blob(s, "data", data, &len, PIECE);
		if (!state_check(s, off % CLUSTER == 0 && off < size && len && len <= size - off,
				 "at"))
			break;
		/* Whole clusters, but where the disk ends. */
		if (!state_check(s, len % CLUSTER == 0 || len == size - off, "data"))
			break;
		err = move(ov, DISK_WRITE, off, data, len);
		disk_overlay_took(ov, off, len);
	}
	return err;
}

/* A disk that has grown since then grows again. */
static void size_state(struct overlay *ov, struct state *s)
{
	uint64_t size = ov->disk.size;

	state_u64(s, "size", &size);
	if (!state_check(s, size >= ov->disk.size && size % ov->disk.granule == 0, "size"))
		return;
	if (s->loading && size > ov->disk.size)
		state_check(s, !disk_resize(&ov->disk, size, NULL), "size");
}

void disk_overlay_state(struct disk *disk, struct state *s)
{
	struct overlay *ov = to_overlay(disk);
	uint8_t *data = NULL;
	int err;

	size_state(ov, s);
	err = posix_memalign((void **)&data, CLUSTER, PIECE) ? -ENOMEM : 0;
	if (!err)
		err = s->loading ? load_pieces(ov, s, data) : save_pieces(ov, s, data);
	if (err && !s->err)
		s->err = err;
	free(data);
}
