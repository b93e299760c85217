// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fake/disk.h"
#include "tests/fake/driver.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "virtio/blk.h"
#include "virtio/disk.h"
#include "virtio/mmio.h"

enum {
	SECTOR = 512,
	SECTORS = 8192,
	DISK_SIZE = SECTORS * SECTOR,
	NUM = 256,
	HDR = FAKE_DATA, /* 16 bytes a request */
	STATUS = FAKE_DATA + 0x2000, /* a byte a request */
	DATA = FAKE_DATA + 0x10000,
	UNTOUCHED = 0xee, /* a status that no device writes */
	RUNNING = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
		  VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK,
};

#define ALL_FEATURES (~0ULL)
#define NO_FLUSH     (ALL_FEATURES & ~(1ULL << VIRTIO_BLK_F_FLUSH))

/* What all tests are done with. */
static struct blk_config mode;

static void threads(void)
{
	mode = (struct blk_config){
		.transport = &virtio_mmio,
		.serial = "serial-0123456789abcdef",
		.aio = AIO_THREADS,
	};
}

static void ring(void)
{
	threads();
	mode.aio = AIO_URING;
}

static void direct(void)
{
	ring();
	mode.disk.direct = true;
}

static void direct_threads(void)
{
	threads();
	mode.disk.direct = true;
}

static void overlay(void)
{
	ring();
	mode.disk.snapshot = true;
}

static void queues(void)
{
	threads();
	mode.queues = 3;
}

static const struct mode {
	const char *name;
	void (*set)(void);
	bool by_ring;
} modes[] = {
	{ "threads", threads, false },	      { "io_uring", ring, true },
	{ "direct, io_uring", direct, true }, { "direct, threads", direct_threads, false },
	{ "snapshot", overlay, true },	      { "three queues", queues, false },
};

enum { MODES = sizeof(modes) / sizeof(modes[0]) };

static char path[] = "vmm-blk-XXXXXX";
static int file;
static uint8_t image[DISK_SIZE];
static struct fake_guest g;
static struct fail fail;

/* Sector n is full of the byte n % 251. */
static void setup(void)
{
	strcpy(path, "vmm-blk-XXXXXX");
	/* A real file system: direct I/O, and pages that are not in memory. */
	ck_assert_int_eq(chdir(getenv("TMPDIR") ?: "/var/tmp"), 0);
	file = mkstemp(path);
	ck_assert_int_ge(file, 0);
	for (unsigned int i = 0; i < DISK_SIZE; i++)
		image[i] = i / SECTOR % 251;
	ck_assert_int_eq(write(file, image, DISK_SIZE), DISK_SIZE);
	memset(&fail, 0, sizeof(fail));
	fake_guest_init(&g);
}

static void teardown(void)
{
	static uint8_t now[DISK_SIZE];

	fake_guest_fini(&g);
	if (mode.disk.snapshot && lseek(file, 0, SEEK_END) == DISK_SIZE) {
		ck_assert_int_eq(pread(file, now, DISK_SIZE, 0), DISK_SIZE);
		ck_assert_mem_eq(now, image, DISK_SIZE);
	}
	close(file);
	unlink(path);
}

static void create(bool ro)
{
	struct blk_config cfg = mode;

	cfg.disk.path = path;
	cfg.disk.ro = ro;

	ck_assert_msg(!blk_create(&g.env, &cfg, &g.dev, &fail), "%s", fail.text);
}

static void start(bool ro, uint64_t features)
{
	create(ro);
	ck_assert(fake_guest_start(&g, features, 1, NUM));
}

static void header(unsigned int slot, uint32_t type, uint64_t sector)
{
	struct virtio_blk_outhdr *hdr = fake_ptr(&g, HDR + slot * sizeof(*hdr));

	*hdr = (struct virtio_blk_outhdr){ .type = type, .sector = sector };
	*(uint8_t *)fake_ptr(&g, STATUS + slot) = UNTOUCHED;
}

static uint8_t status_of(unsigned int slot)
{
	return *(uint8_t *)fake_ptr(&g, STATUS + slot);
}

