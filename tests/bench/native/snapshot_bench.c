// SPDX-License-Identifier: GPL-2.0-only
/*
 * What saving and loading of memory costs by the clock, each time against what the machine gives
 * for the same bytes: a `result` line for tests/bench/run for each figure. Ours and the other
 * alternate; the median of the ratios is taken, and the two figures are of the round that had it.
 *   snapshot_bench FOLDER   where the files go that are to be on a disk
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vmm/snapshot_priv.h"

enum { PAGE = 4096, ROUNDS_MAX = 5, PIECE = 1 << 20 };

struct bench {
	struct guest_mem mem;
	uint8_t *ram;
	uint64_t size, used; /* bytes */
	const char *folder;
	bool sync; /* the disk's time counts */
	int rounds; /* odd, at most ROUNDS_MAX */
};

/* Does it once: seconds. */
typedef double measure_fn(struct bench *b);

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint8_t *fresh(uint64_t size)
{
	uint8_t *map = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		die("memory");
	madvise(map, size, MADV_HUGEPAGE);
	return map;
}

/* So many MiB, of which every other 4 MiB are in use. */
static void bench_fill(struct bench *b, uint64_t mib)
{
	uint64_t x = 88172645463325252;

	b->size = mib << 20;
	b->used = b->size / 2;
	b->ram = fresh(b->size);
	for (uint64_t at = 0; at < b->size; at += sizeof(x)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (at >> 22 & 1)
			memcpy(b->ram + at, &x, sizeof(x));
	}
	memset(&b->mem, 0, sizeof(b->mem));
	if (guest_mem_add(&b->mem, 0x40000000, b->size, b->ram))
		die("guest memory");
}

static void bench_empty(struct bench *b)
{
	guest_mem_destroy(&b->mem);
	munmap(b->ram, b->size);
}

static int file_make(const struct bench *b)
{
	int fd = open(b->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		die(b->folder);
	return fd;
}

/* --- looking for pages of zeros ---------------------------------------------------------------- */

static double scan_ours(struct bench *b)
{
	double began = now();
	uint64_t zeros = 0;

	for (uint64_t at = 0; at < b->size; at += PAGE)
		zeros += page_is_zero(b->ram + at);
	if (zeros != b->size / PAGE)
		die("pages that are not zeros");
	return now() - began;
}

/* The C library's fastest way to look at each byte. */
static double scan_read(struct bench *b)
{
	double began = now();

	if (memchr(b->ram, 1, b->size))
		die("a byte that is not zero");
	return now() - began;
}

/* --- saving ------------------------------------------------------------------------------------ */

static void save(struct bench *b, int fd)
{
	struct fail fail = { 0 };
	struct snapshot snap;
	uint64_t written;

	snapshot_init(&snap);
	if (snapshot_write(&snap, &b->mem, fd, NULL, &written, &fail))
		die(fail.text);
	snapshot_free(&snap);
}

static double save_ours(struct bench *b)
{
	int fd = file_make(b);
	double took = now();

	save(b, fd);
	if (b->sync && fsync(fd))
		die("fsync");
	took = now() - took;
	close(fd);
	return took;
}

/* What is in use, written where it is to lie, with nothing looked at. */
static double save_plain(struct bench *b)
{
	int fd = file_make(b);
	double took = now();

	for (uint64_t at = 0; at < b->size; at += PIECE)
		if (at >> 22 & 1 && full_pwrite(fd, b->ram + at, PIECE, (off_t)at))
			die("write");
	if (b->sync && fsync(fd))
		die("fsync");
	took = now() - took;
	close(fd);
	return took;
}

/* --- loading, of what the host has in its cache ------------------------------------------------ */

static double load_ours(struct bench *b)
{
	struct guest_mem mem = { 0 };
	struct snapshot_load load;
	struct fail fail = { 0 };
	struct snapshot snap;
	int fd = file_make(b);
	double took;

	save(b, fd);
	if (guest_mem_add(&mem, 0x40000000, b->size, fresh(b->size)))
		die("guest memory");
	took = now();
	if (snapshot_open(&snap, fd, &fail) || snapshot_load_start(&load, &snap, &mem, &fail) ||
	    snapshot_load_wait(&load, &fail))
		die(fail.text);
	took = now() - took;
	snapshot_free(&snap);
	munmap(mem.ram[0].host, b->size);
	guest_mem_destroy(&mem);
	close(fd);
	return took;
}

/* One thread; each byte of what is in use goes to where it is to be. */
static double load_plain(struct bench *b)
{
	uint8_t *to = fresh(b->size);
	int fd = file_make(b);
	double took;

	save(b, fd);
	took = now();
	for (uint64_t at = 0; at < b->size; at += PIECE)
		if (at >> 22 & 1 && full_pread(fd, to + at, PIECE, (off_t)at))
			die("read");
	took = now() - took;
	munmap(to, b->size);
	close(fd);
	return took;
}

/* --- report ------------------------------------------------------------------------------------ */

struct round {
	double ours, peer;
};

static int by_ratio(const void *a, const void *b)
{
	const struct round *x = a, *y = b;
	double d = x->peer / x->ours - y->peer / y->ours;

	return d < 0 ? -1 : d > 0;
}

/* `bytes` are what goes through; the first round only warms up. */
static void compare(struct bench *b, const char *name, const char *peer, uint64_t bytes,
		    measure_fn *ours, measure_fn *plain)
{
	struct round rounds[ROUNDS_MAX];
	const struct round *mid = &rounds[b->rounds / 2];

	for (int i = -1; i < b->rounds; i++) {
		struct round r;

		r.ours = ours(b);
		r.peer = plain(b);
		if (i >= 0)
			rounds[i] = r;
	}
	qsort(rounds, (size_t)b->rounds, sizeof(*rounds), by_ratio);
	printf("result\t%s\tMB/s\t%.0f\t%s\t%.0f\tmeasured\n", name,
	       (double)bytes / mid->ours / 1e6, peer, (double)bytes / mid->peer / 1e6);
	fflush(stdout);
}

static void sizes(struct bench *b, uint64_t mib)
{
	char name[64];
	struct stat st;
	int fd;

	b->folder = "/dev/shm";
	b->sync = false;
	bench_fill(b, mib);
	fd = file_make(b);
	save(b, fd);
	if (fstat(fd, &st))
		die("fstat");
	close(fd);
	snprintf(name, sizeof(name), "snapshot of %" PRIu64 " MiB", mib);
	printf("result\t%s, size\tbytes\t%llu\tin use\t%" PRIu64 "\tmeasured\n", name,
	       (unsigned long long)st.st_blocks * 512, b->used);
	snprintf(name, sizeof(name), "save of %" PRIu64 " MiB to memory", mib);
	compare(b, name, "write", b->used, save_ours, save_plain);
	snprintf(name, sizeof(name), "restore of %" PRIu64 " MiB from memory", mib);
	compare(b, name, "read", b->used, load_ours, load_plain);
}

int main(int argc, char **argv)
{
	struct bench b = { .rounds = ROUNDS_MAX };

	if (argc != 2)
		return 2;
	b.size = 1 << 30;
	b.ram = fresh(b.size);
	memset(b.ram, 0, b.size);
	compare(&b, "scan for pages of zeros", "memchr", b.size, scan_ours, scan_read);
	munmap(b.ram, b.size);
	sizes(&b, 256);
	b.folder = argv[1];
	b.sync = true;
	compare(&b, "save of 256 MiB to the disk", "write", b.used, save_ours, save_plain);
	bench_empty(&b);
	b.rounds = 1;
	sizes(&b, 2048);
	bench_empty(&b);
	return 0;
}
