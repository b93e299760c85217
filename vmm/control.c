// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/control_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint64_t ACCEPT_RETRY_NS = 1000000000;

static void files_drop(struct control_files *files)
{
	while (files->n)
		if (files->fd[--files->n] >= 0)
			close(files->fd[files->n]);
}

static void client_close(struct client *c)
{
	struct control *control = c->control;
	unsigned int i = 0;

	while (control->clients[i] != c)
		i++;
	console_end(c);
	control->clients[i] = control->clients[--control->nclients];
	loop_fd_del(control->loop, &c->src);
	files_drop(&c->files);
	close(c->src.fd);
	free(c);
}

/* What is in `out` is a line: adds its end. */
static void client_ready(struct client *c)
{
	c->out_at = 0;
	c->out_len = strlen(c->out);
	c->out[c->out_len++] = '\n';
}

bool client_flush(struct client *c)
{
	while (client_pending(c)) {
		ssize_t n = send(c->src.fd, c->out + c->out_at, c->out_len - c->out_at,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
		c->out_at += n > 0 ? (size_t)n : 0;
	}
	return !c->last;
}

static void client_refuse_line(struct client *c)
{
	struct json_out out;

	json_out_init(&out, c->out, sizeof(c->out) - 1);
	json_open(&out, NULL, '{');
	json_bool(&out, "ok", false);
	json_str(&out, "error", "the line is too long");
	json_close(&out, '}');
	c->last = true;
	client_ready(c);
}

/* Answers the first of the lines that are there: false when none is. */
static bool client_serve_one(struct client *c)
{
	char *end = memchr(c->in, '\n', c->in_len);
	enum control_then then;
	size_t len = end ? (size_t)(end - c->in) : 0;

	if (!end && c->in_len < CONTROL_LINE_MAX)
		return false;
	if (!end) {
		client_refuse_line(c);
		return true;
	}
	*end = 0;
	c->control->target.files = &c->files;
	then = control_answer(&c->control->target, c->in, len, c->out, sizeof(c->out) - 1);
	files_drop(&c->files);
	client_ready(c);
	c->in_len -= len + 1;
	memmove(c->in, end + 1, c->in_len);
	if (then != CONTROL_THEN_GO_ON)
		console_begin(c, then);
	return true;
}

/* False when the client is to be closed. */
static bool client_serve(struct client *c)
{
	do {
		if (!client_flush(c))
			return false;
	} while (!c->mode && !client_pending(c) && client_serve_one(c));
	return true;
}

/* Keeps as many as there is room for: the kernel has cut off what is beyond one message's. */
static void take_files(struct client *c, struct msghdr *msg)
{
	for (struct cmsghdr *head = CMSG_FIRSTHDR(msg); head; head = CMSG_NXTHDR(msg, head)) {
		size_t n = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fd;

		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(head) + i * sizeof(fd), sizeof(fd));
			if (c->files.n < CONTROL_FILES_MAX)
				c->files.fd[c->files.n++] = fd;
			else
				close(fd);
		}
	}
}

bool client_receive(struct client *c)
{
	union {
		char bytes[CMSG_SPACE(CONTROL_FILES_MAX * sizeof(int))];
		struct cmsghdr align;
	} ancillary;
	struct iovec iov = { c->in + c->in_len, CONTROL_LINE_MAX - c->in_len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &ancillary,
		.msg_controllen = sizeof(ancillary),
	};
	ssize_t n = recvmsg(c->src.fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	take_files(c, &msg);
	c->in_len += (size_t)n;
	c->used = ++c->control->uses;
	return n > 0;
}

void client_update(struct client *c, bool stays)
{
	uint32_t events = client_pending(c) ? EPOLLOUT : EPOLLIN;

	if (c->mode)
		events = console_events(c);
	if (!stays || (events != c->src.events && loop_fd_mod(c->control->loop, &c->src, events)))
		client_close(c);
}

static bool serve_requests(struct client *c)
{
	bool stays = client_serve(c);

	/* The end of input comes after all lines before it have been served. */
	if (stays && !c->mode && !client_pending(c))
		stays = client_receive(c) && client_serve(c);
	return stays;
}

static void on_client(struct loop_fd *src, uint32_t events)
{
	struct client *c = container_of(src, struct client, src);
	bool attached = c->mode;
	bool stays = attached ? console_serve(c, events) : serve_requests(c);

	if (stays && c->mode && !attached)
		stays = console_serve(c, 0);
	client_update(c, stays);
}

/* --- listening -------------------------------------------------------------------------------- */

static bool peer_ok(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) &&
	       (cred.uid == geteuid() || cred.uid == 0);
}

