// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/fake/driver.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "virtio/balloon.h"
#include "virtio/mmio.h"
#include "vmm/core/json.h"

enum { INFLATE, DEFLATE, STATS, HINT, REPORT, QUEUES, NUM = 128, PAGE = 4096 };
enum { OTHER_BASE = 0x9000000, OTHER_SIZE = 16 * PAGE };

static struct fake_guest a, b;
static uint8_t *other; /* memory that is no RAM of the guest's kernel */

static void make(struct fake_guest *g)
{
	const struct balloon_config cfg = {
		.transport = &virtio_mmio,
		.ram_base = FAKE_RAM_BASE,
		.ram_size = FAKE_RAM_SIZE,
		.target = FAKE_RAM_SIZE,
	};
	struct fail fail = { 0 };

	fake_guest_init(g);
	ck_assert_int_eq(balloon_create(&g->env, &cfg, &g->dev, &fail), 0);
}

static void setup(void)
{
	make(&a);
	other = mmap(NULL, OTHER_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(other, MAP_FAILED);
	ck_assert_int_eq(guest_mem_add(&a.mem, OTHER_BASE, OTHER_SIZE, other), 0);
	memset(other, 0x77, OTHER_SIZE);
}

static void teardown(void)
{
	fake_guest_fini(&a);
	munmap(other, OTHER_SIZE);
}

static void start(uint64_t features)
{
	ck_assert(fake_guest_start(&a, features, QUEUES, NUM));
	memset(fake_ptr(&a, FAKE_DATA), 0x55, FAKE_RAM_BASE + FAKE_RAM_SIZE - FAKE_DATA);
}

static uint32_t config(uint32_t off)
{
	return fake_read(&a, VIRTIO_MMIO_CONFIG + off);
}

static bool broken(void)
{
	return fake_read(&a, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

/* Whether the host has taken the page back. */
static bool gone(gpa_t gpa)
{
	unsigned char resident;

	ck_assert_int_eq(mincore(fake_ptr(&a, gpa), PAGE, &resident), 0);
	return !(resident & 1);
}

static bool untouched(gpa_t gpa, size_t len)
{
	const uint8_t *p = fake_ptr(&a, gpa);

	for (size_t i = 0; i < len; i++)
		if (p[i] != 0x55)
			return false;
	return true;
}

/* One chain of one buffer, until it comes back: its length as the device says it. */
static uint32_t request(unsigned int q, gpa_t addr, uint32_t len, bool in)
{
	const struct fake_buf buf = { addr, len, in };
	uint32_t id, used;

	fake_ring_add(&a.rings[q], &buf, 1);
	fake_guest_kick(&a, q);
	fake_guest_run(&a);
	return fake_ring_used(&a.rings[q], &id, &used) ? used : UINT32_MAX;
}

/* Sends page numbers, from one page of requests at FAKE_DATA. */
static uint32_t send_pfns(unsigned int q, const uint32_t *pfns, unsigned int n)
{
	memcpy(fake_ptr(&a, FAKE_DATA), pfns, n * 4);
	return request(q, FAKE_DATA, n * 4, false);
}

static uint32_t pfn_at(gpa_t gpa)
{
	return gpa / PAGE;
}

static char *stat(struct device *dev)
{
	static char text[4096];
	struct json_out out;

	json_out_init(&out, text, sizeof(text));
	json_open(&out, NULL, '{');
	pthread_mutex_lock(&dev->lock);
	dev->ops->stat(dev, &out);
	pthread_mutex_unlock(&dev->lock);
	json_close(&out, '}');
	ck_assert(!out.full);
	return text;
}

/* A number in the device's figures, or in its `guest` part; -1 when it is not there. */
static int64_t figure(const char *part, const char *key)
{
	struct json_object obj;
	const struct json_field *field;

	ck_assert_int_eq(json_parse(stat(a.dev), &obj), 0);
	if (part) {
		field = json_get(&obj, part);
		if (!field)
			return -1;
		*field->end = 0;
		ck_assert_int_eq(json_parse(field->text, &obj), 0);
	}
	field = json_get(&obj, key);
	return field ? field->num : -1;
}

START_TEST(identity)
{
	ck_assert_uint_eq(fake_read(&a, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_BALLOON);
	ck_assert_uint_eq(config(0), 0);
	ck_assert_uint_eq(config(4), 0);
	start(~0ULL);
	fake_write(&a, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	ck_assert_uint_eq(fake_read(&a, VIRTIO_MMIO_DEVICE_FEATURES) & 0x3f,
			  1 << VIRTIO_BALLOON_F_STATS_VQ | 1 << VIRTIO_BALLOON_F_DEFLATE_ON_OOM |
				  1 << VIRTIO_BALLOON_F_PAGE_POISON |
				  1 << VIRTIO_BALLOON_F_REPORTING);
	/* Only what is the driver's can be written, in one piece. */
	for (uint32_t off = 0; off < 24; off += 4)
		fake_write(&a, VIRTIO_MMIO_CONFIG + off, 0x1000 + off);
	ck_assert_int_eq(bus_write(&a.bus, FAKE_DEV_BASE + VIRTIO_MMIO_CONFIG + 5, 1, 0xff), 0);
	ck_assert_int_eq(bus_write(&a.bus, FAKE_DEV_BASE + VIRTIO_MMIO_CONFIG, 8, -1ULL), 0);
	ck_assert_uint_eq(config(0), 0);
	ck_assert_uint_eq(config(4), 0x1004);
	ck_assert_uint_eq(config(8), 0);
	ck_assert_uint_eq(config(12), 0x100c);
	ck_assert_uint_eq(config(16), 0);
}
END_TEST

/* --- inflate and deflate ----------------------------------------------------------------------- */

/* In any order, twice in a request, and again in the next: exactly these pages go. */
START_TEST(inflate)
{
	const gpa_t at = FAKE_DATA + 16 * PAGE;
	const uint32_t first = pfn_at(at);
	const uint32_t pfns[] = { first + 3, first, first + 9, first + 2, first, first + 1 };

	start(~0ULL);
	for (unsigned int round = 0; round < 2; round++) {
		ck_assert_uint_eq(send_pfns(INFLATE, pfns, 6), 0);
		for (unsigned int i = 0; i < 12; i++)
			ck_assert_msg(gone(at + i * PAGE) == (i < 4 || i == 9), "page %u", i);
	}
	ck_assert(untouched(at - PAGE, PAGE));
	ck_assert(untouched(at + 4 * PAGE, 5 * PAGE));
	ck_assert(untouched(at + 10 * PAGE, PAGE));
	ck_assert_int_eq(figure(NULL, "inflated"), 10 * PAGE);
	/* Back again: new memory, zeroed. */
	ck_assert_uint_eq(send_pfns(DEFLATE, pfns, 6), 0);
	for (unsigned int i = 0; i < PAGE; i++)
		ck_assert_uint_eq(((uint8_t *)fake_ptr(&a, at))[i], 0);
	ck_assert(!broken());
}
END_TEST

START_TEST(last_page)
{
	const gpa_t last = FAKE_RAM_BASE + FAKE_RAM_SIZE - PAGE;
	const uint32_t pfns[] = { pfn_at(last), pfn_at(last) + 1 };

	start(~0ULL);
	/* A run that leaves RAM is not cut to fit: all of it is the guest's mistake. */
	ck_assert_uint_eq(send_pfns(INFLATE, pfns, 2), 0);
	ck_assert(!gone(last));
	ck_assert_uint_eq(send_pfns(INFLATE, pfns, 1), 0);
	ck_assert(gone(last));
}
END_TEST

/* Numbers of pages that are no RAM are passed over, the others in the request served. */
START_TEST(foreign_pages)
{
	const uint32_t pfns[] = { pfn_at(OTHER_BASE),
				  pfn_at(OTHER_BASE) + 15,
				  pfn_at(FAKE_RAM_BASE) - 1,
				  pfn_at(FAKE_DATA) + 20,
				  0,
				  UINT32_MAX,
				  pfn_at(FAKE_DEV_BASE),
				  pfn_at(FAKE_RAM_BASE + FAKE_RAM_SIZE) };

	start(~0ULL);
	ck_assert_uint_eq(send_pfns(INFLATE, pfns, 8), 0);
	for (unsigned int i = 0; i < OTHER_SIZE; i++)
		ck_assert_uint_eq(other[i], 0x77);
	ck_assert(gone(FAKE_DATA + 20 * PAGE));
	ck_assert_int_eq(figure(NULL, "inflated"), PAGE);
	ck_assert(!broken());
}
END_TEST

/* A request larger than a round of the loop is cut, one after it waits for the next round. */
START_TEST(huge_request)
{
	const struct fake_buf buf = { FAKE_DATA, 1 << 20, false };
	uint32_t id, len;

	start(~0ULL);
	for (unsigned int i = 0; i < 4; i++)
		fake_ring_add(&a.rings[INFLATE], &buf, 1);
	fake_guest_kick(&a, INFLATE);
	loop_poll(a.loop, 0);
	ck_assert(fake_ring_used(&a.rings[INFLATE], &id, &len));
	ck_assert(!fake_ring_used(&a.rings[INFLATE], &id, &len));
	fake_guest_run(&a);
	for (unsigned int i = 0; i < 3; i++)
		ck_assert(fake_ring_used(&a.rings[INFLATE], &id, &len));
	ck_assert(!broken());
}
END_TEST

START_TEST(odd_requests)
{
	const uint32_t pfn = pfn_at(FAKE_DATA) + 20;

	start(~0ULL);
	/* A last number without its end is none. */
	memcpy(fake_ptr(&a, FAKE_DATA), (uint32_t[]){ pfn, pfn + 1 }, 8);
	ck_assert_uint_eq(request(INFLATE, FAKE_DATA, 7, false), 0);
	ck_assert(gone(FAKE_DATA + 20 * PAGE));
	ck_assert(!gone(FAKE_DATA + 21 * PAGE));
	ck_assert_uint_eq(request(INFLATE, FAKE_DATA, 3, false), 0);
	/* Buffers of the wrong direction. */
	for (unsigned int q = 0; q < QUEUES; q++) {
		ck_assert(!broken());
		request(q, FAKE_DATA + 64 * PAGE, 2 * PAGE, q != HINT && q != REPORT);
		ck_assert_msg(broken(), "queue %u", q);
		ck_assert(untouched(FAKE_DATA + 64 * PAGE, 2 * PAGE));
		start(~0ULL);
	}
}
END_TEST

/* --- statistics -------------------------------------------------------------------------------- */

static void post_stats(const struct virtio_balloon_stat *stats, unsigned int n)
{
	const struct fake_buf buf = { FAKE_DATA, n * sizeof(*stats), false };

	memcpy(fake_ptr(&a, FAKE_DATA), stats, buf.len);
	fake_ring_add(&a.rings[STATS], &buf, 1);
	fake_guest_kick(&a, STATS);
	fake_guest_run(&a);
}

START_TEST(statistics)
{
	const struct virtio_balloon_stat first[] = { { VIRTIO_BALLOON_S_MEMFREE, 1234 },
						     { 999, 5 },
						     { VIRTIO_BALLOON_S_MEMTOT, 5678 } };
	const struct virtio_balloon_stat second[] = { { VIRTIO_BALLOON_S_MEMFREE,
							UINT64_MAX / 4 } };
	uint32_t id, len;

	ck_assert_int_eq(figure("guest", "free-memory"), -1);
	start(_i ? ~0ULL : ~(1ULL << VIRTIO_RING_F_EVENT_IDX));
	ck_assert_int_eq(figure("guest", "free-memory"), -1);
	fake_guest_run(&a);
	post_stats(first, 3);
	/* Somebody has asked meanwhile, so this buffer is returned for a newer one. */
	ck_assert(fake_ring_used(&a.rings[STATS], &id, &len));
	ck_assert_uint_eq(len, 0);
	post_stats(first, 3);
	ck_assert(!fake_ring_used(&a.rings[STATS], &id, &len));
	ck_assert_int_eq(figure("guest", "free-memory"), 1234);
	ck_assert_int_ge(figure("guest", "age-ms"), 0);
	fake_guest_run(&a);
	ck_assert(fake_ring_used(&a.rings[STATS], &id, &len));
	post_stats(second, 1);
	ck_assert_int_eq(figure("guest", "total-memory"), 5678);
	ck_assert_int_eq(figure("guest", "free-memory"), UINT64_MAX / 4);
	ck_assert_int_eq(figure("guest", "swap-in"), -1);
	/* Gone with the driver. */
	start(~0ULL);
	ck_assert_int_eq(figure("guest", "free-memory"), -1);
}
END_TEST

/* --- reports ----------------------------------------------------------------------------------- */

/* Also where the driver numbers the queue without a gap for the one that is not there. */
START_TEST(reports)
{
	const unsigned int q = _i ? REPORT : HINT;
	const gpa_t at = FAKE_DATA + 32 * PAGE;
	const struct fake_buf bufs[] = { { at, 8 * PAGE, true }, { at + 16 * PAGE, PAGE, true } };
	uint32_t id, len;

	start(~0ULL);
	fake_ring_add(&a.rings[q], bufs, 2);
	fake_guest_kick(&a, q);
	fake_guest_run(&a);
	ck_assert(fake_ring_used(&a.rings[q], &id, &len));
	ck_assert_uint_eq(len, 0);
	for (unsigned int i = 0; i < 24; i++)
		ck_assert_msg(gone(at + i * PAGE) == (i < 8 || i == 16), "page %u", i);
	ck_assert_int_eq(figure(NULL, "reported"), 9 * PAGE);
	ck_assert_int_eq(figure(NULL, "inflated"), 0);
	/* Parts of a page are not given back. */
	request(q, at + 10 * PAGE + 1, 2 * PAGE - 2, true);
	ck_assert(untouched(at + 10 * PAGE, 2 * PAGE));
	request(q, at + 10 * PAGE + 1, 2 * PAGE, true);
	ck_assert(untouched(at + 10 * PAGE, PAGE));
	ck_assert(gone(at + 11 * PAGE));
	/* Memory, but not this device's. */
	request(q, OTHER_BASE, PAGE, true);
	ck_assert_uint_eq(other[0], 0x77);
	ck_assert(!broken());
}
END_TEST

/* What the guest fills free pages with must be there when it finds them again. */
START_TEST(poison)
{
	const gpa_t at = FAKE_DATA + 32 * PAGE;

	start(_i == 1 ? ~(1ULL << VIRTIO_BALLOON_F_PAGE_POISON) : ~0ULL);
	fake_write(&a, VIRTIO_MMIO_CONFIG + 12, _i == 2 ? 0 : 0x55555555);
	ck_assert_uint_eq(request(REPORT, at, PAGE, true), 0);
	ck_assert_int_eq(gone(at), _i != 0);
	ck_assert(_i || untouched(at, PAGE));
}
END_TEST

/* --- the host's side --------------------------------------------------------------------------- */

START_TEST(target)
{
	struct fail fail = { 0 };
	uint32_t generation, pulses;

	start(~0ULL);
	generation = fake_read(&a, VIRTIO_MMIO_CONFIG_GENERATION);
	pulses = a.irq.pulses;
	ck_assert_int_eq(balloon_set(a.dev, FAKE_RAM_SIZE / 4, &fail), 0);
	ck_assert_uint_eq(config(0), FAKE_RAM_SIZE / 4 * 3 / PAGE);
	ck_assert_uint_ne(fake_read(&a, VIRTIO_MMIO_CONFIG_GENERATION), generation);
	ck_assert_uint_eq(a.irq.pulses, pulses + 1);
	ck_assert_uint_eq(fake_read(&a, VIRTIO_MMIO_INTERRUPT_STATUS) & 2, 2);
	ck_assert_int_eq(figure(NULL, "target"), FAKE_RAM_SIZE / 4);
	ck_assert_int_eq(figure(NULL, "actual"), FAKE_RAM_SIZE);
	fake_write(&a, VIRTIO_MMIO_CONFIG + 4, 100);
	ck_assert_int_eq(figure(NULL, "actual"), FAKE_RAM_SIZE - 100 * PAGE);
	/* A driver can say anything. */
	fake_write(&a, VIRTIO_MMIO_CONFIG + 4, UINT32_MAX);
	ck_assert_int_eq(figure(NULL, "actual"), 0);
	/* The same again is no change. */
	ck_assert_int_eq(balloon_set(a.dev, FAKE_RAM_SIZE / 4, &fail), 0);
	ck_assert_uint_eq(a.irq.pulses, pulses + 1);
	ck_assert_int_eq(balloon_set(a.dev, 0, &fail), -ERANGE);
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
	ck_assert_int_eq(balloon_set(a.dev, FAKE_RAM_SIZE + 1, &fail), -ERANGE);
	ck_assert_uint_eq(config(0), FAKE_RAM_SIZE / 4 * 3 / PAGE);
	/* The guest starts anew, the host still wants its memory. */
	pthread_mutex_lock(&a.dev->lock);
	a.dev->ops->reset(a.dev);
	pthread_mutex_unlock(&a.dev->lock);
	ck_assert_uint_eq(config(0), FAKE_RAM_SIZE / 4 * 3 / PAGE);
	ck_assert_uint_eq(config(4), 0);
	ck_assert_int_eq(balloon_set(a.dev, FAKE_RAM_SIZE, &fail), 0);
	ck_assert_uint_eq(config(0), 0);
}
END_TEST

START_TEST(state)
{
	const struct virtio_balloon_stat stats[] = { { VIRTIO_BALLOON_S_MEMFREE, 1234 } };
	struct stream first, second;
	struct fail fail = { 0 };

	start(~0ULL);
	ck_assert_int_eq(balloon_set(a.dev, FAKE_RAM_SIZE / 2, &fail), 0);
	fake_write(&a, VIRTIO_MMIO_CONFIG + 4, 77);
	fake_write(&a, VIRTIO_MMIO_CONFIG + 12, 0xaa);
	post_stats(stats, 1);
	make(&b);
	ck_assert_int_eq(fake_guest_move(&a, &b), 0);
	first = device_saved(a.dev);
	second = device_saved(b.dev);
	ck_assert_uint_eq(first.len, second.len);
	ck_assert_mem_eq(first.buf, second.buf, first.len);
	/* The driver's buffer is still in the ring. */
	fake_guest_run(&b);
	ck_assert_ptr_ne(strstr(stat(b.dev), "\"free-memory\":1234"), NULL);
	for (size_t len = 0; len < first.len; len++)
		ck_assert_int_lt(device_load(b.dev, first.buf, len), 0);
	stream_close(&first);
	stream_close(&second);
	fake_guest_fini(&b);
}
END_TEST

/* More pages than there are, in a state from elsewhere. */
START_TEST(state_refused)
{
	const uint32_t right = FAKE_RAM_SIZE / PAGE - 1, wrong = FAKE_RAM_SIZE / PAGE + 1;
	struct stream saved;
	struct fail fail = { 0 };
	uint8_t *at;

	ck_assert_int_eq(balloon_set(a.dev, PAGE, &fail), 0);
	saved = device_saved(a.dev);
	at = memmem(saved.buf, saved.len, &right, 4);
	ck_assert_ptr_ne(at, NULL);
	memcpy(at, &wrong, 4);
	ck_assert_int_eq(device_load(a.dev, saved.buf, saved.len), -ERANGE);
	/* What the host wants stays as it was. */
	ck_assert_uint_eq(config(0), right);
	stream_close(&saved);
}
END_TEST

START_TEST(bad_target)
{
	struct balloon_config cfg = {
		.transport = &virtio_mmio,
		.ram_base = FAKE_RAM_BASE,
		.ram_size = FAKE_RAM_SIZE,
		.target = _i ? FAKE_RAM_SIZE + 1 : 0,
	};
	struct fail fail = { 0 };
	struct device *dev = NULL;

	fake_guest_init(&b);
	ck_assert_int_eq(balloon_create(&b.env, &cfg, &dev, &fail), -ERANGE);
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
	ck_assert_ptr_eq(dev, NULL);
	fake_guest_fini(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("virtio_balloon");
	TCase *tc = tcase_create("balloon");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, identity);
	tcase_add_test(tc, inflate);
	tcase_add_test(tc, last_page);
	tcase_add_test(tc, foreign_pages);
	tcase_add_test(tc, huge_request);
	tcase_add_test(tc, odd_requests);
	tcase_add_loop_test(tc, statistics, 0, 2);
	tcase_add_loop_test(tc, reports, 0, 2);
	tcase_add_loop_test(tc, poison, 0, 3);
	tcase_add_test(tc, target);
	tcase_add_test(tc, state);
	tcase_add_test(tc, state_refused);
	tcase_add_loop_test(tc, bad_target, 0, 2);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
