// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/migrate_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/core/loop.h"
#include "vmm/migrate_priv.h"

enum { CONNECT_MS = 30000, NAME_MAX_LEN = 255, UNSENT_MAX = 128 << 10 };

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

struct target {
	const char *uri;
	const char *path; /* of a Unix socket; or NULL */
	union address addr;
	socklen_t len;
};

static int cannot(const struct target *t, const char *what, int err, struct fail *fail)
{
	return fail_set(fail, EXIT_CONFIG, err, "cannot %s %s: %s", what, t->uri, strerror(-err));
}

/* --- addresses --------------------------------------------------------------------------------- */

static bool numeric(const char *host, uint16_t port, struct target *t)
{
	memset(&t->addr, 0, sizeof(t->addr));
	if (inet_pton(AF_INET, host, &t->addr.v4.sin_addr) == 1) {
		t->addr.v4.sin_family = AF_INET;
		t->addr.v4.sin_port = htons(port);
		t->len = sizeof(t->addr.v4);
		return true;
	}
	if (inet_pton(AF_INET6, host, &t->addr.v6.sin6_addr) != 1)
		return false;
	t->addr.v6.sin6_family = AF_INET6;
	t->addr.v6.sin6_port = htons(port);
	t->len = sizeof(t->addr.v6);
	return true;
}

static _Noreturn void run_getent(const char *host, int out)
{
	if (dup2(out, STDOUT_FILENO) >= 0)
		execlp("getent", "getent", "ahosts", "--", host, (char *)NULL);
	_exit(127);
}

/* A static program has no resolver of its own: the first address that the system's tool prints. */
static int ask_getent(const char *host, char *line, int size)
{
	int pipe[2], status = 0;
	FILE *out;
	pid_t pid;

	*line = 0;
	if (pipe2(pipe, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (!pid)
		run_getent(host, pipe[1]);
	close(pipe[1]);
	out = fdopen(pipe[0], "r");
	if (!out || !fgets(line, size, out))
		*line = 0;
	if (out)
		fclose(out);
	else
		close(pipe[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	line[strcspn(line, " \t\n")] = 0;
	return *line ? 0 : -ENOENT;
}

/* HOST:PORT, [HOST]:PORT */
static int parse_tcp(const char *word, struct target *t, struct fail *fail)
{
	char host[NAME_MAX_LEN + 1], found[128], *end;
	const char *colon = strrchr(word, ':');
	size_t len = colon ? (size_t)(colon - word) : 0;
	unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;

	if (!len || len >= sizeof(host) || !port || port > 65535 || *end || colon[1] < '0' ||
	    colon[1] > '9')
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"'%s' is no address; write tcp:HOST:PORT", t->uri);
	if (word[0] == '[' && word[len - 1] == ']') {
		word++;
		len -= 2;
	}
	memcpy(host, word, len);
	host[len] = 0;
	if (numeric(host, (uint16_t)port, t))
		return 0;
	if (!ask_getent(host, found, sizeof(found)) && numeric(found, (uint16_t)port, t))
		return 0;
	return fail_set(fail, EXIT_CONFIG, -ENOENT,
			"no address of host '%s' is known (getent ahosts)", host);
}

static int parse_unix(const char *path, struct target *t, struct fail *fail)
{
	t->path = path;
	t->len = sizeof(t->addr.un);
	t->addr.un.sun_family = AF_UNIX;
	if (!*path || strlen(path) >= sizeof(t->addr.un.sun_path))
		return fail_set(fail, EXIT_CONFIG, -ENAMETOOLONG,
				"the path of a socket has 1 to %zu characters: %s",
				sizeof(t->addr.un.sun_path) - 1, t->uri);
	strcpy(t->addr.un.sun_path, path);
	return 0;
}

/* --- sockets ----------------------------------------------------------------------------------- */

/* What the kernel has not sent yet is in the way of what is urgent, and may be megabytes. */
static void set_up(int fd, const struct target *t)
{
	int on = 1, unsent = UNSENT_MAX;

	if (t->addr.any.sa_family == AF_UNIX)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
}

static int open_socket(const struct target *t, struct fail *fail)
{
	int fd = socket(t->addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 ? fd : cannot(t, "make a socket for", -errno, fail);
}

/* How what has begun to connect ends: 0, or an errno. */
static int finish_connect(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	uint64_t until = migrate_deadline(CONNECT_MS);
	int ready, err = 0;
	socklen_t len = sizeof(err);

	do
		ready = poll(&p, 1, CONNECT_MS);
	while (ready < 0 && errno == EINTR && loop_now_ns() < until);
	if (ready != 1)
		return ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) ? errno : err;
}

static int connect_socket(const struct target *t, struct migrate_link *link, struct fail *fail)
{
	int fd = open_socket(t, fail), err = 0;

	if (fd < 0)
		return fd;
	if (connect(fd, &t->addr.any, t->len))
		err = errno == EINPROGRESS ? finish_connect(fd) : errno;
	if (err) {
		close(fd);
		return cannot(t, "connect to", -err, fail);
	}
	set_up(fd, t);
	link->in = link->out = fd;
	return 0;
}

/* Nobody but its owner may connect: the mode is the socket's from its first moment on. */
static int bind_socket(int fd, const struct target *t)
{
	int on = 1, err;
	mode_t mask = umask(0177);

	if (!t->path)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	err = bind(fd, &t->addr.any, t->len) || listen(fd, 1) ? -errno : 0;
	umask(mask);
	return err;
}

static int accept_one(const struct target *t, int listener)
{
	struct pollfd p = { .fd = listener, .events = POLLIN };
	int fd;

	do {
		poll(&p, 1, -1);
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	} while (fd < 0 && (errno == EINTR || errno == EAGAIN || errno == ECONNABORTED));
	if (fd >= 0)
		set_up(fd, t);
	return fd < 0 ? -errno : fd;
}

static int accept_socket(const struct target *t, struct migrate_link *link, struct fail *fail)
{
	int fd = open_socket(t, fail), err, one = -1;

	if (fd < 0)
		return fd;
	err = bind_socket(fd, t);
	if (err)
		cannot(t, "listen at", err, fail);
	if (!err) {
		one = accept_one(t, fd);
		err = one < 0 ? cannot(t, "accept at", one, fail) : 0;
		if (t->path)
			unlink(t->path);
	}
	close(fd);
	link->in = link->out = one;
	return err;
}

/* --- the kinds --------------------------------------------------------------------------------- */

typedef int open_fn(const struct target *t, struct migrate_link *link, struct fail *fail);

static int open_fd(const char *word, struct target *t, struct migrate_link *link, struct fail *fail)
{
	int type = 0, fd;
	socklen_t len = sizeof(type);
	char *end;
	unsigned long n = strtoul(word, &end, 10);

	if (*word < '0' || *word > '9' || *end || n > 1 << 20 ||
	    getsockopt((int)n, SOL_SOCKET, SO_TYPE, &type, &len) || type != SOCK_STREAM)
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "%s is no open stream socket", t->uri);
	fd = fcntl((int)n, F_DUPFD_CLOEXEC, 3);
	if (fd < 0 || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK))
		return cannot(t, "use", -errno, fail);
	link->in = link->out = fd;
	return 0;
}

/* It is left to itself when the link is closed: at its end of file it ends. */
static int open_exec(const char *command, struct target *t, struct migrate_link *link,
		     struct fail *fail)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return cannot(t, "run", -errno, fail);
	pid = fork();
	if (!pid) {
		signal(SIGPIPE, SIG_DFL);
		signal(SIGXFSZ, SIG_DFL);
		if (dup2(pair[1], STDIN_FILENO) >= 0 && dup2(pair[1], STDOUT_FILENO) >= 0)
			execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return cannot(t, "run", -EAGAIN, fail);
	}
	fcntl(pair[0], F_SETFL, O_RDWR | O_NONBLOCK);
	link->in = link->out = pair[0];
	return 0;
}