/* Adds the usual chain: header, data, status. */
static void add(unsigned int slot, uint32_t type, uint64_t sector, gpa_t data, uint32_t len)
{
	const struct fake_buf bufs[] = {
		{ HDR + slot * sizeof(struct virtio_blk_outhdr), 16, false },
		{ data, len, type != VIRTIO_BLK_T_OUT },
		{ STATUS + slot, 1, true },
	};

	header(slot, type, sector);
	if (!len) {
		const struct fake_buf two[] = { bufs[0], bufs[2] };

		fake_ring_add(&g.rings[0], two, 2);
	} else {
		fake_ring_add(&g.rings[0], bufs, 3);
	}
}

/* One request from start to end: its status; the used length goes to *len. */
static uint8_t request(uint32_t type, uint64_t sector, gpa_t data, uint32_t size, uint32_t *len)
{
	uint32_t id;

	add(0, type, sector, data, size);
	fake_guest_kick(&g, 0);
	ck_assert(fake_guest_wait(&g, 0, &id, len));
	return status_of(0);
}

static bool all_are(gpa_t gpa, size_t len, uint8_t value)
{
	const uint8_t *p = fake_ptr(&g, gpa);

	for (size_t i = 0; i < len; i++)
		if (p[i] != value)
			return false;
	return true;
}

/* What the disk has now: of an overlay, as the driver reads it. */
static void stored(uint8_t *buf, uint32_t size, uint64_t sector)
{
	const gpa_t data = FAKE_RAM_BASE + FAKE_RAM_SIZE - 0x10000;
	uint32_t len;

	if (!mode.disk.snapshot) {
		ck_assert_int_eq(pread(file, buf, size, (off_t)sector * SECTOR), size);
		return;
	}
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, sector, data, size, &len), VIRTIO_BLK_S_OK);
	memcpy(buf, fake_ptr(&g, data), size);
}

/* --- requests ---------------------------------------------------------------------------------- */

/* Nothing is left behind, neither lock nor address, when creation fails. */
START_TEST(failed_creation)
{
	struct blk_config cfg = mode;
	struct device *second = NULL;

	cfg.disk.path = "/nonexistent/disk";
	ck_assert_int_eq(blk_create(&g.env, &cfg, &second, &fail), -ENOENT);
	ck_assert_ptr_null(second);
	create(false);
	cfg.disk.path = path;
	cfg.disk.snapshot = false;
	ck_assert_int_eq(blk_create(&g.env, &cfg, &second, &fail), -EBUSY);
}
END_TEST

START_TEST(config_space)
{
	uint64_t val;

	create(_i);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_BLOCK);
	ck_assert_int_eq(bus_read(&g.bus, FAKE_DEV_BASE + VIRTIO_MMIO_CONFIG, 8, &val), 0);
	ck_assert_uint_eq(val, SECTORS);
	ck_assert_int_eq(bus_read(&g.bus, FAKE_DEV_BASE + VIRTIO_MMIO_CONFIG + 1, 1, &val), 0);
	ck_assert_uint_eq(val, SECTORS >> 8);
	ck_assert_uint_eq(
		fake_read(&g, VIRTIO_MMIO_CONFIG + offsetof(struct virtio_blk_config, seg_max)),
		254);
	ck_assert_uint_eq(
		fake_read(&g, VIRTIO_MMIO_CONFIG + offsetof(struct virtio_blk_config, blk_size)),
		512);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_DEVICE_FEATURES) >> VIRTIO_BLK_F_RO & 1, _i);
}
END_TEST

START_TEST(read_sectors)
{
	uint32_t len;

	start(false, ALL_FEATURES & ~(1ULL << VIRTIO_RING_F_EVENT_IDX));
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 7, DATA, SECTOR, &len), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(len, SECTOR + 1);
	ck_assert(all_are(DATA, SECTOR, 7));
	ck_assert(all_are(DATA + SECTOR, SECTOR, 0));
	/* Up to the last one, and from a cold cache. */
	ck_assert_int_eq(fdatasync(file), 0);
	posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, SECTORS - 2048, DATA, 1 << 20, &len),
			  VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(len, (1 << 20) + 1);
	for (unsigned int i = 0; i < 2048; i++)
		ck_assert(all_are(DATA + i * SECTOR, SECTOR, (SECTORS - 2048 + i) % 251));
	ck_assert_uint_eq(g.irq.pulses, 2);
}
END_TEST

