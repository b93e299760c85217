// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/hostport.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "vmm/core/log.h"
#include "vmm/core/loop.h"

enum { PATIENCE_S = 30 };

struct hostport {
	struct hostport_config cfg;
	const struct hostport_ops *ops;
	const char *name;
	struct loop *loop;
	struct log *log;
	struct chardev *chr;
	struct chardev_owner owner;
	struct loop_work watched; /* attaches and detaches, under the device's lock */
	/* The descriptor that a chardev is attached to or a client is accepted from, and one that
	 * tells of comings and goings. */
	int fd, watch_fd;
	struct loop_fd watch;
	/* pty */
	int slave; /* keeps the master from hanging up */
	unsigned int opens;
	char pty[64];
	/* What was made at cfg.path, so that nothing else is removed. */
	dev_t dev;
	ino_t ino;
};

struct hostport_ops {
	int (*open)(struct hostport *port); /* 0 or -errno */
	/* watch_fd is readable. On the loop thread, under no lock. */
	void (*event)(struct hostport *port);
	bool again; /* somebody else may come */
	const char *verb; /* what cannot be done, in a message */
};

static void post_watched(struct hostport *port)
{
	port->watched.dev = chardev_device(port->chr);
	loop_post(port->loop, &port->watched);
}

static void remember(struct hostport *port)
{
	struct stat st;

	if (!lstat(port->cfg.path, &st)) {
		port->dev = st.st_dev;
		port->ino = st.st_ino;
	}
}

static void forget(struct hostport *port)
{
	struct stat st;

	if (port->ino && !lstat(port->cfg.path, &st) && st.st_dev == port->dev &&
	    st.st_ino == port->ino)
		unlink(port->cfg.path);
}

/* --- file, descriptor -------------------------------------------------------------------------- */

static int file_open(struct hostport *port)
{
	port->fd = open(port->cfg.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666);
	return port->fd < 0 ? -errno : chardev_attach(port->chr, -1, port->fd);
}

static int fd_open(struct hostport *port)
{
	int flags = fcntl(port->cfg.fd, F_GETFL);
	int mode = flags & O_ACCMODE;

	if (flags < 0)
		return -errno;
	return chardev_attach(port->chr, mode == O_WRONLY ? -1 : port->cfg.fd,
			      mode == O_RDONLY ? -1 : port->cfg.fd);
}

/* --- socket ------------------------------------------------------------------------------------ */

/* A socket that refuses connections has nobody behind it. */
static int remove_stale(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) || errno == EAGAIN)
		err = -EADDRINUSE;
	else if (errno != ECONNREFUSED)
		err = -errno;
	close(fd);
	if (!err && unlink(addr->sun_path))
		err = -errno;
	return err;
}

