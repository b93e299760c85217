// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <libgen.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_net.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fake/driver.h"
#include "tests/fake/suite.h"
#include "virtio/mmio.h"
#include "virtio/net.h"
#include "virtio/net_backend.h"

/*
 * The card over passt, which is this program itself under that name: the first port that is
 * forwarded tells it what to do.
 */
enum peer {
	ECHO = 1, /* sends each frame back */
	DRIBBLE, /* the same, a byte at a time */
	REFUSE, /* does not start */
	VANISH, /* ends with status 3 at the second frame */
	DIE, /* is killed at the second frame */
	HUGE_FRAME, /* announces a frame that is too long */
	EMPTY_FRAME, /* one of no bytes */
	DEAF, /* never reads again */
	STUBBORN, /* does not end by itself, nor by SIGTERM */
	TELL, /* sends its arguments, a frame each */
};

enum { RX, TX, NUM = 256, HDR = 12, BIG = 65000, SLOT = 2048 };

/* --- the peer ---------------------------------------------------------------------------------- */

static void get(int fd, void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = read(fd, (char *)buf + done, len - done);

		if (n <= 0)
			_exit(0);
		done += n;
	}
}

static void put(int fd, const void *buf, size_t len, size_t step)
{
	for (size_t done = 0; done < len;) {
		ssize_t n =
			write(fd, (const char *)buf + done, len - done < step ? len - done : step);

		if (n <= 0)
			_exit(0);
		done += n;
	}
}

/* Reads a frame, its length before it: the whole size. */
static size_t get_frame(int fd, uint8_t *frame)
{
	uint32_t len;

	get(fd, frame, 4);
	len = (uint32_t)frame[0] << 24 | frame[1] << 16 | frame[2] << 8 | frame[3];
	get(fd, frame + 4, len);
	return 4 + len;
}

static void put_frame(int fd, const void *data, uint32_t len)
{
	const uint8_t prefix[] = { len >> 24, len >> 16, len >> 8, len };

	put(fd, prefix, 4, 4);
	put(fd, data, len, len);
}

static void act(enum peer peer, int fd, char **argv, const uint8_t *frame, size_t size)
{
	switch (peer) {
	case ECHO:
		put(fd, frame, size, size);
		break;
	case DRIBBLE:
		put(fd, frame, size, 1);
		break;
	case VANISH:
		fprintf(stderr, "first line\nwhat went wrong\n");
		_exit(3);
	case DIE:
		raise(SIGKILL);
		break;
	case HUGE_FRAME:
		put(fd, "\0\x01\x01\0xyz", 7, 7);
		break;
	case EMPTY_FRAME:
		put(fd, "\0\0\0\0", 4, 4);
		break;
	case DEAF:
	case STUBBORN:
		for (;;)
			pause();
	case TELL:
		for (; *argv; argv++)
			put_frame(fd, *argv, strlen(*argv));
		break;
	case REFUSE:
		break;
	}
}

static int fake_passt(char **argv)
{
	static uint8_t frame[1 << 17];
	enum peer peer = 0;
	size_t size;
	int fd = -1;

	for (char **arg = argv + 1; *arg; arg++) {
		if (!strcmp(*arg, "--fd"))
			fd = atoi(arg[1]);
		if (!peer && !strcmp(*arg, "--tcp-ports"))
			peer = atoi(arg[1]);
	}
	if (peer == REFUSE) {
		fprintf(stderr, "chatter\nFailed to bind port 3: Address already in use\n");
		_exit(1);
	}
	if (peer == STUBBORN)
		signal(SIGTERM, SIG_IGN);
	/* The question whether it is there, in two parts. */
	get_frame(fd, frame);
	get_frame(fd, frame);
	put_frame(fd, "answer", 6);
	for (;;) {
		size = get_frame(fd, frame);
		act(peer, fd, argv, frame, size);
	}
}

/* --- the card ---------------------------------------------------------------------------------- */

static struct fake_guest g;
static struct fail fail;
static char dir[32], path[64];
static uint8_t packet[BIG + HDR];

static void setup(void)
{
	static char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	ck_assert_int_gt(n, 0);
	exe[n] = 0;
	strcpy(dir, "/tmp/vmm-passt-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/passt", dir);
	ck_assert_int_eq(symlink(exe, path), 0);
	setenv("PATH", dir, 1);
	for (unsigned int i = 0; i < sizeof(packet); i++)
		packet[i] = i < HDR ? 0 : i % 251;
	memset(&fail, 0, sizeof(fail));
	fake_guest_init(&g);
}

