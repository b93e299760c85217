// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_console.h>
#include <linux/virtio_mmio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fake/driver.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "virtio/console.h"
#include "virtio/mmio.h"
#include "vmm/core/chardev.h"

/* Port 1 is named "log", port 2 is a console named "con.2". */
enum { CTL_RX = 2, CTL_TX, RX1, TX1, RX2, TX2, QUEUES, NUM = 64, PORTS = 2 };

struct party {
	struct fake_guest g;
	struct chardev *chr[PORTS];
	struct chardev_owner owner;
	int host[PORTS][2]; /* the device's end, and ours */
};

static struct party a, b;
static gpa_t scratch; /* where the next control message goes */

static void nobody_left(struct chardev_owner *owner, int err)
{
	(void)owner;
	(void)err;
}

static void party_init(struct party *p)
{
	struct console_port ports[PORTS] = { { "log", false, NULL }, { "con.2", true, NULL } };
	const struct console_config cfg = { .transport = &virtio_mmio,
					    .ports = ports,
					    .nports = PORTS };
	struct fail fail = { 0 };

	fake_guest_init(&p->g);
	p->owner = (struct chardev_owner){ nobody_left, 1000000000 };
	for (unsigned int i = 0; i < PORTS; i++) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
					    p->host[i]),
				 0);
		ck_assert_int_eq(chardev_create(&p->chr[i], p->g.loop, -1, -1), 0);
		chardev_own(p->chr[i], &p->owner);
		ports[i].chr = p->chr[i];
	}
	ck_assert_int_eq(console_create(&p->g.env, &cfg, &p->g.dev, &fail), 0);
}

static void party_fini(struct party *p)
{
	p->g.dev->ops->destroy(p->g.dev);
	p->g.dev = NULL;
	for (unsigned int i = 0; i < PORTS; i++) {
		chardev_destroy(p->chr[i]);
		close(p->host[i][0]);
		close(p->host[i][1]);
	}
	fake_guest_fini(&p->g);
}

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	scratch = FAKE_DATA + 0x80000;
	party_init(&a);
}

static void teardown(void)
{
	party_fini(&a);
}

