// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "vmm/core/stream.h"
#include "vmm/snapshot_priv.h"

enum { PAGE = 1 << GUEST_PAGE_SHIFT, VERIFY_NICE = 10 };
enum { SECOND = 1000000000, PROGRESS_NS = 200000000 };

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

/* Reads what is no hole: how much that was is added to *got. */
static int read_data(int fd, uint8_t *to, off_t off, uint64_t len, uint64_t *got)
{
	off_t end = off + (off_t)len;
	int err = 0;

	for (off_t at = off; !err && at < end;) {
		off_t data = next_data(fd, at, end), hole = end;

		if (data < end) {
			hole = next_hole(fd, data, end);
			*got += (uint64_t)(hole - data);
			err = full_pread(fd, to + (data - off), (size_t)(hole - data), data);
		}
		at = hole;
	}
	return err;
}

static int load_chunk(struct snapshot_load *load, unsigned int run, uint32_t i)
{
	const struct snapshot *snap = load->snap;
	const struct snapshot_ram *ram = &snap->ram[run];
	uint64_t at = (uint64_t)i * SNAPSHOT_CHUNK, len = chunk_len(ram, i);
	uint8_t own[SNAPSHOT_CHUNK], *host = load->mem ? load->mem->ram[run].host + at : own;
	off_t off = (off_t)(ram->offset + at);
	uint64_t got = 0;
	uint32_t sum;
	int err;

	if (host == own)
		memset(own, 0, len);
	err = read_data(snap->fd, host, off, len, &got);
	if (err)
		return err;
	atomic_fetch_add(&load->read, got);
	sum = got ? crc32c(0, host, len) : zeros_sum(snap, len);
	return sum == snap->sums[ram->first + i] ? 0 : -EBADMSG;
}

static void note_bad(struct snapshot_load *load, uint32_t chunk, int err)
{
	uint32_t bad = atomic_load(&load->bad);

	atomic_store(&load->err, err);
	while (chunk < bad && !atomic_compare_exchange_weak(&load->bad, &bad, chunk))
		;
}

static void *load_thread(void *arg)
{
	struct snapshot_load *load = arg;
	const struct snapshot *snap = load->snap;
	uint32_t chunk;

	/* A guest runs on that memory, and goes before. Of this thread alone. */
	if (!load->mem)
		setpriority(PRIO_PROCESS, 0, VERIFY_NICE);
	while ((chunk = atomic_fetch_add(&load->next, 1)) < snap->nsums) {
		unsigned int run = 0;
		int err;

		while (run + 1 < snap->nram && snap->ram[run + 1].first <= chunk)
			run++;
		err = load_chunk(load, run, chunk - snap->ram[run].first);
		if (!err)
			continue;
		note_bad(load, chunk, err);
		break;
	}
	return NULL;
}

int snapshot_load_start(struct snapshot_load *load, const struct snapshot *snap,
			const struct guest_mem *mem, struct fail *fail)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned int want = cpus < 1 ? 1 : cpus > 4 ? 4 : (unsigned int)cpus;

	load->snap = snap;
	load->mem = mem;
	load->nthreads = 0;
	atomic_store(&load->next, 0);
	atomic_store(&load->bad, UINT32_MAX);
	atomic_store(&load->err, 0);
	atomic_store(&load->read, 0);
	load->progress = NULL;
	while (load->nthreads < want) {
		int err = pthread_create(&load->threads[load->nthreads], NULL, load_thread, load);

		if (err && !load->nthreads)
			return fail_set(fail, EXIT_HOST, -err, "cannot start a thread: %s",
					strerror(err));
		if (err)
			break;
		load->nthreads++;
	}
	return 0;
}

static void tell_progress(struct snapshot_load *load)
{
	uint64_t next = atomic_load(&load->next), all = load->snap->nsums;

	load->progress->fn(load->progress->arg, (next < all ? next : all) * SNAPSHOT_CHUNK,
			   all * SNAPSHOT_CHUNK);
}

/* Waits for one thread. */
static void join(struct snapshot_load *load, pthread_t thread)
{
	struct timespec until;

	while (load->progress) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += PROGRESS_NS;
		until.tv_sec += until.tv_nsec / SECOND;
		until.tv_nsec %= SECOND;
		if (pthread_timedjoin_np(thread, NULL, &until) != ETIMEDOUT)
			return;
		tell_progress(load);
	}
	pthread_join(thread, NULL);
}

int snapshot_load_wait(struct snapshot_load *load, struct fail *fail)
{
	uint32_t bad;
	int err;

	while (load->nthreads)
		join(load, load->threads[--load->nthreads]);
	bad = atomic_load(&load->bad);
	err = atomic_load(&load->err);
	if (bad == UINT32_MAX)
		return 0;
	if (err != -EBADMSG)
		return fail_set(fail, EXIT_HOST, err, "cannot read the snapshot: %s",
				strerror(-err));
	return fail_set(fail, EXIT_SNAPSHOT, err,
			"the snapshot's memory does not hold: wrong checksum of chunk %u of %u",
			bad, load->snap->nsums);
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
