// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fake/driver.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "virtio/console.h"
#include "virtio/mmio.h"
#include "vmm/core/chardev.h"

enum { RX, TX, NUM = 64, LARGE = 1 << 20 };

/* A guest whose console is a pair of pipes; we hold the other ends. */
struct party {
	struct fake_guest g;
	struct chardev *chr;
	int in[2], out[2];
};

static struct party a, b;
static uint8_t got[2 * LARGE];
static size_t ngot;

static void party_init(struct party *p)
{
	struct console_config cfg = { .transport = &virtio_mmio };
	struct fail fail = { 0 };

	fake_guest_init(&p->g);
	ck_assert_int_eq(pipe2(p->in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(p->out, O_CLOEXEC), 0);
	ck_assert_int_eq(fcntl(p->out[0], F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(chardev_create(&p->chr, p->g.loop, p->in[0], p->out[1]), 0);
	cfg.chr = p->chr;
	ck_assert_int_eq(console_create(&p->g.env, &cfg, &p->g.dev, &fail), 0);
}

static void party_fini(struct party *p)
{
	p->g.dev->ops->destroy(p->g.dev);
	p->g.dev = NULL;
	chardev_destroy(p->chr);
	fake_guest_fini(&p->g);
	for (unsigned int i = 0; i < 2; i++) {
		close(p->in[i]);
		close(p->out[i]);
	}
}

static void setup(void)
{
	party_init(&a);
	ngot = 0;
}

static void teardown(void)
{
	party_fini(&a);
}

static void start(uint64_t features)
{
	ck_assert(fake_guest_start(&a.g, features, 2, NUM));
}

static void send(struct party *p, gpa_t addr, uint32_t len)
{
	const struct fake_buf buf = { addr, len, false };

	fake_ring_add(&p->g.rings[TX], &buf, 1);
	fake_guest_kick(&p->g, TX);
}

/* Takes what has come out so far. */
static void collect(struct party *p)
{
	ssize_t n;

	while ((n = read(p->out[0], got + ngot, sizeof(got) - ngot)) > 0)
		ngot += n;
}

static unsigned int used(struct party *p, unsigned int q)
{
	unsigned int n = 0;
	uint32_t id, len;

	while (fake_ring_used(&p->g.rings[q], &id, &len))
		n++;
	return n;
}

static void fill(gpa_t addr, size_t len)
{
	uint8_t *data = fake_ptr(&a.g, addr);

	for (size_t i = 0; i < len; i++)
		data[i] = i % 253;
}

static bool got_pattern(size_t len)
{
	if (ngot != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (got[i] != i % 253)
			return false;
	return true;
}

/* --- output ------------------------------------------------------------------------------------ */

START_TEST(output)
{
	const struct fake_buf bufs[] = { { FAKE_DATA, 5, false },
					 { FAKE_DATA + 0x1000, 8, false } };

	start(~0ULL);
	ck_assert_uint_eq(fake_read(&a.g, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_CONSOLE);
	memcpy(fake_ptr(&a.g, FAKE_DATA), "hello", 5);
	memcpy(fake_ptr(&a.g, FAKE_DATA + 0x1000), ", world\n", 8);
	fake_ring_add(&a.g.rings[TX], bufs, 2);
	fake_guest_kick(&a.g, TX);
	send(&a, FAKE_DATA, 5);
	fake_guest_run(&a.g);
	collect(&a);
	ck_assert_uint_eq(ngot, 18);
	ck_assert_mem_eq(got, "hello, world\nhello", 18);
	ck_assert_uint_eq(used(&a, TX), 2);
}
END_TEST

/* A reader that does not read holds the guest back, byte for byte, and nobody else. */
START_TEST(slow_reader)
{
	unsigned int n;

	start(_i ? ~0ULL : 0);
	fill(FAKE_DATA, LARGE);
	for (unsigned int i = 0; i < 32; i++)
		send(&a, FAKE_DATA + i * (LARGE / 32), LARGE / 32);
	fake_guest_run(&a.g);
	n = used(&a, TX);
	ck_assert_uint_lt(n, 32);
	/* Notifications do not change that. */
	fake_write(&a.g, VIRTIO_MMIO_QUEUE_NOTIFY, TX);
	fake_guest_run(&a.g);
	ck_assert_uint_eq(used(&a, TX), 0);
	while (n < 32) {
		size_t before = ngot;

		collect(&a);
		ck_assert_uint_gt(ngot, before);
		fake_guest_run(&a.g);
		n += used(&a, TX);
	}
	collect(&a);
	fake_guest_run(&a.g);
	collect(&a);
	ck_assert(got_pattern(LARGE));
	/* And on it goes. */
	send(&a, FAKE_DATA, 1);
	fake_guest_run(&a.g);
	ck_assert_uint_eq(used(&a, TX), 1);
}
END_TEST

/* Nobody reads any more: output goes nowhere, at full speed. */
START_TEST(reader_gone)
{
	start(~0ULL);
	signal(SIGPIPE, SIG_IGN); /* as the program does */
	close(a.out[0]);
	a.out[0] = open("/dev/null", O_RDONLY);
	for (unsigned int i = 0; i < 32; i++)
		send(&a, FAKE_DATA, LARGE / 32);
	fake_guest_run(&a.g);
	ck_assert_uint_eq(used(&a, TX), 32);
}
END_TEST

START_TEST(reset_while_blocked)
{
	start(0);
	for (unsigned int i = 0; i < 8; i++)
		send(&a, FAKE_DATA, LARGE / 16);
	fake_guest_run(&a.g);
	start(0);
	memcpy(fake_ptr(&a.g, FAKE_DATA), "after", 5);
	send(&a, FAKE_DATA, 5);
	/* Output may be held back for some milliseconds. */
	for (unsigned int i = 0; i < 100 && (ngot < 5 || memcmp(got + ngot - 5, "after", 5)); i++) {
		loop_poll(a.g.loop, 100);
		collect(&a);
		fake_guest_run(&a.g);
	}
	ck_assert_uint_eq(used(&a, TX), 1);
	/* Whole, although the last chain of before was cut. */
	ck_assert_uint_gt(ngot, 5);
	ck_assert_mem_eq(got + ngot - 5, "after", 5);
}
END_TEST

/* --- input ------------------------------------------------------------------------------------- */

static void post(struct party *p, gpa_t addr, uint32_t len)
{
	const struct fake_buf buf = { addr, len, true };

	fake_ring_add(&p->g.rings[RX], &buf, 1);
	fake_guest_kick(&p->g, RX);
}

START_TEST(input)
{
	uint32_t id, len;

	/* Typed before there is a driver: nothing is lost. */
	ck_assert_int_eq(write(a.in[1], "early", 5), 5);
	fake_guest_run(&a.g);
	start(_i ? ~0ULL : 0);
	fake_guest_run(&a.g);
	post(&a, FAKE_DATA, 3);
	fake_guest_run(&a.g);
	ck_assert(fake_ring_used(&a.g.rings[RX], &id, &len));
	ck_assert_uint_eq(len, 3);
	ck_assert_mem_eq(fake_ptr(&a.g, FAKE_DATA), "ear", 3);
	/* The rest waits for a buffer, and later input for its turn. */
	ck_assert_int_eq(write(a.in[1], "bird", 4), 4);
	fake_guest_run(&a.g);
	ck_assert(!fake_ring_used(&a.g.rings[RX], &id, &len));
	post(&a, FAKE_DATA + 16, 1);
	post(&a, FAKE_DATA + 32, 100);
	post(&a, FAKE_DATA + 48, 100);
	fake_guest_run(&a.g);
	ck_assert_uint_eq(used(&a, RX), 2);
	ck_assert_mem_eq(fake_ptr(&a.g, FAKE_DATA + 16), "l", 2);
	ck_assert_mem_eq(fake_ptr(&a.g, FAKE_DATA + 32), "ybird", 6);
}
END_TEST

START_TEST(much_input)
{
	static uint8_t data[32768];
	size_t done = 0;
	uint32_t id, len;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i % 253;
	start(~0ULL);
	ck_assert_int_eq(write(a.in[1], data, sizeof(data)), sizeof(data));
	while (done < sizeof(data)) {
		post(&a, FAKE_DATA + done, 100);
		ck_assert(fake_guest_wait(&a.g, RX, &id, &len));
		ck_assert_uint_gt(len, 0);
		done += len;
	}
	ck_assert_mem_eq(fake_ptr(&a.g, FAKE_DATA), data, sizeof(data));
}
END_TEST

START_TEST(malformed_input_buffers)
{
	const struct fake_buf wrong = { FAKE_DATA, 16, false };

	start(~0ULL);
	if (_i)
		post(&a, FAKE_DATA, 0);
	else
		fake_ring_add(&a.g.rings[RX], &wrong, 1);
	ck_assert_int_eq(write(a.in[1], "x", 1), 1);
	fake_guest_run(&a.g);
	ck_assert_uint_ne(fake_read(&a.g, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
	/* The byte was not lost with it. */
	start(~0ULL);
	post(&a, FAKE_DATA, 4);
	fake_guest_run(&a.g);
	ck_assert_uint_eq(used(&a, RX), 1);
	ck_assert_mem_eq(fake_ptr(&a.g, FAKE_DATA), "x", 1);
}
END_TEST

/* --- state ------------------------------------------------------------------------------------- */

/* Moved in the middle of a chain: each byte comes out once, here or there. */
START_TEST(state_while_blocked)
{
	struct stream first, second;
	unsigned int n;

	start(~0ULL);
	fill(FAKE_DATA, LARGE);
	for (unsigned int i = 0; i < 4; i++)
		send(&a, FAKE_DATA + i * (LARGE / 4), LARGE / 4);
	fake_guest_run(&a.g);
	n = used(&a, TX);
	ck_assert_uint_lt(n, 4);

	party_init(&b);
	ck_assert_int_eq(fake_guest_move(&a.g, &b.g), 0);
	first = device_saved(a.g.dev);
	second = device_saved(b.g.dev);
	ck_assert_uint_eq(first.len, second.len);
	ck_assert_mem_eq(first.buf, second.buf, first.len);
	stream_close(&first);
	stream_close(&second);

	/* The old side's queue is the machine's to flush; nothing new goes into it. */
	a.g.dev->ops->reset(a.g.dev);
	collect(&a);
	fake_guest_run(&a.g);
	collect(&a);
	for (unsigned int i = 0; i < 100 && n < 4; i++) {
		fake_guest_run(&b.g);
		n += used(&b, TX);
		collect(&b);
	}
	fake_guest_run(&b.g);
	collect(&b);
	ck_assert_uint_eq(n, 4);
	ck_assert(got_pattern(LARGE));
	party_fini(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("virtio_console");
	TCase *tc = tcase_create("console");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, output);
	tcase_add_loop_test(tc, slow_reader, 0, 2);
	tcase_add_test(tc, reader_gone);
	tcase_add_test(tc, reset_while_blocked);
	tcase_add_loop_test(tc, input, 0, 2);
	tcase_add_test(tc, much_input);
	tcase_add_loop_test(tc, malformed_input_buffers, 0, 2);
	tcase_add_test(tc, state_while_blocked);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