static bool broken(void)
{
	return fake_read(&a.g, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

static void attach(unsigned int i)
{
	pthread_mutex_lock(&a.g.dev->lock);
	ck_assert_int_eq(chardev_attach(a.chr[i], a.host[i][0], a.host[i][0]), 0);
	pthread_mutex_unlock(&a.g.dev->lock);
}

static void detach(unsigned int i)
{
	pthread_mutex_lock(&a.g.dev->lock);
	chardev_detach(a.chr[i]);
	pthread_mutex_unlock(&a.g.dev->lock);
}

static void post(struct party *p, unsigned int q, gpa_t addr, uint32_t len, bool in)
{
	const struct fake_buf buf = { addr, len, in };

	fake_ring_add(&p->g.rings[q], &buf, 1);
	fake_guest_kick(&p->g, q);
	fake_guest_run(&p->g);
}

static bool used(struct party *p, unsigned int q, uint32_t *len)
{
	uint32_t id;

	return fake_ring_used(&p->g.rings[q], &id, len);
}

/* The driver says something. */
static void tell(struct party *p, uint32_t id, uint16_t event, uint16_t value)
{
	const struct virtio_console_control msg = { id, event, value };
	uint32_t len;

	memcpy(fake_ptr(&p->g, scratch), &msg, sizeof(msg));
	post(p, CTL_TX, scratch, sizeof(msg), false);
	scratch += 64;
	ck_assert(used(p, CTL_TX, &len));
	ck_assert_uint_eq(len, 0);
}

/* Gives the device one buffer for a message, and expects one; `text` is what is behind it. */
static void expect_message(struct party *p, uint32_t id, uint16_t event, uint16_t value,
			   const char *text)
{
	struct virtio_console_control msg;
	uint32_t len;

	post(p, CTL_RX, scratch, 128, true);
	ck_assert(used(p, CTL_RX, &len));
	memcpy(&msg, fake_ptr(&p->g, scratch), sizeof(msg));
	ck_assert_uint_eq(msg.id, id);
	ck_assert_uint_eq(msg.event, event);
	ck_assert_uint_eq(msg.value, value);
	ck_assert_uint_eq(len, sizeof(msg) + strlen(text));
	ck_assert_mem_eq(fake_ptr(&p->g, scratch + sizeof(msg)), text, strlen(text));
	scratch += 128;
}

/* Nothing more to hear: the buffer stays with the device, for the next message. */
static void expect_silence(struct party *p)
{
	uint32_t len;

	post(p, CTL_RX, scratch, 128, true);
	ck_assert(!used(p, CTL_RX, &len));
	scratch += 128;
}

static void start(void)
{
	ck_assert(fake_guest_start(&a.g, ~0ULL, QUEUES, NUM));
}

static void handshake(void)
{
	start();
	tell(&a, 0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	expect_message(&a, 1, VIRTIO_CONSOLE_PORT_ADD, 1, "");
	expect_message(&a, 2, VIRTIO_CONSOLE_PORT_ADD, 1, "");
	tell(&a, 1, VIRTIO_CONSOLE_PORT_READY, 1);
	expect_message(&a, 1, VIRTIO_CONSOLE_PORT_NAME, 1, "log");
	tell(&a, 2, VIRTIO_CONSOLE_PORT_READY, 1);
	expect_message(&a, 2, VIRTIO_CONSOLE_CONSOLE_PORT, 1, "");
	expect_message(&a, 2, VIRTIO_CONSOLE_PORT_NAME, 1, "con.2");
}

START_TEST(ports_are_introduced)
{
	ck_assert_uint_eq(fake_read(&a.g, VIRTIO_MMIO_CONFIG + 4), 1 + PORTS);
	attach(0);
	start();
	tell(&a, 0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	expect_message(&a, 1, VIRTIO_CONSOLE_PORT_ADD, 1, "");
	expect_message(&a, 2, VIRTIO_CONSOLE_PORT_ADD, 1, "");
	tell(&a, 1, VIRTIO_CONSOLE_PORT_READY, 1);
	expect_message(&a, 1, VIRTIO_CONSOLE_PORT_NAME, 1, "log");
	expect_message(&a, 1, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
	expect_silence(&a);
	ck_assert(!broken());
}
END_TEST

/* Comings and goings are told as they are when the driver has a buffer, not one by one. */
START_TEST(attached_and_detached)
{
	uint32_t len;

	handshake();
	expect_silence(&a);
	attach(1);
	fake_guest_run(&a.g);
	ck_assert(used(&a, CTL_RX, &len));
	for (unsigned int i = 0; i < 50; i++) {
		detach(1);
		fake_guest_run(&a.g);
		attach(1);
		fake_guest_run(&a.g);
	}
	detach(1);
	fake_guest_run(&a.g);
	expect_message(&a, 2, VIRTIO_CONSOLE_PORT_OPEN, 0, "");
	expect_silence(&a);
}
END_TEST

START_TEST(bytes_both_ways)
{
	uint32_t len;
	char got[64];

	handshake();
	attach(0);
	attach(1);
	memcpy(fake_ptr(&a.g, FAKE_DATA), "one", 3);
	memcpy(fake_ptr(&a.g, FAKE_DATA + 64), "two", 3);
	post(&a, TX1, FAKE_DATA, 3, false);
	post(&a, TX2, FAKE_DATA + 64, 3, false);
	ck_assert(used(&a, TX1, &len) && used(&a, TX2, &len));
	ck_assert_int_eq(read(a.host[0][1], got, sizeof(got)), 3);
	ck_assert_mem_eq(got, "one", 3);
	ck_assert_int_eq(read(a.host[1][1], got, sizeof(got)), 3);
	ck_assert_mem_eq(got, "two", 3);
	/* Input waits until the guest has opened the port. */
	ck_assert_int_eq(write(a.host[0][1], "early", 5), 5);
	post(&a, RX1, FAKE_DATA, 64, true);
	ck_assert(!used(&a, RX1, &len));
	tell(&a, 1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	ck_assert(used(&a, RX1, &len));
	ck_assert_uint_eq(len, 5);
	ck_assert_mem_eq(fake_ptr(&a.g, FAKE_DATA), "early", 5);
	tell(&a, 1, VIRTIO_CONSOLE_PORT_OPEN, 0);
	ck_assert_int_eq(write(a.host[0][1], "late", 4), 4);
	post(&a, RX1, FAKE_DATA, 64, true);
	ck_assert(!used(&a, RX1, &len));
	/* Port 0 is not there: what is sent to it goes nowhere. */
	post(&a, 1, FAKE_DATA, 64, false);
	ck_assert(used(&a, 1, &len));
	post(&a, 0, FAKE_DATA, 64, true);
	ck_assert(!used(&a, 0, &len));
	ck_assert(!broken());
}
END_TEST

/* One port's slow reader does not stop the other. */
START_TEST(slow_reader)
{
	uint32_t len;
	unsigned int n = 0;
	char got[64];

	handshake();
	attach(0);
	attach(1);
	for (unsigned int i = 0; i < 32; i++)
		post(&a, TX1, FAKE_DATA, 1 << 16, false);
	while (used(&a, TX1, &len))
		n++;
	ck_assert_uint_lt(n, 32);
	post(&a, TX2, FAKE_DATA, 3, false);
	ck_assert(used(&a, TX2, &len));
	fake_guest_run(&a.g);
	ck_assert_int_eq(read(a.host[1][1], got, sizeof(got)), 3);
	/* Who leaves takes the wait along. */
	detach(0);
	fake_guest_run(&a.g);
	while (used(&a, TX1, &len))
		n++;
	ck_assert_uint_eq(n, 32);
}
END_TEST

START_TEST(reset_forgets)
{
	uint32_t len;

	handshake();
	attach(0);
	tell(&a, 1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	start();
	ck_assert_int_eq(write(a.host[0][1], "x", 1), 1);
	expect_silence(&a);
	post(&a, RX1, FAKE_DATA, 64, true);
	ck_assert(!used(&a, RX1, &len));
	tell(&a, 0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	ck_assert(used(&a, CTL_RX, &len));
	/* A driver that goes away, without a reset. */
	tell(&a, 0, VIRTIO_CONSOLE_DEVICE_READY, 0);
	expect_silence(&a);
	ck_assert(!broken());
}
END_TEST

START_TEST(odd_messages)
{
	handshake();
	tell(&a, 0, VIRTIO_CONSOLE_PORT_READY, 1);
	tell(&a, 0, VIRTIO_CONSOLE_PORT_OPEN, 1);
	tell(&a, 3, VIRTIO_CONSOLE_PORT_OPEN, 1);
	tell(&a, UINT32_MAX, VIRTIO_CONSOLE_PORT_READY, 1);
	tell(&a, 1, VIRTIO_CONSOLE_PORT_ADD, 1);
	tell(&a, 1, 999, 1);
	expect_silence(&a);
	ck_assert(!broken());
}
END_TEST

/* Buffers that are no place for a message, or none. */
START_TEST(malformed)
{
	handshake();
	switch (_i) {
	case 0: /* too short a message */
		post(&a, CTL_TX, FAKE_DATA, 7, false);
		break;
	case 1: /* the wrong direction */
		post(&a, CTL_TX, FAKE_DATA, 8, true);
		break;
	case 2: /* too small a buffer */
		tell(&a, 1, VIRTIO_CONSOLE_PORT_READY, 1);
		post(&a, CTL_RX, FAKE_DATA, 10, true);
		break;
	case 3: /* the wrong direction */
		tell(&a, 1, VIRTIO_CONSOLE_PORT_READY, 1);
		post(&a, CTL_RX, FAKE_DATA, 64, false);
		break;
	}
	ck_assert(broken());
	handshake();
	ck_assert(!broken());
}
END_TEST

/* A driver that knows of one port only. */
START_TEST(without_multiport)
{
	const struct virtio_console_control msg = { 0, VIRTIO_CONSOLE_DEVICE_READY, 1 };
	uint32_t len;

	ck_assert(fake_guest_start(&a.g, ~(1ULL << VIRTIO_CONSOLE_F_MULTIPORT), QUEUES, NUM));
	memcpy(fake_ptr(&a.g, FAKE_DATA), &msg, sizeof(msg));
	post(&a, CTL_TX, FAKE_DATA, sizeof(msg), false);
	post(&a, CTL_RX, FAKE_DATA, 64, true);
	ck_assert(!used(&a, CTL_RX, &len));
	ck_assert(!broken());
}
END_TEST

/* Moved between two messages: the rest comes there, and who is there is told anew. */
START_TEST(state)
{
	struct stream first, second;
	unsigned int whole = 0;
	uint32_t len;

	start();
	attach(0);
	tell(&a, 0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	expect_message(&a, 1, VIRTIO_CONSOLE_PORT_ADD, 1, "");
	tell(&a, 1, VIRTIO_CONSOLE_PORT_READY, 1);
	tell(&a, 1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	party_init(&b);
	ck_assert_int_eq(fake_guest_move(&a.g, &b.g), 0);
	first = device_saved(a.g.dev);
	second = device_saved(b.g.dev);
	ck_assert_uint_eq(first.len, second.len);
	ck_assert_mem_eq(first.buf, second.buf, first.len);
	/* Only one without the optional record at its end is whole. */
	for (size_t cut = 0; cut < first.len; cut++)
		whole += !device_load(a.g.dev, first.buf, cut);
	ck_assert_uint_eq(whole, 1);
	stream_close(&first);
	stream_close(&second);
	expect_message(&b, 1, VIRTIO_CONSOLE_PORT_NAME, 1, "log");
	expect_message(&b, 1, VIRTIO_CONSOLE_PORT_OPEN, 0, "");
	expect_message(&b, 2, VIRTIO_CONSOLE_PORT_ADD, 1, "");
	expect_silence(&b);
	/* Open, as it was. */
	ck_assert_int_eq(chardev_attach(b.chr[0], b.host[0][0], b.host[0][0]), 0);
	ck_assert_int_eq(write(b.host[0][1], "x", 1), 1);
	post(&b, RX1, FAKE_DATA, 64, true);
	ck_assert(used(&b, RX1, &len));
	party_fini(&b);
}
END_TEST

/* Moved to where the end of a port is as it was, or is not: only then there is something to say. */
START_TEST(told_what_changes)
{
	handshake();
	attach(0);
	expect_message(&a, 1, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
	party_init(&b);
	if (_i == 0)
		ck_assert_int_eq(chardev_attach(b.chr[0], b.host[0][0], b.host[0][0]), 0);
	ck_assert_int_eq(fake_guest_move(&a.g, &b.g), 0);
	if (_i == 1)
		expect_message(&b, 1, VIRTIO_CONSOLE_PORT_OPEN, 0, "");
	expect_silence(&b);
	party_fini(&b);
}
END_TEST

/* --- a single console -------------------------------------------------------------------------- */

static void single(struct fake_guest *g, struct chardev **chr, int *fds)
{
	struct console_config cfg = { .transport = &virtio_mmio };
	struct fail fail = { 0 };

	fake_guest_init(g);
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(chardev_create(chr, g->loop, -1, fds[1]), 0);
	cfg.chr = *chr;
	ck_assert_int_eq(console_create(&g->env, &cfg, &g->dev, &fail), 0);
}

START_TEST(size_and_emergency)
{
	struct fake_guest *g = &b.g;
	struct chardev *chr;
	uint32_t generation;
	char got[8];
	int fds[2];

	single(g, &chr, fds);
	/* Before any driver; a byte, however it is written. */
	fake_write(g, VIRTIO_MMIO_CONFIG + 8, 'a' | 0x4200);
	ck_assert_int_eq(bus_write(&g->bus, FAKE_DEV_BASE + VIRTIO_MMIO_CONFIG + 8, 1, 'b'), 0);
	fake_write(g, VIRTIO_MMIO_CONFIG, 0xffffffff);
	fake_guest_run(g);
	chardev_flush(chr, -1);
	ck_assert_int_eq(read(fds[0], got, sizeof(got)), 2);
	ck_assert_mem_eq(got, "ab", 2);
	ck_assert_uint_eq(fake_read(g, VIRTIO_MMIO_CONFIG), 0);
	ck_assert_uint_eq(fake_read(g, VIRTIO_MMIO_CONFIG + 8), 0);

	ck_assert(fake_guest_start(g, ~0ULL, 2, NUM));
	generation = fake_read(g, VIRTIO_MMIO_CONFIG_GENERATION);
	console_resize(g->dev, 132, 50);
	ck_assert_uint_eq(fake_read(g, VIRTIO_MMIO_CONFIG), 50 << 16 | 132);
	ck_assert_uint_ne(fake_read(g, VIRTIO_MMIO_CONFIG_GENERATION), generation);
	ck_assert_uint_eq(g->irq.pulses, 1);
	console_resize(g->dev, 132, 50);
	ck_assert_uint_eq(g->irq.pulses, 1);
	g->dev->ops->destroy(g->dev);
	g->dev = NULL;
	chardev_destroy(chr);
	fake_guest_fini(g);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("virtio_ports");
	TCase *tc = tcase_create("ports");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, ports_are_introduced);
	tcase_add_test(tc, attached_and_detached);
	tcase_add_test(tc, bytes_both_ways);
	tcase_add_test(tc, slow_reader);
	tcase_add_test(tc, reset_forgets);
	tcase_add_test(tc, odd_messages);
	tcase_add_loop_test(tc, malformed, 0, 4);
	tcase_add_test(tc, without_multiport);
	tcase_add_test(tc, state);
	tcase_add_loop_test(tc, told_what_changes, 0, 2);
	tcase_add_test(tc, size_and_emergency);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
