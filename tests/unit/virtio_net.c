// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fake/driver.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "virtio/mmio.h"
#include "virtio/net.h"
#include "virtio/net_backend.h"

enum { RX, TX, NUM = 256, HDR = 12, BIG = 60000 };

enum {
	RUNNING = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
		  VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK,
};

#define ALL_FEATURES (~0ULL)
#define NO_MERGE     (~(1ULL << VIRTIO_NET_F_MRG_RXBUF))

static struct fake_guest g;
static int peer; /* the network, as packets behind a 12-byte header */
static int card;
static struct fail fail;
static uint8_t packet[BIG + HDR], back[BIG + HDR + 64];

static void create(struct fake_guest *guest, int fd)
{
	struct net_config cfg = { .transport = &virtio_mmio };
	char arg[] = "mode=tap,mac=02:15:15:15:15:16";

	ck_assert_int_eq(net_parse(&cfg, arg, &fail), 0);
	cfg.fd = fd;
	ck_assert_msg(!net_create(&guest->env, &cfg, &guest->dev, &fail), "%s", fail.text);
}

static void setup(void)
{
	int pair[2], size = 1 << 20;

	memset(&fail, 0, sizeof(fail));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	peer = pair[0];
	card = pair[1];
	setsockopt(peer, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	for (unsigned int i = 0; i < sizeof(packet); i++)
		packet[i] = i < HDR ? 0 : i % 251;
	fake_guest_init(&g);
	create(&g, card);
}

static void teardown(void)
{
	fake_guest_fini(&g);
	close(peer);
	close(card);
}

static void start(uint64_t features)
{
	ck_assert(fake_guest_start(&g, features, 2, NUM));
}

static uint32_t status(void)
{
	return fake_read(&g, VIRTIO_MMIO_STATUS);
}

/* Posts `n` buffers of `size` bytes from slot `first` on, slots a size apart. */
static void post(unsigned int first, unsigned int n, uint32_t size)
{
	for (unsigned int i = first; i < first + n; i++) {
		const struct fake_buf buf = { FAKE_DATA + i * size, size, true };

		fake_ring_add(&g.rings[RX], &buf, 1);
	}
	fake_guest_kick(&g, RX);
}

static void arrive(size_t len)
{
	ck_assert_int_eq(send(peer, packet, len, 0), len);
}

/* The next received packet in `back`: its length, 0 when there is none. Buffers lie in a row. */
static size_t received(uint32_t size, unsigned int first)
{
	const struct virtio_net_hdr_v1 *hdr;
	size_t total = 0;
	uint32_t id, len;
	unsigned int n;

	fake_guest_run(&g);
	if (!fake_ring_used(&g.rings[RX], &id, &len))
		return 0;
	hdr = fake_ptr(&g, FAKE_DATA + first * size);
	n = hdr->num_buffers;
	ck_assert_uint_gt(n, 0);
	for (unsigned int i = 0;; i++) {
		memcpy(back + total, fake_ptr(&g, FAKE_DATA + (first + i) * size), len);
		total += len;
		if (i + 1 == n)
			break;
		/* Merged buffers are full but for the last, and come together. */
		ck_assert_uint_eq(len, size);
		ck_assert(fake_ring_used(&g.rings[RX], &id, &len));
	}
	memset(back + 10, 0, 2); /* num_buffers, so that packets compare */
	return total;
}

/* --- receive ----------------------------------------------------------------------------------- */

START_TEST(receive)
{
	start(_i ? ALL_FEATURES : NO_MERGE);
	post(0, 4, 2048);
	arrive(HDR + 60);
	arrive(HDR + 1514);
	ck_assert_uint_eq(received(2048, 0), HDR + 60);
	ck_assert_mem_eq(back, packet, HDR + 60);
	ck_assert_uint_eq(received(2048, 1), HDR + 1514);
	ck_assert_mem_eq(back, packet, HDR + 1514);
	ck_assert_uint_eq(received(2048, 2), 0);
	ck_assert_uint_eq(g.irq.pulses, 1);
}
END_TEST

/* Large packets over many buffers: the first by way of the spill, the next straight. */
START_TEST(merged)
{
	start(ALL_FEATURES);
	post(0, 120, 1526);
	for (unsigned int i = 0; i < 2; i++) {
		arrive(sizeof(packet));
		ck_assert_uint_eq(received(1526, i * 40), sizeof(packet));
		ck_assert_mem_eq(back, packet, sizeof(packet));
	}
	/* Small ones after large ones give the rest back. */
	arrive(HDR + 60);
	arrive(HDR + 61);
	ck_assert_uint_eq(received(1526, 80), HDR + 60);
	ck_assert_uint_eq(received(1526, 81), HDR + 61);
	ck_assert_mem_eq(back, packet, HDR + 61);
}
END_TEST

/* Exactly full, one byte more, one less. */
START_TEST(buffer_edges)
{
	start(ALL_FEATURES);
	post(0, 100, 512);
	for (unsigned int i = 0, at = 0; i < 12; i++) {
		size_t len = 512 * (1 + i / 3) - 1 + i % 3;

		arrive(len);
		ck_assert_uint_eq(received(512, at), len);
		ck_assert_mem_eq(back, packet, len);
		at += (len + 511) / 512;
	}
}
END_TEST

/* No buffers: packets wait in the host. */
START_TEST(buffers_later)
{
	start(_i ? ALL_FEATURES : 0);
	arrive(HDR + 100);
	arrive(HDR + 101);
	ck_assert_uint_eq(received(2048, 0), 0);
	post(0, 1, 2048);
	ck_assert_uint_eq(received(2048, 0), HDR + 100);
	ck_assert_uint_eq(received(2048, 1), 0);
	post(1, 1, 2048);
	ck_assert_uint_eq(received(2048, 1), HDR + 101);
}
END_TEST

/* Too few buffers for a packet that was read already: it waits whole, and nothing is lost. */
START_TEST(held_packet)
{
	start(ALL_FEATURES);
	post(0, 3, 512);
	arrive(HDR + 2000);
	arrive(HDR + 60);
	ck_assert_uint_eq(received(512, 0), 0);
	post(3, 1, 512);
	ck_assert_uint_eq(received(512, 0), HDR + 2000);
	ck_assert_mem_eq(back, packet, HDR + 2000);
	post(4, 1, 512);
	ck_assert_uint_eq(received(512, 4), HDR + 60);
	ck_assert_mem_eq(back, packet, HDR + 60);
}
END_TEST

/* What can never fit is dropped, and the next packet comes through. */
START_TEST(too_large)
{
	start(_i ? ALL_FEATURES : NO_MERGE);
	post(0, _i ? NUM : 2, _i ? 64 : 1526);
	arrive(_i ? HDR + 50000 : 1527);
	arrive(HDR + 40);
	ck_assert_uint_eq(received(_i ? 64 : 1526, 0), HDR + 40);
	ck_assert_mem_eq(back, packet, HDR + 40);
}
END_TEST

START_TEST(runt_packets)
{
	start(ALL_FEATURES);
	post(0, 4, 2048);
	for (size_t len = 1; len < HDR; len++)
		arrive(len);
	arrive(HDR);
	ck_assert_uint_eq(received(2048, 0), HDR);
	ck_assert_uint_eq(received(2048, 1), 0);
}
END_TEST

START_TEST(malformed_receive_buffers)
{
	const struct fake_buf output = { FAKE_DATA, 2048, false };

	start(ALL_FEATURES);
	if (_i)
		fake_ring_add(&g.rings[RX], &output, 1);
	else
		post(0, 1, HDR - 1);
	fake_guest_kick(&g, RX);
	arrive(HDR + 60);
	fake_guest_run(&g);
	ck_assert_uint_eq(status(), RUNNING | VIRTIO_CONFIG_S_NEEDS_RESET);
	start(ALL_FEATURES);
	post(0, 1, 2048);
	arrive(HDR + 70);
	ck_assert_uint_ge(received(2048, 0), HDR + 60);
}
END_TEST

/* More packets than a round takes, in few interrupts. */
START_TEST(burst)
{
	size_t total = 0, sent = 0;

	start(ALL_FEATURES);
	post(0, NUM, 2048);
	while (sent < 200 && send(peer, packet, HDR + 100 + sent, 0) > 0)
		sent++;
	ck_assert_uint_gt(sent, 1);
	while (total < sent) {
		ck_assert_uint_eq(received(2048, total), HDR + 100 + total);
		total++;
	}
	ck_assert_uint_lt(g.irq.pulses, sent);
}
END_TEST

/* --- transmit ---------------------------------------------------------------------------------- */

static void transmit(gpa_t addr, uint32_t len)
{
	const struct fake_buf bufs[] = { { addr, HDR, false }, { addr + HDR, len - HDR, false } };

	fake_ring_add(&g.rings[TX], bufs, 2);
	fake_guest_kick(&g, TX);
	fake_guest_run(&g);
}

START_TEST(transmit_packets)
{
	uint32_t id, len;

	start(_i ? ALL_FEATURES : 0);
	memcpy(fake_ptr(&g, FAKE_DATA), packet, sizeof(packet));
	transmit(FAKE_DATA, HDR + 60);
	ck_assert_int_eq(recv(peer, back, sizeof(back), 0), HDR + 60);
	ck_assert_mem_eq(back, packet, HDR + 60);
	transmit(FAKE_DATA, sizeof(packet));
	ck_assert_int_eq(recv(peer, back, sizeof(back), 0), sizeof(packet));
	ck_assert_mem_eq(back, packet, sizeof(packet));
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert(fake_ring_used(&g.rings[TX], &id, &len));
		ck_assert_uint_eq(len, 0);
	}
}
END_TEST

