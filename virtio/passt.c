// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/net_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "virtio/net.h"
#include "virtio/net_stream.h"
#include "vmm/core/log.h"
#include "vmm/core/loop.h"

/*
 * passt, a program of its own, gives a guest the host's network without any privilege: frames
 * become sockets there. It is our child, speaks over one end of a socket pair and ends when the
 * other is closed, so also when we are killed.
 */
enum {
	CHILD_FD = 3,
	ARGS_MAX = 16 + 2 * NET_FORWARDS_MAX,
	READY_MS = 10000, /* far longer than it takes; a busy machine needs some of it */
	END_MS = 1000,
};

struct passt {
	struct net_stream stream;
	pid_t pid; /* 0: none, or reaped */
	struct loop_fd end; /* its pidfd */
	struct loop_fd said; /* its messages, a pipe */
	char last[160]; /* line of them */
	size_t len;
};

static struct passt *to_passt(struct net_stream *s)
{
	return container_of(s, struct passt, stream);
}

/* --- what it says ------------------------------------------------------------------------------ */

/* Takes what is in the pipe, a log line each. `last` keeps the last whole line. */
static void hear(struct passt *p)
{
	struct device *dev = p->stream.be.dev;
	char buf[512];
	ssize_t n;

	while ((n = read(p->said.fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] != '\n') {
				if (p->len < sizeof(p->last) - 1)
					p->last[p->len++] = buf[i] >= ' ' ? buf[i] : ' ';
				continue;
			}
			p->last[p->len] = 0;
			p->len = 0;
			log_line(dev->env.log, LOG_INFO, "%s: passt: %s", dev->name, p->last);
		}
	}
}

static void on_said(struct loop_fd *src, uint32_t events)
{
	struct passt *p = container_of(src, struct passt, said);

	hear(p);
	if (events & EPOLLHUP)
		loop_fd_del(p->stream.be.dev->env.loop, src);
}

/* --- its end ----------------------------------------------------------------------------------- */

/* Reaps it, if it has ended: a sentence's part in `how`. */
static bool reap(struct passt *p, char *how, size_t size)
{
	int status;

	if (!p->pid || waitpid(p->pid, &status, WNOHANG) != p->pid)
		return false;
	p->pid = 0;
	hear(p);
	if (WIFSIGNALED(status))
		snprintf(how, size, "ended by signal %d", WTERMSIG(status));
	else
		snprintf(how, size, "ended with status %d%s%s", WEXITSTATUS(status),
			 p->last[0] ? ": " : "", p->last);
	return true;
}

static void on_end(struct loop_fd *src, uint32_t events)
{
	struct passt *p = container_of(src, struct passt, end);
	struct device *dev = p->stream.be.dev;
	char how[256];

	(void)events;
	if (!reap(p, how, sizeof(how)))
		return;
	loop_fd_del(dev->env.loop, src);
	log_line(dev->env.log, LOG_WARNING, "%s: passt %s", dev->name, how);
}

/* It ends by itself when its socket is closed, as it is by now; if not, it is ended. */
static void stop(struct passt *p)
{
	static const int signals[] = { SIGTERM, SIGKILL };
	struct pollfd ended = { .fd = p->end.fd, .events = POLLIN };

	for (unsigned int i = 0; p->pid && i < 2; i++) {
		kill(p->pid, signals[i]);
		if (signals[i] != SIGKILL && poll(&ended, 1, END_MS) <= 0)
			continue;
		waitpid(p->pid, NULL, 0);
		p->pid = 0;
	}
}

static void passt_end(struct net_stream *s)
{
	struct passt *p = to_passt(s);
	struct loop *loop = s->be.dev->env.loop;

	loop_fd_del(loop, &p->said);
	loop_fd_del(loop, &p->end);
	stop(p);
	if (p->said.fd >= 0)
		close(p->said.fd);
	if (p->end.fd >= 0)
		close(p->end.fd);
}

/* --- its start --------------------------------------------------------------------------------- */

struct args {
	const char *argv[ARGS_MAX];
	unsigned int n;
	char mtu[8], fd[8];
	char ports[NET_FORWARDS_MAX][80];
};

static void add(struct args *args, const char *word)
{
	args->argv[args->n++] = word;
}

/* Without --no-map-gw the gateway's address would be the host's loopback. */
static void make_args(struct args *args, const struct net_config *cfg)
{
	snprintf(args->fd, sizeof(args->fd), "%d", CHILD_FD);
	snprintf(args->mtu, sizeof(args->mtu), "%u", cfg->mtu);
	add(args, "passt");
	add(args, "--foreground");
	add(args, "--quiet");
	add(args, "--no-map-gw");
	add(args, "--fd");
	add(args, args->fd);
	if (cfg->mtu) {
		add(args, "--mtu");
		add(args, args->mtu);
	}
	for (unsigned int i = 0; i < cfg->nfwd; i++) {
		const struct net_forward *fwd = &cfg->fwd[i];

		snprintf(args->ports[i], sizeof(args->ports[i]), "%s%s%u:%u",
			 fwd->addr ? fwd->addr : "", fwd->addr ? "/" : "", fwd->host, fwd->guest);
		add(args, fwd->udp ? "--udp-ports" : "--tcp-ports");
		add(args, args->ports[i]);
	}
}

