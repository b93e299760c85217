// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/core/stream.h"
#include "vmm/snapshot_priv.h"

enum { PAGE = 1 << GUEST_PAGE_SHIFT, VERIFY_NICE = 10 };

int full_pwrite(int fd, const void *data, size_t len, off_t off)
{
	while (len) {
		ssize_t n = pwrite(fd, data, len, off);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data = (const uint8_t *)data + n;
			off += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int full_pread(int fd, void *data, size_t len, off_t off)
{
	while (len) {
		ssize_t n = pread(fd, data, len, off);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -ENODATA;
		if (n > 0) {
			data = (uint8_t *)data + n;
			off += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

typedef uint64_t vector __attribute__((vector_size(16)));

bool page_is_zero(const uint8_t *page)
{
	const vector *v = (const vector *)page;

	/* 128 bytes a step: loads that wait for nothing, and one question. */
	for (unsigned int i = 0; i < PAGE / sizeof(*v); i += 8) {
		vector any = (v[i] | v[i + 1]) | (v[i + 2] | v[i + 3]) | (v[i + 4] | v[i + 5]) |
			     (v[i + 6] | v[i + 7]);

		if (any[0] | any[1])
			return false;
	}
	return true;
}

uint32_t zeros_sum(const struct snapshot *snap, uint64_t len)
{
	static const uint8_t zeros[PAGE];
	uint32_t sum = 0;

	if (len == SNAPSHOT_CHUNK && snap->zeros)
		return snap->zeros;
	for (; len; len -= PAGE)
		sum = crc32c(sum, zeros, PAGE);
	return sum;
}

uint64_t chunk_len(const struct snapshot_ram *ram, uint32_t i)
{
	uint64_t left = ram->size - (uint64_t)i * SNAPSHOT_CHUNK;

	return left < SNAPSHOT_CHUNK ? left : SNAPSHOT_CHUNK;
}

struct section_head section_head(const struct section *section)
{
	struct section_head head = {
		.version = section->version,
		.flags = section->optional,
		.len = section->len,
	};

	memcpy(head.name, section->name, sizeof(head.name));
	head.sum = crc32c(crc32c(0, &head, offsetof(struct section_head, sum)), section->data,
			  section->len);
	return head;
}

int section_check(const struct section_head *head, const uint8_t *data, struct section *section)
{
	size_t len = strnlen(head->name, sizeof(head->name));

	if (crc32c(crc32c(0, head, offsetof(struct section_head, sum)), data, head->len) !=
	    head->sum)
		return -EBADMSG;
	if (!len || len == sizeof(head->name) || head->flags > 1)
		return -EPROTO;
	for (size_t i = 0; i < sizeof(head->name); i++)
		if (i < len ? head->name[i] <= ' ' || head->name[i] > '~' : head->name[i])
			return -EPROTO;
	*section = (struct section){
		.version = head->version,
		.optional = head->flags,
		.len = head->len,
	};
	memcpy(section->name, head->name, sizeof(section->name));
	return 0;
}

/* --- loading ---------------------------------------------------------------------------------- */

/* Where data begins in [off, end) of a file; all of it where the file system does not say. */
static off_t next_data(int fd, off_t off, off_t end)
{
	off_t data = lseek(fd, off, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? end : off;
	return data < end ? data : end;
}

static off_t next_hole(int fd, off_t off, off_t end)
{
	off_t hole = lseek(fd, off, SEEK_HOLE);

	return hole < 0 || hole > end ? end : hole;
}

/* Reads what of [off, end) is no hole: how much that was is added to *got. *next is where a hole at its end
 * ends, `limit` at most. */
static int read_data(int fd, uint8_t *to, off_t off, off_t end, off_t limit, uint64_t *got,
		     off_t *next)
{
	int err = 0;

	for (*next = off; !err && *next < end;) {
		off_t data = next_data(fd, *next, limit);

		*next = data;
		if (data < end) {
			*next = next_hole(fd, data, end);
			*got += (uint64_t)(*next - data);
			err = full_pread(fd, to + (data - off), (size_t)(*next - data), data);
		}
	}
	return err;
}

static bool in_hole(const struct snapshot_load *load, uint32_t chunk)
{
	uint64_t hole = atomic_load(&load->hole);

	return chunk >= hole >> 32 && chunk < (uint32_t)hole;
}

/* For whoever has the next ones: from this chunk on, as far as `next` in the file. */
static void note_hole(struct snapshot_load *load, const struct snapshot_ram *ram, uint64_t chunk,
		      off_t next)
{
	uint64_t end = ram->first + ((uint64_t)next - ram->offset) / SNAPSHOT_CHUNK;

	atomic_store(&load->hole, chunk << 32 | end);
}

static int load_chunk(void *arg, unsigned int run, uint32_t i)
{
	struct snapshot_load *load = arg;
	const struct snapshot *snap = load->snap;
	const struct snapshot_ram *ram = &snap->ram[run];
	uint64_t at = (uint64_t)i * SNAPSHOT_CHUNK, len = chunk_len(ram, i);
	uint8_t own[SNAPSHOT_CHUNK], *host = load->mem ? load->mem->ram[run].host + at : own;
	off_t off = (off_t)(ram->offset + at), next;
	uint64_t got = 0, chunk = ram->first + i;
	uint32_t sum;
	int err;

	if (!in_hole(load, chunk)) {
		if (host == own)
			memset(own, 0, len);
		err = read_data(snap->fd, host, off, off + (off_t)len,
				(off_t)(ram->offset + ram->size), &got, &next);
		if (err)
			return err;
		atomic_fetch_add(&load->read, got);
		if (!got)
			note_hole(load, ram, chunk, next);
	}
	sum = got ? crc32c(0, host, len) : zeros_sum(snap, len);
	return sum == snap->sums[ram->first + i] ? 0 : -EBADMSG;
}

int snapshot_load_start(struct snapshot_load *load, const struct snapshot *snap,
			const struct guest_mem *mem, struct fail *fail)
{
	int err;

	load->snap = snap;
	load->mem = mem;
	atomic_store(&load->read, 0);
	atomic_store(&load->hole, 0);
	/* Where a guest runs on that memory it goes before. */
	load->crew = (struct snapshot_crew){
		.snap = snap,
		.chunk = load_chunk,
		.arg = load,
		.nice = mem ? 0 : VERIFY_NICE,
	};
	err = crew_start(&load->crew);
	return err ? fail_set(fail, EXIT_HOST, err, "cannot start a thread: %s", strerror(-err))
		   : 0;
}

int snapshot_load_wait(struct snapshot_load *load, struct fail *fail)
{
	uint32_t bad;
	int err = crew_wait(&load->crew, &bad);

	if (err == -EBADMSG)
		return fail_set(
			fail, EXIT_SNAPSHOT, err,
			"the snapshot's memory does not hold: wrong checksum of chunk %u of %u",
			bad, load->snap->nsums);
	if (err)
		return fail_set(fail, EXIT_HOST, err, "cannot read the snapshot: %s",
				strerror(-err));
	return 0;
}

int snapshot_map(const struct snapshot *snap, struct guest_mem *mem, struct fail *fail)
{
	for (unsigned int i = 0; i < snap->nram; i++) {
		mem->ram[i].sparse = false;
		if (mmap(mem->ram[i].host, snap->ram[i].size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, snap->fd,
			 (off_t)snap->ram[i].offset) == MAP_FAILED)
			return fail_set(fail, EXIT_HOST, -errno,
					"cannot map the snapshot's memory: %s", strerror(errno));
	}
	return 0;
}
