// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/core/bus.h"

/* A device that notes its last access and that its lock was held. */
struct probe {
	struct device dev;
	unsigned int reads, writes, size;
	uint64_t off, val, answer;
	bool locked;
};

static bool lock_held(struct device *dev)
{
	if (pthread_mutex_trylock(&dev->lock) == EBUSY)
		return true;
	pthread_mutex_unlock(&dev->lock);
	return false;
}

static uint64_t probe_read(struct device *dev, uint64_t off, unsigned int size)
{
	struct probe *p = container_of(dev, struct probe, dev);

	p->reads++;
	p->off = off;
	p->size = size;
	p->locked = lock_held(dev);
	return p->answer;
}

static void probe_write(struct device *dev, uint64_t off, unsigned int size, uint64_t val)
{
	struct probe *p = container_of(dev, struct probe, dev);

	p->writes++;
	p->off = off;
	p->size = size;
	p->val = val;
	p->locked = lock_held(dev);
}

static const struct device_ops probe_ops;

static void probe_init(struct probe *p, uint64_t answer)
{
	struct device_env env = { .base = 0x1000 };

	memset(p, 0, sizeof(*p));
	device_init(&p->dev, &probe_ops, "probe", &env);
	p->answer = answer;
}

static struct region region_of(struct probe *p, gpa_t base, uint64_t size, unsigned int widths)
{
	return (struct region){ base, size, widths, &p->dev, probe_read, probe_write };
}

static struct bus bus;
static struct probe probe;

static void setup(void)
{
	bus_init(&bus);
	probe_init(&probe, 0x8877665544332211);
}

static void teardown(void)
{
	bus_fini(&bus);
	device_fini(&probe.dev);
}

static const unsigned int sizes[] = { 1, 2, 4, 8 };

static uint64_t mask(unsigned int size)
{
	return size == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
}

/* One access, both ways, against what the bus promises for it. */
static void check_access(gpa_t base, uint64_t region_size, unsigned int widths, gpa_t addr,
			 unsigned int size)
{
	bool claimed =
		addr >= base && addr - base < region_size && size <= region_size - (addr - base);
	bool reaches = claimed && (widths & size) && (addr - base) % size == 0;
	unsigned int reads = probe.reads, writes = probe.writes;
	uint64_t val = 0x77;

	ck_assert_int_eq(bus_read(&bus, addr, size, &val), claimed ? 0 : -ENOENT);
	ck_assert_uint_eq(val, reaches ? probe.answer & mask(size) : 0);
	ck_assert_uint_eq(probe.reads, reads + reaches);
	ck_assert_int_eq(bus_write(&bus, addr, size, 0xfedcba9876543210), claimed ? 0 : -ENOENT);
	ck_assert_uint_eq(probe.writes, writes + reaches);
	if (!reaches)
		return;
	ck_assert_uint_eq(probe.off, addr - base);
	ck_assert_uint_eq(probe.size, size);
	ck_assert_uint_eq(probe.val, 0xfedcba9876543210 & mask(size));
	ck_assert(probe.locked);
	ck_assert(!lock_held(&probe.dev));
}

START_TEST(every_width_alignment_and_end)
{
	static const gpa_t bases[] = { 0x20, 0x1000, -(gpa_t)0x14 };

	for (size_t b = 0; b < 3; b++) {
		for (unsigned int widths = 1; widths <= WIDTH_ALL; widths++) {
			struct region r = region_of(&probe, bases[b], 0x14, widths);

			bus_init(&bus);
			ck_assert_int_eq(bus_add(&bus, &r), 0);
			for (gpa_t off = -(gpa_t)10; off != 0x20; off++)
				for (size_t s = 0; s < 4; s++)
					check_access(bases[b], 0x14, widths, bases[b] + off,
						     sizes[s]);
			bus_fini(&bus);
		}
	}
	bus_init(&bus);
}
END_TEST

/* Any access after any other, by the same user: what it accessed before decides nothing. */
START_TEST(what_came_before_does_not_matter)
{
	struct bus_user user = { .cpu = 5 };
	struct probe other;
	struct region low = region_of(&probe, 0x1000, 8, WIDTH_ALL);
	struct region high = region_of(&other, 0x1008, 8, WIDTH_ALL);

	probe_init(&other, 0x1122334455667788);
	ck_assert_int_eq(bus_add(&bus, &low), 0);
	ck_assert_int_eq(bus_add(&bus, &high), 0);
	for (gpa_t before = 0xff8; before < 0x1018; before++) {
		for (gpa_t addr = 0xff8; addr < 0x1018; addr += 4) {
			bool in_low = addr - low.base < 8, in_high = addr - high.base < 8;
			struct probe *p = in_low ? &probe : &other;
			uint64_t val, expected = in_low || in_high ? p->answer & mask(4) : 0;

			bus_read_by(&bus, &user, before, 1, &val);
			ck_assert_int_eq(bus_read_by(&bus, &user, addr, 4, &val),
					 in_low || in_high ? 0 : -ENOENT);
			ck_assert_uint_eq(val, expected);
			ck_assert(!expected || p->dev.initiator == 5);
			ck_assert_int_eq(bus_read_by(&bus, &user, 0x1006, 4, &val), -ENOENT);
		}
	}
	device_fini(&other.dev);
}
END_TEST

