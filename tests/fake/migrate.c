// SPDX-License-Identifier: GPL-2.0-only
#include "tests/fake/migrate.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/core/loop.h"
#include "vmm/migrate_priv.h"
#include "vmm/snapshot_priv.h"

enum { PAGE = 1 << GUEST_PAGE_SHIFT, HEAD = 16, LIMIT_MS = 60000 };

struct side {
	const struct fake_plan *plan;
	struct fake_result *result;
	struct guest_mem mem;
	uint8_t *ram;
	uint32_t value;
	unsigned int round;
	bool stopped;
};

static void side_init(struct side *side, const struct fake_plan *plan, struct fake_result *result)
{
	*side = (struct side){ .plan = plan, .result = result };
	side->ram = mmap(NULL, FAKE_PAGES * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert(side->ram != MAP_FAILED);
	guest_mem_add(&side->mem, FAKE_BASE, FAKE_PAGES * PAGE, side->ram);
}

static void side_fini(struct side *side)
{
	munmap(side->ram, FAKE_PAGES * PAGE);
	guest_mem_destroy(&side->mem);
}

static void value_state(void *arg, struct state *s)
{
	state_u32(s, "v", arg);
}

static int fails(const struct side *side, const char *what, struct fail *fail)
{
	if (!side->plan->fails || strcmp(side->plan->fails, what))
		return 0;
	return fail_set(fail, EXIT_HOST, -ENOSPC, "%s: no space", what);
}

/* --- the source -------------------------------------------------------------------------------- */

static int source_begin(void *arg, struct snapshot *snap, struct fail *fail)
{
	struct side *side = arg;
	int err = fails(side, "begin", fail);

	if (!err && guest_mem_track(&side->mem, true))
		err = fail_set(fail, EXIT_HOST, -ENOMEM, "begin: out of memory");
	side->value = 1;
	return err ? err : snapshot_add(snap, "value", 1, value_state, &side->value, fail);
}

/* The guest writes: its vCPUs' pages are said, its devices' are recorded; one becomes zeros. */
static int source_written(void *arg, unsigned int ram, uint64_t *bits, struct fail *fail)
{
	struct side *side = arg;
	unsigned int n = side->plan->writes;

	(void)ram;
	(void)fail;
	if (!n && side->round < 3)
		n = 9 - 3 * side->round;
	for (unsigned int i = 0; !side->stopped && i < n; i++) {
		unsigned int page = (side->round * 7 + i) % FAKE_PAGES;

		memset(side->ram + page * PAGE, (int)(side->round + i + 1), PAGE);
		if (i % 2)
			bits[page / 64] |= UINT64_C(1) << page % 64;
		else
			guest_mem_dirty(&side->mem, FAKE_BASE + page * PAGE, 1);
	}
	if (!side->stopped) {
		memset(side->ram, 0, PAGE);
		guest_mem_dirty(&side->mem, FAKE_BASE, PAGE);
	}
	side->round++;
	return 0;
}

static int source_stop(void *arg, struct snapshot *snap, struct fail *fail)
{
	struct side *side = arg;
	int err = fails(side, "stop", fail);

	side->stopped = true;
	side->value = 7;
	side->result->source.sum = migrate_ram_sum(&side->mem);
	return err ? err : snapshot_add(snap, "value", 1, value_state, &side->value, fail);
}

static void source_give_up(void *arg)
{
	atomic_store(&((struct side *)arg)->result->gave_up, true);
}

static const struct sender_ops source_ops = {
	.begin = source_begin,
	.written = source_written,
	.stop = source_stop,
	.give_up = source_give_up,
};

static void source(const struct fake_plan *plan, struct fake_result *result, int fd)
{
	struct fake_side *end = &result->source;
	struct side side;
	struct sender s = {
		.ops = &source_ops,
		.arg = &side,
		.in = fd,
		.out = fd,
		.stop_fd = plan->cancel ? eventfd(1, 0) : -1,
		.bandwidth = plan->bandwidth,
		.downtime_ns = plan->downtime_ns,
		.timeout_ns = plan->timeout_ns,
		.silence_ms = plan->silence_ms,
		.verify = plan->verify,
	};

	side_init(&side, plan, result);
	s.mem = &side.mem;
	for (unsigned int p = 0; p < FAKE_PAGES; p += 1 + p % 3)
		memset(side.ram + p * PAGE, (int)p + 1, PAGE);
	end->end = migrate_send(&s, &end->fail);
	end->runs = end->end == MIGRATE_STAYED;
	end->stats = s.stats;
	memcpy(end->reasons, s.reasons, sizeof(end->reasons));
	if (s.stop_fd >= 0)
		close(s.stop_fd);
	side_fini(&side);
	atomic_store(&end->ended, true);
}

/* --- the destination --------------------------------------------------------------------------- */

static int destination_take(struct side *side, struct receiver *r, struct fail *fail)
{
	struct fake_side *end = &side->result->destination;
	struct snapshot check, last;
	int err;

	snapshot_init(&check);
	snapshot_init(&last);
	err = receiver_open(r, &check, fail);
	if (!err)
		err = snapshot_get(&check, "value", 1, value_state, &side->value, fail);
	if (!err)
		err = fails(side, "make", fail);
	if (!err)
		err = receiver_ready(r, fail);
	if (!err)
		err = receiver_memory(r, &last, &side->mem, fail);
	if (!err)
		err = snapshot_get(&last, "value", 1, value_state, &side->value, fail);
	if (!err)
		err = fails(side, "load", fail);
	end->sum = err ? 0 : migrate_ram_sum(&side->mem);
	end->value = side->value;
	snapshot_free(&check);
	snapshot_free(&last);
	return err;
}

static void destination(const struct fake_plan *plan, struct fake_result *result, int fd)
{
	struct fake_side *end = &result->destination;
	struct receiver r = { .in = fd,
			      .out = fd,
			      .stop_fd = -1,
			      .silence_ms = plan->silence_ms,
			      .reasons = plan->reasons };
	struct side side;

	side_init(&side, plan, result);
	if (!destination_take(&side, &r, &end->fail))
		end->end = receiver_loaded(&r, &end->fail);
	end->runs = end->end == MIGRATE_MOVED;
	if (end->runs)
		receiver_runs(&r);
	receiver_close(&r, &end->fail);
	side_fini(&side);
	atomic_store(&end->ended, true);
}

/* --- the link ---------------------------------------------------------------------------------- */

struct pipe {
	int from, to;
	uint8_t buf[1 << 20];
	size_t len;
	unsigned int frames;
	bool back, over;
};

struct link {
	const struct fake_plan *plan;
	struct fake_result *result;
	struct pipe ways[2];
	pid_t source, destination;
	bool stalled, cut;
};

/* Bytes of the frame at the front, or 0 if it is not whole yet. */
static size_t frame_len(const struct pipe *way)
{
	struct section_head head;
	size_t len = HEAD;

	if (way->frames) {
		if (way->len < sizeof(head))
			return 0;
		memcpy(&head, way->buf, sizeof(head));
		len = sizeof(head) + head.len;
		assert(len <= sizeof(way->buf));
	}
	return len <= way->len ? len : 0;
}

static void pass(struct pipe *way, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = send(way->to, way->buf + at, len - at, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += (size_t)n;
	}
}

static void hold(pid_t pid)
{
	kill(pid, SIGSTOP);
	usleep(100000);
	kill(pid, SIGCONT);
}

/* The fault, before the frame is passed on; how much of it is. */
static size_t strike(struct link *link, struct pipe *way, size_t len)
{
	link->result->reached = true;
	switch (link->plan->fault) {
	case FAULT_CUT:
		link->cut = true;
		return 0;
	case FAULT_HALF:
		link->cut = true;
		return len / 2;
	case FAULT_AFTER:
		link->cut = true;
		return len;
	case FAULT_GARBAGE:
		way->buf[len - 1] ^= 0x10;
		return len;
	case FAULT_STALL:
		link->stalled = true;
		return 0;
	case FAULT_KILL_SOURCE:
		kill(link->source, SIGKILL);
		return len;
	case FAULT_KILL_DESTINATION:
		kill(link->destination, SIGKILL);
		return len;
	case FAULT_STOP_SOURCE:
		hold(link->source);
		return len;
	case FAULT_STOP_DESTINATION:
		hold(link->destination);
		return len;
	default:
		return len;
	}
}

static void forward(struct link *link, struct pipe *way)
{
	size_t len, some;

	while (!link->cut && !link->stalled && (len = frame_len(way))) {
		bool now = link->plan->fault && way->back == link->plan->back &&
			   way->frames == link->plan->nth;

		some = now ? strike(link, way, len) : len;
		pass(way, some);
		way->frames++;
		way->len -= len;
		memmove(way->buf, way->buf + len, way->len);
	}
}

static void receive(struct link *link, struct pipe *way)
{
	ssize_t n = read(way->from, way->buf + way->len, sizeof(way->buf) - way->len);

	if (n > 0) {
		way->len += (size_t)n;
		forward(link, way);
		return;
	}
	/* Its end is passed on, too. */
	way->over = true;
	if (!link->stalled)
		shutdown(way->to, SHUT_WR);
}

static bool both_ended(struct link *link)
{
	return waitpid(link->source, NULL, WNOHANG) && waitpid(link->destination, NULL, WNOHANG);
}

static void carry(struct link *link)
{
	uint64_t until = migrate_deadline(LIMIT_MS);

	while (!link->cut && !both_ended(link)) {
		struct pollfd p[2];

		assert(loop_now_ns() < until);
		for (int i = 0; i < 2; i++)
			p[i] = (struct pollfd){
				.fd = link->ways[i].over ? -1 : link->ways[i].from,
				.events = POLLIN,
			};
		if (poll(p, 2, 5) <= 0)
			continue;
		for (int i = 0; i < 2; i++)
			if (p[i].revents && !link->cut)
				receive(link, &link->ways[i]);
	}
}

typedef void side_fn(const struct fake_plan *plan, struct fake_result *result, int fd);

/* Makes a socket to it, the parent's end of which no other side has. */
static pid_t start(side_fn *fn, const struct fake_plan *plan, struct fake_result *result, int *end,
		   int other)
{
	int pair[2], err = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
	pid_t pid = err ? -1 : fork();

	assert(pid >= 0);
	if (pid) {
		close(pair[1]);
		*end = pair[0];
		return pid;
	}
	signal(SIGPIPE, SIG_IGN);
	close(pair[0]);
	if (other >= 0)
		close(other);
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	if (plan->begins)
		plan->begins(fn == destination);
	fn(plan, result, pair[1]);
	_exit(0);
}

void fake_migrate(const struct fake_plan *plan, struct fake_result *result)
{
	struct fake_result *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct link *link = calloc(1, sizeof(*link));
	int a, b;

	assert(shared != MAP_FAILED && link);
	link->plan = plan;
	link->result = shared;
	link->source = start(source, plan, shared, &a, -1);
	link->destination = start(destination, plan, shared, &b, a);
	link->ways[0].from = link->ways[1].to = a;
	link->ways[1].from = link->ways[0].to = b;
	link->ways[1].back = true;
	carry(link);
	close(a);
	close(b);
	while (waitpid(-1, NULL, 0) > 0)
		;
	shared->frames = link->ways[0].frames;
	shared->frames_back = link->ways[1].frames;
	memcpy(result, shared, sizeof(*result));
	munmap(shared, sizeof(*shared));
	free(link);
}

struct here {
	const struct fake_plan *plan;
	struct fake_result *result;
	int fd;
};

static void *source_thread(void *arg)
{
	const struct here *here = arg;

	source(here->plan, here->result, here->fd);
	close(here->fd);
	return NULL;
}

void fake_migrate_here(const struct fake_plan *plan, struct fake_result *result)
{
	int pair[2], err = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair);
	struct here here = { plan, result, pair[0] };
	pthread_t thread;

	memset(result, 0, sizeof(*result));
	if (!err)
		err = pthread_create(&thread, NULL, source_thread, &here);
	assert(!err);
	destination(plan, result, pair[1]);
	pthread_join(thread, NULL);
	close(pair[1]);
}
