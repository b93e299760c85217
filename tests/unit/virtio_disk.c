// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fake/held.h"
#include "tests/fake/suite.h"
#include "virtio/disk.h"
#include "virtio/disk_raw.h"
#include "vmm/core/state.h"

/* Disks as the host sees them: what is refused, and each kind against a model, byte by byte. */

enum { SECTOR = 512, SIZE = 1 << 20, PAGE = 4096 };

static char path[64];
static int file;
static struct fail fail;
static uint8_t image[SIZE];

static void make_image(const char *folder, size_t size)
{
	snprintf(path, sizeof(path), "%s/vmm-disk-XXXXXX", folder);
	file = mkostemp(path, O_CLOEXEC);
	ck_assert_int_ge(file, 0);
	for (unsigned int i = 0; i < SIZE; i++)
		image[i] = i / SECTOR % 251 + 1;
	ck_assert_int_eq(write(file, image, size), size);
	memset(&fail, 0, sizeof(fail));
}

static void setup(void)
{
	make_image("/var/tmp", SIZE);
}

static void teardown(void)
{
	close(file);
	unlink(path);
}

static struct disk *open_disk(struct disk_config cfg)
{
	struct disk *disk = NULL;

	cfg.path = path;
	ck_assert_msg(!disk_open(&cfg, &disk, &fail), "%s", fail.text);
	return disk;
}

/* --- what can be opened ------------------------------------------------------------------------ */

static void refused(const char *name, bool ro, const char *word)
{
	const struct disk_config cfg = { .path = name, .ro = ro };
	struct fail why = { 0 };
	struct disk *disk;

	ck_assert_int_lt(disk_open(&cfg, &disk, &why), 0);
	ck_assert_int_eq(why.code, EXIT_CONFIG);
	ck_assert_msg(strstr(why.text, name) && strstr(why.text, word), "%s", why.text);
}

START_TEST(not_an_image)
{
	refused("/nonexistent/disk", false, "No such file");
	refused("/", false, "directory");
	refused("/", true, "directory");
	refused("/dev/null", false, "neither");
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	refused(path, false, "neither");
	refused(path, true, "neither");
}
END_TEST

START_TEST(bad_sizes)
{
	ck_assert_int_eq(ftruncate(file, 0), 0);
	refused(path, false, "empty");
	ck_assert_int_eq(ftruncate(file, 1), 0);
	refused(path, false, "multiple of 512");
	ck_assert_int_eq(ftruncate(file, 1025), 0);
	refused(path, true, "multiple of 512");
}
END_TEST

START_TEST(read_only_file)
{
	ck_assert_int_eq(fchmod(file, 0444), 0);
	refused(path, false, ",ro");
	disk_close(open_disk((struct disk_config){ .ro = true }));
	/* An overlay only reads it. */
	disk_close(open_disk((struct disk_config){ .snapshot = true }));
}
END_TEST

/* A machine that moves: the disk is open at both sides, and locked at one. */
START_TEST(a_lock_changes_hands)
{
	struct disk *there = open_disk((struct disk_config){ 0 });
	struct disk *here = open_disk((struct disk_config){ .unlocked = true });
	struct fail why = { 0 }, fail = { 0 };

	ck_assert_int_eq(disk_lock(here, true, &why), -EBUSY);
	ck_assert_ptr_nonnull(strstr(why.text, "in use"));
	ck_assert_int_eq(disk_lock(there, true, &fail), 0);
	ck_assert_int_eq(disk_lock(there, false, &fail), 0);
	ck_assert_int_eq(disk_lock(here, true, &fail), 0);
	ck_assert_int_eq(disk_lock(there, true, NULL), -EBUSY);
	refused(path, false, "in use");
	disk_close(here);
	ck_assert_int_eq(disk_lock(there, true, &fail), 0);
	disk_close(there);
	/* An overlay's image is only read. */
	there = open_disk((struct disk_config){ .snapshot = true });
	here = open_disk((struct disk_config){ .snapshot = true, .unlocked = true });
	ck_assert_int_eq(disk_lock(here, true, &fail), 0);
	disk_close(there);
	refused(path, false, "in use");
	disk_close(here);
}
END_TEST

