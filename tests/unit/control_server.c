// SPDX-License-Identifier: GPL-2.0-only
/* The server on a loop, with clients that behave in every wrong way. Both run in this thread: each
 * step of a client is followed by the loop's rounds. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fake/held.h"
#include "tests/fake/suite.h"
#include "vmm/control.h"
#include "vmm/control_client.h"
#include "vmm/control_dir.h"

static char folder[64];
static struct loop *loop;
static struct control_socket sock;
static struct control *control;
static unsigned int pauses, stat_bytes, looks;
static uint64_t patience_ns;

static void on_pause(void *arg)
{
	(void)arg;
	pauses++;
}

static const char *state(void *arg)
{
	(void)arg;
	return "running";
}

static uint64_t patience(void *arg)
{
	(void)arg;
	looks++;
	return patience_ns;
}

static void on_stat(void *arg, struct json_out *out)
{
	static char text[CONTROL_REPLY_MAX];

	(void)arg;
	memset(text, 'x', stat_bytes);
	text[stat_bytes] = 0;
	json_str(out, "text", text);
}

/* Takes the first descriptor, and leaves the others. */
static struct control_files saved;
static int taken = -1;

static int on_save(void *arg, struct control_files *files, const struct control_save *how,
		   struct fail *fail)
{
	(void)arg;
	(void)how;
	(void)fail;
	saved = *files;
	if (files->n) {
		taken = files->fd[0];
		files->fd[0] = -1;
	}
	return 0;
}

static const struct control_ops ops = {
	.save = on_save,
	.pause = on_pause,
	.state = state,
	.patience = patience,
	.stat = on_stat,
};