START_TEST(write_sectors)
{
	uint8_t back[2 * SECTOR];
	uint32_t len;

	/* Write-back and, for a driver that cannot flush, write-through. */
	start(false, _i ? NO_FLUSH : ALL_FEATURES);
	memset(fake_ptr(&g, DATA), 0xa5, 2 * SECTOR);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 100, DATA, 2 * SECTOR, &len), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(len, 1);
	stored(back, sizeof(back), 100);
	for (unsigned int i = 0; i < sizeof(back); i++)
		ck_assert_uint_eq(back[i], 0xa5);
	stored(back, SECTOR, 102);
	ck_assert_uint_eq(back[0], 102);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0, &len), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(len, 1);
}
END_TEST

START_TEST(get_id)
{
	uint32_t len;

	start(false, ALL_FEATURES);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_GET_ID, 0, DATA, 20, &len), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(len, 21);
	ck_assert_mem_eq(fake_ptr(&g, DATA), "serial-0123456789abc", 20);
	/* A short buffer takes what fits, a long one is not filled. */
	memset(fake_ptr(&g, DATA), 0, 64);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_GET_ID, 0, DATA, 3, &len), VIRTIO_BLK_S_OK);
	ck_assert_mem_eq(fake_ptr(&g, DATA), "ser\0", 4);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_GET_ID, 0, DATA, 64, &len), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(len, 20);
	ck_assert(all_are(DATA + 20, 44, 0));
}
END_TEST

START_TEST(unknown_types)
{
	static const uint32_t types[] = { 2, 5, 9, 10, 12, 14, 16, 100, 0x80000000, UINT32_MAX };
	uint32_t len;

	start(false, ALL_FEATURES);
	for (unsigned int i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		ck_assert_uint_eq(request(types[i], 0, DATA, SECTOR, &len), VIRTIO_BLK_S_UNSUPP);
		ck_assert_uint_eq(len, 0);
	}
	ck_assert(all_are(DATA, SECTOR, 0));
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_STATUS), RUNNING);
}
END_TEST

START_TEST(out_of_bounds)
{
	static const struct {
		uint64_t sector;
		uint32_t len;
	} cases[] = {
		{ SECTORS, SECTOR },
		{ SECTORS - 1, 2 * SECTOR },
		{ SECTORS + 1, SECTOR },
		{ 1ULL << 55, SECTOR },
		{ (1ULL << 55) - 1, 2 * SECTOR },
		{ UINT64_MAX, SECTOR },
		{ UINT64_MAX - 1, 4 * SECTOR },
		{ 1ULL << 63, SECTOR },
		{ 0, SECTOR - 1 },
		{ 0, 1 },
		{ SECTORS - 1, SECTOR + 1 },
	};
	uint32_t len;

	start(false, ALL_FEATURES);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(request(VIRTIO_BLK_T_IN, cases[i].sector, DATA, cases[i].len, &len) ==
				      VIRTIO_BLK_S_IOERR,
			      "read %u", i);
		ck_assert_uint_eq(len, 0);
		ck_assert_msg(request(VIRTIO_BLK_T_OUT, cases[i].sector, DATA, cases[i].len,
				      &len) == VIRTIO_BLK_S_IOERR,
			      "write %u", i);
	}
	ck_assert(all_are(DATA, 4 * SECTOR, 0));
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, SECTORS - 1, DATA, SECTOR, &len),
			  VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, SECTORS, DATA, 0, &len), VIRTIO_BLK_S_OK);
	ck_assert_int_eq(lseek(file, 0, SEEK_END), DISK_SIZE);
}
END_TEST