/* Runs the loop for longer than an interrupt may be held back. */
static void wait_for_timers(void)
{
	uint64_t end = loop_now_ns() + 2000000;

	while (loop_now_ns() < end)
		loop_poll(g.loop, 1);
}

/* The interrupt for what was sent comes, if late. */
START_TEST(sent_interrupt)
{
	start(ALL_FEATURES);
	transmit(FAKE_DATA, HDR + 60);
	wait_for_timers();
	ck_assert_uint_eq(g.irq.pulses, 1);
	start(0);
	fake_ring_no_interrupt(&g.rings[TX], true);
	transmit(FAKE_DATA, HDR + 60);
	wait_for_timers();
	ck_assert_uint_eq(g.irq.pulses, 1);
}
END_TEST

/* One for a received packet does for both, since the driver looks at every queue. */
START_TEST(sent_and_received)
{
	const struct fake_buf buf = { FAKE_DATA, HDR + 60, false };

	start(ALL_FEATURES);
	post(4, 4, 2048);
	fake_guest_run(&g);
	fake_ring_add(&g.rings[TX], &buf, 1);
	fake_guest_kick(&g, TX);
	arrive(HDR + 60);
	wait_for_timers();
	ck_assert_uint_eq(received(2048, 4), HDR + 60);
	ck_assert_uint_eq(g.irq.pulses, 1);
}
END_TEST