static void setup(void)
{
	const struct control_target target = { .name = "box", .ops = &ops };

	strcpy(folder, "/tmp/vmm-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	setenv("VMM_RUNTIME_DIR", folder, 1);
	pauses = looks = 0;
	patience_ns = 0;
	stat_bytes = 100;
	ck_assert_int_eq(loop_create(&loop), 0);
	ck_assert_int_eq(control_take("box", &sock, NULL), 0);
	ck_assert_int_eq(control_create(loop, sock.fd, &target, &control), 0);
}

static void teardown(void)
{
	control_forget(&sock);
	control_destroy(control);
	control_release(&sock);
	loop_destroy(loop);
	ck_assert_int_eq(rmdir(folder), 0);
}

static void run_loop(void)
{
	while (loop_poll(loop, 0))
		;
}

static int dial(void)
{
	int fd = control_connect("box", NULL);

	ck_assert_int_ge(fd, 0);
	run_loop();
	return fd;
}

static void say(int fd, const char *text, size_t len)
{
	ck_assert_int_eq(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
	run_loop();
}

/* What has arrived by now, to a NUL; returns its length. 0 is also the end. */
static size_t hear(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	do {
		run_loop();
		n = recv(fd, buf + len, size - 1 - len, MSG_DONTWAIT);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	buf[len] = 0;
	return len;
}

static bool hung_up(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

static unsigned int count_lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static const char pause_line[] = "{\"command\":\"pause\"}\n";
enum { PAUSE_LEN = sizeof(pause_line) - 1 };

START_TEST(greeting_and_pieces)
{
	char buf[256], want[64];
	int fd = dial();

	hear(fd, buf, sizeof(buf));
	snprintf(want, sizeof(want), "{\"vmm\":1,\"name\":\"box\",\"pid\":%d}\n", (int)getpid());
	ck_assert_str_eq(buf, want);
	for (size_t i = 0; i < PAUSE_LEN; i++) {
		ck_assert_uint_eq(hear(fd, buf, sizeof(buf)), 0);
		say(fd, pause_line + i, 1);
	}
	hear(fd, buf, sizeof(buf));
	ck_assert_str_eq(buf, "{\"ok\":true}\n");
	say(fd, "nonsense\n{\"command\":\"pause\"}\n\n", 30);
	hear(fd, buf, sizeof(buf));
	ck_assert_uint_eq(count_lines(buf), 3);
	ck_assert_uint_eq(pauses, 2);
	ck_assert(!hung_up(fd));
	close(fd);
	run_loop();
}
END_TEST

/* Two serve the socket: this one leaves a client to the other, and takes it when that does not. */
START_TEST(left_to_another)
{
	enum { PATIENCE_MS = 20 };
	char buf[256];
	int fd, other;

	patience_ns = PATIENCE_MS * 1000000;
	fd = dial();
	ck_assert_uint_eq(looks, 1);
	ck_assert_uint_eq(hear(fd, buf, sizeof(buf)), 0);
	other = accept(sock.fd, NULL, NULL);
	ck_assert_int_ge(other, 0);
	/* It looks again, and there is nothing. */
	loop_poll(loop, 1000);
	run_loop();
	ck_assert_uint_eq(looks, 1);
	close(other);
	close(fd);
	fd = dial();
	ck_assert_uint_eq(looks, 2);
	patience_ns = 0;
	ck_assert_uint_eq(hear(fd, buf, sizeof(buf)), 0);
	for (int i = 0; looks < 3 && i < 10; i++)
		loop_poll(loop, 1000);
	ck_assert_uint_gt(hear(fd, buf, sizeof(buf)), 0);
	close(fd);
	run_loop();
}
END_TEST

/* Many requests at once, more than the socket holds, with the end behind them: all are answered. */
START_TEST(thousand_commands)
{
	enum { COMMANDS = 1000 };
	static char buf[1 << 16];
	unsigned int lines = 0;
	int fd = dial();

	for (int i = 0; i < COMMANDS;) {
		ssize_t n = send(fd, pause_line, PAUSE_LEN, MSG_DONTWAIT | MSG_NOSIGNAL);

		i += n == PAUSE_LEN;
		if (n < 0) {
			hear(fd, buf, sizeof(buf));
			lines += count_lines(buf);
		}
	}
	shutdown(fd, SHUT_WR);
	while (hear(fd, buf, sizeof(buf)))
		lines += count_lines(buf);
	ck_assert_uint_eq(lines, COMMANDS + 1);
	ck_assert_uint_eq(pauses, COMMANDS);
	ck_assert(hung_up(fd));
	close(fd);
}
END_TEST

START_TEST(line_of_the_greatest_length)
{
	static char line[CONTROL_LINE_MAX + 1], buf[512];
	int fd = dial();

	memset(line, ' ', sizeof(line));
	memcpy(line, pause_line, PAUSE_LEN - 1);
	line[CONTROL_LINE_MAX - 1] = '\n';
	say(fd, line, CONTROL_LINE_MAX);
	ck_assert_uint_eq(pauses, 1);
	line[CONTROL_LINE_MAX - 1] = ' ';
	line[CONTROL_LINE_MAX] = '\n';
	hear(fd, buf, sizeof(buf));
	say(fd, line, CONTROL_LINE_MAX + 1);
	hear(fd, buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, "too long"));
	ck_assert(hung_up(fd));
	ck_assert_uint_eq(pauses, 1);
	close(fd);
}
END_TEST

/* Sends for ever without a newline. */
START_TEST(endless_line)
{
	static char junk[1000];
	ssize_t n = 0;
	int fd = dial();

	memset(junk, 'x', sizeof(junk));
	for (int i = 0; i < 100 && n >= 0; i++) {
		n = send(fd, junk, sizeof(junk), MSG_DONTWAIT | MSG_NOSIGNAL);
		run_loop();
	}
	ck_assert_int_eq(n, -1);
	ck_assert_int_eq(errno, EPIPE);
	close(fd);
}
END_TEST

/* Asks and never reads: the server stops reading it, stays idle, and serves others. */
START_TEST(slow_client)
{
	static const char stat_line[] = "{\"command\":\"stat\"}\n";
	static char buf[CONTROL_REPLY_MAX * 2];
	unsigned int lines = 0, asked = 0;
	int slow = dial(), other;

	stat_bytes = 100000;
	while (send(slow, stat_line, sizeof(stat_line) - 1, MSG_DONTWAIT) > 0) {
		asked++;
		run_loop();
		ck_assert_uint_lt(asked, 100000);
	}
	ck_assert(!loop_poll(loop, 0)); /* nothing to do: no spinning */
	other = dial();
	say(other, pause_line, PAUSE_LEN);
	hear(other, buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, "{\"ok\":true}"));
	close(other);
	/* When it reads at last, everything is there. */
	for (size_t n = 1; n;) {
		n = hear(slow, buf, sizeof(buf));
		lines += count_lines(buf);
	}
	ck_assert_uint_eq(lines, asked + 1);
	close(slow);
	run_loop();
}
END_TEST

/* Gone with answers under way, with half a line sent, or before it was accepted. */
START_TEST(dead_clients)
{
	char buf[64];
	int fd;

	stat_bytes = 100000;
	for (int i = 0; i < 100; i++) {
		fd = i % 3 ? dial() : control_connect("box", NULL);
		ck_assert_int_ge(send(fd, "{\"command\":\"stat\"}\n{\"comm", 25, MSG_NOSIGNAL), 0);
		if (i % 2)
			run_loop();
		close(fd);
		run_loop();
	}
	fd = dial();
	ck_assert_uint_gt(hear(fd, buf, sizeof(buf)), 0);
	close(fd);
	run_loop();
}
END_TEST

/* One too many: the quietest goes, those that talk stay. */
START_TEST(crowd)
{
	int fds[CONTROL_CLIENTS_MAX + 1];
	char buf[256];

	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		fds[i] = dial();
		hear(fds[i], buf, sizeof(buf));
	}
	say(fds[0], pause_line, PAUSE_LEN);
	hear(fds[0], buf, sizeof(buf));
	fds[CONTROL_CLIENTS_MAX] = dial();
	for (int i = 0; i <= CONTROL_CLIENTS_MAX; i++) {
		if (i == CONTROL_CLIENTS_MAX)
			hear(fds[i], buf, sizeof(buf));
		ck_assert_int_eq(hung_up(fds[i]), i == 1);
		close(fds[i]);
	}
	run_loop();
}
END_TEST

/* No descriptor left to accept with: the loop neither spins nor forgets the waiting client. */
START_TEST(out_of_descriptors)
{
	struct rlimit old, none;
	char buf[256];
	int fd = control_connect("box", NULL);
	int hole = dup(fd); /* below it, where the folder was open */

	ck_assert_int_ge(fd, 0);
	ck_assert_int_lt(hole, fd);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = (rlim_t)fd + 1;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	run_loop();
	ck_assert(!loop_poll(loop, 10));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert(loop_poll(loop, 3000));
	ck_assert_uint_gt(hear(fd, buf, sizeof(buf)), 0);
	close(hole);
	close(fd);
	run_loop();
}
END_TEST

/* The machine ends while clients are connected and waiting to be. */
/* A client that was connected by hand, of a machine that nobody else can find. It stays in a crowd. */
START_TEST(adopted)
{
	const struct control_target target = { .name = "box", .ops = &ops };
	int pair[2], others[CONTROL_CLIENTS_MAX];
	struct control *alone;
	char buf[256];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(control_create(loop, -1, &target, &alone), 0);
	ck_assert_int_eq(control_adopt(alone, pair[1]), 0);
	ck_assert_uint_gt(hear(pair[0], buf, sizeof(buf)), 0);
	say(pair[0], pause_line, PAUSE_LEN);
	hear(pair[0], buf, sizeof(buf));
	ck_assert_str_eq(buf, "{\"ok\":true}\n");
	control_destroy(alone);
	ck_assert(hung_up(pair[0]));
	close(pair[0]);

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(control_adopt(control, pair[1]), 0);
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		others[i] = dial();
	hear(pair[0], buf, sizeof(buf));
	say(pair[0], pause_line, PAUSE_LEN);
	hear(pair[0], buf, sizeof(buf));
	ck_assert_str_eq(buf, "{\"ok\":true}\n");
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		close(others[i]);
	close(pair[0]);
	run_loop();
}
END_TEST

/* Sends a line and descriptors, as many as the message says. */
static void say_files(int fd, const char *line, const int *fds, unsigned int n)
{
	char space[CMSG_SPACE(8 * sizeof(int))] = { 0 };
	struct iovec iov = { (char *)line, strlen(line) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = space,
			      .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(head), fds, n * sizeof(int));
	ck_assert_int_eq(sendmsg(fd, &msg, MSG_NOSIGNAL), (ssize_t)strlen(line));
	run_loop();
}

START_TEST(descriptors)
{
	const int fds[] = { 0, 1, 2, 0, 1, 2 };
	char buf[4096];
	int fd = dial();
	unsigned int before;

	hear(fd, buf, sizeof(buf));
	before = held_fds();
	say_files(fd, "{\"command\":\"save\"}\n", fds, 2);
	hear(fd, buf, sizeof(buf));
	ck_assert_str_eq(buf, "{\"ok\":true}\n");
	ck_assert_uint_eq(saved.n, 2);
	/* One was taken, the other is closed. */
	ck_assert_uint_eq(held_fds(), before + 1);
	close(taken);
	/* A request has those that came with it, and no request more than it can have. */
	say_files(fd, "{\"command\":\"status\"}\n", fds, 6);
	say(fd, "{\"command\":\"save\"}\n", 19);
	ck_assert_uint_eq(saved.n, 0);
	ck_assert_uint_eq(held_fds(), before);
	say_files(fd, "{\"command\":\"sa", fds, 2);
	say_files(fd, "ve\"}\n", fds, 2);
	ck_assert_uint_eq(saved.n, CONTROL_FILES_MAX);
	close(taken);
	ck_assert_uint_eq(held_fds(), before);
	/* Of a client that goes in the middle of a line. */
	say_files(fd, "{", fds, 2);
	ck_assert_uint_eq(held_fds(), before + 2);
	close(fd);
	run_loop();
	ck_assert_uint_eq(held_fds(), before - 2);
}
END_TEST

START_TEST(end_of_the_machine)
{
	int in = dial(), waiting;
	char buf[256];

	hear(in, buf, sizeof(buf));
	waiting = control_connect("box", NULL);
	control_forget(&sock);
	ck_assert_int_eq(control_connect("box", NULL), -ENOENT);
	control_destroy(control);
	control = NULL;
	ck_assert(hung_up(in));
	control_release(&sock);
	ck_assert(hung_up(waiting));
	close(in);
	close(waiting);
}
END_TEST

/* The commands' own side, which waits: the server is another process. */
START_TEST(client_library)
{
	struct control_conn *conn = NULL;
	struct fail fail = { 0 };
	char *reply;
	pid_t pid;

	stat_bytes = 100000;
	pid = fork();
	if (!pid) {
		while (pauses < 2)
			loop_poll(loop, 5000);
		_exit(0);
	}
	ck_assert_int_eq(control_open("box", 5000, &conn, &fail), 0);
	ck_assert_int_eq(control_ask(conn, "{\"command\":\"pause\"}", &reply, &fail), 0);
	ck_assert_str_eq(reply, "{\"ok\":true}");
	ck_assert_int_eq(control_ask(conn, "{\"command\":\"stat\"}", &reply, &fail), 0);
	ck_assert_uint_gt(strlen(reply), 100000);
	ck_assert_int_eq(control_ask(conn, "{\"command\":\"pause\"}", &reply, &fail), 0);
	control_wait_end(conn);
	ck_assert_int_eq(control_ask(conn, "{}", &reply, &fail), -EPIPE);
	ck_assert_str_eq(fail.text, "machine 'box' has ended");
	control_close(conn);
	/* This process holds the socket, too, and does not answer. */
	memset(&fail, 0, sizeof(fail));
	ck_assert_int_eq(control_open("box", 50, &conn, &fail), -ETIMEDOUT);
	ck_assert_int_eq(fail.code, EXIT_HOST);
	run_loop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_server");
	TCase *tc = tcase_create("server");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, greeting_and_pieces);
	tcase_add_test(tc, left_to_another);
	tcase_add_test(tc, thousand_commands);
	tcase_add_test(tc, line_of_the_greatest_length);
	tcase_add_test(tc, endless_line);
	tcase_add_test(tc, slow_client);
	tcase_add_test(tc, dead_clients);
	tcase_add_test(tc, crowd);
	tcase_add_test(tc, out_of_descriptors);
	tcase_add_test(tc, adopted);
	tcase_add_test(tc, descriptors);
	tcase_add_test(tc, end_of_the_machine);
	tcase_add_test(tc, client_library);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
