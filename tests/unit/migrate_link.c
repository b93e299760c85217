// SPDX-License-Identifier: GPL-2.0-only
/* What a machine goes over: each kind of address, what is none, and what befalls who listens or
 * connects. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/migrate_link.h"

static char folder[40], path[80], uri[100];

static void setup(void)
{
	strcpy(folder, "/tmp/vmm-link-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/sock", folder);
	snprintf(uri, sizeof(uri), "unix:%s", path);
}

static void teardown(void)
{
	unlink(path);
	rmdir(folder);
}

/* --- what is no address ------------------------------------------------------------------------ */

static const struct {
	const char *uri, *why;
} wrong[] = {
	{ "", "is no address" },
	{ "nonsense", "is no address" },
	{ "tcp:", "is no address" },
	{ "tcp:127.0.0.1", "is no address" },
	{ "tcp::1", "is no address" },
	{ "tcp:127.0.0.1:", "is no address" },
	{ "tcp:127.0.0.1:0", "is no address" },
	{ "tcp:127.0.0.1:65536", "is no address" },
	{ "tcp:127.0.0.1:-1", "is no address" },
	{ "tcp:127.0.0.1:7x", "is no address" },
	{ "tcp:nobody.invalid:7", "no address of host 'nobody.invalid'" },
	{ "tcp:--help:7", "no address of host '--help'" },
	{ "unix:", "1 to 107 characters" },
	{ "fd:", "no open stream socket" },
	{ "fd:-1", "no open stream socket" },
	{ "fd:1x", "no open stream socket" },
	{ "fd:1000", "no open stream socket" },
	{ "fd:99999999999999999999", "no open stream socket" },
};

START_TEST(no_address)
{
	struct migrate_link link;
	struct fail fail;

	for (int listens = 0; listens < 2; listens++) {
		fail = (struct fail){ 0 };
		ck_assert_int_lt(listens ? migrate_link_accept(wrong[_i].uri, &link, &fail)
					 : migrate_link_connect(wrong[_i].uri, &link, &fail),
				 0);
		ck_assert_msg(strstr(fail.text, wrong[_i].why), "%s: %s", wrong[_i].uri, fail.text);
		ck_assert_int_eq(fail.code, EXIT_CONFIG);
		ck_assert(link.in < 0 && link.out < 0);
		migrate_link_close(&link);
	}
}
END_TEST

START_TEST(too_long_a_path)
{
	char text[200] = "unix:";
	struct migrate_link link;
	struct fail fail = { 0 };

	memset(text + 5, 'x', 108);
	ck_assert_int_lt(migrate_link_connect(text, &link, &fail), 0);
	ck_assert_ptr_nonnull(strstr(fail.text, "1 to 107 characters"));
}
END_TEST

START_TEST(no_stream_socket)
{
	const int fds[] = { open("/dev/null", O_RDWR), socket(AF_UNIX, SOCK_DGRAM, 0) };
	struct migrate_link link;
	char text[20];

	for (unsigned int i = 0; i < 2; i++) {
		struct fail fail = { 0 };

		snprintf(text, sizeof(text), "fd:%d", fds[i]);
		ck_assert_int_lt(migrate_link_connect(text, &link, &fail), 0);
		ck_assert_ptr_nonnull(strstr(fail.text, "no open stream socket"));
		close(fds[i]);
	}
}
END_TEST

/* --- nobody there, or somebody else ------------------------------------------------------------ */

START_TEST(nobody_listens)
{
	const char *const uris[] = { uri, "tcp:127.0.0.1:1", "tcp:[::1]:1" };
	struct migrate_link link;

	for (unsigned int i = 0; i < 3; i++) {
		struct fail fail = { 0 };

		ck_assert_int_lt(migrate_link_connect(uris[i], &link, &fail), 0);
		ck_assert_msg(strstr(fail.text, "cannot connect to"), "%s", fail.text);
		ck_assert_int_eq(fail.code, EXIT_CONFIG);
	}
}
END_TEST

/* What is there already is left alone. */
START_TEST(cannot_listen)
{
	struct migrate_link link;
	struct fail fail = { 0 };
	struct stat st;
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "mine", 4), 4);
	close(fd);
	ck_assert_int_lt(migrate_link_accept(uri, &link, &fail), 0);
	ck_assert_msg(strstr(fail.text, "cannot listen at"), "%s", fail.text);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, 4);
	fail = (struct fail){ 0 };
	ck_assert_int_lt(migrate_link_accept("unix:/nonexistent/sock", &link, &fail), 0);
	ck_assert_msg(strstr(fail.text, "cannot listen at"), "%s", fail.text);
}
END_TEST

/* --- two that find each other ------------------------------------------------------------------ */

struct listener {
	const char *uri;
	struct migrate_link link;
	int err;
};

static void *listen_thread(void *arg)
{
	struct listener *l = arg;

	l->err = migrate_link_accept(l->uri, &l->link, NULL);
	return NULL;
}

