// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/core/json.h"
#include "vmm/test_attempt_priv.h"

/*
 * A machine that is moved under test: it is saved to the file that its process has, too, ends, and
 * its process goes on with what was saved. The console and its watcher notice nothing of it.
 */

static const char question[] = "{\"command\":\"save\"}\n";

static void failed(struct test_attempt *a, const char *why)
{
	if (a->result->outcome == TEST_NONE)
		test_text(a->result->why, why);
	test_attempt_decide(a, TEST_HOST);
}

/* True when the line says that all is well; otherwise the test is over. */
static bool is_ok(struct test_attempt *a, char *line)
{
	const struct json_field *ok;
	struct json_object obj;
	const char *why;

	ok = json_parse(line, &obj) ? NULL : json_get(&obj, "ok");
	if (ok && ok->num)
		return true;
	why = ok ? json_get_str(&obj, "error") : NULL;
	failed(a, why ? why : "the machine was not saved, and does not say why");
	return false;
}

void test_attempt_move_end(struct test_attempt *a)
{
	if (a->report.fd < 0)
		return;
	loop_fd_del(a->env.loop, &a->report);
	close(a->report.fd);
	a->report.fd = -1;
}

/* The end, at which the machine is told that what it wrote is kept, and goes on by itself. */
static void take_end(struct test_attempt *a, char *line)
{
	if (!is_ok(a, line) || a->nasks == TEST_ASKS_MAX)
		return;
	a->asks[a->nasks++] = TEST_ASK_MOVED;
	if (send(a->report.fd, "k", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
		failed(a, "the machine does not wait when it is saved");
}

/* Lines of progress, and then the end. */
static void on_report(struct loop_fd *src, uint32_t events)
{
	struct test_attempt *a = container_of(src, struct test_attempt, report);
	ssize_t n = recv(src->fd, a->report_text + a->report_len,
			 sizeof(a->report_text) - a->report_len, MSG_DONTWAIT);
	char *end;

	if (n <= 0) {
		if (events & (EPOLLHUP | EPOLLERR))
			test_attempt_move_end(a);
		return;
	}
	a->report_len += (size_t)n;
	while ((end = memchr(a->report_text, '\n', a->report_len))) {
		*end++ = 0;
		if (strstr(a->report_text, "\"ok\"")) {
			take_end(a, a->report_text);
			test_attempt_move_end(a);
			return;
		}
		a->report_len -= (size_t)(end - a->report_text);
		memmove(a->report_text, end, a->report_len);
	}
}

/* The first byte carries both descriptors. */
static int send_question(const struct test_attempt *a, int report)
{
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} ancillary = { 0 };
	const int fds[2] = { a->child.snapshot, report };
	struct iovec iov = { (char *)question, sizeof(question) - 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &ancillary,
		.msg_controllen = sizeof(ancillary.bytes),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(head), fds, sizeof(fds));
	return sendmsg(a->child.control, &msg, MSG_NOSIGNAL) == (ssize_t)iov.iov_len ? 0 : -errno;
}

static int ask(struct test_attempt *a)
{
	int pair[2], err = 0;

	if (a->nasks == TEST_ASKS_MAX)
		return -EBUSY;
	if (ftruncate(a->child.snapshot, 0) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	a->report_len = 0;
	a->report = (struct loop_fd){ .fd = pair[0], .events = EPOLLIN, .fn = on_report };
	err = loop_fd_add(a->env.loop, &a->report);
	if (!err)
		err = send_question(a, pair[1]);
	close(pair[1]);
	if (err)
		return err;
	a->asks[a->nasks++] = TEST_ASK_SAVE;
	return 0;
}

void test_attempt_move(struct test_attempt *a)
{
	int err;

	if (a->result->outcome != TEST_NONE)
		return;
	if (a->moving) {
		a->moves++;
		return;
	}
	a->moving = true;
	err = ask(a);
	if (err)
		failed(a, strerror(-err));
}

void test_attempt_take_save(struct test_attempt *a, char *answer)
{
	is_ok(a, answer);
}

void test_attempt_moved(struct test_attempt *a)
{
	a->moving = false;
	if (a->moves) {
		a->moves--;
		test_attempt_move(a);
		return;
	}
	for (unsigned int i = 0; i < a->nheld; i++)
		test_attempt_send(a, a->held[i]);
	a->nheld = 0;
}