START_TEST(locks)
{
	struct disk *first = open_disk((struct disk_config){ 0 }), *second;

	refused(path, false, "in use");
	refused(path, true, "in use");
	disk_close(first);
	first = open_disk((struct disk_config){ .ro = true });
	second = open_disk((struct disk_config){ .snapshot = true });
	refused(path, false, "in use");
	disk_close(first);
	refused(path, false, "in use");
	disk_close(second);
	disk_close(open_disk((struct disk_config){ 0 }));
	disk_close(NULL);
}
END_TEST

/* /proc has no direct I/O, and says so when it is opened. */
START_TEST(no_direct_io)
{
	const struct disk_config cfg = { .path = "/proc/self/status", .ro = true, .direct = true };
	struct disk *disk;

	ck_assert_int_lt(disk_open(&cfg, &disk, &fail), 0);
	ck_assert_msg(strstr(fail.text, "direct=on"), "%s", fail.text);
}
END_TEST

/* --- each kind against a model ----------------------------------------------------------------- */

static const struct kind {
	const char *name, *folder;
	struct disk_config cfg;
	size_t size; /* of the image */
} kinds[] = {
	{ "file", "/var/tmp", { 0 }, SIZE - 5 * SECTOR },
	{ "tmpfs", "/dev/shm", { 0 }, SIZE - 5 * SECTOR },
	{ "kept", "/var/tmp", { .keep = true }, SIZE / 2 },
	{ "direct", "/var/tmp", { .direct = true }, SIZE / 2 },
	{ "overlay", "/var/tmp", { .snapshot = true }, SIZE / 2 + SECTOR },
	{ "overlay on tmpfs", "/dev/shm", { .snapshot = true }, SIZE / 2 },
	{ "direct overlay", "/var/tmp", { .snapshot = true, .direct = true }, SIZE / 2 },
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]), MEM = 1 << 17, IOVS = 8 };

struct model {
	struct disk *disk;
	const struct kind *kind;
	uint8_t bytes[2 * SIZE]; /* as they should be */
	unsigned int seed;
	uint8_t *mem; /* MEM bytes, whose middle is the buffer */
};

static unsigned int upto(struct model *m, unsigned int n)
{
	return (unsigned int)rand_r(&m->seed) % n;
}

/* A random range, cut at random into buffers that touch: odd cuts, unless the disk is to be
 * reached directly. */
static struct disk_io random_io(struct model *m, enum disk_op op, struct iovec *iov)
{
	uint64_t sectors = m->disk->size / SECTOR;
	bool whole = upto(m, 3) == 0;
	struct disk_io io = { .op = op, .iov = iov, .sync = upto(m, 8) == 0 };
	uint8_t *at = m->mem + (whole ? PAGE : 4000 + upto(m, 200));
	size_t left;

	io.off = upto(m, sectors) * SECTOR;
	io.len = (1 + upto(m, 40)) * SECTOR;
	if (whole) {
		io.off &= ~(uint64_t)(PAGE - 1);
		io.len = (1 + upto(m, 6)) * PAGE;
	}
	if (io.len > m->disk->size - io.off)
		io.len = m->disk->size - io.off;
	io.unmap = upto(m, 2);
	for (left = io.len; left;) {
		size_t part = io.n == IOVS - 1 ? left : 1 + upto(m, left);

		if (whole)
			part = left < PAGE ? left : io.n == IOVS - 1 ? left : PAGE;
		iov[io.n++] = (struct iovec){ at, part };
		at += part;
		left -= part;
	}
	return io;
}

static int perform(struct model *m, struct disk_io *io)
{
	struct iovec before[IOVS];
	unsigned int n = io->n;
	int err = -EAGAIN;

	if (n)
		memcpy(before, io->iov, sizeof(before[0]) * n);
	if (upto(m, 2))
		err = m->disk->ops->attempt(m->disk, io);
	if (err == -EAGAIN)
		err = m->disk->ops->transfer(m->disk, io);
	/* Whole again. */
	ck_assert(!n || !memcmp(before, io->iov, sizeof(before[0]) * n));
	return err;
}

static void do_read(struct model *m)
{
	struct iovec iov[IOVS];
	struct disk_io io = random_io(m, DISK_READ, iov);
	uint64_t at = io.off;

	memset(m->mem, 0xaa, MEM);
	ck_assert_int_eq(perform(m, &io), 0);
	for (unsigned int i = 0; i < io.n; at += iov[i++].iov_len)
		ck_assert_mem_eq(iov[i].iov_base, m->bytes + at, iov[i].iov_len);
	/* Nothing beside the buffers. */
	ck_assert_uint_eq(((uint8_t *)iov[0].iov_base)[-1], 0xaa);
	ck_assert_uint_eq(((uint8_t *)iov[0].iov_base)[io.len], 0xaa);
}

