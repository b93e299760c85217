// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/disk.h"
#include "tests/fake/driver.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "virtio/blk.h"
#include "virtio/mmio.h"

/* A block device over a disk that ends its transfers on command: what the disk is asked for, and
 * every moment at which a driver may lose interest. */

enum {
	SECTOR = 512,
	NUM = 256,
	HDR = FAKE_DATA, /* 16 bytes a request */
	STATUS = FAKE_DATA + 0x4000, /* a byte a request */
	DATA = FAKE_DATA + 0x10000,
	UNTOUCHED = 0xee, /* a status that no device writes */
	CAPACITY = (16 << 20) / SECTOR,
	HELPERS = 4, /* of the loop */
};

#define ALL_FEATURES (~0ULL)
#define WITHOUT(bit) (ALL_FEATURES & ~(1ULL << (bit)))

static struct fake_guest g;
static struct fake_disk fake;
static struct fail fail;

static void setup(void)
{
	memset(&fail, 0, sizeof(fail));
	fake_guest_init(&g);
	fake_disk_init(&fake);
}

static void teardown(void)
{
	fake_guest_fini(&g);
	ck_assert(fake.closed);
	fake_disk_fini(&fake);
}

static void create(enum aio_kind aio, unsigned int queues)
{
	const struct blk_config cfg = { .transport = &virtio_mmio, .aio = aio, .queues = queues };

	ck_assert_msg(!blk_create_on(&g.env, &cfg, &fake.disk, &g.dev, &fail), "%s", fail.text);
}

static void start(enum aio_kind aio, uint64_t features)
{
	create(aio, 1);
	ck_assert(fake_guest_start(&g, features, 1, NUM));
}

static uint8_t *status_of(unsigned int slot)
{
	return fake_ptr(&g, STATUS + slot);
}

/* Request `slot` in queue q: header, `len` bytes at `data`, status. */
static void add(unsigned int q, unsigned int slot, uint32_t type, uint64_t sector, gpa_t data,
		uint32_t len)
{
	const struct fake_buf bufs[] = {
		{ HDR + slot * sizeof(struct virtio_blk_outhdr), 16, false },
		{ data, len, type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID },
		{ STATUS + slot, 1, true },
	};
	const struct fake_buf bare[] = { bufs[0], bufs[2] };
	struct virtio_blk_outhdr *hdr = fake_ptr(&g, bufs[0].addr);

	*hdr = (struct virtio_blk_outhdr){ .type = type, .sector = sector };
	*status_of(slot) = UNTOUCHED;
	fake_ring_add(&g.rings[q], len ? bufs : bare, len ? 3 : 2);
}

static uint8_t request(uint32_t type, uint64_t sector, gpa_t data, uint32_t size)
{
	uint32_t id, len;

	add(0, 0, type, sector, data, size);
	fake_guest_kick(&g, 0);
	ck_assert(fake_guest_wait(&g, 0, &id, &len));
	return *status_of(0);
}

static uint64_t field(uint64_t off, unsigned int size)
{
	uint64_t val;

	ck_assert_int_eq(bus_read(&g.bus, FAKE_DEV_BASE + VIRTIO_MMIO_CONFIG + off, size, &val), 0);
	return val;
}

#define FIELD(name)                                     \
	field(offsetof(struct virtio_blk_config, name), \
	      sizeof(((struct virtio_blk_config *)0)->name))

static bool all_are(gpa_t gpa, size_t len, uint8_t value)
{
	const uint8_t *p = fake_ptr(&g, gpa);

	for (size_t i = 0; i < len; i++)
		if (p[i] != value)
			return false;
	return true;
}

/* --- what the disk is asked for ---------------------------------------------------------------- */

static uint8_t zeroed(uint32_t type, uint64_t sector, uint32_t sectors, uint32_t flags)
{
	*(struct virtio_blk_discard_write_zeroes *)fake_ptr(&g, DATA) =
		(struct virtio_blk_discard_write_zeroes){ sector, sectors, flags };
	fake.nseen = 0;
	return request(type, 0, DATA, 16);
}