/* Neither a reset nor the saving of state leaves one behind. */
START_TEST(sent_and_stopped)
{
	struct stream saved;

	start(ALL_FEATURES);
	transmit(FAKE_DATA, HDR + 60);
	if (_i) {
		saved = device_saved(g.dev);
		stream_close(&saved);
		ck_assert_uint_eq(g.irq.pulses, 1);
	} else {
		fake_write(&g, VIRTIO_MMIO_STATUS, 0);
		g.irq.pulses = 0;
	}
	wait_for_timers();
	ck_assert_uint_eq(g.irq.pulses, _i);
}
END_TEST

/* A full network holds the guest back: every packet arrives, in order. */
START_TEST(transmit_blocked)
{
	unsigned int done = 0, arrived = 0;
	uint32_t id, len;

	start(_i ? ALL_FEATURES : 0);
	for (unsigned int i = 0; i < 120; i++) {
		gpa_t at = FAKE_DATA + i * 4096;

		memcpy(fake_ptr(&g, at), packet, 4096);
		*(uint8_t *)fake_ptr(&g, at + HDR) = i;
		transmit(at, 4096);
	}
	while (fake_ring_used(&g.rings[TX], &id, &len))
		done++;
	ck_assert_uint_lt(done, 120);
	while (arrived < 120) {
		ck_assert_int_eq(recv(peer, back, sizeof(back), 0), 4096);
		ck_assert_uint_eq(back[HDR], arrived);
		arrived++;
		fake_guest_run(&g);
	}
	while (fake_ring_used(&g.rings[TX], &id, &len))
		done++;
	ck_assert_uint_eq(done, 120);
}
END_TEST

