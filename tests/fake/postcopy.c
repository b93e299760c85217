// SPDX-License-Identifier: GPL-2.0-only
#include "tests/fake/postcopy.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAGE = PAIR_PAGE, PAGES = PAIR_PAGES, BASE = PAIR_BASE, LOAD = PAIR_LOAD };

static uint8_t *map(struct guest_mem *mem)
{
	uint8_t *ram = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	ck_assert_ptr_ne(ram, MAP_FAILED);
	*mem = (struct guest_mem){ 0 };
	guest_mem_add(mem, BASE, PAGES * PAGE, ram);
	return ram;
}

void pair_link(struct pair *p)
{
	ck_assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, p->link));
	p->sender.in = p->sender.out = p->link[0];
}

/* What page `i` has in the end; every seventh is zeros. */
static uint8_t content(unsigned int i)
{
	return i % 7 ? (uint8_t)(i + 1) : 0;
}

/* --- the source -------------------------------------------------------------------------------- */

static void value_state(void *arg, struct state *s)
{
	state_u32(s, "v", arg);
}

static int op_begin(void *arg, struct snapshot *snap, struct fail *fail)
{
	struct pair *p = arg;

	p->value = 1;
	return snapshot_add(snap, "value", 1, value_state, &p->value, fail);
}

static int op_written(void *arg, unsigned int ram, uint64_t *bits, struct fail *fail)
{
	struct pair *p = arg;

	(void)ram, (void)fail;
	for (unsigned int i = 0; i < p->written; i++) {
		memset(p->src + i * PAGE, content(i), PAGE);
		bits[i / 64] |= UINT64_C(1) << i % 64;
	}
	return 0;
}

static int op_stop(void *arg, struct snapshot *snap, struct fail *fail)
{
	struct pair *p = arg;

	p->value = 7;
	p->behind = p->dst[(PAGES - 1) * PAGE] != 0x55;
	return snapshot_add(snap, "value", 1, value_state, &p->value, fail);
}

static void op_give_up(void *arg)
{
	(void)arg;
}

static const struct sender_ops ops = { op_begin, op_written, op_stop, op_give_up };

static void *source(void *arg)
{
	struct pair *p = arg;

	p->end = migrate_send(&p->sender, &p->fail);
	close(p->sender.in);
	return NULL;
}

static void *source_again(void *arg)
{
	struct pair *p = arg;

	p->fail = (struct fail){ 0 };
	p->end = migrate_recover(&p->sender, &p->fail);
	close(p->sender.in);
	return NULL;
}

/* --- the destination --------------------------------------------------------------------------- */

static void on_begun(void *arg)
{
	ck_assert(!((struct pair *)arg)->ended);
}

static void on_lost(void *arg, bool runs, const char *why)
{
	struct pair *p = arg;

	ck_assert(*why);
	p->ran = runs;
	p->lost++;
}

static int on_found(void *arg, struct fail *fail)
{
	struct pair *p = arg;

	p->found++;
	return p->refuse_found ? fail_set(fail, EXIT_CONFIG, -EBUSY, "the disk is in use") : 0;
}

static void on_tried(void *arg, int client)
{
	((struct pair *)arg)->client = client;
}

static void on_ended(void *arg, bool complete)
{
	struct pair *p = arg;

	p->complete += complete;
	p->ended++;
}

const struct fetch_ops pair_fetch_ops = { on_begun, on_lost, on_tried, on_found, on_ended };

void *pair_guest(void *arg)
{
	struct pair *p = arg;

	for (unsigned int i = PAGES; i--;) {
		const uint8_t *page = p->dst + i * PAGE;

		for (unsigned int at = 0; at < PAGE; at += 64)
			if (page[at] != content(i))
				return NULL;
		p->dst[i * PAGE] = 1;
		p->seen++;
	}
	return NULL;
}