static void do_write(struct model *m)
{
	struct iovec iov[IOVS];
	struct disk_io io = random_io(m, DISK_WRITE, iov);

	for (uint64_t i = 0; i < io.len; i++)
		m->bytes[io.off + i] = ((uint8_t *)iov[0].iov_base)[i] = (uint8_t)upto(m, 256);
	ck_assert_int_eq(perform(m, &io), 0);
}

static void do_zeroes(struct model *m)
{
	struct iovec iov[IOVS];
	struct disk_io io = random_io(m, DISK_ZEROES, iov);

	io.n = 0;
	memset(m->bytes + io.off, 0, io.len);
	ck_assert_int_eq(perform(m, &io), 0);
}

/* What was discarded reads as before or as zero, sector by sector; whoever keeps, as before. */
static void do_discard(struct model *m)
{
	struct iovec iov[IOVS], one = { m->mem, SECTOR };
	struct disk_io io = random_io(m, DISK_DISCARD, iov);
	struct disk_io back = { .op = DISK_READ, .len = SECTOR, .iov = &one, .n = 1 };
	static const uint8_t zeroes[SECTOR];

	io.n = 0;
	ck_assert_int_eq(perform(m, &io), 0);
	for (back.off = io.off; back.off < io.off + io.len; back.off += SECTOR) {
		uint8_t *is = m->bytes + back.off;

		ck_assert_int_eq(m->disk->ops->transfer(m->disk, &back), 0);
		if (memcmp(m->mem, zeroes, SECTOR) != 0 || m->kind->cfg.keep)
			ck_assert_mem_eq(m->mem, is, SECTOR);
		else
			memset(is, 0, SECTOR);
	}
}

static void do_grow(struct model *m)
{
	uint64_t size = m->disk->size + (1 + upto(m, 4)) * m->disk->granule;

	if (upto(m, 20) || size > sizeof(m->bytes))
		return;
	ck_assert_msg(!disk_resize(m->disk, size, &fail), "%s", fail.text);
	ck_assert_uint_eq(m->disk->size, size);
}

static int disk_state(struct disk *disk, struct stream *stream, bool load)
{
	struct state s;

	if (load)
		state_init_load(&s, stream);
	else
		state_init_save(&s, stream);
	disk->ops->state(disk, &s);
	return state_end(&s);
}

/* What was written goes along to another overlay. */
static void do_hop(struct model *m)
{
	struct disk_config cfg = m->kind->cfg;
	struct stream saved;
	struct disk *other;

	if (!m->disk->ops->state || upto(m, 5))
		return;
	other = open_disk(cfg);
	stream_open_buf(&saved);
	ck_assert_int_eq(disk_state(m->disk, &saved, false), 0);
	stream_rewind(&saved);
	ck_assert_int_eq(disk_state(other, &saved, true), 0);
	stream_close(&saved);
	disk_close(m->disk);
	m->disk = other;
}

static void do_flush(struct model *m)
{
	struct disk_io io = { .op = DISK_FLUSH };

	ck_assert_int_eq(perform(m, &io), 0);
}

static void read_whole(struct model *m)
{
	static uint8_t all[2 * SIZE] __attribute__((aligned(4096)));
	struct iovec iov = { all, m->disk->size };
	struct disk_io io = { .op = DISK_READ, .len = m->disk->size, .iov = &iov, .n = 1 };

	ck_assert_int_eq(m->disk->ops->transfer(m->disk, &io), 0);
	ck_assert_mem_eq(all, m->bytes, m->disk->size);
}

static void (*const steps[])(struct model *m) = {
	do_read,   do_read,    do_read,	 do_write, do_write,
	do_zeroes, do_discard, do_flush, do_grow,  do_hop,
};