/* Nobody at the other end: packets are lost, the guest lives. */
START_TEST(network_gone)
{
	uint32_t id, len;

	start(ALL_FEATURES);
	shutdown(peer, SHUT_RDWR);
	close(peer);
	peer = -1;
	transmit(FAKE_DATA, HDR + 60);
	transmit(FAKE_DATA, HDR + 60);
	ck_assert(fake_ring_used(&g.rings[TX], &id, &len));
	ck_assert(fake_ring_used(&g.rings[TX], &id, &len));
	ck_assert_uint_eq(status(), RUNNING);
}
END_TEST

START_TEST(transmit_without_header)
{
	const struct fake_buf buf = { FAKE_DATA, HDR - 1, false };

	start(ALL_FEATURES);
	fake_ring_add(&g.rings[TX], &buf, 1);
	fake_guest_kick(&g, TX);
	fake_guest_run(&g);
	ck_assert_uint_eq(status(), RUNNING | VIRTIO_CONFIG_S_NEEDS_RESET);
}
END_TEST

/* --- the rest ---------------------------------------------------------------------------------- */

START_TEST(config_space)
{
	static const uint8_t mac[] = { 0x02, 0x15, 0x15, 0x15, 0x15, 0x16 };
	uint64_t val;

	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_NET);
	for (unsigned int i = 0; i < 6; i++) {
		bus_read(&g.bus, FAKE_DEV_BASE + VIRTIO_MMIO_CONFIG + i, 1, &val);
		ck_assert_uint_eq(val, mac[i]);
	}
	bus_read(&g.bus, FAKE_DEV_BASE + VIRTIO_MMIO_CONFIG + 6, 2, &val);
	ck_assert_uint_eq(val, VIRTIO_NET_S_LINK_UP);
	/* A socket's peer is not known to compute checksums. */
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_DEVICE_FEATURES) &
				  (1u << VIRTIO_NET_F_CSUM | 1u << VIRTIO_NET_F_GUEST_TSO4),
			  0);
}
END_TEST

START_TEST(random_mac)
{
	struct net_config cfg = {
		.transport = &virtio_mmio, .mode = NET_TAP, .queues = 1, .fd = card
	};
	struct device_env env = g.env;
	struct device *dev;
	uint64_t val;

	env.base += VIRTIO_MMIO_SIZE;
	/* Watching one descriptor twice is no use; a second one of the same socket is. */
	cfg.fd = dup(card);
	ck_assert_int_eq(net_create(&env, &cfg, &dev, &fail), 0);
	bus_read(&g.bus, env.base + VIRTIO_MMIO_CONFIG, 1, &val);
	ck_assert_uint_eq(val & 3, 2);
	dev->ops->destroy(dev);
	/* It was lent. */
	ck_assert_int_eq(close(cfg.fd), 0);
}
END_TEST