int pair_take(struct pair *p, struct fail *fail)
{
	struct receiver *r = &p->receiver;
	struct snapshot check, last;
	uint32_t value = 0;
	int err;

	snapshot_init(&check);
	snapshot_init(&last);
	*r = (struct receiver){ .in = p->link[1], .out = p->link[1], .stop_fd = -1 };
	r->silence_ms = p->sender.silence_ms;
	err = receiver_open(r, &check, fail);
	if (!err)
		err = receiver_ready(r, fail);
	if (!err)
		err = receiver_memory(r, &last, &p->to, fail);
	if (!err)
		err = receiver_fetch(r, &pair_fetch_ops, p, fail);
	if (!err)
		err = snapshot_get(&last, "value", 1, value_state, &value, fail);
	/* As a device does that looks at its ring while it is loaded. */
	if (!err && p->written > LOAD && p->dst[LOAD * PAGE] != content(LOAD))
		err = fail_set(fail, EXIT_HOST, -EIO, "load: wrong memory");
	snapshot_free(&check);
	snapshot_free(&last);
	return err;
}

/* --- both -------------------------------------------------------------------------------------- */

void pair_begin(struct pair *p)
{
	memset(p, 0, sizeof(*p));
	p->src = map(&p->from);
	p->dst = map(&p->to);
	p->written = PAGES;
	memset(p->src, 0x55, PAGES * PAGE);
	p->sender = (struct sender){ .ops = &ops, .arg = p, .mem = &p->from, .stop_fd = -1 };
	p->sender.downtime_ns = 20000000000;
	p->sender.silence_ms = 10000;
	p->sender.postcopy = true;
	pair_link(p);
	p->first = p->link[1];
}

void pair_send(struct pair *p)
{
	ck_assert(!pthread_create(&p->thread, NULL, source, p));
}

void pair_recover(struct pair *p)
{
	ck_assert(!pthread_create(&p->thread, NULL, source_again, p));
}

enum migrate_end pair_sent(struct pair *p)
{
	pthread_join(p->thread, NULL);
	return p->end;
}

void pair_wait(const _Atomic int *what, int value)
{
	for (int ms = 0; *what != value; ms++) {
		ck_assert_int_lt(ms, 20000);
		usleep(1000);
	}
}

void pair_end(struct pair *p)
{
	receiver_close(&p->receiver, NULL);
	close(p->first);
	munmap(p->src, PAGES * PAGE);
	munmap(p->dst, PAGES * PAGE);
}

/* --- a link that is cut ------------------------------------------------------------------------ */

struct way {
	int from, to;
};

static void *back(void *arg)
{
	struct way *way = arg;
	char buf[4096];
	ssize_t n;

	while ((n = read(way->from, buf, sizeof(buf))) > 0)
		if (write(way->to, buf, (size_t)n) != n)
			break;
	return NULL;
}

static void *carry(void *arg)
{
	struct relay *r = arg;
	struct way way = { r->b, r->a };
	struct fail fail = { 0 };
	struct stream to;
	struct frames f;
	bool counts = !r->word;
	pthread_t thread;

	pthread_create(&thread, NULL, back, &way);
	stream_open_fd(&to, r->b, true);
	ck_assert(!frames_open(&f, r->a, &fail));
	frames_begin(&to);
	while (frames_next(&f, &fail) >= 0) {
		bool page = migrate_is(&f, "=pages") || migrate_is(&f, "=zeros");

		if (counts && page && !r->left--)
			break;
		frames_section(&to, &f.section);
		if (stream_flush(&to))
			break;
		counts |= r->word && migrate_is(&f, r->word);
	}
	shutdown(r->a, SHUT_RDWR);
	shutdown(r->b, SHUT_RDWR);
	pthread_join(thread, NULL);
	stream_close(&to);
	frames_close(&f);
	close(r->a);
	close(r->b);
	return NULL;
}

void relay_link(struct pair *p, struct relay *r, const char *word, int left)
{
	int one[2], two[2];

	ck_assert(!socketpair(AF_UNIX, SOCK_STREAM, 0, one));
	ck_assert(!socketpair(AF_UNIX, SOCK_STREAM, 0, two));
	fcntl(one[0], F_SETFL, O_NONBLOCK);
	fcntl(two[0], F_SETFL, O_NONBLOCK);
	/* Not all of it is to be there before it is cut. */
	p->sender.bandwidth = 2000000;
	*r = (struct relay){ .a = one[1], .b = two[1], .left = left, .word = word };
	p->sender.in = p->sender.out = one[0];
	p->link[0] = -1;
	p->link[1] = two[0];
	ck_assert(!pthread_create(&r->thread, NULL, carry, r));
}