START_TEST(discard_and_zeroes)
{
	enum { D = VIRTIO_BLK_T_DISCARD, Z = VIRTIO_BLK_T_WRITE_ZEROES };
	static const struct {
		uint32_t type;
		uint64_t sector;
		uint32_t sectors, flags;
		uint8_t status;
		bool done;
	} cases[] = {
		{ D, 8, 16, 0, VIRTIO_BLK_S_OK, true },
		{ D, 0, CAPACITY, 0, VIRTIO_BLK_S_OK, true },
		{ D, CAPACITY - 1, 1, 0, VIRTIO_BLK_S_OK, true },
		{ D, 8, 0, 0, VIRTIO_BLK_S_OK, false },
		{ D, 8, 16, 1, VIRTIO_BLK_S_UNSUPP, false },
		{ D, 8, 16, 2, VIRTIO_BLK_S_UNSUPP, false },
		{ D, CAPACITY, 1, 0, VIRTIO_BLK_S_IOERR, false },
		{ D, 0, CAPACITY + 1, 0, VIRTIO_BLK_S_IOERR, false },
		{ D, UINT64_MAX, 2, 0, VIRTIO_BLK_S_IOERR, false },
		{ D, 0, UINT32_MAX, 0, VIRTIO_BLK_S_IOERR, false },
		{ Z, 8, 16, 0, VIRTIO_BLK_S_OK, true },
		{ Z, 8, 16, 1, VIRTIO_BLK_S_OK, true },
		{ Z, 8, 16, 2, VIRTIO_BLK_S_UNSUPP, false },
		{ Z, 8, 16, 0x80000001, VIRTIO_BLK_S_UNSUPP, false },
		{ Z, CAPACITY - 1, 2, 0, VIRTIO_BLK_S_IOERR, false },
		{ Z, 1ULL << 55, 1, 0, VIRTIO_BLK_S_IOERR, false },
	};

	start(AIO_THREADS, ALL_FEATURES);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(zeroed(cases[i].type, cases[i].sector, cases[i].sectors,
				     cases[i].flags) == cases[i].status,
			      "%u: %u", i, *status_of(0));
		ck_assert_uint_eq(fake.nseen, cases[i].done);
		if (!cases[i].done)
			continue;
		ck_assert_int_eq(fake.seen[0].op, cases[i].type == D ? DISK_DISCARD : DISK_ZEROES);
		ck_assert_uint_eq(fake.seen[0].off, cases[i].sector * SECTOR);
		ck_assert_uint_eq(fake.seen[0].len, (uint64_t)cases[i].sectors * SECTOR);
		ck_assert(fake.seen[0].unmap == (cases[i].flags == 1));
		ck_assert(!fake.seen[0].sync);
	}
}
END_TEST

/* One range a request, whole; and nobody zeroes more at once than we said. */
START_TEST(zeroes_limits)
{
	static const uint32_t sizes[] = { 1, 15, 17, 32, 512 };

	fake.disk.size = 1ULL << 40;
	start(AIO_THREADS, ALL_FEATURES);
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(fake_ptr(&g, DATA), 0, sizes[i]);
		ck_assert_uint_eq(request(VIRTIO_BLK_T_DISCARD, 0, DATA, sizes[i]),
				  VIRTIO_BLK_S_IOERR);
	}
	ck_assert_uint_eq(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 0, 0), VIRTIO_BLK_S_IOERR);
	for (unsigned int i = 0; i < 2; i++) {
		uint32_t type = i ? VIRTIO_BLK_T_DISCARD : VIRTIO_BLK_T_WRITE_ZEROES;
		uint64_t field = i ? offsetof(struct virtio_blk_config, max_discard_sectors)
				   : offsetof(struct virtio_blk_config, max_write_zeroes_sectors);
		uint32_t max = fake_read(&g, VIRTIO_MMIO_CONFIG + field);

		ck_assert_uint_gt(max, 0);
		ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_CONFIG + field + 4), 1);
		ck_assert_uint_eq(zeroed(type, 0, max, 0), VIRTIO_BLK_S_OK);
		ck_assert_uint_eq(zeroed(type, 0, max + 1, 0), VIRTIO_BLK_S_IOERR);
	}
}
END_TEST

