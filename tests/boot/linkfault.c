// SPDX-License-Identifier: GPL-2.0-only
/*
 * A link between `vmm send` and `vmm receive` that fails at a named phase of the handover
 * (vmm/migrate.md), which it knows by the frames that it passes on:
 *
 *   linkfault PORT RECEIVER-PORT PHASE FAULT SENDER-PID RECEIVER-PID
 *
 * listens at 127.0.0.1:PORT for one machine, and says `struck` at the moment of the fault; `hold` ends by
 * SIGUSR1. In the phase `listen` nothing is sent as yet: the link itself can only be somebody else's.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "vmm/snapshot_priv.h"

enum { STREAM_HEAD = 16, PAGE = 4096, BUF = 1 << 20, STOP_S = 5, LISTEN_S = 60 };

struct way {
	int from, to;
	bool back; /* what the destination says */
	bool over;
	bool begun; /* the head has passed */
	bool pages; /* some have passed */
	unsigned int turns; /* of addresses that began anew: rounds */
	uint64_t last;
	size_t len;
	uint8_t buf[BUF];
};

struct link {
	const struct phase *phase;
	const struct fault *fault;
	pid_t pids[2]; /* source, destination */
	struct way ways[2];
	bool behind; /* the word that the phase waits for has passed */
	bool listed; /* what is missing has been said */
	uint64_t missing; /* pages of it that have not passed */
	bool struck;
	bool stalled, cut;
};

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

/* --- phases ------------------------------------------------------------------------------------ */

static const struct phase {
	const char *name;
	bool back;
	const char *frame; /* how its name begins; "" is the head */
	bool moving; /* only behind pages: those before are for the check */
	unsigned int turns; /* so often have addresses begun anew */
	const char *behind; /* only behind this word, of either side */
	uint64_t pages; /* so many at least */
	bool last; /* nothing is missing any more */
} phases[] = {
	{ "listen", .frame = NULL },
	{ "connect", .frame = "" },
	{ "check", .frame = "=check" },
	{ "first", .frame = "=pages" },
	{ "round", .back = true, .frame = "=taken" },
	/* Whether the guest stands still by then is for who drives it to say. */
	{ "later", .frame = "=pages", .turns = 1 },
	{ "pause", .frame = "=pages", .turns = 1 },
	{ "vcpu", .frame = "vcpu/", .moving = true },
	{ "gic", .frame = "gic", .moving = true },
	{ "device", .frame = "device/", .moving = true },
	{ "loaded", .back = true, .frame = "=loaded" },
	{ "commit", .frame = "=commit" },
	{ "entry", .back = true, .frame = "=running" },
	/* Of post-copy. */
	{ "missing", .frame = "=missing" },
	{ "want", .back = true, .frame = "=want", .behind = "=running" },
	/* What is asked for comes page by page. */
	{ "push", .frame = "=pages", .behind = "=running", .pages = 2 },
	{ "last", .frame = "=", .last = true },
	{ "complete", .back = true, .frame = "=complete" },
	/* Of another link, when one was lost. */
	{ "hello", .frame = "=recover" },
	{ "lacks", .back = true, .frame = "=missing" },
	{ "recovering", .back = true, .frame = "=recovering" },
};

/* Pages that a frame holds; 0: it is another. */
static uint64_t pages_in(const struct way *way, const struct section_head *head)
{
	uint64_t zeros[2];

	if (!strcmp(head->name, "=pages"))
		return head->len / PAGE;
	if (strcmp(head->name, "=zeros"))
		return 0;
	memcpy(zeros, way->buf + sizeof(*head), sizeof(zeros));
	return zeros[1];
}

static bool is_phase(const struct link *link, const struct way *way,
		     const struct section_head *head)
{
	const struct phase *p = link->phase;

	if (!p->frame || p->back != way->back || !*p->frame != !way->begun)
		return false;
	if (!*p->frame)
		return true;
	if (strncmp(head->name, p->frame, strlen(p->frame)) || way->turns < p->turns)
		return false;
	if ((p->moving && !way->pages) || (p->behind && !link->behind))
		return false;
	if (p->last && (!link->listed || link->missing || !pages_in(way, head)))
		return false;
	return !p->pages || pages_in(way, head) >= p->pages;
}

/* --- faults: each gives how much of a frame is passed on ---------------------------------------- */

