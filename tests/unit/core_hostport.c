// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/core/hostport.h"
#include "vmm/core/log.h"
#include "vmm/core/loop.h"

enum { LARGE = 1 << 20 };

/* The device: takes `appetite` bytes, and notes how often somebody came or went. */
static struct {
	struct device dev;
	struct chardev_user user;
	uint8_t got[2 * LARGE];
	size_t ngot, appetite;
	unsigned int changes;
	bool there;
	size_t when_gone; /* ngot when the other side was last said to have gone */
} guest;

static struct loop *loop;
static struct log quiet = { .fd = -1, .prefix = "" };
static struct hostport *port;
static struct fail fail;
static char dir[] = "/tmp/vmm-port-XXXXXX", path[64];
static uint8_t data[LARGE], back[LARGE];

static size_t guest_input(struct chardev_user *user, const uint8_t *bytes, size_t len)
{
	(void)user;
	if (len > guest.appetite)
		len = guest.appetite;
	memcpy(guest.got + guest.ngot, bytes, len);
	guest.ngot += len;
	guest.appetite -= len;
	return len;
}

static void guest_room(struct chardev_user *user)
{
	(void)user;
}

static void guest_attached(struct chardev_user *user)
{
	(void)user;
	guest.changes++;
	guest.there = chardev_attached(hostport_chardev(port));
	if (!guest.there)
		guest.when_gone = guest.ngot;
}

static void setup(void)
{
	static const struct device_ops ops;
	struct device_env env = { .base = 0 };

	signal(SIGPIPE, SIG_IGN); /* as the program does */
	strcpy(dir, "/tmp/vmm-port-XXXXXX");
	ck_assert_ptr_ne(mkdtemp(dir), NULL);
	snprintf(path, sizeof(path), "%s/port", dir);
	ck_assert_int_eq(loop_create(&loop), 0);
	memset(&guest, 0, sizeof(guest));
	memset(&fail, 0, sizeof(fail));
	device_init(&guest.dev, &ops, "guest", &env);
	guest.user = (struct chardev_user){ &guest.dev, guest_input, guest_room, guest_attached };
	guest.appetite = SIZE_MAX;
	port = NULL;
	for (size_t i = 0; i < LARGE; i++)
		data[i] = i % 253;
}

static void close_port(void)
{
	if (port)
		chardev_connect(hostport_chardev(port), NULL);
	hostport_destroy(port);
	port = NULL;
}

