// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/control_client.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/control.h"
#include "vmm/control_dir.h"
#include "vmm/core/loop.h"

static const uint64_t NS = 1000000000;

struct control_conn {
	int fd;
	int timeout_ms;
	size_t taken, len; /* the line that was given out; all bytes in buf */
	char name[CONTROL_NAME_MAX + 1];
	char buf[CONTROL_REPLY_MAX + 1];
};

static int talk_failed(const struct control_conn *conn, int err, struct fail *fail)
{
	if (err == -EPIPE || err == -ECONNRESET)
		return fail_set(fail, EXIT_HOST, -EPIPE, "machine '%s' has ended", conn->name);
	return fail_set(fail, EXIT_HOST, err, "machine '%s' does not answer: %s", conn->name,
			strerror(-err));
}

static int send_all(struct control_conn *conn, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(conn->fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		data += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Appends what arrives: 0 or -errno; -EPIPE at the end. */
static int receive(struct control_conn *conn)
{
	struct pollfd p = { .fd = conn->fd, .events = POLLIN };
	int ready = poll(&p, 1, conn->timeout_ms);
	ssize_t n = -1;

	if (ready == 0)
		return -ETIMEDOUT;
	if (conn->len == CONTROL_REPLY_MAX)
		return -EMSGSIZE;
	if (ready > 0)
		n = recv(conn->fd, conn->buf + conn->len, CONTROL_REPLY_MAX - conn->len, 0);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	conn->len += (size_t)n;
	return n ? 0 : -EPIPE;
}

static int receive_line(struct control_conn *conn, char **line)
{
	char *end;

	conn->len -= conn->taken;
	memmove(conn->buf, conn->buf + conn->taken, conn->len);
	conn->taken = 0;
	while (!(end = memchr(conn->buf, '\n', conn->len))) {
		int err = receive(conn);

		if (err)
			return err;
	}
	*end = 0;
	conn->taken = (size_t)(end - conn->buf) + 1;
	*line = conn->buf;
	return 0;
}

static int check_greeting(struct control_conn *conn, struct fail *fail)
{
	const struct json_field *version = NULL;
	struct json_object obj;
	char *line;
	int err = receive_line(conn, &line);

	if (err)
		return talk_failed(conn, err, fail);
	if (!json_parse(line, &obj))
		version = json_get(&obj, "vmm");
	if (!version || version->type != JSON_INT || version->num != CONTROL_VERSION)
		return fail_set(fail, EXIT_HOST, -EPROTO,
				"machine '%s' speaks another version of the protocol; use the vmm "
				"that started it",
				conn->name);
	return 0;
}

int control_open(const char *name, int timeout_ms, struct control_conn **out, struct fail *fail)
{
	struct timeval limit = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	struct control_conn *conn;
	int fd = control_connect(name, fail);
	int err;

	if (fd < 0)
		return fd;
	conn = malloc(sizeof(*conn));
	if (!conn) {
		close(fd);
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	}
	conn->fd = fd;
	conn->timeout_ms = timeout_ms;
	conn->taken = conn->len = 0;
	snprintf(conn->name, sizeof(conn->name), "%s", name);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	err = check_greeting(conn, fail);
	if (err) {
		control_close(conn);
		return err;
	}
	*out = conn;
	return 0;
}

void control_close(struct control_conn *conn)
{
	if (!conn)
		return;
	close(conn->fd);
	free(conn);
}

int control_ask(struct control_conn *conn, const char *line, char **reply, struct fail *fail)
{
	int err = send_all(conn, line, strlen(line));

	if (!err)
		err = send_all(conn, "\n", 1);
	/* What refused the line may have said why before it hung up. */
	if (!err || err == -EPIPE)
		err = receive_line(conn, reply);
	return err ? talk_failed(conn, err, fail) : 0;
}

/* The first byte carries them. */
static int send_files(struct control_conn *conn, const char *byte, const int *fds, unsigned int n)
{
	union {
		char bytes[CMSG_SPACE(CONTROL_FILES_MAX * sizeof(int))];
		struct cmsghdr align;
	} ancillary = { 0 };
	struct iovec iov = { (char *)byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &ancillary,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(head), fds, n * sizeof(int));
	while (sendmsg(conn->fd, &msg, MSG_NOSIGNAL) != 1)
		if (errno != EINTR)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return 0;
}

int control_ask_files(struct control_conn *conn, const char *line, const int *fds, unsigned int n,
		      char **reply, struct fail *fail)
{
	int err;

	assert(n && n <= CONTROL_FILES_MAX);
	err = send_files(conn, line, fds, n);
	return err ? talk_failed(conn, err, fail) : control_ask(conn, line + 1, reply, fail);
}

/* The answer as an object; one that does not say `ok` is a failure. */
static int take_answer(char *reply, struct json_object *obj, struct fail *fail)
{
	const struct json_field *ok;
	const char *why;

	if (json_parse(reply, obj))
		return fail_set(fail, EXIT_HOST, -EPROTO, "the machine's answer makes no sense");
	ok = json_get(obj, "ok");
	if (ok && ok->num)
		return 0;
	why = json_get_str(obj, "error");
	return fail_set(fail, EXIT_CONFIG, -EINVAL, "the machine refuses: %s", why ? why : "?");
}

int control_request(struct control_conn *conn, const char *line, struct json_object *obj,
		    struct fail *fail)
{
	char *reply;
	int err = control_ask(conn, line, &reply, fail);

	return err ? err : take_answer(reply, obj, fail);
}

int control_demand(const char *name, const char *line, const int *fds, unsigned int n,
		   struct fail *fail)
{
	struct control_conn *conn = NULL;
	struct json_object obj;
	char *reply;
	int err = control_open(name, CONTROL_ANSWER_MS, &conn, fail);

	if (!err)
		err = n ? control_ask_files(conn, line, fds, n, &reply, fail)
			: control_ask(conn, line, &reply, fail);
	if (!err)
		err = take_answer(reply, &obj, fail);
	control_close(conn);
	return err;
}

int control_idle(struct control_conn *conn, uint64_t deadline_ns)
{
	for (;;) {
		struct pollfd p = { .fd = conn->fd, .events = POLLIN };
		uint64_t now = loop_now_ns();
		struct timespec left = {
			.tv_sec = now < deadline_ns ? (deadline_ns - now) / NS : 0,
			.tv_nsec = now < deadline_ns ? (deadline_ns - now) % NS : 0,
		};

		if (ppoll(&p, 1, &left, NULL) > 0)
			return -EPIPE; /* it says nothing by itself but the end */
		if (loop_now_ns() >= deadline_ns)
			return 0;
	}
}

int control_raw(struct control_conn *conn, const char **data, size_t *len)
{
	*data = conn->buf + conn->taken;
	*len = conn->len - conn->taken;
	conn->taken = conn->len;
	return conn->fd;
}

void control_wait_end(struct control_conn *conn)
{
	int err = 0;

	conn->timeout_ms = -1;
	while (!err) {
		conn->len = conn->taken = 0;
		err = receive(conn);
	}
}