START_TEST(state_round_trip)
{
	struct stream first, second;
	struct fake_guest to;
	uint32_t id, len;

	/* Or the target tells its driver to announce itself. */
	start(~(1ULL << VIRTIO_NET_F_GUEST_ANNOUNCE));
	post(0, 4, 2048);
	arrive(HDR + 60);
	ck_assert_uint_eq(received(2048, 0), HDR + 60);
	fake_guest_init(&to);
	create(&to, dup(card));
	ck_assert_int_eq(fake_guest_move(&g, &to), 0);
	first = device_saved(g.dev);
	second = device_saved(to.dev);
	ck_assert_uint_eq(first.len, second.len);
	ck_assert_mem_eq(first.buf, second.buf, first.len);
	stream_close(&first);
	stream_close(&second);
	arrive(HDR + 99);
	fake_guest_run(&to);
	ck_assert(fake_ring_used(&to.rings[RX], &id, &len));
	ck_assert_uint_eq(id, 1);
	ck_assert_uint_eq(len, HDR + 99);
	fake_guest_fini(&to);
}
END_TEST

static const struct {
	const char *arg;
	int ret;
	const char *word; /* of the sentence */
} option_words[] = {
	{ "mode=tap", 0, NULL },
	{ "mode=none", 0, NULL },
	{ "mode=tap,tapif=tap0,guest_mac=02:00:00:00:00:01", 0, NULL },
	{ "mode=tap,fd=3", 0, NULL },
	{ "", -EINVAL, "unknown part" },
	{ "mode=bridge", -EINVAL, "'bridge'" },
	{ "mode", -EINVAL, "mode" },
	{ "mode=tap,script=x", -EINVAL, "'script'" },
	{ "mode=tap,fd=x", -EINVAL, "'x'" },
	{ "mode=tap,fd=-1", -EINVAL, "'-1'" },
	{ "mode=tap,fd=", -EINVAL, "''" },
	{ "mode=tap,fd=99999999999", -EINVAL, "99999999999" },
	{ "mode=tap,fd=3,tapif=tap0", -EINVAL, "exclude" },
	{ "mac=02:00:00:00:00", -EINVAL, "02:00:00:00:00" },
	{ "mac=02:00:00:00:00:0g", -EINVAL, "MAC" },
	{ "mac=02:00:00:00:00:01:02", -EINVAL, "MAC" },
	{ "mac=01:00:00:00:00:01", -EINVAL, "MAC" },
	{ "mac=2:0:0:0:0:1", -EINVAL, "MAC" },
	{ "mac", -EINVAL, "MAC" },
	{ "mode=user", 0, NULL },
	{ "mode=user,fwd=8080:80,fwd=127.0.0.1:5353:53/udp,mtu=9000", 0, NULL },
	{ "mode=user,fwd=[::1]:1:65535/tcp,fwd=fe80::1:22:22", 0, NULL },
	{ "mode=user,fwd=8080", -EINVAL, "fwd=8080 " },
	{ "mode=user,fwd=", -EINVAL, "fwd=8080:80" },
	{ "mode=user,fwd=0:80", -EINVAL, "fwd=0:80 " },
	{ "mode=user,fwd=80:65536", -EINVAL, "fwd=80:65536 " },
	{ "mode=user,fwd=+80:80", -EINVAL, "fwd" },
	{ "mode=user,fwd=80:80/sctp", -EINVAL, "/sctp" },
	{ "mode=user,fwd=localhost:80:80", -EINVAL, "localhost" },
	{ "mode=user,fwd=127.0.0.1:80:", -EINVAL, "fwd" },
	{ "mode=user,fwd=[]:80:80", -EINVAL, "fwd" },
	{ "mode=user,tapif=tap0", -EINVAL, "mode=tap" },
	{ "fwd=80:80", -EINVAL, "mode=user" },
	{ "mode=tap,queues=8", 0, NULL },
	{ "mode=tap,queues=0", -EINVAL, "queues=0 " },
	{ "mode=tap,queues=9", -EINVAL, "1 to 8" },
	{ "mode=tap,fd=3,queues=2", -EINVAL, "one queue" },
	{ "mode=user,queues=2", -EINVAL, "mode=tap" },
	{ "mode=tap,vhost=on,queues=2", 0, NULL },
	{ "mode=tap,vhost=yes", -EINVAL, "vhost=yes " },
	{ "mode=user,vhost=on", -EINVAL, "mode=tap" },
	{ "mode=tap,mtu=67", -EINVAL, "mtu=67 " },
	{ "mode=tap,mtu=65536", -EINVAL, "mtu" },
	{ "mode=tap,mtu", -EINVAL, "mtu" },
	{ "mac=0A:bC:dE:F0:12:34", 0, NULL },
	{ "mac=02-00-00-00-00-01", -EINVAL, "MAC" },
	{ "mac=02:00:00:00:00: 1", -EINVAL, "MAC" },
	{ "mac=02:00:00:00:00:+1", -EINVAL, "MAC" },
};