static void teardown(void)
{
	close_port();
	loop_destroy(loop);
	device_fini(&guest.dev);
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

/* 0 or the error. */
static int try_open(enum hostport_kind kind, int fd)
{
	const struct hostport_config cfg = { kind, path, fd, 100000000 };

	return hostport_create(&cfg, "test", loop, &quiet, &port, &fail);
}

static void open_port(enum hostport_kind kind, int fd)
{
	int err = try_open(kind, fd);

	ck_assert_msg(!err, "%s", fail.text);
	chardev_connect(hostport_chardev(port), &guest.user);
}

/* Runs the loop until it is so, 10 s at most. */
#define AWAIT(cond)                                                                               \
	do {                                                                                      \
		uint64_t end_ = loop_now_ns() + 10000000000;                                      \
		while (!(cond)) {                                                                 \
			ck_assert_msg(loop_now_ns() < end_, "%s; attached %d, changes %u", #cond, \
				      guest.there, guest.changes);                                \
			loop_poll(loop, 10);                                                      \
		}                                                                                 \
	} while (0)

static size_t put(const void *bytes, size_t len)
{
	size_t n;

	pthread_mutex_lock(&guest.dev.lock);
	n = chardev_write(hostport_chardev(port), bytes, len);
	pthread_mutex_unlock(&guest.dev.lock);
	return n;
}

static int dial(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(addr.sun_path, path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* Reads until `len` bytes have come. */
static void expect_bytes(int fd, const void *bytes, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		AWAIT((n = read(fd, back + done, len - done)) >= 0 || errno != EAGAIN);
		ck_assert_int_gt(n, 0);
		done += n;
	}
	ck_assert_mem_eq(back, bytes, len);
}

static bool at_end(int fd)
{
	char byte;

	return read(fd, &byte, 1) == 0;
}

/* --- files and descriptors --------------------------------------------------------------------- */

START_TEST(file_is_appended)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_eq(write(fd, "before\n", 7), 7);
	open_port(HOSTPORT_FILE, -1);
	ck_assert(chardev_attached(hostport_chardev(port)));
	ck_assert_uint_eq(put("hello\n", 6), 6);
	chardev_flush(hostport_chardev(port), -1);
	ck_assert_int_eq(pread(fd, back, LARGE, 0), 13);
	ck_assert_mem_eq(back, "before\nhello\n", 13);
	close_port();
	/* It is the user's, not ours to remove. */
	ck_assert_int_eq(access(path, F_OK), 0);
	close(fd);
}
END_TEST

START_TEST(file_refused)
{
	snprintf(path, sizeof(path), "%s/no/such/folder", dir);
	ck_assert_int_eq(try_open(HOSTPORT_FILE, -1), -ENOENT);
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
	ck_assert_ptr_ne(strstr(fail.text, path), NULL);
}
END_TEST

/* The disk is full: output goes nowhere from then on, and the guest is told. */
START_TEST(file_fails)
{
	ck_assert_int_eq(symlink("/dev/full", path), 0);
	open_port(HOSTPORT_FILE, -1);
	put("x", 1);
	AWAIT(guest.changes && !guest.there);
	ck_assert_uint_eq(put(data, LARGE), LARGE);
}
END_TEST

START_TEST(descriptor)
{
	int pair[2], fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	open_port(HOSTPORT_FD, pair[0]);
	put("out", 3);
	expect_bytes(pair[1], "out", 3);
	ck_assert_int_eq(write(pair[1], "in", 2), 2);
	AWAIT(guest.ngot == 2);
	/* Its end is the port's. */
	close(pair[1]);
	AWAIT(guest.changes);
	ck_assert(!guest.there);
	ck_assert_uint_eq(put(data, LARGE), LARGE);
	close_port();
	close(pair[0]);
	/* One direction. */
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	open_port(HOSTPORT_FD, fds[1]);
	put("one", 3);
	expect_bytes(fds[0], "one", 3);
	close_port();
	open_port(HOSTPORT_FD, fds[0]);
	ck_assert_uint_eq(put(data, LARGE), LARGE);
	ck_assert_int_eq(write(fds[1], "two", 3), 3);
	AWAIT(guest.ngot == 5);
	close_port();
	close(fds[0]);
	ck_assert_int_eq(try_open(HOSTPORT_FD, fds[0]), -EBADF);
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
	close(fds[1]);
}
END_TEST

/* --- sockets ----------------------------------------------------------------------------------- */

START_TEST(socket_both_ways)
{
	struct stat st;
	int fd;

	open_port(HOSTPORT_SOCKET, -1);
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFSOCK | 0600);
	/* Nobody is there: output goes nowhere. */
	ck_assert_uint_eq(put(data, LARGE), LARGE);
	for (unsigned int client = 1; client <= 3; client++) {
		fd = dial();
		AWAIT(guest.there);
		ck_assert_uint_eq(put("to the client", 13), 13);
		expect_bytes(fd, "to the client", 13);
		guest.ngot = 0;
		ck_assert_int_eq(write(fd, "to the guest", 12), 12);
		AWAIT(guest.ngot == 12);
		ck_assert_mem_eq(guest.got, "to the guest", 12);
		close(fd);
		AWAIT(!guest.there);
		ck_assert_uint_eq(guest.changes, 2 * client);
	}
	close_port();
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(one_client_at_a_time)
{
	int first, second;

	open_port(HOSTPORT_SOCKET, -1);
	first = dial();
	AWAIT(guest.there);
	second = dial();
	AWAIT(at_end(second));
	put("still", 5);
	expect_bytes(first, "still", 5);
	close(first);
	close(second);
}
END_TEST

/* What a client sends before it leaves arrives, also when the guest takes its time. */
START_TEST(input_outlives_its_client)
{
	size_t sent = 0;
	ssize_t n;
	int fd;

	guest.appetite = 10;
	open_port(HOSTPORT_SOCKET, -1);
	fd = dial();
	AWAIT(guest.there);
	while ((n = write(fd, data + sent, 30000 - sent)) > 0)
		sent += n;
	ck_assert_uint_eq(sent, 30000);
	close(fd);
	for (unsigned int i = 0; i < 20; i++)
		loop_poll(loop, 0);
	ck_assert(guest.there);
	while (guest.there) {
		guest.appetite = 700;
		chardev_resume(hostport_chardev(port));
		AWAIT(!guest.appetite || !guest.there);
	}
	ck_assert_uint_eq(guest.ngot, sent);
	ck_assert_uint_eq(guest.when_gone, sent);
	ck_assert_mem_eq(guest.got, data, sent);
}
END_TEST

/* A client that has nothing more to say may still listen. */
START_TEST(half_closed)
{
	int fd;

	open_port(HOSTPORT_SOCKET, -1);
	fd = dial();
	ck_assert_int_eq(write(fd, "question", 8), 8);
	shutdown(fd, SHUT_WR);
	AWAIT(guest.ngot == 8);
	for (unsigned int i = 0; i < 20; i++)
		loop_poll(loop, 0);
	ck_assert(guest.there);
	put("answer", 6);
	expect_bytes(fd, "answer", 6);
	close(fd);
	AWAIT(!guest.there);
}
END_TEST

/* A slow client holds output back, byte for byte; one that takes nothing is given up. */
START_TEST(slow_client)
{
	size_t sent = 0;
	int fd;

	open_port(HOSTPORT_SOCKET, -1);
	fd = dial();
	AWAIT(guest.there);
	for (unsigned int i = 0; i < 50; i++) {
		sent += put(data + sent, LARGE - sent);
		loop_poll(loop, 0);
	}
	ck_assert_uint_lt(sent, LARGE);
	for (size_t done = 0; done < LARGE;) {
		size_t want = LARGE - done < 4000 ? LARGE - done : 4000;

		sent += put(data + sent, LARGE - sent);
		expect_bytes(fd, data + done, want);
		done += want;
	}
	ck_assert(guest.there);
	do
		loop_poll(loop, 10);
	while (put(data, LARGE) < LARGE && guest.there);
	AWAIT(!guest.there);
	ck_assert_uint_eq(put(data, LARGE), LARGE);
	close(fd);
	/* The next one is welcome. */
	fd = dial();
	AWAIT(guest.there);
	put("hello", 5);
	expect_bytes(fd, "hello", 5);
	close(fd);
}
END_TEST

START_TEST(socket_path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	/* In use: left alone. */
	ck_assert_int_eq(try_open(HOSTPORT_SOCKET, -1), -EADDRINUSE);
	ck_assert_int_eq(access(path, F_OK), 0);
	/* Left behind: replaced. */
	close(fd);
	open_port(HOSTPORT_SOCKET, -1);
	/* Taken from us meanwhile: not ours to remove. */
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	close_port();
	ck_assert_int_eq(access(path, F_OK), 0);
	/* No socket at all. */
	ck_assert_int_eq(try_open(HOSTPORT_SOCKET, -1), -EEXIST);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(socket_path_too_long)
{
	static char longest[200];
	struct hostport_config cfg = { HOSTPORT_SOCKET, longest, -1, 0 };

	memset(longest, 'x', sizeof(longest) - 1);
	ck_assert_int_eq(hostport_create(&cfg, "test", loop, &quiet, &port, &fail), -ENAMETOOLONG);
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
}
END_TEST

/* --- ptys -------------------------------------------------------------------------------------- */

START_TEST(pty)
{
	struct termios tio;
	int fd;

	open_port(HOSTPORT_PTY, -1);
	ck_assert_uint_eq(put(data, LARGE), LARGE);
	for (unsigned int user = 1; user <= 3; user++) {
		fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
		ck_assert_int_ge(fd, 0);
		AWAIT(guest.there);
		ck_assert_int_eq(tcgetattr(fd, &tio), 0);
		ck_assert_uint_eq(tio.c_lflag & (ECHO | ICANON), 0);
		put("\x03\n\x80out", 6);
		expect_bytes(fd, "\x03\n\x80out", 6);
		/* No echo either way. */
		guest.ngot = 0;
		ck_assert_int_eq(write(fd, "\x04\r\nin", 5), 5);
		AWAIT(guest.ngot >= 5);
		ck_assert_uint_eq(guest.ngot, 5);
		ck_assert_mem_eq(guest.got, "\x04\r\nin", 5);
		ck_assert(read(fd, back, 1) < 0 && errno == EAGAIN);
		close(fd);
		AWAIT(!guest.there);
	}
	close_port();
	ck_assert_int_eq(readlink(path, (char *)back, LARGE), -1);
}
END_TEST

/* Nobody can be disconnected here: what a reader does not take is dropped, and on it goes. */
START_TEST(pty_reader_stands_still)
{
	size_t sent = 0;
	int fd;

	open_port(HOSTPORT_PTY, -1);
	fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	AWAIT(guest.there);
	while (sent < LARGE) {
		sent += put(data + sent, LARGE - sent);
		loop_poll(loop, 10);
	}
	while (read(fd, back, LARGE) > 0)
		loop_poll(loop, 0);
	AWAIT(guest.there);
	put("again", 5);
	AWAIT(read(fd, back, 5) > 0);
	close(fd);
}
END_TEST

START_TEST(pty_link)
{
	char target[64] = "";

	/* Left behind by one that was killed: replaced. */
	ck_assert_int_eq(symlink("/dev/pts/999999", path), 0);
	open_port(HOSTPORT_PTY, -1);
	ck_assert_int_gt(readlink(path, target, sizeof(target) - 1), 0);
	ck_assert_str_eq(target, hostport_pty(port));
	close_port();
	/* Somebody else's: left alone. */
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	ck_assert_int_eq(try_open(HOSTPORT_PTY, -1), -EEXIST);
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
	ck_assert_int_gt(readlink(path, target, sizeof(target) - 1), 0);
}
END_TEST

/* --- words ------------------------------------------------------------------------------------- */

START_TEST(words)
{
	struct hostport_config cfg;

	ck_assert_int_eq(hostport_parse(&cfg, "file", "a", &fail), 0);
	ck_assert(cfg.kind == HOSTPORT_FILE && !strcmp(cfg.path, "a"));
	ck_assert_int_eq(hostport_parse(&cfg, "socket", "b", &fail), 0);
	ck_assert(cfg.kind == HOSTPORT_SOCKET && !strcmp(cfg.path, "b"));
	ck_assert_int_eq(hostport_parse(&cfg, "pty", NULL, &fail), 0);
	ck_assert(cfg.kind == HOSTPORT_PTY && !cfg.path);
	ck_assert_int_eq(hostport_parse(&cfg, "fd", "7", &fail), 0);
	ck_assert(cfg.kind == HOSTPORT_FD && cfg.fd == 7);
	ck_assert_int_eq(hostport_parse(&cfg, "files", "a", &fail), -ENOENT);
	ck_assert_int_eq(hostport_parse(&cfg, "file", NULL, &fail), -EINVAL);
	ck_assert_int_eq(hostport_parse(&cfg, "pty", "", &fail), -EINVAL);
	ck_assert_int_eq(hostport_parse(&cfg, "fd", "-1", &fail), -EINVAL);
	ck_assert_int_eq(hostport_parse(&cfg, "fd", "1x", &fail), -EINVAL);
	ck_assert_int_eq(hostport_parse(&cfg, "fd", "99999999999", &fail), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_hostport");
	TCase *tc = tcase_create("hostport");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, file_is_appended);
	tcase_add_test(tc, file_refused);
	tcase_add_test(tc, file_fails);
	tcase_add_test(tc, descriptor);
	tcase_add_test(tc, socket_both_ways);
	tcase_add_test(tc, one_client_at_a_time);
	tcase_add_test(tc, input_outlives_its_client);
	tcase_add_test(tc, half_closed);
	tcase_add_test(tc, slow_client);
	tcase_add_test(tc, socket_path);
	tcase_add_test(tc, socket_path_too_long);
	tcase_add_test(tc, pty);
	tcase_add_test(tc, pty_reader_stands_still);
	tcase_add_test(tc, pty_link);
	tcase_add_test(tc, words);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