START_TEST(overlap_matrix)
{
	for (gpa_t base = 0; base < 20; base++) {
		for (uint64_t size = 1; size < 12; size++) {
			struct region first = region_of(&probe, 8, 4, WIDTH_1);
			struct region second = region_of(&probe, base, size, WIDTH_1);
			bool apart = base + size <= 8 || base >= 12;

			bus_init(&bus);
			ck_assert_int_eq(bus_add(&bus, &first), 0);
			ck_assert_int_eq(bus_add(&bus, &second), apart ? 0 : -EEXIST);
			bus_fini(&bus);
		}
	}
	bus_init(&bus);
}
END_TEST

START_TEST(bad_regions)
{
	struct region r = region_of(&probe, 0, 0, WIDTH_4);

	ck_assert_int_eq(bus_add(&bus, &r), -EINVAL);
	r = region_of(&probe, UINT64_MAX, 2, WIDTH_4);
	ck_assert_int_eq(bus_add(&bus, &r), -EINVAL);
	r = region_of(&probe, 0, 4, 0);
	ck_assert_int_eq(bus_add(&bus, &r), -EINVAL);
	r = region_of(&probe, 0, 4, 16);
	ck_assert_int_eq(bus_add(&bus, &r), -EINVAL);
	r = region_of(&probe, 0, 4, WIDTH_4);
	r.dev = NULL;
	ck_assert_int_eq(bus_add(&bus, &r), -EINVAL);
}
END_TEST

/* Regions added in a scrambled order are each found at both ends, and the gaps are nobody's. */
START_TEST(full_bus_finds_each)
{
	struct probe p[BUS_REGIONS_MAX];
	uint64_t val;

	for (unsigned int i = 0; i < BUS_REGIONS_MAX; i++) {
		unsigned int n = i * 37 % BUS_REGIONS_MAX;
		struct region r;

		probe_init(&p[n], n + 1);
		r = region_of(&p[n], 0x1000 + n * 0x200, 0x100, WIDTH_ALL);
		ck_assert_int_eq(bus_add(&bus, &r), 0);
	}
	for (unsigned int n = 0; n < BUS_REGIONS_MAX; n++) {
		gpa_t base = 0x1000 + n * 0x200;

		ck_assert_int_eq(bus_read(&bus, base, 4, &val), 0);
		ck_assert_uint_eq(val, n + 1);
		ck_assert_int_eq(bus_read(&bus, base + 0xff, 1, &val), 0);
		ck_assert_uint_eq(val, n + 1);
		ck_assert_int_eq(bus_read(&bus, base + 0x100, 1, &val), -ENOENT);
		ck_assert_int_eq(bus_read(&bus, base - 1, 1, &val), -ENOENT);
	}
	probe_init(&probe, 0);
	struct region more = region_of(&probe, 0, 4, WIDTH_4);
	ck_assert_int_eq(bus_add(&bus, &more), -ENOSPC);
}
END_TEST

START_TEST(missing_handlers_are_raz_wi)
{
	struct region r = region_of(&probe, 0, 4, WIDTH_4);
	uint64_t val = 1;

	r.read = NULL;
	r.write = NULL;
	ck_assert_int_eq(bus_add(&bus, &r), 0);
	ck_assert_int_eq(bus_write(&bus, 0, 4, 5), 0);
	ck_assert_int_eq(bus_read(&bus, 0, 4, &val), 0);
	ck_assert_uint_eq(val, 0);
}
END_TEST

/* --- doorbells -------------------------------------------------------------------------------- */

static uint64_t signals(int fd)
{
	uint64_t n = 0;

	if (read(fd, &n, sizeof(n)) < 0)
		ck_assert_int_eq(errno, EAGAIN);
	return n;
}