START_TEST(like_the_model)
{
	static struct model m;
	static uint8_t now[SIZE];

	m.kind = &kinds[_i % KINDS];
	make_image(m.kind->folder, m.kind->size);
	m.seed = 1 + (unsigned int)_i;
	m.mem = mmap(NULL, MEM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(m.bytes, image, m.kind->size);
	m.disk = open_disk(m.kind->cfg);
	ck_assert_uint_eq(m.disk->size, m.kind->size);
	for (unsigned int i = 0; i < 600; i++)
		steps[upto(&m, sizeof(steps) / sizeof(steps[0]))](&m);
	read_whole(&m);
	disk_close(m.disk);
	/* The base is as it was. */
	if (m.kind->cfg.snapshot) {
		ck_assert_int_eq(pread(file, now, SIZE, 0), m.kind->size);
		ck_assert_mem_eq(now, image, m.kind->size);
	}
	munmap(m.mem, MEM);
	teardown();
}
END_TEST

/* --- space ------------------------------------------------------------------------------------- */

static off_t used(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return (off_t)st.st_blocks * SECTOR;
}

static bool can_punch(void)
{
	return !fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE);
}

START_TEST(discard_makes_holes)
{
	struct disk_io io = { .op = DISK_DISCARD, .off = 64 * PAGE, .len = 64 * PAGE };
	struct disk_io zeroes = { .op = DISK_ZEROES, .len = 64 * PAGE, .unmap = true };
	struct disk *disk;
	off_t before;

	ck_assert(can_punch());
	ck_assert_int_eq(fsync(file), 0);
	before = used(file);
	disk = open_disk((struct disk_config){ .keep = _i });
	ck_assert_int_eq(disk->ops->transfer(disk, &io), 0);
	ck_assert_int_eq(used(file), before - (_i ? 0 : 64 * PAGE));
	/* Zeroes give space back only where that is allowed. */
	before = used(file);
	ck_assert_int_eq(disk->ops->transfer(disk, &zeroes), 0);
	if (_i)
		ck_assert_int_ge(used(file), before);
	else
		ck_assert_int_lt(used(file), before - 62 * PAGE);
	before = used(file);
	zeroes.off = 128 * PAGE;
	zeroes.unmap = false;
	ck_assert_int_eq(disk->ops->transfer(disk, &zeroes), 0);
	ck_assert_int_ge(used(file), before);
	disk_close(disk);
}
END_TEST

/* --- overlays ---------------------------------------------------------------------------------- */

/* The scratch file has no name, wherever it is. */
START_TEST(scratch_has_no_name)
{
	char folder[] = "/var/tmp/vmm-scratch-XXXXXX";
	const struct disk_config cfg = { .path = path, .snapshot = true };
	struct disk *disk;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	setenv("TMPDIR", folder, 1);
	disk = open_disk(cfg);
	ck_assert_uint_eq(held_entries(folder), 2);
	disk_close(disk);
	ck_assert_int_eq(rmdir(folder), 0);
	ck_assert_int_eq(disk_open(&cfg, &disk, &fail), -ENOENT);
	ck_assert_msg(strstr(fail.text, folder) && strstr(fail.text, "TMPDIR"), "%s", fail.text);
	unsetenv("TMPDIR");
	disk_close(open_disk(cfg));
}
END_TEST