static size_t reset(struct link *link, struct way *way, size_t len)
{
	const struct linger now = { .l_onoff = 1 };

	(void)len;
	setsockopt(way->from, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	setsockopt(way->to, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	link->cut = true;
	return 0;
}

static size_t half(struct link *link, struct way *way, size_t len)
{
	(void)way;
	link->cut = true;
	return len / 2;
}

static size_t stall(struct link *link, struct way *way, size_t len)
{
	(void)way;
	(void)len;
	link->stalled = true;
	return 0;
}

static size_t garbage(struct link *link, struct way *way, size_t len)
{
	(void)link;
	way->buf[len / 2] ^= 0x40;
	way->buf[len - 1] ^= 0x01;
	return len;
}

/* SIGUSR1, which is waited for, and may come before. */
static sigset_t block_go_on(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return set;
}

/* Until somebody lets it go on, as if nothing had been. */
static size_t hold(struct link *link, struct way *way, size_t len)
{
	const sigset_t go_on = block_go_on();
	int sig;

	(void)link;
	(void)way;
	sigwait(&go_on, &sig);
	return len;
}

static void kill_one(pid_t pid)
{
	kill(pid, SIGKILL);
}

/* For so long; the link may have to wait for it meanwhile. */
static void stop_one(pid_t pid)
{
	const struct timespec time = { STOP_S, 0 };

	kill(pid, SIGSTOP);
	if (fork())
		return;
	nanosleep(&time, NULL);
	kill(pid, SIGCONT);
	_exit(0);
}

static void limit_memory(pid_t pid, rlim_t bytes)
{
	const struct rlimit limit = { bytes, RLIM_INFINITY };

	if (prlimit(pid, RLIMIT_AS, &limit, NULL))
		die("prlimit");
}

/* From now on it gets no memory ... */
static void starve_one(pid_t pid)
{
	limit_memory(pid, 0);
}

/* ... and again as much as there is. */
static void feed_one(pid_t pid)
{
	limit_memory(pid, RLIM_INFINITY);
}

static const struct fault {
	const char *name;
	size_t (*strike)(struct link *link, struct way *way, size_t len);
	void (*hit)(pid_t pid);
	int whom; /* of link.pids */
} faults[] = {
	{ "none", .strike = NULL },
	{ "reset", .strike = reset },
	{ "half", .strike = half },
	{ "stall", .strike = stall },
	{ "garbage", .strike = garbage },
	{ "hold", .strike = hold },
	{ "kill-source", .hit = kill_one, .whom = 0 },
	{ "kill-destination", .hit = kill_one, .whom = 1 },
	{ "stop-source", .hit = stop_one, .whom = 0 },
	{ "stop-destination", .hit = stop_one, .whom = 1 },
	{ "no-space-source", .hit = starve_one, .whom = 0 },
	{ "no-space-destination", .hit = starve_one, .whom = 1 },
	{ "space-source", .hit = feed_one, .whom = 0 },
	{ "space-destination", .hit = feed_one, .whom = 1 },
};

static size_t strike(struct link *link, struct way *way, size_t len)
{
	link->struck = true;
	if (link->fault->hit)
		link->fault->hit(link->pids[link->fault->whom]);
	puts("struck");
	return link->fault->strike ? link->fault->strike(link, way, len) : len;
}

/* --- frames ------------------------------------------------------------------------------------ */

/* Bytes of what is at the front, or 0 if it is not whole yet. */
static size_t frame_len(const struct way *way, struct section_head *head)
{
	size_t len = STREAM_HEAD;

	if (way->begun) {
		if (way->len < sizeof(*head))
			return 0;
		memcpy(head, way->buf, sizeof(*head));
		len = sizeof(*head) + head->len;
	}
	if (len > BUF) {
		fprintf(stderr, "linkfault: a frame of %zu bytes\n", len);
		exit(1);
	}
	return len <= way->len ? len : 0;
}

static void note_missing(struct link *link, const struct way *way, const struct section_head *head)
{
	const uint8_t *bits = way->buf + sizeof(*head) + sizeof(uint64_t);

	for (uint64_t i = 0; i + sizeof(uint64_t) < head->len; i++)
		link->missing += (uint64_t)__builtin_popcount(bits[i]);
	link->listed = true;
}

static void note(struct link *link, struct way *way, const struct section_head *head)
{
	uint64_t gpa, pages;

	if (!way->begun)
		return;
	if (!strcmp(head->name, "=missing"))
		note_missing(link, way, head);
	link->behind |= link->phase->behind && !strcmp(head->name, link->phase->behind);
	pages = pages_in(way, head);
	if (!pages)
		return;
	memcpy(&gpa, way->buf + sizeof(*head), sizeof(gpa));
	way->turns += way->pages && gpa <= way->last;
	way->pages = true;
	way->last = gpa;
	link->missing -= pages < link->missing ? pages : link->missing;
}

/* Who does not take it has gone: its end is seen on the other way. */
static void pass(struct way *way, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = send(way->to, way->buf + at, len - at, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += (size_t)n;
	}
}

static void forward(struct link *link, struct way *way)
{
	struct section_head head = { 0 };
	size_t len, some;

	while (!link->cut && !link->stalled && (len = frame_len(way, &head))) {
		note(link, way, &head);
		some = !link->struck && is_phase(link, way, &head) ? strike(link, way, len) : len;
		pass(way, some);
		way->begun = true;
		way->len -= len;
		memmove(way->buf, way->buf + len, way->len);
	}
}

/* The end of one side is passed on, too. */
static void receive(struct link *link, struct way *way)
{
	ssize_t n = read(way->from, way->buf + way->len, BUF - way->len);

	if (n > 0) {
		way->len += (size_t)n;
		forward(link, way);
		return;
	}
	way->over = true;
	shutdown(way->to, SHUT_WR);
}

/* A link that stalls takes nothing more, and ends when both sides have given it up. */
static void carry(struct link *link)
{
	while (!link->cut && !(link->ways[0].over && link->ways[1].over)) {
		struct pollfd p[2];

		for (int i = 0; i < 2; i++)
			p[i] = (struct pollfd){
				.fd = link->ways[i].over ? -1 : link->ways[i].from,
				.events = link->stalled ? POLLRDHUP : POLLIN,
			};
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			die("poll");
		for (int i = 0; i < 2; i++)
			if (link->stalled)
				link->ways[i].over |= p[i].revents != 0;
			else if (p[i].revents && !link->cut)
				receive(link, &link->ways[i]);
	}
}

/* --- sockets ----------------------------------------------------------------------------------- */

static int open_socket(const char *port, struct sockaddr_in *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	*addr = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)))
		die("socket");
	return fd;
}