START_TEST(doorbell_matching)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct region r = region_of(&probe, 0x1000, 0x100, WIDTH_ALL);
	const struct doorbell bells[] = {
		{ .addr = 0x1050, .size = 4, .fd = fd },
		{ .addr = 0x1050, .size = 4, .match = true, .value = 3, .fd = fd },
		{ .addr = 0x1050, .size = 0, .fd = fd },
		{ .addr = 0x1050, .size = 0, .match = true, .value = 3, .fd = fd },
	};

	ck_assert_int_eq(bus_add(&bus, &r), 0);
	for (size_t b = 0; b < 4; b++) {
		const struct doorbell *db = &bells[b];

		ck_assert_int_eq(bus_doorbell_add(&bus, db), 0);
		ck_assert_int_eq(bus_doorbell_add(&bus, db), -EEXIST);
		for (gpa_t addr = 0x1048; addr < 0x1060; addr += 8) {
			for (size_t s = 0; s < 4; s++) {
				for (uint64_t val = 2; val < 5; val++) {
					bool hit = addr == 0x1050 &&
						   (!db->size || db->size == sizes[s]) &&
						   (!db->match || db->value == val);
					unsigned int writes = probe.writes;

					ck_assert_int_eq(bus_write(&bus, addr, sizes[s], val), 0);
					ck_assert_uint_eq(signals(fd), hit);
					ck_assert_uint_eq(probe.writes, writes + !hit);
				}
			}
		}
		bus_doorbell_del(&bus, db);
		bus_doorbell_del(&bus, db);
		ck_assert_int_eq(bus_write(&bus, 0x1050, 4, 3), 0);
		ck_assert_uint_eq(signals(fd), 0);
	}
	close(fd);
}
END_TEST

struct hook {
	int answer;
	unsigned int on, off;
};

static int hook_fn(void *arg, const struct doorbell *db, bool on)
{
	struct hook *h = arg;

	(void)db;
	if (on)
		h->on++;
	else
		h->off++;
	return h->answer;
}

START_TEST(kernel_doorbells_are_not_matched)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct hook hook = { .answer = 0 };
	struct doorbell kernel = { .addr = 0x1050, .size = 4, .fd = fd };
	struct doorbell soft = { .addr = 0x1060, .size = 4, .fd = fd };
	struct region r = region_of(&probe, 0x1000, 0x100, WIDTH_ALL);

	ck_assert_int_eq(bus_add(&bus, &r), 0);
	bus.doorbell_hook = hook_fn;
	bus.doorbell_arg = &hook;
	ck_assert_int_eq(bus_doorbell_add(&bus, &kernel), 0);
	hook.answer = -ENOSPC;
	ck_assert_int_eq(bus_doorbell_add(&bus, &soft), 0);

	/* The kernel does not exit for its own; if it does all the same, the device decides. */
	bus_write(&bus, 0x1050, 4, 0);
	ck_assert_uint_eq(signals(fd), 0);
	ck_assert_uint_eq(probe.writes, 1);
	bus_write(&bus, 0x1060, 4, 0);
	ck_assert_uint_eq(signals(fd), 1);

	/* In a new VM the answers may differ. */
	bus_doorbells_replay(&bus);
	ck_assert_uint_eq(hook.on, 4);
	bus_write(&bus, 0x1050, 4, 0);
	ck_assert_uint_eq(signals(fd), 1);
	hook.answer = 0;
	bus_doorbells_replay(&bus);
	bus_doorbell_del(&bus, &soft);
	bus_doorbell_del(&bus, &kernel);
	ck_assert_uint_eq(hook.off, 2);
	ck_assert_uint_eq(atomic_load(&bus.nsoft), 0);
	close(fd);
}
END_TEST

START_TEST(doorbell_capacity)
{
	for (gpa_t i = 0; i < BUS_DOORBELLS_MAX; i++) {
		struct doorbell db = { .addr = i * 4, .size = 4, .fd = -1 };

		ck_assert_int_eq(bus_doorbell_add(&bus, &db), 0);
	}
	struct doorbell more = { .addr = 0xffff0000, .size = 4, .fd = -1 };
	ck_assert_int_eq(bus_doorbell_add(&bus, &more), -ENOSPC);
}
END_TEST

/* Writers on both sides of a doorbell that comes and goes: each write goes to exactly one. */
enum { STORM = 20000 };

static void *storm(void *arg)
{
	(void)arg;
	for (int i = 0; i < STORM; i++)
		bus_write(&bus, 0x1050, 4, 1);
	return NULL;
}

START_TEST(doorbells_come_and_go_under_load)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct doorbell db = { .addr = 0x1050, .size = 4, .fd = fd };
	struct region r = region_of(&probe, 0x1000, 0x100, WIDTH_ALL);
	pthread_t threads[2];

	ck_assert_int_eq(bus_add(&bus, &r), 0);
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, storm, NULL);
	for (int i = 0; i < 2000; i++) {
		ck_assert_int_eq(bus_doorbell_add(&bus, &db), 0);
		bus_doorbell_del(&bus, &db);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(signals(fd) + probe.writes, 2 * STORM);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_bus");
	TCase *tc = tcase_create("bus");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, every_width_alignment_and_end);
	tcase_add_test(tc, what_came_before_does_not_matter);
	tcase_add_test(tc, overlap_matrix);
	tcase_add_test(tc, bad_regions);
	tcase_add_test(tc, full_bus_finds_each);
	tcase_add_test(tc, missing_handlers_are_raz_wi);
	tcase_add_test(tc, doorbell_matching);
	tcase_add_test(tc, kernel_doorbells_are_not_matched);
	tcase_add_test(tc, doorbell_capacity);
	tcase_add_test(tc, doorbells_come_and_go_under_load);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