static void teardown(void)
{
	fake_guest_fini(&g);
	unlink(path);
	rmdir(dir);
	/* Whatever it did, it is gone and waited for. */
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}

static int create(const char *words)
{
	struct net_config cfg = { .transport = &virtio_mmio };
	static char arg[128];

	snprintf(arg, sizeof(arg), "mode=user,mac=02:15:15:15:15:16%s", words);
	ck_assert_msg(!net_parse(&cfg, arg, &fail), "%s", fail.text);
	return net_create(&g.env, &cfg, &g.dev, &fail);
}

/* The card as the peer sees it, started, with buffers, and the peer's answer taken. */
static void start(enum peer peer)
{
	char words[16];
	uint32_t id, len;

	snprintf(words, sizeof(words), ",fwd=%d:1", peer);
	ck_assert_msg(!create(words), "%s", fail.text);
	ck_assert(fake_guest_start(&g, ~0ULL, 2, NUM));
	for (unsigned int i = 0; i < NUM; i++) {
		const struct fake_buf buf = { FAKE_DATA + i * SLOT, SLOT, true };

		fake_ring_add(&g.rings[RX], &buf, 1);
	}
	fake_guest_kick(&g, RX);
	ck_assert(fake_guest_wait(&g, RX, &id, &len));
	ck_assert_uint_eq(len, HDR + 6);
	ck_assert_mem_eq((char *)fake_ptr(&g, FAKE_DATA) + HDR, "answer", 6);
}

static void transmit(uint32_t len)
{
	const gpa_t at = FAKE_DATA + NUM * SLOT;
	const struct fake_buf bufs[] = { { at, HDR, false }, { at + HDR, len - HDR, false } };

	memcpy(fake_ptr(&g, at), packet, len);
	fake_ring_add(&g.rings[TX], bufs, 2);
	fake_guest_kick(&g, TX);
}

/* Waits for one packet from slot `first` on and compares: the next slot. */
static unsigned int expect(unsigned int first, uint32_t size)
{
	unsigned int n = (size + SLOT - 1) / SLOT;
	uint32_t id, len, total = 0;

	for (unsigned int i = 0; i < n; i++) {
		const uint8_t *buf = fake_ptr(&g, FAKE_DATA + (first + i) * SLOT);
		unsigned int skip = i ? 0 : HDR;

		ck_assert(fake_guest_wait(&g, RX, &id, &len));
		if (!i)
			ck_assert_uint_eq(((const struct virtio_net_hdr_v1 *)buf)->num_buffers, n);
		ck_assert_mem_eq(buf + skip, packet + total + skip, len - skip);
		total += len;
	}
	ck_assert_uint_eq(total, size);
	return first + n;
}

static bool link_up(void)
{
	uint64_t val;

	bus_read(&g.bus, FAKE_DEV_BASE + VIRTIO_MMIO_CONFIG + 6, 2, &val);
	return val & VIRTIO_NET_S_LINK_UP;
}

static void wait_link_down(void)
{
	uint64_t end = loop_now_ns() + 10000000000;

	while (link_up() && loop_now_ns() < end)
		loop_poll(g.loop, 100);
	ck_assert(!link_up());
}

START_TEST(frames)
{
	static const uint32_t sizes[] = { HDR + 1, HDR + 60, HDR + 1514, HDR + 9000, BIG };
	unsigned int slot = 1;

	start(_i ? DRIBBLE : ECHO);
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		transmit(sizes[i]);
		slot = expect(slot, sizes[i]);
	}
	ck_assert(link_up());
}
END_TEST

/* Many at once: in order, and in few interrupts. */
START_TEST(burst)
{
	unsigned int slot = 1;

	start(ECHO);
	for (unsigned int i = 0; i < 120; i++)
		transmit(HDR + 100 + i % 7);
	for (unsigned int i = 0; i < 120; i++)
		slot = expect(slot, HDR + 100 + i % 7);
}
END_TEST

/* No frame at all, or too much for one: lost, and the stream stays whole. */
START_TEST(no_frames)
{
	const gpa_t at = FAKE_DATA + NUM * SLOT;
	const struct fake_buf empty = { at, HDR, false };
	const struct fake_buf huge[] = { { at, BIG, false }, { at, BIG, false } };

	start(ECHO);
	fake_ring_add(&g.rings[TX], &empty, 1);
	fake_ring_add(&g.rings[TX], huge, 2);
	transmit(HDR + 77);
	expect(1, HDR + 77);
}
END_TEST