START_TEST(read_only_disk)
{
	uint8_t back[SECTOR];
	uint32_t len;

	start(true, ALL_FEATURES);
	memset(fake_ptr(&g, DATA), 0xff, SECTOR);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 5, DATA, SECTOR, &len), VIRTIO_BLK_S_IOERR);
	stored(back, SECTOR, 5);
	ck_assert_uint_eq(back[0], 5);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0, &len), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 5, DATA, SECTOR, &len), VIRTIO_BLK_S_OK);
	ck_assert(all_are(DATA, SECTOR, 5));
}
END_TEST

/* A file that shrinks under the guest gives errors, not a hang. */
START_TEST(truncated_behind_our_back)
{
	uint32_t len;

	start(false, ALL_FEATURES);
	ck_assert_int_eq(ftruncate(file, SECTOR), 0);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, DATA, 8 * SECTOR, &len), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, DATA, SECTOR, &len), VIRTIO_BLK_S_OK);
}
END_TEST

/* Cuts [addr, addr+len) into pieces. */
static unsigned int cut_up(struct fake_buf *bufs, gpa_t addr, uint32_t len, uint32_t piece, bool in)
{
	unsigned int n = 0;

	for (uint32_t at = 0; at < len; at += piece)
		bufs[n++] = (struct fake_buf){ addr + at, len - at < piece ? len - at : piece, in };
	return n;
}

/* 2.7.4: a device does not care how a request is cut into descriptors. */
START_TEST(any_layout)
{
	static const uint32_t cuts[][2] = {
		{ 1, 17 }, { 5, 64 }, { 16, 500 }, { 16, 512 }, { 16, 513 }
	};
	struct fake_buf bufs[64];
	unsigned int n;
	uint32_t id, len;

	/* Data to read and status lie in a row. */
	start(false, ALL_FEATURES);
	header(0, VIRTIO_BLK_T_IN, 9);
	n = cut_up(bufs, HDR, 16, cuts[_i][0], false);
	*(uint8_t *)fake_ptr(&g, DATA + SECTOR) = UNTOUCHED;
	n += cut_up(bufs + n, DATA, SECTOR + 1, cuts[_i][1], true);
	fake_ring_add_indirect(&g.rings[0], FAKE_DATA + 0x1000, bufs, n);
	fake_guest_kick(&g, 0);
	ck_assert(fake_guest_wait(&g, 0, &id, &len));
	ck_assert_uint_eq(len, SECTOR + 1);
	ck_assert(all_are(DATA, SECTOR, 9));
	ck_assert(all_are(DATA + SECTOR, 1, VIRTIO_BLK_S_OK));

	/* A write whose header and data share one descriptor. */
	*(struct virtio_blk_outhdr *)fake_ptr(&g, DATA) =
		(struct virtio_blk_outhdr){ .type = VIRTIO_BLK_T_OUT, .sector = 11 };
	memset(fake_ptr(&g, DATA + 16), 0x77, SECTOR);
	bufs[0] = (struct fake_buf){ DATA, 16 + SECTOR, false };
	bufs[1] = (struct fake_buf){ STATUS, 1, true };
	fake_ring_add(&g.rings[0], bufs, 2);
	fake_guest_kick(&g, 0);
	ck_assert(fake_guest_wait(&g, 0, &id, &len));
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 11, DATA + 2048, SECTOR, &len), VIRTIO_BLK_S_OK);
	ck_assert(all_are(DATA + 2048, SECTOR, 0x77));
}
END_TEST

static void breaks(const struct fake_buf *bufs, unsigned int n)
{
	ck_assert(fake_guest_start(&g, ALL_FEATURES, 1, NUM));
	header(0, VIRTIO_BLK_T_IN, 0);
	fake_ring_add(&g.rings[0], bufs, n);
	fake_guest_kick(&g, 0);
	fake_guest_run(&g);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_STATUS), RUNNING | VIRTIO_CONFIG_S_NEEDS_RESET);
	ck_assert_uint_eq(status_of(0), UNTOUCHED);
}

