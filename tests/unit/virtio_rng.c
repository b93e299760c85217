// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "tests/fake/driver.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "virtio/mmio.h"
#include "virtio/rng.h"

enum { NUM = 8, REQUEST_MAX = 64 * 1024 };

static struct fake_guest a, b;

/* The host's entropy: it counts up, and fails as often as it is told to. */
static struct {
	unsigned int failures;
	int err;
	uint8_t next;
	unsigned int flags;
	size_t most; /* bytes a call */
} host;

ssize_t getrandom(void *buf, size_t len, unsigned int flags)
{
	host.flags |= flags;
	if (host.failures) {
		host.failures--;
		errno = host.err;
		return -1;
	}
	if (host.most && len > host.most)
		len = host.most;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = ++host.next | 1;
	return len;
}

static void make(struct fake_guest *g)
{
	const struct rng_config cfg = { .transport = &virtio_mmio };
	struct fail fail = { 0 };

	fake_guest_init(g);
	ck_assert_int_eq(rng_create(&g->env, &cfg, &g->dev, &fail), 0);
}

static void setup(void)
{
	memset(&host, 0, sizeof(host));
	make(&a);
}

static void teardown(void)
{
	fake_guest_fini(&a);
}

static void start(void)
{
	ck_assert(fake_guest_start(&a, ~0ULL, 1, NUM));
}

static bool broken(void)
{
	return fake_read(&a, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

static void ask(const struct fake_buf *bufs, unsigned int n)
{
	fake_ring_add(&a.rings[0], bufs, n);
	fake_guest_kick(&a, 0);
	fake_guest_run(&a);
}

static size_t filled(gpa_t addr, size_t len)
{
	const uint8_t *p = fake_ptr(&a, addr);
	size_t n = 0;

	while (n < len && p[n])
		n++;
	return n;
}

START_TEST(fills_buffers)
{
	const struct fake_buf bufs[] = { { FAKE_DATA, 10, true },
					 { FAKE_DATA + 64, 1, true },
					 { FAKE_DATA + 128, 1000, true } };
	uint32_t id, len;

	ck_assert_uint_eq(fake_read(&a, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_RNG);
	host.most = _i ? 7 : 0; /* getrandom() may be short */
	start();
	ask(bufs, 3);
	ck_assert(fake_ring_used(&a.rings[0], &id, &len));
	ck_assert_uint_eq(len, 1011);
	ck_assert_uint_eq(filled(FAKE_DATA, 64), 10);
	ck_assert_uint_eq(filled(FAKE_DATA + 64, 64), 1);
	ck_assert_uint_eq(filled(FAKE_DATA + 128, 2000), 1000);
	ck_assert_uint_eq(host.flags, GRND_NONBLOCK);
}
END_TEST

/* However much is asked for, a request is short; what is not said to be written is not. */
START_TEST(huge_request)
{
	const struct fake_buf bufs[] = { { FAKE_DATA, 1 << 20, true },
					 { FAKE_DATA + (1 << 20), 1 << 20, true } };
	uint32_t id, len;

	start();
	ask(bufs, 2);
	ck_assert(fake_ring_used(&a.rings[0], &id, &len));
	ck_assert_uint_eq(len, REQUEST_MAX);
	ck_assert_uint_eq(filled(FAKE_DATA, 1 << 20), REQUEST_MAX);
}
END_TEST

START_TEST(malformed)
{
	const struct fake_buf wrong[] = { { FAKE_DATA, 16, false },
					  { FAKE_DATA, 16, true },
					  { FAKE_DATA, 0, true } };

	start();
	ask(_i == 2 ? wrong + 2 : wrong, _i == 1 ? 2 : 1);
	ck_assert(broken());
	ck_assert_uint_eq(filled(FAKE_DATA, 16), 0);
	start();
	ask(wrong + 1, 1);
	ck_assert(!broken());
	ck_assert_uint_eq(filled(FAKE_DATA, 32), 16);
}
END_TEST

/* A host without entropy: the request waits, the loop does not, and a reset ends the wait. */
START_TEST(no_entropy)
{
	const struct fake_buf buf = { FAKE_DATA, 16, true };
	uint32_t id, len;

	start();
	host.err = _i ? ENOSYS : EAGAIN;
	host.failures = 3;
	ask(&buf, 1);
	ck_assert(!fake_ring_used(&a.rings[0], &id, &len));
	ck_assert(fake_guest_wait(&a, 0, &id, &len));
	ck_assert_uint_eq(len, 16);
	ck_assert_uint_eq(host.failures, 0);
	host.failures = UINT32_MAX;
	ask(&buf, 1);
	memset(fake_ptr(&a, FAKE_DATA), 0, 16);
	fake_write(&a, VIRTIO_MMIO_STATUS, 0);
	host.failures = 0;
	ck_assert(!loop_poll(a.loop, 200));
	ck_assert_uint_eq(filled(FAKE_DATA, 16), 0);
}
END_TEST

START_TEST(interrupted)
{
	const struct fake_buf buf = { FAKE_DATA, 16, true };
	uint32_t id, len;

	start();
	host.err = EINTR;
	host.failures = 2;
	ask(&buf, 1);
	ck_assert(fake_ring_used(&a.rings[0], &id, &len));
	ck_assert_uint_eq(len, 16);
}
END_TEST

/* Moved while a request waits: it is served there. */
START_TEST(state)
{
	const struct fake_buf buf = { FAKE_DATA, 16, true };
	struct stream first, second;
	uint32_t id, len;

	start();
	host.err = EAGAIN;
	host.failures = 1;
	ask(&buf, 1);
	make(&b);
	ck_assert_int_eq(fake_guest_move(&a, &b), 0);
	first = device_saved(a.dev);
	second = device_saved(b.dev);
	ck_assert_uint_eq(first.len, second.len);
	ck_assert_mem_eq(first.buf, second.buf, first.len);
	for (size_t cut = 0; cut < first.len; cut++)
		ck_assert_int_lt(device_load(a.dev, first.buf, cut), 0);
	stream_close(&first);
	stream_close(&second);
	ck_assert(fake_guest_wait(&b, 0, &id, &len));
	ck_assert_uint_eq(len, 16);
	fake_guest_fini(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("virtio_rng");
	TCase *tc = tcase_create("rng");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, fills_buffers, 0, 2);
	tcase_add_test(tc, huge_request);
	tcase_add_loop_test(tc, malformed, 0, 3);
	tcase_add_loop_test(tc, no_entropy, 0, 2);
	tcase_add_test(tc, interrupted);
	tcase_add_test(tc, state);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