/* A scratch file system that is full: an error, and the data of before. */
START_TEST(no_room_to_copy)
{
	static uint8_t data[64 * PAGE];
	struct iovec iov = { data, sizeof(data) };
	struct disk_io io = { .op = DISK_WRITE, .len = sizeof(data), .iov = &iov, .n = 1 };
	struct disk *disk = open_disk((struct disk_config){ .snapshot = true });
	struct rlimit before, limit;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 32 * PAGE;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_lt(disk->ops->transfer(disk, &io), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	io.op = DISK_READ;
	ck_assert_int_eq(disk->ops->transfer(disk, &io), 0);
	ck_assert_mem_eq(data, image, sizeof(data));
	disk_close(disk);
}
END_TEST

/* A disk in use gets an overlay, and may get rid of it while nobody reads the image. */
START_TEST(overlay_over_a_disk)
{
	const struct disk_config cfg = { .path = path, .scratch = "/var/tmp" };
	struct disk *base = open_disk(cfg), *disk, *other;
	uint8_t data[SECTOR];
	struct iovec iov = { data, SECTOR };
	struct disk_io io = { .op = DISK_WRITE, .off = SECTOR, .len = SECTOR, .iov = &iov, .n = 1 };

	ck_assert_int_eq(disk_overlay_over(
				 base, &(struct disk_config){ .path = path, .scratch = "/nowhere" },
				 &disk, &fail),
			 -ENOENT);
	ck_assert(!base->ro);
	refused(path, true, "in use");
	ck_assert_int_eq(disk_overlay_over(base, &cfg, &disk, &fail), 0);
	ck_assert(disk->size == SIZE && !disk->ro && disk->ops->state);
	refused(path, false, "in use");
	other = open_disk((struct disk_config){ .ro = true });
	ck_assert_int_eq(disk_overlay_undo(disk, &base, &fail), -EBUSY);
	ck_assert(base->ro);
	disk_close(other);
	ck_assert_int_eq(disk_overlay_undo(disk, &base, &fail), 0);
	ck_assert(!base->ro);
	refused(path, true, "in use");
	ck_assert_int_eq(disk_overlay_over(base, &cfg, &disk, &fail), 0);
	memset(data, 0xa5, sizeof(data));
	ck_assert_int_eq(disk->ops->transfer(disk, &io), 0);
	memset(data, 0, sizeof(data));
	io.op = DISK_READ;
	ck_assert_int_eq(disk->ops->transfer(disk, &io), 0);
	ck_assert_uint_eq(data[0], 0xa5);
	disk_close(disk);
	disk = open_disk((struct disk_config){ 0 });
	ck_assert_int_eq(disk->ops->transfer(disk, &io), 0);
	ck_assert_mem_eq(data, image + SECTOR, SECTOR);
	disk_close(disk);
}
END_TEST

struct writer {
	struct disk *disk;
	unsigned int first; /* sector, of every eight */
};

static void *write_sectors(void *arg)
{
	const struct writer *w = arg;
	uint8_t data[SECTOR];
	struct iovec iov = { data, SECTOR };
	struct disk_io io = { .op = DISK_WRITE, .len = SECTOR, .iov = &iov, .n = 1 };

	for (unsigned int s = w->first; s < SIZE / SECTOR; s += 8) {
		memset(data, (int)(s % 200 + 1), SECTOR);
		io.off = s * SECTOR;
		if (w->disk->ops->transfer(w->disk, &io))
			abort();
	}
	return NULL;
}

/* Neighbours in one cluster, or in one block of a file that takes only whole ones, written at the same
 * time: all are there. */
START_TEST(neighbours)
{
	static uint8_t all[SIZE];
	struct disk *disk = open_disk((struct disk_config){ .snapshot = !_i, .direct = _i });
	struct writer writers[4];
	pthread_t threads[4];
	struct iovec iov = { all, SIZE };
	struct disk_io io = { .op = DISK_READ, .len = SIZE, .iov = &iov, .n = 1 };

	if (_i)
		to_raw(disk)->off_align = PAGE;
	for (unsigned int i = 0; i < 4; i++) {
		writers[i] = (struct writer){ disk, i };
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_sectors, &writers[i]), 0);
	}
	for (unsigned int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(disk->ops->transfer(disk, &io), 0);
	for (unsigned int s = 0; s < SIZE / SECTOR; s++)
		ck_assert_uint_eq(all[s * SECTOR + 7], s % 8 < 4 ? s % 200 + 1 : s % 251 + 1);
	disk_close(disk);
}
END_TEST

/* A sparse image of 8 TiB: its map costs address space, not memory. */
/* Whatever is loaded, nothing is written beyond the disk. */
static int load_pieces(struct disk *disk, uint64_t size, uint64_t at, uint32_t len)
{
	static uint8_t data[64 * PAGE];
	uint64_t end = UINT64_MAX;
	struct stream stream;
	struct state s;
	int err;

	stream_open_buf(&stream);
	state_init_save(&s, &stream);
	state_u64(&s, "size", &size);
	state_u64(&s, "at", &at);
	state_blob(&s, "data", data, &len, sizeof(data));
	state_u64(&s, "at", &end);
	stream_rewind(&stream);
	err = disk_state(disk, &stream, true);
	stream_close(&stream);
	return err;
}