START_TEST(malformed_requests)
{
	const struct fake_buf status = { STATUS, 1, true };
	const struct fake_buf no_status[] = { { HDR, 16, false } };
	const struct fake_buf no_header[] = { status };
	const struct fake_buf short_header[] = { { HDR, 15, false }, status };
	const struct fake_buf device_page[] = { { 0x9000000, 16, false }, status };
	const struct fake_buf backwards[] = { status, { HDR, 16, false } };
	struct stream saved;
	uint32_t len;

	create(false);
	breaks(no_status, 1);
	breaks(no_header, 1);
	breaks(short_header, 2);
	breaks(device_page, 2);
	breaks(backwards, 2);
	/* A broken device can be saved too. */
	saved = device_saved(g.dev);
	stream_close(&saved);
	ck_assert(fake_guest_start(&g, ALL_FEATURES, 1, NUM));
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 1, DATA, SECTOR, &len), VIRTIO_BLK_S_OK);
}
END_TEST

/* --- many at once ------------------------------------------------------------------------------ */

/* All kinds in one batch, more than a round of the loop takes, answered by few interrupts. */
START_TEST(full_queue)
{
	unsigned int done = 0;
	uint32_t id, len;

	/* Three descriptors each: 85 fill the queue. */
	start(false, _i ? NO_FLUSH : ALL_FEATURES);
	for (unsigned int i = 0; i < 85; i++) {
		gpa_t data = DATA + i * 0x1000;

		memset(fake_ptr(&g, data), i + 1, SECTOR);
		if (i % 3 == 2)
			add(i, VIRTIO_BLK_T_FLUSH, 0, data, SECTOR);
		else
			add(i, i % 3 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN, 1000 + i, data, SECTOR);
	}
	fake_guest_kick(&g, 0);
	fake_guest_run(&g);
	for (; fake_ring_used(&g.rings[0], &id, &len); done++)
		ck_assert_uint_eq(status_of(id / 3), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(done, 85);
	ck_assert_uint_lt(g.irq.pulses, 85);
	for (unsigned int i = 0; i < 85; i++) {
		uint8_t back[SECTOR];

		if (i % 3 == 0)
			ck_assert(all_are(DATA + i * 0x1000, SECTOR, (1000 + i) % 251));
		stored(back, SECTOR, 1000 + i);
		ck_assert_uint_eq(back[SECTOR - 1], i % 3 == 1 ? i + 1 : (1000 + i) % 251);
	}
}
END_TEST

static void *run_loop(void *arg)
{
	struct fake_guest *guest = arg;

	loop_run(guest->loop);
	return NULL;
}

/*
 * A driver on its own thread resets the device with requests in flight, at ever another moment.
 * Once the reset is done, nobody touches its memory.
 */
START_TEST(reset_in_flight)
{
	pthread_t loop;

	create(false);
	ck_assert_int_eq(pthread_create(&loop, NULL, run_loop, &g), 0);
	for (unsigned int round = 0; round < 60; round++) {
		ck_assert(fake_guest_start(&g, round % 2 ? NO_FLUSH : ALL_FEATURES, 1, NUM));
		ck_assert_int_eq(fdatasync(file), 0);
		posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
		for (unsigned int i = 0; i < 64; i++)
			add(i, i % 8 == 7 ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN, i * 64,
			    DATA + i * 0x8000, i % 8 == 7 ? SECTOR : 0x8000);
		fake_guest_kick(&g, 0);
		for (unsigned int i = 0; i < round * 20; i++)
			sched_yield();
		if (round % 3)
			fake_write(&g, VIRTIO_MMIO_STATUS, 0);
		else
			fake_write(&g, VIRTIO_MMIO_QUEUE_READY, 0);
		memset(fake_ptr(&g, FAKE_DATA), 0x5a, FAKE_RAM_BASE + FAKE_RAM_SIZE - FAKE_DATA);
		for (unsigned int i = 0; i < 200; i++)
			sched_yield();
		ck_assert(all_are(FAKE_DATA, FAKE_RAM_BASE + FAKE_RAM_SIZE - FAKE_DATA, 0x5a));
	}
	loop_stop(g.loop);
	pthread_join(loop, NULL);
}
END_TEST

/* The machine ends while requests are under way. */
START_TEST(destroy_in_flight)
{
	start(false, NO_FLUSH);
	memset(fake_ptr(&g, DATA), 0x11, SECTOR);
	for (unsigned int i = 0; i < 32; i++)
		add(i, VIRTIO_BLK_T_OUT, i, DATA, SECTOR);
	fake_guest_kick(&g, 0);
	loop_poll(g.loop, 100);
}
END_TEST

START_TEST(state_round_trip)
{
	struct fake_guest to;
	struct stream first, second;
	struct blk_config cfg = mode;
	uint32_t id, len;

	cfg.disk.path = path;
	cfg.disk.ro = true;
	start(true, ALL_FEATURES);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 3, DATA, SECTOR, &len), VIRTIO_BLK_S_OK);
	fake_guest_init(&to);
	ck_assert_int_eq(blk_create(&to.env, &cfg, &to.dev, &fail), 0);
	/* The notification is with the old machine, the request is in the ring. */
	add(1, VIRTIO_BLK_T_IN, 4, DATA, SECTOR);
	ck_assert_int_eq(fake_guest_move(&g, &to), 0);
	first = device_saved(g.dev);
	second = device_saved(to.dev);
	ck_assert_uint_eq(first.len, second.len);
	ck_assert_mem_eq(first.buf, second.buf, first.len);
	ck_assert(fake_guest_wait(&to, 0, &id, &len));
	ck_assert_uint_eq(len, SECTOR + 1);
	ck_assert_uint_eq(*(uint8_t *)fake_ptr(&to, DATA), 4);
	fake_guest_fini(&to);

	/* Into another disk it does not go. */
	ck_assert_int_eq(ftruncate(file, DISK_SIZE / 2), 0);
	fake_guest_init(&to);
	ck_assert_int_eq(blk_create(&to.env, &cfg, &to.dev, &fail), 0);
	ck_assert_int_eq(device_load(to.dev, first.buf, first.len), -ERANGE);
	ck_assert_uint_eq(fake_read(&to, VIRTIO_MMIO_STATUS), 0);
	fake_guest_fini(&to);
	stream_close(&first);
	stream_close(&second);
}
END_TEST