START_TEST(arguments)
{
	static const char *const want[] = { "passt",	   "--foreground", "--quiet",
					    "--no-map-gw", "--fd",	   "3",
					    "--mtu",	   "1400",	   "--tcp-ports",
					    "10:1",	   "--udp-ports",  "127.0.0.1/5353:53",
					    "--tcp-ports", "::1/22:23" };
	uint32_t id, len;

	ck_assert_int_eq(create(",fwd=10:1,fwd=127.0.0.1:5353:53/udp,fwd=[::1]:22:23,mtu=1400"), 0);
	ck_assert(fake_guest_start(&g, ~0ULL, 2, NUM));
	for (unsigned int i = 0; i < 20; i++) {
		const struct fake_buf buf = { FAKE_DATA + i * SLOT, SLOT, true };

		fake_ring_add(&g.rings[RX], &buf, 1);
	}
	fake_guest_kick(&g, RX);
	transmit(HDR + 60);
	ck_assert(fake_guest_wait(&g, RX, &id, &len));
	for (unsigned int i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		ck_assert(fake_guest_wait(&g, RX, &id, &len));
		ck_assert_uint_eq(len, HDR + strlen(want[i]));
		ck_assert_mem_eq((char *)fake_ptr(&g, FAKE_DATA + id * SLOT) + HDR, want[i],
				 strlen(want[i]));
	}
}
END_TEST

/* --- what goes wrong --------------------------------------------------------------------------- */

START_TEST(missing)
{
	unlink(path);
	ck_assert_int_eq(create(""), -ENOENT);
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
	ck_assert_msg(strstr(fail.text, "apt-get install passt"), "%s", fail.text);
	g.dev = NULL;
}
END_TEST

START_TEST(refused)
{
	ck_assert_int_lt(create(",fwd=3:1"), 0);
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
	ck_assert_msg(strstr(fail.text, "status 1: Failed to bind port 3"), "%s", fail.text);
	g.dev = NULL;
}
END_TEST

/* It ends, is killed, or sends what is no frame: the guest's link goes down, and it lives on. */
START_TEST(peer_lost)
{
	static const enum peer peers[] = { VANISH, DIE, HUGE_FRAME, EMPTY_FRAME };
	uint32_t id, len, isr;

	start(peers[_i]);
	g.irq.pulses = 0;
	transmit(HDR + 60);
	wait_link_down();
	isr = fake_read(&g, VIRTIO_MMIO_INTERRUPT_STATUS);
	ck_assert(isr & VIRTIO_ISR_CONFIG);
	ck_assert_uint_gt(g.irq.pulses, 0);
	ck_assert(fake_guest_wait(&g, TX, &id, &len));
	/* What is sent now is lost. */
	transmit(HDR + 60);
	transmit(HDR + 60);
	ck_assert(fake_guest_wait(&g, TX, &id, &len));
	ck_assert(fake_guest_wait(&g, TX, &id, &len));
	ck_assert_uint_eq(fake_read(&g, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
	/* A link that is down stays down over a reset. */
	ck_assert(fake_guest_start(&g, ~0ULL, 2, NUM));
	ck_assert(!link_up());
}
END_TEST

/* A peer that does not read holds the guest back, and its end lets go. */
START_TEST(blocked)
{
	unsigned int sent, done = 0;
	uint32_t id, len;

	start(DEAF);
	for (sent = 0; sent < 60; sent++) {
		transmit(HDR + 30000);
		fake_guest_run(&g);
	}
	while (fake_ring_used(&g.rings[TX], &id, &len))
		done++;
	ck_assert_uint_gt(done, 0);
	ck_assert_uint_lt(done, sent);
	fake_write(&g, VIRTIO_MMIO_STATUS, 0);
	ck_assert(fake_guest_start(&g, ~0ULL, 2, NUM));
	transmit(HDR + 60);
	fake_guest_run(&g);
	ck_assert(link_up());
}
END_TEST

START_TEST(stubborn)
{
	start(STUBBORN);
	transmit(HDR + 60);
	fake_guest_run(&g);
	g.dev->ops->destroy(g.dev);
	g.dev = NULL;
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("virtio_passt");
	TCase *tc = tcase_create("passt");

	(void)argc;
	if (!strcmp(basename(argv[0]), "passt"))
		return fake_passt(argv);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, frames, 0, 2);
	tcase_add_test(tc, burst);
	tcase_add_test(tc, no_frames);
	tcase_add_test(tc, arguments);
	tcase_add_test(tc, missing);
	tcase_add_test(tc, refused);
	tcase_add_loop_test(tc, peer_lost, 0, 4);
	tcase_add_test(tc, blocked);
	tcase_add_test(tc, stubborn);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