/* Both ways, and the end. */
static void check_joined(struct migrate_link *a, struct migrate_link *b)
{
	char byte = 0;

	ck_assert(fcntl(a->in, F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(a->in, F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(write(a->out, "x", 1), 1);
	while (read(b->in, &byte, 1) < 0)
		ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(byte, 'x');
	ck_assert_int_eq(write(b->out, "y", 1), 1);
	while (read(a->in, &byte, 1) < 0)
		ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(byte, 'y');
	migrate_link_close(a);
	while (read(b->in, &byte, 1) < 0)
		ck_assert_int_eq(errno, EAGAIN);
	migrate_link_close(b);
}

/* Until somebody listens. */
static void connect_to(const char *to, struct migrate_link *link)
{
	while (migrate_link_connect(to, link, NULL))
		usleep(1000);
}

static void check_pair(const char *to)
{
	struct listener l = { .uri = to };
	struct migrate_link link;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, listen_thread, &l), 0);
	connect_to(to, &link);
	pthread_join(thread, NULL);
	ck_assert_int_eq(l.err, 0);
	check_joined(&link, &l.link);
}

/* A port that is free now. */
static unsigned int free_port(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	close(fd);
	return ntohs(addr.sin_port);
}

START_TEST(over_tcp)
{
	char text[60];

	snprintf(text, sizeof(text), "tcp:127.0.0.1:%u", free_port());
	check_pair(text);
	/* At once again: what is left of the last one does not stand in the way. */
	check_pair(text);
	snprintf(text, sizeof(text), "tcp:localhost:%u", free_port());
	check_pair(text);
}
END_TEST

/* Its owner's alone, and gone when it has done. */
START_TEST(over_a_path)
{
	struct listener l = { .uri = uri };
	struct migrate_link link;
	pthread_t thread;
	struct stat st;

	ck_assert_int_eq(pthread_create(&thread, NULL, listen_thread, &l), 0);
	while (stat(path, &st))
		usleep(1000);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	connect_to(uri, &link);
	pthread_join(thread, NULL);
	ck_assert_int_eq(stat(path, &st), -1);
	check_joined(&link, &l.link);
}
END_TEST

START_TEST(over_a_descriptor)
{
	struct migrate_link a, b;
	char one[20], other[20];
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	snprintf(one, sizeof(one), "fd:%d", pair[0]);
	snprintf(other, sizeof(other), "fd:%d", pair[1]);
	ck_assert_int_eq(migrate_link_connect(one, &a, NULL), 0);
	ck_assert_int_eq(migrate_link_accept(other, &b, NULL), 0);
	close(pair[0]);
	close(pair[1]);
	check_joined(&a, &b);
}
END_TEST

START_TEST(over_a_command)
{
	struct migrate_link link;
	char byte = 0;

	ck_assert_int_eq(migrate_link_connect("exec:cat", &link, NULL), 0);
	ck_assert_int_eq(write(link.out, "x", 1), 1);
	while (read(link.in, &byte, 1) < 0)
		ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(byte, 'x');
	migrate_link_close(&link);
	ck_assert_int_gt(wait(NULL), 0);
	/* One that is none shows as a link that ends. */
	ck_assert_int_eq(migrate_link_connect("exec:exec /nonexistent 2>/dev/null", &link, NULL),
			 0);
	while (read(link.in, &byte, 1) < 0)
		ck_assert_int_eq(errno, EAGAIN);
	migrate_link_close(&link);
	ck_assert_int_gt(wait(NULL), 0);
}
END_TEST

/* --- interrupted ------------------------------------------------------------------------------- */

static atomic_uint interrupts;

static void on_alarm(int sig)
{
	(void)sig;
	interrupts++;
}

static void storm(bool on)
{
	const struct sigaction sa = { .sa_handler = on_alarm };
	const struct itimerval it = { { 0, on ? 500 : 0 }, { 0, on ? 500 : 0 } };

	ck_assert_int_eq(sigaction(SIGALRM, &sa, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &it, NULL), 0);
}

START_TEST(interrupted_all_the_time)
{
	storm(true);
	for (int i = 0; i < 20 || interrupts < 20; i++)
		check_pair(uri);
	storm(false);
}
END_TEST

/* Somebody who listens, and has as many connections as he takes: the next one waits for its turn. */
static int listen_full(char *to, size_t size, int *held)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, len), 0);
	ck_assert_int_eq(listen(fd, 0), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	snprintf(to, size, "tcp:127.0.0.1:%u", ntohs(addr.sin_port));
	*held = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(*held, (struct sockaddr *)&addr, len), 0);
	return fd;
}

static void *take_one(void *arg)
{
	int fd = *(int *)arg;

	while (interrupts < 100)
		usleep(1000);
	close(accept(fd, NULL, NULL));
	return NULL;
}

START_TEST(interrupted_while_it_waits)
{
	struct migrate_link link;
	struct fail fail = { 0 };
	pthread_t thread;
	char to[40];
	int held, fd = listen_full(to, sizeof(to), &held);

	interrupts = 0;
	ck_assert_int_eq(pthread_create(&thread, NULL, take_one, &fd), 0);
	storm(true);
	ck_assert_msg(!migrate_link_connect(to, &link, &fail), "%s", fail.text);
	storm(false);
	ck_assert_uint_ge(interrupts, 100);
	pthread_join(thread, NULL);
	migrate_link_close(&link);
	close(held);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("migrate_link");
	TCase *tc = tcase_create("migrate_link");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, no_address, 0, sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(tc, too_long_a_path);
	tcase_add_test(tc, no_stream_socket);
	tcase_add_test(tc, nobody_listens);
	tcase_add_test(tc, cannot_listen);
	tcase_add_test(tc, over_tcp);
	tcase_add_test(tc, over_a_path);
	tcase_add_test(tc, over_a_descriptor);
	tcase_add_test(tc, over_a_command);
	tcase_add_test(tc, interrupted_all_the_time);
	tcase_add_test(tc, interrupted_while_it_waits);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