START_TEST(hostile_overlay)
{
	struct disk *disk = open_disk((struct disk_config){ .snapshot = true });

	ck_assert_int_eq(load_pieces(disk, SIZE, 0, PAGE), 0);
	ck_assert_int_eq(load_pieces(disk, SIZE, SIZE - PAGE, PAGE), 0);
	ck_assert_int_eq(load_pieces(disk, SIZE, SIZE - PAGE, 2 * PAGE), -ERANGE);
	ck_assert_int_eq(load_pieces(disk, SIZE, SIZE, PAGE), -ERANGE);
	ck_assert_int_eq(load_pieces(disk, SIZE, UINT64_MAX - PAGE + 1, PAGE), -ERANGE);
	ck_assert_int_eq(load_pieces(disk, SIZE, PAGE / 2, PAGE), -ERANGE);
	ck_assert_int_eq(load_pieces(disk, SIZE, 0, 0), -ERANGE);
	ck_assert_int_eq(load_pieces(disk, SIZE, 0, SECTOR), -ERANGE);
	ck_assert_int_eq(load_pieces(disk, SIZE - SECTOR, 0, PAGE), -ERANGE);
	ck_assert_int_eq(load_pieces(disk, SIZE + 1, 0, PAGE), -ERANGE);
	ck_assert_int_eq(load_pieces(disk, UINT64_MAX - SECTOR + 1, 0, PAGE), -ERANGE);
	ck_assert_uint_eq(disk->size, SIZE);
	ck_assert_int_eq(load_pieces(disk, 2 * SIZE, 2 * SIZE - PAGE, PAGE), 0);
	ck_assert_uint_eq(disk->size, 2 * SIZE);
	disk_close(disk);
}
END_TEST

/* More than a snapshot takes is no reason to run out of memory. */
START_TEST(overlay_too_large)
{
	struct disk *disk;
	struct stream saved;
	struct disk_io io = { .op = DISK_ZEROES, .len = DISK_STATE_MAX + PAGE };

	ck_assert_int_eq(ftruncate(file, io.len), 0);
	disk = open_disk((struct disk_config){ .snapshot = true });
	ck_assert_int_eq(disk->ops->transfer(disk, &io), 0);
	stream_open_buf(&saved);
	ck_assert_int_eq(disk_state(disk, &saved, false), -EFBIG);
	ck_assert_uint_le(saved.len, DISK_STATE_MAX + (1 << 20));
	stream_close(&saved);
	disk_close(disk);
}
END_TEST

START_TEST(huge_overlay)
{
	static uint8_t data[PAGE];
	struct iovec iov = { data, PAGE };
	struct disk_io io = { .op = DISK_WRITE, .len = PAGE, .iov = &iov, .n = 1 };
	struct rusage before, after;
	struct disk *disk;

	ck_assert_int_eq(ftruncate(file, 8LL << 40), 0);
	getrusage(RUSAGE_SELF, &before);
	disk = open_disk((struct disk_config){ .snapshot = true });
	memset(data, 0x3c, PAGE);
	for (io.off = PAGE; io.off < 8ULL << 40; io.off += 1ULL << 40)
		ck_assert_int_eq(disk->ops->transfer(disk, &io), 0);
	getrusage(RUSAGE_SELF, &after);
	ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, 4096);
	memset(data, 0, PAGE);
	io.op = DISK_READ;
	io.off -= 1ULL << 40;
	ck_assert_int_eq(disk->ops->transfer(disk, &io), 0);
	ck_assert_uint_eq(data[PAGE - 1], 0x3c);
	disk_close(disk);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("virtio_disk");
	TCase *opening = tcase_create("opening"), *kind = tcase_create("kinds");

	tcase_add_checked_fixture(opening, setup, teardown);
	tcase_add_test(opening, not_an_image);
	tcase_add_test(opening, bad_sizes);
	tcase_add_test(opening, read_only_file);
	tcase_add_test(opening, a_lock_changes_hands);
	tcase_add_test(opening, locks);
	tcase_add_test(opening, no_direct_io);
	tcase_add_loop_test(opening, discard_makes_holes, 0, 2);
	tcase_add_test(opening, scratch_has_no_name);
	tcase_add_test(opening, no_room_to_copy);
	tcase_add_loop_test(opening, neighbours, 0, 2);
	tcase_add_test(opening, huge_overlay);
	tcase_add_test(opening, overlay_over_a_disk);
	tcase_add_test(opening, hostile_overlay);
	tcase_add_test(opening, overlay_too_large);
	tcase_set_timeout(opening, 60);
	suite_add_tcase(suite, opening);
	tcase_add_loop_test(kind, like_the_model, 0, 3 * KINDS);
	tcase_set_timeout(kind, 120);
	suite_add_tcase(suite, kind);
	return run_suite(suite);
}