START_TEST(zeroes_not_agreed)
{
	start(AIO_THREADS, 0);
	ck_assert_uint_eq(zeroed(VIRTIO_BLK_T_DISCARD, 0, 1, 0), VIRTIO_BLK_S_UNSUPP);
	ck_assert_uint_eq(zeroed(VIRTIO_BLK_T_WRITE_ZEROES, 0, 1, 0), VIRTIO_BLK_S_UNSUPP);
	ck_assert_uint_eq(fake.nseen, 0);
}
END_TEST

static uint64_t offered(void)
{
	uint64_t low = fake_read(&g, VIRTIO_MMIO_DEVICE_FEATURES);

	fake_write(&g, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	low |= (uint64_t)fake_read(&g, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
	fake_write(&g, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	return low;
}

static bool offers(unsigned int bit)
{
	return offered() >> bit & 1;
}

START_TEST(features_of_a_plain_disk)
{
	create(AIO_THREADS, 1);
	ck_assert(offers(VIRTIO_BLK_F_DISCARD) && offers(VIRTIO_BLK_F_WRITE_ZEROES));
	ck_assert(offers(VIRTIO_BLK_F_FLUSH) && offers(VIRTIO_BLK_F_CONFIG_WCE));
	ck_assert(offers(VIRTIO_BLK_F_TOPOLOGY) && offers(VIRTIO_BLK_F_GEOMETRY));
	ck_assert(!offers(VIRTIO_BLK_F_RO) && !offers(VIRTIO_BLK_F_MQ));
	ck_assert(!offers(VIRTIO_BLK_F_SIZE_MAX) && !offers(VIRTIO_BLK_F_SECURE_ERASE));
}
END_TEST

START_TEST(features_of_a_read_only_disk)
{
	fake.disk.ro = true;
	fake.disk.discards = false;
	create(AIO_THREADS, 4);
	ck_assert(offers(VIRTIO_BLK_F_RO) && offers(VIRTIO_BLK_F_MQ));
	ck_assert(!offers(VIRTIO_BLK_F_DISCARD) && !offers(VIRTIO_BLK_F_WRITE_ZEROES));
	ck_assert_uint_eq(FIELD(num_queues), 4);
}
END_TEST

START_TEST(limits_in_config)
{
	fake.disk.size = 1ULL << 40;
	fake.disk.block_size = fake.disk.granule = 1024;
	fake.disk.physical = 8192;
	fake.disk.align_offset = 3072;
	fake.disk.min_io = 65536;
	fake.disk.opt_io = 1 << 20;
	create(AIO_THREADS, 1);
	ck_assert_uint_eq(FIELD(capacity), 1ULL << 31);
	ck_assert_uint_eq(FIELD(blk_size), 1024);
	ck_assert_uint_eq(FIELD(physical_block_exp), 3);
	ck_assert_uint_eq(FIELD(alignment_offset), 3);
	ck_assert_uint_eq(FIELD(min_io_size), 64);
	ck_assert_uint_eq(FIELD(opt_io_size), 1024);
	ck_assert_uint_eq(FIELD(discard_sector_alignment), 16);
	ck_assert_uint_eq(FIELD(write_zeroes_may_unmap), 1);
	ck_assert_uint_eq(FIELD(geometry.cylinders), 16383);
	ck_assert_uint_eq(FIELD(geometry.heads), 16);
	ck_assert_uint_eq(FIELD(geometry.sectors), 63);
	ck_assert_uint_eq(FIELD(num_queues), 1);
}
END_TEST

/* --- the cache --------------------------------------------------------------------------------- */

static bool write_syncs(void)
{
	fake.nseen = 0;
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 0, DATA, SECTOR), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(fake.nseen, 1);
	return fake.seen[0].sync;
}

static void set_writeback(uint64_t val)
{
	bus_write(&g.bus,
		  FAKE_DEV_BASE + VIRTIO_MMIO_CONFIG + offsetof(struct virtio_blk_config, wce), 1,
		  val);
}

START_TEST(writeback_is_the_drivers)
{
	start(AIO_THREADS, ALL_FEATURES);
	ck_assert_uint_eq(FIELD(wce), 1);
	ck_assert(!write_syncs());
	set_writeback(0);
	ck_assert_uint_eq(FIELD(wce), 0);
	ck_assert(write_syncs());
	ck_assert_uint_eq(zeroed(VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0), VIRTIO_BLK_S_OK);
	ck_assert(fake.seen[0].sync);
	/* No such value; and no other field is written. */
	set_writeback(2);
	ck_assert_uint_eq(FIELD(wce), 0);
	bus_write(&g.bus, FAKE_DEV_BASE + VIRTIO_MMIO_CONFIG, 1, 1);
	ck_assert_uint_eq(FIELD(capacity), CAPACITY);
	set_writeback(1);
	ck_assert(!write_syncs());
	set_writeback(0);
	fake_write(&g, VIRTIO_MMIO_STATUS, 0);
	ck_assert_uint_eq(FIELD(wce), 1);
}
END_TEST

START_TEST(write_through_without_flush)
{
	start(AIO_THREADS, WITHOUT(VIRTIO_BLK_F_FLUSH));
	ck_assert_uint_eq(FIELD(wce), 0);
	ck_assert(write_syncs());
	set_writeback(1);
	ck_assert(write_syncs());
}
END_TEST

START_TEST(flush_reaches_the_disk)
{
	start(AIO_THREADS, ALL_FEATURES);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(fake.nseen, 1);
	ck_assert_int_eq(fake.seen[0].op, DISK_FLUSH);
	fake.result = -EIO;
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_IOERR);
}
END_TEST

START_TEST(writeback_is_saved)
{
	struct fake_guest to;
	struct fake_disk other;
	const struct blk_config cfg = { .transport = &virtio_mmio };

	start(AIO_THREADS, ALL_FEATURES);
	set_writeback(0);
	fake_guest_init(&to);
	fake_disk_init(&other);
	ck_assert_int_eq(blk_create_on(&to.env, &cfg, &other.disk, &to.dev, &fail), 0);
	ck_assert_int_eq(fake_guest_move(&g, &to), 0);
	ck_assert_uint_eq(
		fake_read(&to, VIRTIO_MMIO_CONFIG + offsetof(struct virtio_blk_config, wce)) & 0xff,
		0);
	fake_guest_fini(&to);
	fake_disk_fini(&other);
}
END_TEST

/* Every error of the disk ends in a status, and the next request is served. */
START_TEST(disk_errors)
{
	static const int errors[] = { -EIO, -ENOSPC, -ENOMEM, -EINVAL, -EBADF, -ECANCELED, -EROFS };

	fake.instant = _i;
	start(AIO_THREADS, ALL_FEATURES);
	for (unsigned int i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		fake.result = errors[i];
		ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, DATA, SECTOR), VIRTIO_BLK_S_IOERR);
		ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 0, DATA, SECTOR), VIRTIO_BLK_S_IOERR);
		ck_assert_uint_eq(zeroed(VIRTIO_BLK_T_DISCARD, 0, 1, 0), VIRTIO_BLK_S_IOERR);
	}
	fake.result = -EOPNOTSUPP;
	ck_assert_uint_eq(zeroed(VIRTIO_BLK_T_WRITE_ZEROES, 0, 1, 0), VIRTIO_BLK_S_UNSUPP);
	fake.result = 0;
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, DATA, SECTOR), VIRTIO_BLK_S_OK);
}
END_TEST