static int socket_open(struct hostport *port)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;
	int err;

	if (strlen(port->cfg.path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, port->cfg.path);
	port->watch_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The file that bind() makes takes the descriptor's mode. */
	if (port->watch_fd < 0 || fchmod(port->watch_fd, 0600))
		return -errno;
	if (!lstat(addr.sun_path, &st)) {
		err = S_ISSOCK(st.st_mode) ? remove_stale(&addr) : -EEXIST;
		if (err)
			return err;
	}
	if (bind(port->watch_fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	remember(port);
	return listen(port->watch_fd, 4) ? -errno : 0;
}

static void socket_event(struct hostport *port)
{
	int fd = accept4(port->watch_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (port->fd >= 0) {
		close(fd);
		return;
	}
	port->fd = fd;
	post_watched(port);
}

/* --- pty --------------------------------------------------------------------------------------- */

static int pty_link(struct hostport *port)
{
	char target[PATH_MAX];
	ssize_t len;

	if (!port->cfg.path)
		return 0;
	/* A link to a pty that is gone is what a machine that was killed leaves. */
	len = readlink(port->cfg.path, target, sizeof(target) - 1);
	target[len > 0 ? len : 0] = 0;
	if (!strncmp(target, "/dev/pts/", 9) && access(target, F_OK))
		unlink(port->cfg.path);
	if (symlink(port->pty, port->cfg.path))
		return -errno;
	remember(port);
	return 0;
}

/* Our own descriptor of the slave comes before the watch, which sees only others. */
static int pty_open(struct hostport *port)
{
	struct termios raw;

	port->fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (port->fd < 0 || grantpt(port->fd) || unlockpt(port->fd) ||
	    ptsname_r(port->fd, port->pty, sizeof(port->pty)))
		return -errno;
	port->slave = open(port->pty, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (port->slave < 0 || tcgetattr(port->slave, &raw))
		return -errno;
	cfmakeraw(&raw);
	if (tcsetattr(port->slave, TCSANOW, &raw))
		return -errno;
	port->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (port->watch_fd < 0 ||
	    inotify_add_watch(port->watch_fd, port->pty, IN_OPEN | IN_CLOSE) < 0)
		return -errno;
	return pty_link(port);
}

static void pty_event(struct hostport *port)
{
	char buf[1024] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t len = read(port->watch_fd, buf, sizeof(buf));

	for (ssize_t at = 0; at < len;) {
		const struct inotify_event *event = (const void *)(buf + at);

		if (event->mask & IN_OPEN)
			port->opens++;
		else if (event->mask & IN_CLOSE && port->opens)
			port->opens--;
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	post_watched(port);
}

/* --- what all have in common ------------------------------------------------------------------- */

static const struct hostport_ops port_ops[] = {
	[HOSTPORT_FILE] = { .open = file_open, .verb = "append to" },
	[HOSTPORT_SOCKET] = { .open = socket_open,
			      .event = socket_event,
			      .again = true,
			      .verb = "listen on" },
	[HOSTPORT_PTY] = { .open = pty_open,
			   .event = pty_event,
			   .again = true,
			   .verb = "make a pty, or link it from" },
	[HOSTPORT_FD] = { .open = fd_open, .verb = "use" },
};

static void on_watch(struct loop_fd *src, uint32_t events)
{
	struct hostport *port = container_of(src, struct hostport, watch);

	(void)events;
	port->ops->event(port);
}

static void on_watched(struct loop_work *work)
{
	struct hostport *port = container_of(work, struct hostport, watched);
	bool there = port->cfg.kind == HOSTPORT_PTY ? port->opens > 0 : port->fd >= 0;
	int err;

	if (there == chardev_attached(port->chr))
		return;
	if (!there) {
		chardev_detach(port->chr);
		return;
	}
	err = chardev_attach(port->chr, port->fd, port->fd);
	if (err)
		port->owner.gone(&port->owner, err);
}

static void port_gone(struct chardev_owner *owner, int err)
{
	struct hostport *port = container_of(owner, struct hostport, owner);

	if (err)
		log_line(port->log, LOG_WARNING, "port %s: %s: %s", port->name,
			 err == -ETIMEDOUT ? "nobody takes its output, which is dropped"
					   : "what it is connected to has failed",
			 strerror(-err));
	chardev_detach(port->chr);
	if (port->cfg.kind == HOSTPORT_PTY) {
		post_watched(port);
		return;
	}
	if (port->fd >= 0)
		close(port->fd);
	port->fd = -1;
}

static int port_open(struct hostport *port, struct fail *fail)
{
	const char *path = port->cfg.path ? port->cfg.path : "it";
	int err = port->ops->open(port);

	if (!err && port->ops->event) {
		port->watch = (struct loop_fd){
			.fd = port->watch_fd,
			.events = EPOLLIN,
			.fn = on_watch,
		};
		err = loop_fd_add(port->loop, &port->watch);
	}
	if (err && port->cfg.kind == HOSTPORT_FD)
		return fail_set(fail, EXIT_CONFIG, err, "port %s: cannot use descriptor %d: %s",
				port->name, port->cfg.fd, strerror(-err));
	if (err)
		return fail_set(fail, EXIT_CONFIG, err, "port %s: cannot %s %s: %s", port->name,
				port->ops->verb, path, strerror(-err));
	return 0;
}

int hostport_parse(struct hostport_config *cfg, const char *key, const char *value,
		   struct fail *fail)
{
	static const char *const words[] = {
		[HOSTPORT_FILE] = "file",
		[HOSTPORT_SOCKET] = "socket",
		[HOSTPORT_PTY] = "pty",
		[HOSTPORT_FD] = "fd",
	};
	unsigned int kind = 0;
	char *end;
	long fd;

	while (kind < sizeof(words) / sizeof(words[0]) && strcmp(key, words[kind]))
		kind++;
	if (kind == sizeof(words) / sizeof(words[0]))
		return -ENOENT;
	*cfg = (struct hostport_config){ .kind = kind, .path = value, .fd = -1 };
	if (kind == HOSTPORT_PTY && !value)
		return 0;
	if (!value || !*value)
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "--port: %s= needs a %s", key,
				kind == HOSTPORT_FD ? "number" : "name");
	if (kind != HOSTPORT_FD)
		return 0;
	fd = strtol(value, &end, 10);
	if (*end || fd < 0 || fd > INT_MAX)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--port: fd=%s is not the number of an open descriptor", value);
	cfg->fd = (int)fd;
	cfg->path = NULL;
	return 0;
}

int hostport_create(const struct hostport_config *cfg, const char *name, struct loop *loop,
		    struct log *log, struct hostport **out, struct fail *fail)
{
	struct hostport *port = calloc(1, sizeof(*port));
	int err;

	if (!port)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	port->cfg = *cfg;
	port->ops = &port_ops[cfg->kind];
	port->name = name;
	port->loop = loop;
	port->log = log;
	port->fd = port->watch_fd = port->slave = -1;
	port->watched.fn = on_watched;
	port->owner.gone = port_gone;
	port->owner.patience_ns = cfg->patience_ns ? cfg->patience_ns : PATIENCE_S * 1000000000ULL;
	err = chardev_create(&port->chr, loop, -1, -1);
	if (err) {
		fail_set(fail, EXIT_HOST, err, "port %s: %s", name, strerror(-err));
	} else {
		chardev_own(port->chr, &port->owner);
		err = port_open(port, fail);
	}
	if (err)
		hostport_destroy(port);
	else
		*out = port;
	return err;
}

struct chardev *hostport_chardev(struct hostport *port)
{
	return port->chr;
}

const char *hostport_pty(const struct hostport *port)
{
	return port->cfg.kind == HOSTPORT_PTY ? port->pty : NULL;
}

void hostport_destroy(struct hostport *port)
{
	const int fds[] = { port ? port->fd : -1, port ? port->watch_fd : -1,
			    port ? port->slave : -1 };

	if (!port)
		return;
	loop_fd_del(port->loop, &port->watch);
	loop_post_cancel(port->loop, &port->watched);
	chardev_destroy(port->chr);
	for (unsigned int i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	forget(port);
	free(port);
}