static void make_room(struct control *control)
{
	struct client *oldest = NULL;

	if (control->nclients < CONTROL_CLIENTS_MAX)
		return;
	for (unsigned int i = 0; i < control->nclients; i++) {
		struct client *c = control->clients[i];

		if (!c->kept && (!oldest || c->used < oldest->used))
			oldest = c;
	}
	client_close(oldest);
}

static void greet(struct client *c)
{
	struct json_out out;

	json_out_init(&out, c->out, sizeof(c->out) - 1);
	json_open(&out, NULL, '{');
	json_uint(&out, "vmm", CONTROL_VERSION);
	json_str(&out, "name", c->control->target.name);
	json_uint(&out, "pid", (uint64_t)getpid());
	json_close(&out, '}');
	client_ready(c);
}

/* Takes over the descriptor, which is closed on failure. */
static int client_add(struct control *control, int fd, bool kept)
{
	/* Not zeroed: most of it is a buffer that few answers fill. */
	struct client *c = malloc(sizeof(*c));
	int err;

	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->control = control;
	c->src = (struct loop_fd){ .fd = fd, .events = EPOLLIN, .fn = on_client };
	c->used = ++control->uses;
	c->last = false;
	c->kept = kept;
	c->mode = CONTROL_THEN_GO_ON;
	c->in_len = 0;
	c->files.n = 0;
	err = loop_fd_add(control->loop, &c->src);
	if (err) {
		close(fd);
		free(c);
		return err;
	}
	make_room(control);
	control->clients[control->nclients++] = c;
	greet(c);
	on_client(&c->src, 0);
	return 0;
}

/* It stays ready: looking at once again would do nothing else. */
static void look_later(struct control *control, uint64_t ns)
{
	loop_fd_mod(control->loop, &control->listener, 0);
	loop_timer_set(control->loop, &control->retry, loop_now_ns() + ns);
}

static void on_connect(struct loop_fd *src, uint32_t events)
{
	struct control *control = container_of(src, struct control, listener);
	const struct control_target *target = &control->target;
	uint64_t left = target->ops->patience ? target->ops->patience(target->arg) : 0;
	int fd;

	(void)events;
	if (left) {
		look_later(control, left);
		return;
	}
	fd = accept4(src->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0 && peer_ok(fd)) {
		client_add(control, fd, false);
	} else if (fd >= 0) {
		close(fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		look_later(control, ACCEPT_RETRY_NS);
	}
}

static void on_retry(struct loop_timer *timer)
{
	struct control *control = container_of(timer, struct control, retry);

	loop_fd_mod(control->loop, &control->listener, EPOLLIN);
}

int control_create(struct loop *loop, int listen_fd, const struct control_target *target,
		   struct control **out)
{
	struct control *control = calloc(1, sizeof(*control));
	int err;

	if (!control)
		return -ENOMEM;
	control->loop = loop;
	control->target = *target;
	control->listener = (struct loop_fd){
		.fd = listen_fd,
		.events = EPOLLIN,
		.fn = on_connect,
	};
	control->retry.fn = on_retry;
	err = listen_fd < 0 ? 0 : loop_fd_add(loop, &control->listener);
	if (err) {
		free(control);
		return err;
	}
	*out = control;
	return 0;
}

int control_adopt(struct control *control, int fd)
{
	return client_add(control, fd, true);
}

void control_destroy(struct control *control)
{
	if (!control)
		return;
	while (control->nclients) {
		struct client *c = control->clients[0];

		/* The machine's last words, as far as they go without waiting. */
		if (c->mode && console_serve(c, 0)) {
			c->more = true;
			console_serve(c, 0);
		}
		client_close(c);
	}
	loop_timer_cancel(control->loop, &control->retry);
	loop_fd_del(control->loop, &control->listener);
	free(control);
}