/* --- resizing ---------------------------------------------------------------------------------- */

static uint64_t capacity(void)
{
	uint64_t val;

	ck_assert_int_eq(bus_read(&g.bus, FAKE_DEV_BASE + VIRTIO_MMIO_CONFIG, 8, &val), 0);
	return val;
}

START_TEST(grows)
{
	const uint64_t size = DISK_SIZE + 7 * SECTOR;
	uint32_t len, generation, pulses;

	start(false, ALL_FEATURES);
	generation = fake_read(&g, VIRTIO_MMIO_CONFIG_GENERATION);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, SECTORS, DATA, SECTOR, &len),
			  VIRTIO_BLK_S_IOERR);
	fake_write(&g, VIRTIO_MMIO_INTERRUPT_ACK, 3);
	pulses = g.irq.pulses;
	ck_assert_msg(!blk_resize(g.dev, size, &fail), "%s", fail.text);
	ck_assert_uint_eq(capacity(), SECTORS + 7);
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
	ck_assert_uint_eq(g.irq.pulses, pulses + 1);
	ck_assert_uint_ne(fake_read(&g, VIRTIO_MMIO_CONFIG_GENERATION), generation);
	ck_assert_int_eq(lseek(file, 0, SEEK_END), mode.disk.snapshot ? DISK_SIZE : size);
	memset(fake_ptr(&g, DATA), 0x42, SECTOR);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, SECTORS + 6, DATA, SECTOR, &len),
			  VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, SECTORS + 5, DATA, 2 * SECTOR, &len),
			  VIRTIO_BLK_S_OK);
	ck_assert(all_are(DATA, SECTOR, 0));
	ck_assert(all_are(DATA + SECTOR, SECTOR, 0x42));
	/* The same size again is no change. */
	pulses = g.irq.pulses;
	ck_assert_int_eq(blk_resize(g.dev, size, &fail), 0);
	ck_assert_uint_eq(g.irq.pulses, pulses);
}
END_TEST

