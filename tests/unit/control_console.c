// SPDX-License-Identifier: GPL-2.0-only
/* Clients that are attached to a console: a guest that prints and takes what it likes, a server on
 * a loop, and clients in this thread. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/control.h"
#include "vmm/control_dir.h"
#include "vmm/core/backlog.h"
#include "vmm/core/chardev.h"

/* The device: takes `appetite` bytes, then none until told. */
struct guest {
	struct device dev;
	struct chardev_user user;
	char got[1 << 17];
	size_t ngot, appetite;
};

static struct guest guest;
static const struct device_ops guest_ops;
static char folder[64];
static struct loop *loop;
static struct control_socket sock;
static struct control *control;
static struct backlog *backlog;
static struct chardev *chr;

static size_t guest_input(struct chardev_user *user, const uint8_t *data, size_t len)
{
	struct guest *g = container_of(user, struct guest, user);

	if (len > g->appetite)
		len = g->appetite;
	ck_assert_uint_le(g->ngot + len, sizeof(g->got));
	memcpy(g->got + g->ngot, data, len);
	g->ngot += len;
	g->appetite -= len;
	return len;
}

static void guest_room(struct chardev_user *user)
{
	(void)user;
}

static const struct control_ops ops;

static void setup(void)
{
	struct control_target target = { .name = "box", .ops = &ops };
	struct device_env env = { .base = 0 };

	strcpy(folder, "/tmp/vmm-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	setenv("VMM_RUNTIME_DIR", folder, 1);
	memset(&guest, 0, sizeof(guest));
	device_init(&guest.dev, &guest_ops, "guest", &env);
	guest.user = (struct chardev_user){ .dev = &guest.dev,
					    .input = guest_input,
					    .room = guest_room };
	guest.appetite = SIZE_MAX;
	ck_assert_int_eq(loop_create(&loop), 0);
	ck_assert_int_eq(chardev_create(&chr, loop, -1, -1), 0);
	ck_assert_int_eq(backlog_create(loop, &backlog), 0);
	chardev_tap(chr, backlog);
	chardev_connect(chr, &guest.user);
	ck_assert_int_eq(control_take("box", &sock, NULL), 0);
	target.console = chr;
	target.backlog = backlog;
	ck_assert_int_eq(control_create(loop, sock.fd, &target, &control), 0);
}

static void teardown(void)
{
	control_forget(&sock);
	control_destroy(control);
	control_release(&sock);
	chardev_destroy(chr);
	backlog_destroy(backlog);
	loop_destroy(loop);
	device_fini(&guest.dev);
	ck_assert_int_eq(rmdir(folder), 0);
}

/* Until nothing has happened for longer than the backlog holds output back. */
static void settle(void)
{
	while (loop_poll(loop, 20))
		;
}

static void print(const void *data, size_t len)
{
	pthread_mutex_lock(&guest.dev.lock);
	ck_assert_uint_eq(chardev_write(chr, data, len), len);
	pthread_mutex_unlock(&guest.dev.lock);
}

static void take_more(size_t appetite)
{
	pthread_mutex_lock(&guest.dev.lock);
	guest.appetite = appetite;
	chardev_resume(chr);
	pthread_mutex_unlock(&guest.dev.lock);
	settle();
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	settle();
}

/* What has arrived by now. */
static const char *hear(int fd)
{
	static char buf[1 << 18];
	size_t len = 0;
	ssize_t n;

	do {
		settle();
		n = recv(fd, buf + len, sizeof(buf) - 1 - len, MSG_DONTWAIT);
		len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	buf[len] = 0;
	return buf;
}

static bool hung_up(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno == ECONNRESET);
}

/* A client behind its greeting. */
static int dial(void)
{
	int fd = control_connect("box", NULL);

	ck_assert_int_ge(fd, 0);
	ck_assert_ptr_nonnull(strchr(hear(fd), '\n'));
	return fd;
}

#define ATTACH "{\"command\":\"console\"}\n"
#define WATCH  "{\"command\":\"console\",\"readonly\":true}\n"

static int attach(const char *line)
{
	int fd = dial();

	say(fd, line);
	return fd;
}

static void typed(const char *text)
{
	ck_assert_uint_eq(guest.ngot, strlen(text));
	ck_assert_int_eq(memcmp(guest.got, text, guest.ngot), 0);
}

START_TEST(past_and_present)
{
	int fd;

	print("booting\r\n", 9);
	fd = attach(ATTACH);
	ck_assert_str_eq(hear(fd), "{\"ok\":true,\"missed\":0}\nbooting\r\n");
	print("login: ", 7);
	ck_assert_str_eq(hear(fd), "login: ");
	say(fd, "root\n");
	typed("root\n");
	ck_assert_str_eq(hear(fd), "");
	close(fd);
	settle();
	print("more", 4);
	fd = attach(ATTACH);
	ck_assert_str_eq(hear(fd), "{\"ok\":true,\"missed\":0}\nbooting\r\nlogin: more");
	close(fd);
	settle();
}
END_TEST

/* What follows the request's line is typed, in whatever pieces it comes; a zero byte too. */
START_TEST(typed_ahead)
{
	static const char text[] = ATTACH "a{\"command\":\"stop\"}\n\0\n";
	int fd = dial();

	for (size_t i = 0; i < sizeof(text); i++) {
		ck_assert_int_eq(send(fd, text + i, 1, MSG_NOSIGNAL), 1);
		if (i % 5 == 0)
			settle();
	}
	settle();
	ck_assert_uint_eq(guest.ngot, sizeof(text) - (sizeof(ATTACH) - 1));
	ck_assert_int_eq(memcmp(guest.got, text + sizeof(ATTACH) - 1, guest.ngot), 0);
	close(fd);
	settle();
}
END_TEST

/* The one that came last types; when it leaves, the one before it; who only watches never. */
START_TEST(who_types)
{
	int first = attach(ATTACH), second = attach(ATTACH), watcher = attach(WATCH);

	say(first, "1");
	say(second, "2");
	say(watcher, "w");
	typed("2");
	close(second);
	settle();
	say(watcher, "w");
	say(first, "3");
	typed("23");
	print("all", 3);
	ck_assert_str_eq(strchr(hear(first), '\n') + 1, "all");
	ck_assert_str_eq(strchr(hear(watcher), '\n') + 1, "all");
	close(first);
	close(watcher);
	settle();
}
END_TEST

/* A guest that takes nothing stops the one who types, not the loop; nothing is lost. */
START_TEST(guest_that_takes_nothing)
{
	int fd = attach(ATTACH), other;
	size_t sent = 0;
	char byte;

	guest.appetite = 0;
	for (;;) {
		byte = (char)('a' + sent % 23);
		if (send(fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
			break;
		sent++;
		if (sent % 500 == 0)
			settle();
		ck_assert_uint_lt(sent, sizeof(guest.got));
	}
	settle();
	ck_assert(!loop_poll(loop, 20)); /* it does not spin */
	other = attach(WATCH);
	ck_assert_ptr_nonnull(strstr(hear(other), "\"ok\":true"));
	close(other);
	for (size_t some = 1; guest.ngot < sent; some = some * 3 % 10000 + 1)
		take_more(some);
	for (size_t i = 0; i < sent; i++)
		ck_assert_int_eq(guest.got[i], (char)('a' + i % 23));
	close(fd);
	settle();
}
END_TEST

/* The same, but another takes over: it is heard when the guest takes again. */
START_TEST(takeover_of_a_stuck_console)
{
	static char much[20000];
	int first = attach(ATTACH), second;

	guest.appetite = 0;
	memset(much, 'x', sizeof(much));
	ck_assert_int_gt(send(first, much, sizeof(much), MSG_DONTWAIT), 0);
	settle();
	second = attach(ATTACH);
	say(second, "help\n");
	take_more(SIZE_MAX);
	ck_assert_uint_ge(guest.ngot, 4096);
	ck_assert_int_eq(memcmp(guest.got + guest.ngot - 6, "xhelp\n", 6), 0);
	say(first, "no");
	say(second, "yes");
	ck_assert_int_eq(memcmp(guest.got + guest.ngot - 4, "\nyes", 4), 0);
	close(first);
	close(second);
	settle();
}
END_TEST

/* A client that does not read: the guest prints on, the client hears how much it has lost, and gets
 * the newest output whole. */
START_TEST(slow_reader)
{
	char line[64];
	unsigned long long lost = 0;
	unsigned int next = 0, last = 0;
	const char *at;
	int fd = attach(WATCH);

	hear(fd);
	for (unsigned int i = 0; i < 60000; i++) {
		print(line, (size_t)snprintf(line, sizeof(line), "line %06u\n", i));
		if (i % 1000 == 0)
			settle();
	}
	settle();
	ck_assert(!loop_poll(loop, 20));
	at = hear(fd);
	for (unsigned int n = 0; n < 3 && *at; n++) {
		/* Whole lines, then perhaps a note in the middle of one, and half a line. */
		for (; sscanf(at, "line %6u\n", &next) == 1 && at[11] == '\n'; at += 12) {
			ck_assert(!last || next == last + 1 || lost);
			last = next;
		}
		at = strstr(at, "[vmm: ");
		if (!at)
			break;
		ck_assert_int_eq(sscanf(at, "[vmm: %llu bytes of output are lost]", &lost), 1);
		at = strstr(at, "line ");
		ck_assert_ptr_nonnull(at);
	}
	ck_assert_uint_gt(lost, 0);
	ck_assert_uint_eq(last, 59999);
	close(fd);
	settle();
}
END_TEST

START_TEST(missed_before)
{
	static char much[BACKLOG_SIZE + 100];
	const char *text;
	int fd;

	memset(much, 'm', sizeof(much));
	print(much, sizeof(much));
	fd = attach(WATCH);
	text = hear(fd);
	ck_assert_int_eq(strncmp(text, "{\"ok\":true,\"missed\":100}\nm", 26), 0);
	ck_assert_uint_eq(strlen(strchr(text, '\n') + 1), BACKLOG_SIZE);
	close(fd);
	settle();
}
END_TEST

/* Gone at any point: before the answer, with output under way, with input waiting. */
START_TEST(dead_clients)
{
	static char much[60000];

	memset(much, 'm', sizeof(much));
	for (int i = 0; i < 60; i++) {
		int fd = control_connect("box", NULL);

		ck_assert_int_ge(send(fd, ATTACH "typed", sizeof(ATTACH "typed") - 1, 0), 0);
		guest.appetite = i % 2 ? 0 : SIZE_MAX;
		guest.ngot = 0;
		if (i % 3)
			loop_poll(loop, 10);
		print(much, sizeof(much));
		if (i % 5 == 0)
			settle();
		close(fd);
		if (i % 7 == 0)
			settle();
	}
	guest.ngot = 0;
	take_more(SIZE_MAX);
	settle();
	close(attach(ATTACH));
	settle();
}
END_TEST

/* Input that was sent before the client hung up is typed. */
START_TEST(typed_and_gone)
{
	int fd = dial();

	ck_assert_int_eq(send(fd, ATTACH "reboot\n", sizeof(ATTACH "reboot\n") - 1, 0),
			 sizeof(ATTACH "reboot\n") - 1);
	close(fd);
	settle();
	typed("reboot\n");
}
END_TEST

/* The machine's last words come, although no loop runs any more. */
START_TEST(last_words)
{
	int fd = attach(ATTACH);

	hear(fd);
	print("Power down\r\n", 12);
	control_destroy(control);
	control = NULL;
	ck_assert_str_eq(hear(fd), "Power down\r\n");
	ck_assert(hung_up(fd));
	close(fd);
}
END_TEST

/* Whatever is sent, before and after attaching: the server goes on. */
START_TEST(random_bytes)
{
	static const char *const bits[] = { "{",   "}",	 "\"command\"",	 ":",	 "\"console\"",
					    "\n",  ",",	 "\"readonly\"", "true", ATTACH,
					    WATCH, "\\", "\xff" };
	char text[256];
	int fd;

	srand(3);
	for (int i = 0; i < 300; i++) {
		text[0] = 0;
		for (int n = rand() % 6; n >= 0; n--)
			strcat(text, bits[(size_t)rand() % (sizeof(bits) / sizeof(bits[0]))]);
		fd = control_connect("box", NULL);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_gt(send(fd, text, strlen(text) + (size_t)rand() % 2, 0), 0);
		loop_poll(loop, 10);
		guest.ngot = 0;
		close(fd);
		loop_poll(loop, 0);
	}
	settle();
	fd = attach(ATTACH);
	ck_assert_ptr_nonnull(strstr(hear(fd), "\"ok\":true"));
	close(fd);
	settle();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_console");
	TCase *tc = tcase_create("console");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, past_and_present);
	tcase_add_test(tc, typed_ahead);
	tcase_add_test(tc, who_types);
	tcase_add_test(tc, guest_that_takes_nothing);
	tcase_add_test(tc, takeover_of_a_stuck_console);
	tcase_add_test(tc, slow_reader);
	tcase_add_test(tc, missed_before);
	tcase_add_test(tc, dead_clients);
	tcase_add_test(tc, typed_and_gone);
	tcase_add_test(tc, last_words);
	tcase_add_test(tc, random_bytes);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