/* --- losing interest --------------------------------------------------------------------------- */

enum way { BY_STATUS, BY_READY, BY_QUEUE_RESET, WAYS };

static void lose_interest(enum way way)
{
	fake_write(&g, VIRTIO_MMIO_QUEUE_SEL, 0);
	if (way == BY_STATUS)
		fake_write(&g, VIRTIO_MMIO_STATUS, 0);
	else if (way == BY_READY)
		fake_write(&g, VIRTIO_MMIO_QUEUE_READY, 0);
	else
		fake_write(&g, 0x0c0, 1); /* QueueReset */
}

struct loser {
	enum way way;
	unsigned int running; /* transfers, when the register write had returned */
};

static void *loser(void *arg)
{
	struct loser *l = arg;

	lose_interest(l->way);
	l->running = fake_disk_running(&fake);
	memset(fake_ptr(&g, FAKE_DATA), 0x5a, FAKE_RAM_BASE + FAKE_RAM_SIZE - FAKE_DATA);
	return NULL;
}

static void nothing_touched(void)
{
	fake_guest_run(&g);
	ck_assert(all_are(FAKE_DATA, FAKE_RAM_BASE + FAKE_RAM_SIZE - FAKE_DATA, 0x5a));
}

static void works_again(void)
{
	fake_disk_release(&fake);
	ck_assert(fake_guest_start(&g, ALL_FEATURES, 1, NUM));
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 1, DATA, SECTOR), VIRTIO_BLK_S_OK);
}