static void not_resized(uint64_t size, int err, const char *word)
{
	struct fail why = { 0 };

	ck_assert_int_eq(blk_resize(g.dev, size, &why), err);
	ck_assert_int_eq(why.code, EXIT_CONFIG);
	ck_assert_msg(strstr(why.text, word) && strstr(why.text, path), "%s", why.text);
	ck_assert_uint_eq(capacity(), SECTORS);
	ck_assert_int_eq(lseek(file, 0, SEEK_END), DISK_SIZE);
	ck_assert_uint_eq(g.irq.pulses, 0);
}

START_TEST(bad_growth)
{
	start(false, ALL_FEATURES);
	not_resized(DISK_SIZE - SECTOR, -EINVAL, "only grows");
	not_resized(DISK_SIZE + 1, -EINVAL, "multiple of");
	not_resized(1ULL << 63, -EFBIG, "too many");
	not_resized(INT64_MAX & ~511ULL, -EFBIG, "cannot have");
}
END_TEST

/* Somebody else made the file larger: its size is taken, also by who may not write it. */
START_TEST(grown_already)
{
	start(true, ALL_FEATURES);
	not_resized(2 * DISK_SIZE, -EROFS, "read-only");
	ck_assert_int_eq(ftruncate(file, 2 * DISK_SIZE), 0);
	ck_assert_int_eq(blk_resize(g.dev, 0, &fail), 0);
	ck_assert_uint_eq(capacity(), 2 * SECTORS);
	ck_assert_int_eq(ftruncate(file, 3 * DISK_SIZE), 0);
	ck_assert_int_eq(blk_resize(g.dev, 2 * DISK_SIZE + SECTOR, &fail), 0);
	ck_assert_uint_eq(capacity(), 2 * SECTORS + 1);
	/* And smaller: what the driver knows stays. */
	ck_assert_int_eq(ftruncate(file, DISK_SIZE), 0);
	ck_assert_int_eq(blk_resize(g.dev, 0, &fail), -EINVAL);
	ck_assert_uint_eq(capacity(), 2 * SECTORS + 1);
}
END_TEST

/* A driver that is not ready hears nothing, and finds the size when it comes. */
START_TEST(grows_unheard)
{
	create(false);
	ck_assert_int_eq(blk_resize(g.dev, DISK_SIZE + SECTOR, &fail), 0);
	ck_assert_uint_eq(g.irq.pulses, 0);
	ck_assert(fake_guest_start(&g, ALL_FEATURES, 1, NUM));
	ck_assert_uint_eq(capacity(), SECTORS + 1);
}
END_TEST

static TCase *requests(const struct mode *m)
{
	TCase *tc = tcase_create(m->name);

	tcase_add_unchecked_fixture(tc, m->set, NULL);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, failed_creation);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, config_space, 0, 2);
	tcase_add_test(tc, read_sectors);
	tcase_add_loop_test(tc, write_sectors, 0, 2);
	tcase_add_test(tc, get_id);
	tcase_add_test(tc, unknown_types);
	tcase_add_test(tc, out_of_bounds);
	tcase_add_test(tc, read_only_disk);
	tcase_add_test(tc, truncated_behind_our_back);
	tcase_add_loop_test(tc, any_layout, 0, 5);
	tcase_add_test(tc, malformed_requests);
	tcase_add_loop_test(tc, full_queue, 0, 2);
	tcase_add_test(tc, reset_in_flight);
	tcase_add_test(tc, destroy_in_flight);
	tcase_add_test(tc, state_round_trip);
	tcase_add_test(tc, grows);
	tcase_add_test(tc, bad_growth);
	tcase_add_test(tc, grown_already);
	tcase_add_test(tc, grows_unheard);
	return tc;
}

int main(void)
{
	const bool ring_is_there = fake_disk_has_ring();
	Suite *suite = suite_create("virtio_blk");

	for (unsigned int i = 0; i < MODES; i++)
		if (ring_is_there || !modes[i].by_ring)
			suite_add_tcase(suite, requests(&modes[i]));
	return run_suite(suite);
}