static int spawn(struct passt *p, const struct net_config *cfg, int sock, int said)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	struct args args = { 0 };
	sigset_t none, all;
	int err;

	make_args(&args, cfg);
	err = posix_spawn_file_actions_init(&actions);
	if (err)
		return -err;
	posix_spawnattr_init(&attr);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	/* In a group of its own a terminal's Ctrl-C does not end the guest's network. */
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						POSIX_SPAWN_SETPGROUP);
	/* The messages first: they may be the descriptor that the socket becomes. */
	err = posix_spawn_file_actions_adddup2(&actions, said, STDERR_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&actions, said, STDOUT_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&actions, sock, CHILD_FD);
	if (!err)
		err = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
						       O_RDONLY, 0);
	if (!err)
		err = posix_spawnp(&p->pid, "passt", &actions, &attr, (char **)args.argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	if (err)
		p->pid = 0;
	return -err;
}

/* A pipe for its messages, the child, and its pidfd. `sock` is the child's end. */
static int start(struct passt *p, const struct net_config *cfg, int sock, struct fail *fail)
{
	struct loop *loop = p->stream.be.dev->env.loop;
	int pipe[2], err;

	if (pipe2(pipe, O_CLOEXEC | O_NONBLOCK))
		return fail_set(fail, EXIT_HOST, -errno, "cannot make a pipe: %s", strerror(errno));
	p->said.fd = pipe[0];
	err = spawn(p, cfg, sock, pipe[1]);
	close(pipe[1]);
	if (err == -ENOENT)
		return fail_set(
			fail, EXIT_CONFIG, err,
			"--network mode=user needs the program passt, which is not in PATH; "
			"install it: apt-get install passt");
	if (err)
		return fail_set(fail, EXIT_HOST, err, "cannot start passt: %s", strerror(-err));
	p->end.fd = pidfd_open(p->pid, 0);
	err = p->end.fd < 0 ? -errno : loop_fd_add(loop, &p->end);
	if (!err)
		err = loop_fd_add(loop, &p->said);
	return err ? fail_set(fail, EXIT_HOST, err, "cannot watch passt: %s", strerror(-err)) : 0;
}

/*
 * It says nothing by itself when it is ready, but answers a question: who has a link-local
 * address (ARP), or for a host with IPv6 alone, which routers there are (RFC 4861, 4.1). The
 * answers stay in the socket: to a guest they are nothing unusual.
 */
static int probe(int fd, const uint8_t *mac)
{
	uint8_t arp[] = { 0, 0, 0, 42, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 8, 6,
			  /* Ethernet, IPv4, request; from the card, 0.0.0.0; for 169.254.1.1 */
			  0, 1, 8, 0, 6, 4, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
			  169, 254, 1, 1 };
	uint8_t rs[] = { 0, 0, 0, 62, 0x33, 0x33, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0x86, 0xdd,
			 /* IPv6, 8 bytes of ICMP, hop limit 255; from :: to ff02::2 */
			 0x60, 0, 0, 0, 0, 8, 58, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
			 0, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
			 /* router solicitation, its checksum */
			 133, 0, 0x7b, 0xb8, 0, 0, 0, 0 };

	_Static_assert(sizeof(arp) == 4 + 42 && sizeof(rs) == 4 + 62, "as their prefixes say");
	memcpy(arp + 10, mac, 6);
	memcpy(arp + 26, mac, 6);
	memcpy(rs + 10, mac, 6);
	if (send(fd, arp, sizeof(arp), MSG_NOSIGNAL) != sizeof(arp) ||
	    send(fd, rs, sizeof(rs), MSG_NOSIGNAL) != sizeof(rs))
		return -errno;
	return 0;
}

/* Waits until it answers, or has ended because it did not like an option or the host. */
static int wait_ready(struct passt *p, const uint8_t *mac, struct fail *fail)
{
	struct device *dev = p->stream.be.dev;
	struct pollfd fds[] = {
		{ .fd = p->stream.be.fd[0], .events = POLLIN },
		{ .fd = p->end.fd, .events = POLLIN },
	};
	uint8_t byte;
	char how[256] = "hung up";
	int n;

	/* If this fails it has ended, and the next finds out. */
	probe(fds[0].fd, mac);
	n = poll(fds, 2, READY_MS);
	if (n > 0 && recv(fds[0].fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1)
		return 0;
	if (n == 0) {
		log_line(dev->env.log, LOG_WARNING, "%s: passt does not answer yet", dev->name);
		return 0;
	}
	poll(&fds[1], 1, END_MS);
	reap(p, how, sizeof(how));
	return fail_set(fail, EXIT_CONFIG, -ECONNREFUSED, "--network mode=user: passt %s", how);
}

int passt_open(const struct net_config *cfg, const uint8_t *mac, struct device *dev,
	       struct net_backend **out, struct fail *fail)
{
	struct passt *p = calloc(1, sizeof(*p));
	int pair[2], err;

	if (!p)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "%s: out of memory", dev->name);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		err = -errno;
		free(p);
		return fail_set(fail, EXIT_HOST, err, "cannot make a socket: %s", strerror(-err));
	}
	net_stream_init(&p->stream, pair[0], dev);
	p->stream.end = passt_end;
	p->end = (struct loop_fd){ .fd = -1, .events = EPOLLIN, .dev = dev, .fn = on_end };
	p->said = (struct loop_fd){ .fd = -1, .events = EPOLLIN, .dev = dev, .fn = on_said };
	err = start(p, cfg, pair[1], fail);
	close(pair[1]);
	if (!err)
		err = wait_ready(p, mac, fail);
	if (err)
		p->stream.be.ops->destroy(&p->stream.be);
	else
		*out = &p->stream.be;
	return err;
}