/* The register write waits for the transfers that have begun; those in line never begin. */
START_TEST(stop_waits_for_helpers)
{
	struct loser l = { .way = _i };
	pthread_t thread;

	start(AIO_THREADS, ALL_FEATURES);
	fake_disk_hold(&fake);
	for (unsigned int i = 0; i < 20; i++)
		add(0, i, VIRTIO_BLK_T_IN, i, DATA + i * 0x1000, SECTOR);
	fake_guest_kick(&g, 0);
	while (loop_poll(g.loop, 0))
		;
	fake_disk_await(&fake, HELPERS);
	ck_assert_int_eq(pthread_create(&thread, NULL, loser, &l), 0);
	/* Until the queue has been stopped the helpers may take more: the last release decides. */
	fake_disk_release(&fake);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(l.running, 0);
	nothing_touched();
	ck_assert_uint_le(fake.begun, 20);
	works_again();
}
END_TEST

/* Over, but not pushed when the driver resets. */
START_TEST(stop_forgets_what_is_over)
{
	start(AIO_THREADS, ALL_FEATURES);
	fake_disk_hold(&fake);
	for (unsigned int i = 0; i < 4; i++)
		add(0, i, VIRTIO_BLK_T_IN, i, DATA + i * 0x1000, SECTOR);
	fake_guest_kick(&g, 0);
	loop_poll(g.loop, 0);
	fake_disk_await(&fake, 4);
	fake_disk_release(&fake);
	while (fake_disk_running(&fake))
		sched_yield();
	ck_assert(all_are(STATUS, 4, UNTOUCHED));
	lose_interest(_i);
	memset(fake_ptr(&g, FAKE_DATA), 0x5a, FAKE_RAM_BASE + FAKE_RAM_SIZE - FAKE_DATA);
	nothing_touched();
	works_again();
}
END_TEST

/* Notified, but not begun. */
START_TEST(stop_before_the_loop)
{
	start(AIO_THREADS, ALL_FEATURES);
	add(0, 0, VIRTIO_BLK_T_IN, 0, DATA, SECTOR);
	fake_guest_kick(&g, 0);
	lose_interest(_i);
	memset(fake_ptr(&g, FAKE_DATA), 0x5a, FAKE_RAM_BASE + FAKE_RAM_SIZE - FAKE_DATA);
	nothing_touched();
	ck_assert_uint_eq(fake.begun, 0);
	works_again();
}
END_TEST

/* In the kernel's hands: `_i` of the four are over. */
START_TEST(stop_waits_for_ring)
{
	enum { N = 4 };
	const unsigned int over = _i / WAYS;
	struct loser l = { .way = _i % WAYS };
	pthread_t thread;

	fake.ring = true;
	start(AIO_URING, ALL_FEATURES);
	for (unsigned int i = 0; i < N; i++)
		add(0, i, VIRTIO_BLK_T_IN, i, DATA + i * 0x1000, SECTOR);
	fake_guest_kick(&g, 0);
	loop_poll(g.loop, 0);
	fake_disk_feed(&fake, over * SECTOR);
	ck_assert_int_eq(pthread_create(&thread, NULL, loser, &l), 0);
	fake_disk_feed(&fake, (N - over) * SECTOR);
	pthread_join(thread, NULL);
	nothing_touched();
	ck_assert_uint_eq(fake.begun, 0);
	works_again();
}
END_TEST