static int open_std(struct migrate_link *link, bool sending, struct fail *fail)
{
	link->std = true;
	link->one_way = sending;
	link->in = sending ? -1 : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	link->out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if ((sending || link->in >= 0) && link->out >= 0)
		return 0;
	return fail_set(fail, EXIT_CONFIG, -EBADF, "there is no %s to use",
			link->out < 0 ? "stdout" : "stdin");
}

/* The rest of the word behind its kind, or NULL if it is another. */
static const char *behind(const char *uri, const char *kind)
{
	size_t len = strlen(kind);

	return strncmp(uri, kind, len) ? NULL : uri + len;
}

static int open_link(const char *uri, struct migrate_link *link, bool sending, open_fn *open,
		     struct fail *fail)
{
	struct target t = { .uri = uri };
	const char *rest;
	int err;

	*link = (struct migrate_link){ .in = -1, .out = -1 };
	if (!strcmp(uri, "-"))
		return open_std(link, sending, fail);
	if ((rest = behind(uri, "fd:")))
		return open_fd(rest, &t, link, fail);
	if ((rest = behind(uri, "exec:")))
		return open_exec(rest, &t, link, fail);
	if ((rest = behind(uri, "unix:")))
		err = parse_unix(rest, &t, fail);
	else if ((rest = behind(uri, "tcp:")))
		err = parse_tcp(rest, &t, fail);
	else
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"'%s' is no address; use tcp:HOST:PORT, unix:PATH, fd:N, "
				"exec:COMMAND or -",
				uri);
	return err ? err : open(&t, link, fail);
}

int migrate_link_connect(const char *uri, struct migrate_link *link, struct fail *fail)
{
	return open_link(uri, link, true, connect_socket, fail);
}

int migrate_link_accept(const char *uri, struct migrate_link *link, struct fail *fail)
{
	return open_link(uri, link, false, accept_socket, fail);
}

void migrate_link_close(struct migrate_link *link)
{
	if (link->in >= 0)
		close(link->in);
	if (link->out >= 0 && link->out != link->in)
		close(link->out);
	link->in = link->out = -1;
}