static int connect_to(const char *port)
{
	struct sockaddr_in addr;
	int fd = open_socket(port, &addr);

	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("connect");
	return fd;
}

static int accept_at(const char *port)
{
	struct sockaddr_in addr;
	int listener = open_socket(port, &addr), fd;
	struct pollfd p = { .fd = listener, .events = POLLIN };

	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) || listen(listener, 1))
		die("listen");
	if (poll(&p, 1, LISTEN_S * 1000) != 1)
		die("nobody connects");
	fd = accept(listener, NULL, NULL);
	close(listener);
	if (fd < 0)
		die("accept");
	return fd;
}

/* Who connects to the destination is no vmm. */
static void strike_listener(struct link *link, const char *port)
{
	struct way *way = &link->ways[0];
	char byte;

	if (link->fault->strike) {
		way->from = way->to = connect_to(port);
		way->len = sizeof(struct section_head);
		memset(way->buf, 0x55, way->len);
	}
	pass(way, strike(link, way, way->len));
	while (link->fault->strike && !link->cut && read(way->from, &byte, 1) > 0)
		;
}

static const void *find(const void *table, size_t n, size_t size, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		const char *const *entry = (const void *)((const char *)table + i * size);

		if (!strcmp(*entry, name))
			return entry;
	}
	fprintf(stderr, "linkfault: what is '%s'?\n", name);
	exit(2);
}

#define FIND(table, name) find(table, sizeof(table) / sizeof((table)[0]), sizeof((table)[0]), name)

int main(int argc, char **argv)
{
	struct link *link = calloc(1, sizeof(*link));

	if (argc != 7 || !link) {
		fputs("usage: linkfault PORT RECEIVER-PORT PHASE FAULT SENDER-PID RECEIVER-PID\n",
		      stderr);
		return 2;
	}
	/* None is waited for. */
	signal(SIGCHLD, SIG_IGN);
	block_go_on();
	setvbuf(stdout, NULL, _IOLBF, 0);
	link->phase = FIND(phases, argv[3]);
	link->fault = FIND(faults, argv[4]);
	link->pids[0] = atoi(argv[5]);
	link->pids[1] = atoi(argv[6]);
	if (!link->phase->frame) {
		strike_listener(link, argv[2]);
		return 0;
	}
	link->ways[0].from = link->ways[1].to = accept_at(argv[1]);
	link->ways[1].from = link->ways[0].to = connect_to(argv[2]);
	link->ways[1].back = true;
	carry(link);
	close(link->ways[0].from);
	close(link->ways[1].from);
	return link->struck ? 0 : 3;
}