static void reaped(unsigned int q, unsigned int n)
{
	uint32_t id, len;

	for (unsigned int i = 0; i < n; i++)
		ck_assert(fake_guest_wait(&g, q, &id, &len));
	ck_assert(!fake_ring_used(&g.rings[q], &id, &len));
}

/* A queue that is reset takes nothing from the other. */
START_TEST(queues_end_apart)
{
	fake.ring = true;
	create(_i ? AIO_URING : AIO_THREADS, 2);
	ck_assert(fake_guest_start(&g, ALL_FEATURES, 2, NUM));
	for (unsigned int i = 0; i < 8; i++)
		add(i % 2, i, _i ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, i, DATA + i * 0x1000,
		    SECTOR);
	fake_guest_kick(&g, 0);
	fake_guest_kick(&g, 1);
	while (loop_poll(g.loop, 0))
		;
	if (_i)
		fake_disk_feed(&fake, 8 * SECTOR);
	else
		fake_disk_await(&fake, 8);
	/* Of those that are over, some may be pushed already. */
	lose_interest(BY_QUEUE_RESET);
	reaped(1, 4);
	for (unsigned int i = 0; i < 8; i++)
		if (i % 2)
			ck_assert_uint_eq(*status_of(i), VIRTIO_BLK_S_OK);
}
END_TEST

/* --- the ring's ways --------------------------------------------------------------------------- */

START_TEST(ring_reads)
{
	fake.ring = true;
	start(AIO_URING, ALL_FEATURES);
	for (unsigned int i = 0; i < 32; i++)
		add(0, i, VIRTIO_BLK_T_IN, i, DATA + i * 0x1000, SECTOR);
	fake_guest_kick(&g, 0);
	loop_poll(g.loop, 0);
	ck_assert(all_are(STATUS, 32, UNTOUCHED));
	fake_disk_feed(&fake, 32 * SECTOR);
	reaped(0, 32);
	ck_assert_uint_eq(fake.nseen, 0);
	for (unsigned int i = 0; i < 32; i++)
		ck_assert(all_are(DATA + i * 0x1000, SECTOR, FAKE_DISK_BYTE));
	ck_assert_uint_lt(g.irq.pulses, 33);
}
END_TEST