START_TEST(options)
{
	for (unsigned int i = 0; i < sizeof(option_words) / sizeof(option_words[0]); i++) {
		struct net_config cfg = { .transport = &virtio_mmio };
		struct fail why = { 0 };
		char arg[96];

		strcpy(arg, option_words[i].arg);
		ck_assert_msg(net_parse(&cfg, arg, &why) == option_words[i].ret, "%s",
			      option_words[i].arg);
		ck_assert_ptr_eq(cfg.transport, &virtio_mmio);
		if (option_words[i].word)
			ck_assert_msg(strstr(why.text, option_words[i].word), "%s", why.text);
	}
}
END_TEST

static void refused(int err, const char *word)
{
	ck_assert_int_lt(err, 0);
	ck_assert_msg(strstr(fail.text, word), "%s", fail.text);
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
	memset(&fail, 0, sizeof(fail));
}

/* Opens a tap by name, or by descriptor if that is not -1. */
static int try_tap(const char *name, int fd)
{
	const struct net_config cfg = { .mode = NET_TAP, .queues = 1, .tapif = name, .fd = fd };
	struct net_backend *be = NULL;
	struct device dev = { .name = "card" };
	int err = tap_open(&cfg, &dev, &be, &fail);

	if (!err)
		be->ops->destroy(be);
	return err;
}

START_TEST(bad_taps)
{
	int null = open("/dev/null", O_RDWR), stream[2];

	refused(try_tap("vmm-no-such-tap", -1), "does not exist");
	refused(try_tap("a-name-far-too-long", -1), "15");
	refused(try_tap("", -1), "characters");
	refused(try_tap(NULL, null), "neither");
	refused(try_tap(NULL, 9999), "neither");
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, stream), 0);
	refused(try_tap(NULL, stream[0]), "neither");
	close(stream[0]);
	close(stream[1]);
	close(null);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("virtio_net");
	TCase *tc = tcase_create("net");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, receive, 0, 2);
	tcase_add_test(tc, merged);
	tcase_add_test(tc, buffer_edges);
	tcase_add_loop_test(tc, buffers_later, 0, 2);
	tcase_add_test(tc, held_packet);
	tcase_add_loop_test(tc, too_large, 0, 2);
	tcase_add_test(tc, runt_packets);
	tcase_add_loop_test(tc, malformed_receive_buffers, 0, 2);
	tcase_add_test(tc, burst);
	tcase_add_loop_test(tc, transmit_packets, 0, 2);
	tcase_add_test(tc, sent_interrupt);
	tcase_add_test(tc, sent_and_received);
	tcase_add_loop_test(tc, sent_and_stopped, 0, 2);
	tcase_add_loop_test(tc, transmit_blocked, 0, 2);
	tcase_add_test(tc, network_gone);
	tcase_add_test(tc, transmit_without_header);
	tcase_add_test(tc, config_space);
	tcase_add_test(tc, random_mac);
	tcase_add_test(tc, state_round_trip);
	tcase_add_test(tc, options);
	tcase_add_test(tc, bad_taps);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