/* What comes short from the ring, a helper does whole. */
START_TEST(ring_falls_short)
{
	fake.ring = true;
	start(AIO_URING, ALL_FEATURES);
	add(0, 0, VIRTIO_BLK_T_IN, 0, DATA, 2 * SECTOR);
	fake_guest_kick(&g, 0);
	loop_poll(g.loop, 0);
	fake_disk_feed(&fake, SECTOR - 1);
	reaped(0, 1);
	ck_assert_uint_eq(*status_of(0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(fake.nseen, 1);
	ck_assert(all_are(DATA, 2 * SECTOR, FAKE_DISK_BYTE));
	/* And its error is the request's. */
	fake.result = -EIO;
	add(0, 1, VIRTIO_BLK_T_IN, 0, DATA, 2 * SECTOR);
	fake_guest_kick(&g, 0);
	loop_poll(g.loop, 0);
	fake_disk_feed(&fake, 1);
	reaped(0, 1);
	ck_assert_uint_eq(*status_of(1), VIRTIO_BLK_S_IOERR);
}
END_TEST

/* More at once than the ring holds: the rest is done by helpers. */
START_TEST(ring_is_full)
{
	enum { EACH = 80, N = 2 * EACH };

	fake.ring = true;
	create(AIO_URING, 2);
	ck_assert(fake_guest_start(&g, ALL_FEATURES, 2, NUM));
	for (unsigned int i = 0; i < N; i++)
		add(i % 2, i, VIRTIO_BLK_T_IN, i, DATA + i * 0x1000, SECTOR);
	fake_guest_kick(&g, 0);
	fake_guest_kick(&g, 1);
	fake_disk_await(&fake, 0);
	while (fake.begun < N - AIO_RING)
		loop_poll(g.loop, 10);
	fake_disk_feed(&fake, AIO_RING * SECTOR);
	reaped(0, EACH);
	reaped(1, EACH);
	ck_assert_uint_eq(fake.begun, N - AIO_RING);
	for (unsigned int i = 0; i < N; i++)
		ck_assert_uint_eq(*status_of(i), VIRTIO_BLK_S_OK);
}
END_TEST

static void *feeder(void *arg)
{
	(void)arg;
	fake_disk_feed(&fake, 8 * SECTOR);
	return NULL;
}

/* Once the loop is drained nothing is under way, and the state can be saved. */
START_TEST(drained_for_saving)
{
	struct stream saved;
	pthread_t thread;

	fake.ring = _i;
	start(_i ? AIO_URING : AIO_THREADS, ALL_FEATURES);
	for (unsigned int i = 0; i < 8; i++)
		add(0, i, VIRTIO_BLK_T_IN, i, DATA + i * 0x1000, SECTOR);
	fake_guest_kick(&g, 0);
	loop_poll(g.loop, 0);
	if (_i)
		ck_assert_int_eq(pthread_create(&thread, NULL, feeder, NULL), 0);
	loop_drain(g.loop);
	if (_i)
		pthread_join(thread, NULL);
	ck_assert(all_are(STATUS, 8, VIRTIO_BLK_S_OK));
	saved = device_saved(g.dev);
	stream_close(&saved);
	reaped(0, 8);
}
END_TEST

/* The machine ends with transfers under way. */
START_TEST(destroyed_in_flight)
{
	pthread_t thread;

	fake.ring = _i;
	start(_i ? AIO_URING : AIO_THREADS, ALL_FEATURES);
	for (unsigned int i = 0; i < 8; i++)
		add(0, i, VIRTIO_BLK_T_IN, i, DATA + i * 0x1000, SECTOR);
	fake_guest_kick(&g, 0);
	loop_poll(g.loop, 0);
	if (_i)
		ck_assert_int_eq(pthread_create(&thread, NULL, feeder, NULL), 0);
	g.dev->ops->destroy(g.dev);
	g.dev = NULL;
	ck_assert_uint_eq(fake_disk_running(&fake), 0);
	if (_i)
		pthread_join(thread, NULL);
}
END_TEST

static TCase *asked(void)
{
	TCase *tc = tcase_create("asked");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, discard_and_zeroes);
	tcase_add_test(tc, zeroes_limits);
	tcase_add_test(tc, zeroes_not_agreed);
	tcase_add_test(tc, features_of_a_plain_disk);
	tcase_add_test(tc, features_of_a_read_only_disk);
	tcase_add_test(tc, limits_in_config);
	tcase_add_test(tc, writeback_is_the_drivers);
	tcase_add_test(tc, write_through_without_flush);
	tcase_add_test(tc, flush_reaches_the_disk);
	tcase_add_test(tc, writeback_is_saved);
	tcase_add_loop_test(tc, disk_errors, 0, 2);
	return tc;
}

static TCase *flight(bool ring)
{
	TCase *tc = tcase_create("flight");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, stop_waits_for_helpers, 0, WAYS);
	tcase_add_loop_test(tc, stop_forgets_what_is_over, 0, WAYS);
	tcase_add_loop_test(tc, stop_before_the_loop, 0, WAYS);
	tcase_add_loop_test(tc, queues_end_apart, 0, 1 + ring);
	tcase_add_loop_test(tc, drained_for_saving, 0, 1 + ring);
	tcase_add_loop_test(tc, destroyed_in_flight, 0, 1 + ring);
	if (!ring)
		return tc;
	tcase_add_loop_test(tc, stop_waits_for_ring, 0, 5 * WAYS);
	tcase_add_test(tc, ring_reads);
	tcase_add_test(tc, ring_falls_short);
	tcase_add_test(tc, ring_is_full);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("virtio_blk_flight");

	suite_add_tcase(suite, asked());
	suite_add_tcase(suite, flight(fake_disk_has_ring()));
	return run_suite(suite);
}
