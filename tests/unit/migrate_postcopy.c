// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/migrate_priv.h"

/*
 * Post-copy between two threads: the source's machine is RAM that was all written again in the first
 * round, the destination's "guest" a thread that reads and writes all of it backwards. Real
 * userfaultfd, which serves plain threads as it does vCPUs.
 */

enum { PAGE = 1 << GUEST_PAGE_SHIFT, PAGES = 600, BASE = 0x40000000, LOAD = PAGES - 7 };

struct pair {
	struct guest_mem from, to;
	uint8_t *src, *dst;
	int link[2]; /* the source's end, the destination's */
	struct sender sender;
	pthread_t thread;
	enum migrate_end end;
	struct fail fail;
	uint32_t value;
	unsigned int written; /* pages of the next round */
	struct receiver receiver;
	/* What the destination has been told. */
	_Atomic int lost, found, complete, ended;
	_Atomic int client; /* of the link that is tried */
	_Atomic bool ran;
	bool refuse_found;
	pthread_t guest;
	_Atomic unsigned int seen; /* pages that the guest has read right */
};

static uint8_t *map(struct guest_mem *mem)
{
	uint8_t *ram = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	ck_assert_ptr_ne(ram, MAP_FAILED);
	*mem = (struct guest_mem){ 0 };
	guest_mem_add(mem, BASE, PAGES * PAGE, ram);
	return ram;
}

static void new_link(struct pair *p)
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

static const struct fetch_ops fetch_ops = { on_begun, on_lost, on_tried, on_found, on_ended };

static void *guest(void *arg)
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

static int take(struct pair *p, struct fail *fail)
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
		err = receiver_fetch(r, &fetch_ops, p, fail);
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

static void begin(struct pair *p)
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
	new_link(p);
}

static void send_off(struct pair *p)
{
	ck_assert(!pthread_create(&p->thread, NULL, source, p));
}

static void end(struct pair *p)
{
	receiver_close(&p->receiver, NULL);
	close(p->link[1]);
	munmap(p->src, PAGES * PAGE);
	munmap(p->dst, PAGES * PAGE);
}

static void wait_for(const _Atomic int *what, int value)
{
	for (int ms = 0; *what != value; ms++) {
		ck_assert_int_lt(ms, 20000);
		usleep(1000);
	}
}

START_TEST(memory_follows)
{
	struct fail fail = { 0 };
	struct pair p;

	begin(&p);
	send_off(&p);
	ck_assert_msg(!take(&p, &fail), "%s", fail.text);
	ck_assert_int_eq(receiver_loaded(&p.receiver, &fail), MIGRATE_MOVED);
	guest(&p);
	ck_assert_uint_eq(p.seen, PAGES);
	pthread_join(p.thread, NULL);
	ck_assert_msg(p.end == MIGRATE_MOVED, "%s", p.fail.text);
	ck_assert_uint_eq(p.sender.stats.rounds, 1);
	ck_assert_uint_eq(p.sender.stats.missing, PAGES * PAGE);
	ck_assert(p.sender.stats.wanted >= 1 && p.sender.runs_there);
	wait_for(&p.complete, 1);
	ck_assert(!p.lost && !p.found);
	end(&p);
}
END_TEST

/* Nothing that follows: the handover is as without. */
START_TEST(nothing_is_missing)
{
	struct fail fail = { 0 };
	struct pair p;

	begin(&p);
	p.written = 0;
	send_off(&p);
	ck_assert_msg(!take(&p, &fail), "%s", fail.text);
	ck_assert_int_eq(receiver_loaded(&p.receiver, &fail), MIGRATE_MOVED);
	receiver_runs(&p.receiver);
	pthread_join(p.thread, NULL);
	ck_assert_msg(p.end == MIGRATE_MOVED, "%s", p.fail.text);
	ck_assert_int_eq(p.complete, 0);
	ck_assert(!memcmp(p.src, p.dst, PAGES * PAGE));
	end(&p);
}
END_TEST

/* Without: what was written, and is as it was sent, does not go again. */
START_TEST(what_is_the_same_goes_once)
{
	struct fail fail = { 0 };
	struct pair p;

	begin(&p);
	p.sender.postcopy = false;
	send_off(&p);
	ck_assert_msg(!take(&p, &fail), "%s", fail.text);
	ck_assert_int_eq(receiver_loaded(&p.receiver, &fail), MIGRATE_MOVED);
	receiver_runs(&p.receiver);
	pthread_join(p.thread, NULL);
	ck_assert_msg(p.end == MIGRATE_MOVED, "%s", p.fail.text);
	ck_assert_uint_ge(p.sender.stats.unchanged, PAGES * PAGE * 5 / 6);
	ck_assert_uint_lt(p.sender.stats.bytes, PAGES * PAGE);
	ck_assert(!memcmp(p.src, p.dst, PAGES * PAGE));
	end(&p);
}
END_TEST

/* What the guest has never touched is zeros; to send it is not to touch it. */
START_TEST(what_is_untouched_stays_so)
{
	const uint64_t at = 128 * PAGE, len = 256 * PAGE;
	struct fail fail = { 0 };
	struct pair p;

	begin(&p);
	p.sender.postcopy = false;
	madvise(p.src + at, len, MADV_DONTNEED);
	p.src[at - 1] = p.src[at + len] = 9;
	guest_mem_set_sparse(&p.from, BASE);
	p.written = 0;
	send_off(&p);
	ck_assert_msg(!take(&p, &fail), "%s", fail.text);
	ck_assert_int_eq(receiver_loaded(&p.receiver, &fail), MIGRATE_MOVED);
	receiver_runs(&p.receiver);
	pthread_join(p.thread, NULL);
	ck_assert_msg(p.end == MIGRATE_MOVED, "%s", p.fail.text);
	pagemap_open(&p.sender.pagemap);
	ck_assert(pagemap_untouched(&p.sender.pagemap, &p.from.ram[0], at, len));
	pagemap_close(&p.sender.pagemap);
	ck_assert(!memcmp(p.src, p.dst, PAGES * PAGE));
	end(&p);
}
END_TEST

/* A guest that has ended needs no more of its memory. */
START_TEST(an_end_is_told)
{
	struct fail fail = { 0 };
	struct pair p;

	begin(&p);
	send_off(&p);
	ck_assert_msg(!take(&p, &fail), "%s", fail.text);
	ck_assert_int_eq(receiver_loaded(&p.receiver, &fail), MIGRATE_MOVED);
	receiver_close(&p.receiver, NULL);
	pthread_join(p.thread, NULL);
	ck_assert_msg(p.end == MIGRATE_MOVED, "%s", p.fail.text);
	end(&p);
}
END_TEST

/* --- lost links -------------------------------------------------------------------------------- */

/* Reads from the source and passes on `pages` frames of memory behind the commit, then cuts. The
 * source's link is `a`, the destination's `b`. */
struct relay {
	int a, b;
	int left; /* frames of memory to pass on; -1: all */
	const char *word; /* behind which they are counted */
	pthread_t thread;
};

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

/* Between the two: so many frames of memory behind `word`. */
static void relay(struct pair *p, struct relay *r, const char *word, int left)
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

static const char commit_word[] = "=commit";

/* Once, or twice. */
START_TEST(a_lost_link_is_recovered)
{
	struct fail fail = { 0 };
	struct relay r;
	struct pair p;
	int first;

	begin(&p);
	close(p.link[0]);
	close(p.link[1]);
	relay(&p, &r, commit_word, 3);
	first = p.link[1];
	send_off(&p);
	ck_assert_msg(!take(&p, &fail), "%s", fail.text);
	/* It may be lost already when that is heard. */
	ck_assert_int_ne(receiver_loaded(&p.receiver, &fail), MIGRATE_STAYED);
	ck_assert(!pthread_create(&p.guest, NULL, guest, &p));
	for (int i = 0; i <= _i; i++) {
		pthread_join(r.thread, NULL);
		pthread_join(p.thread, NULL);
		ck_assert_int_eq(p.end, MIGRATE_PAUSED);
		ck_assert_uint_eq(p.fail.code, EXIT_UNDECIDED);
		wait_for(&p.lost, i + 1);
		ck_assert(p.ran && p.seen < PAGES);
		ck_assert_int_eq(fetch_state(&p.receiver.fetch), FETCH_LOST);
		relay(&p, &r, NULL, i < _i ? 2 : -1);
		ck_assert(!fetch_recover(&p.receiver.fetch, p.link[1], p.link[1], 70 + i, &fail));
		ck_assert(!pthread_create(&p.thread, NULL, source_again, &p));
	}
	fetch_wait(&p.receiver.fetch);
	pthread_join(p.guest, NULL);
	ck_assert_uint_eq(p.seen, PAGES);
	pthread_join(p.thread, NULL);
	ck_assert_msg(p.end == MIGRATE_MOVED, "%s", p.fail.text);
	ck_assert_int_eq(p.found, _i + 1);
	ck_assert_int_eq(p.client, 70 + _i);
	wait_for(&p.complete, 1);
	ck_assert_int_eq(p.ended, 1);
	p.link[1] = first;
	end(&p);
	pthread_join(r.thread, NULL);
}
END_TEST

/* Somebody else's, or one that cannot go on: refused, and waits for the right one. */
START_TEST(a_wrong_source_is_refused)
{
	struct fail fail = { 0 };
	struct relay r;
	struct pair p;
	int first;

	begin(&p);
	close(p.link[0]);
	close(p.link[1]);
	relay(&p, &r, commit_word, 3);
	first = p.link[1];
	send_off(&p);
	ck_assert_msg(!take(&p, &fail), "%s", fail.text);
	ck_assert_int_ne(receiver_loaded(&p.receiver, &fail), MIGRATE_STAYED);
	pthread_join(r.thread, NULL);
	pthread_join(p.thread, NULL);
	wait_for(&p.lost, 1);
	for (int i = 0; i < 3; i++) {
		p.sender.id[3] ^= i < 2;
		p.refuse_found = i == 1;
		new_link(&p);
		ck_assert(!fetch_recover(&p.receiver.fetch, p.link[1], p.link[1], 70 + i, &fail));
		ck_assert(!pthread_create(&p.thread, NULL, source_again, &p));
		pthread_join(p.thread, NULL);
		if (i < 2)
			wait_for(&p.lost, i + 2);
		ck_assert_msg(p.end == (i < 2 ? MIGRATE_PAUSED : MIGRATE_MOVED), "%s", p.fail.text);
		ck_assert_msg(i == 2 ||
				      strstr(p.fail.text, i ? "the disk is in use"
							    : "not where this machine comes from"),
			      "%s", p.fail.text);
	}
	guest(&p);
	ck_assert_uint_eq(p.seen, PAGES);
	p.link[1] = first;
	end(&p);
}
END_TEST

/* While one is tried another is refused, and nothing of it taken; it is for who gave the first to hear
 * how that ends. */
START_TEST(one_link_at_a_time)
{
	struct fail fail = { 0 };
	struct relay r;
	struct pair p;
	struct fetch *f = &p.receiver.fetch;
	int first, silent[2];

	begin(&p);
	close(p.link[0]);
	close(p.link[1]);
	relay(&p, &r, commit_word, 3);
	first = p.link[1];
	send_off(&p);
	ck_assert_msg(!take(&p, &fail), "%s", fail.text);
	ck_assert_int_ne(receiver_loaded(&p.receiver, &fail), MIGRATE_STAYED);
	pthread_join(r.thread, NULL);
	pthread_join(p.thread, NULL);
	wait_for(&p.lost, 1);
	ck_assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, silent));
	ck_assert(!fetch_recover(f, silent[1], silent[1], 1, &fail));
	for (int i = 0; i < 2; i++) {
		new_link(&p);
		ck_assert_int_eq(fetch_recover(f, p.link[1], p.link[1], 2, &fail), -EBUSY);
		ck_assert_msg(strstr(fail.text, "is being tried"), "%s", fail.text);
		ck_assert_int_eq(fcntl(p.link[1], F_GETFD), FD_CLOEXEC);
		close(p.link[0]);
		close(p.link[1]);
		/* Given, or taken as well. */
		wait_for(&p.client, 1);
	}
	close(silent[0]);
	wait_for(&p.lost, 2);
	new_link(&p);
	ck_assert(!fetch_recover(f, p.link[1], p.link[1], 3, &fail));
	ck_assert(!pthread_create(&p.thread, NULL, source_again, &p));
	guest(&p);
	ck_assert_uint_eq(p.seen, PAGES);
	ck_assert_int_eq(p.client, 3);
	pthread_join(p.thread, NULL);
	wait_for(&p.complete, 1);
	/* All is here: no link is of use. */
	fail = (struct fail){ 0 };
	ck_assert_int_eq(fetch_recover(f, first, first, 4, &fail), -EBUSY);
	ck_assert_msg(strstr(fail.text, "all of its memory is here"), "%s", fail.text);
	p.link[1] = first;
	end(&p);
}
END_TEST

/* Before the source gives it up it keeps it, and nobody waits for ever. */
START_TEST(a_link_lost_before_the_commit)
{
	struct fail fail = { 0 };
	struct relay r;
	struct pair p;
	int err;

	begin(&p);
	close(p.link[0]);
	close(p.link[1]);
	relay(&p, &r, "=end", 0);
	send_off(&p);
	/* It is loaded from what is there, and never runs. */
	err = take(&p, &fail);
	if (!err)
		ck_assert_int_eq(receiver_loaded(&p.receiver, &fail), MIGRATE_STAYED);
	ck_assert_int_eq(fetch_state(&p.receiver.fetch), FETCH_STAYS);
	pthread_join(p.thread, NULL);
	pthread_join(r.thread, NULL);
	ck_assert_int_eq(p.end, MIGRATE_STAYED);
	ck_assert(!p.lost && !p.complete);
	end(&p);
}
END_TEST

/* --- what makes no sense ----------------------------------------------------------------------- */

/* A destination that asks for what is not there. */
static const struct migrate_want wants[] = {
	{ BASE - PAGE, 1 },	  { BASE + PAGES * PAGE, 1 },
	{ BASE + 1, 1 },	  { BASE, 0 },
	{ BASE, SENDER_RUN + 1 }, { BASE + (PAGES - 1) * PAGE, 2 },
	{ UINT64_MAX - 4095, 2 }, { BASE, UINT64_MAX },
};

START_TEST(a_wrong_request_ends_it)
{
	struct fail fail = { 0 };
	struct snapshot snap;
	struct stream to;
	struct frames f;
	struct pair p;
	uint32_t flags = MIGRATE_POSTCOPY;
	int kind;

	begin(&p);
	send_off(&p);
	fcntl(p.link[1], F_SETFL, 0);
	stream_open_fd(&to, p.link[1], true);
	snapshot_init(&snap);
	ck_assert(!frames_open(&f, p.link[1], &fail));
	frames_begin(&to);
	while (frames_next(&f, &fail) >= 0 && !migrate_is(&f, WORD_CHECK))
		;
	frames_word(&to, WORD_READY, &flags, sizeof(flags));
	stream_flush(&to);
	while (frames_next(&f, &fail) >= 0 && !migrate_is(&f, WORD_END))
		;
	frames_word(&to, WORD_WANT, &wants[_i], sizeof(wants[_i]));
	stream_flush(&to);
	while ((kind = frames_next(&f, &fail)) >= 0 && !migrate_is(&f, WORD_CANCEL))
		;
	ck_assert_msg(kind >= 0, "it was not told");
	pthread_join(p.thread, NULL);
	ck_assert_int_eq(p.end, MIGRATE_STAYED);
	ck_assert_msg(strstr(p.fail.text, "memory that the machine does not have"), "%s",
		      p.fail.text);
	stream_close(&to);
	frames_close(&f);
	end(&p);
}
END_TEST

/* A source that sends what is not missing, twice, outside, or too much. */
static const struct {
	gpa_t gpa;
	uint64_t zeros; /* pages; 0: one page of bytes, twice */
} pages[] = {
	{ BASE, 0 },	      { BASE + 2 * PAGE, 1 },
	{ BASE - PAGE, 1 },   { BASE + PAGES * PAGE, 1 },
	{ BASE + 1, 1 },      { BASE, 3 },
	{ BASE, UINT64_MAX }, { BASE, UINT64_MAX / PAGE },
};

START_TEST(a_wrong_page_ends_it)
{
	uint64_t words = (PAGES + 63) / 64;
	uint64_t bits[(PAGES + 63) / 64] = { 3 };
	uint8_t page[PAGE] = { 1 };
	struct fail fail = { 0 };
	struct frames from;
	struct stream to, answer;
	struct pair p;
	struct fetch *f = &p.receiver.fetch;

	begin(&p);
	fcntl(p.link[0], F_SETFL, 0);
	frames_attach(&from, p.link[1]);
	stream_open_fd(&answer, p.link[1], true);
	missing_init(&f->missing, &p.to);
	ck_assert(!missing_mark(&f->missing, BASE, bits, words));
	f->ops = &fetch_ops;
	f->arg = &p;
	ck_assert_msg(!fetch_start(f, &from, &answer, &fail), "%s", fail.text);
	stream_open_fd(&to, p.link[0], true);
	for (int i = 0; i < 2 && !pages[_i].zeros; i++)
		frames_pages(&to, pages[_i].gpa, page, 1);
	if (pages[_i].zeros)
		frames_zeros(&to, pages[_i].gpa, pages[_i].zeros);
	stream_flush(&to);
	/* It may have been said before that all is loaded. */
	ck_assert_int_ge(fetch_loaded(f, &fail), FETCH_LOST);
	ck_assert_int_ne(fetch_state(f), FETCH_COMPLETE);
	ck_assert_msg(strstr(fail.text, "not missing"), "%s", fail.text);
	fetch_end(f);
	ck_assert_uint_eq(p.dst[2 * PAGE], 0);
	stream_close(&to);
	stream_close(&answer);
	frames_close(&from);
	end(&p);
}
END_TEST

START_TEST(wrong_lists_are_refused)
{
	uint64_t words = (PAGES + 63) / 64;
	uint64_t bits[(PAGES + 63) / 64 + 1] = { 1 };
	struct missing m;
	struct pair p;

	begin(&p);
	missing_init(&m, &p.to);
	ck_assert_int_eq(missing_mark(&m, BASE + PAGE, bits, words), -EPROTO);
	ck_assert_int_eq(missing_mark(&m, BASE, bits, words + 1), -EPROTO);
	ck_assert_int_eq(missing_mark(&m, BASE, bits, words - 1), -EPROTO);
	bits[words - 1] = UINT64_C(1) << PAGES % 64;
	ck_assert_int_eq(missing_mark(&m, BASE, bits, words), -EPROTO);
	ck_assert_uint_eq(m.left, 0);
	bits[words - 1] = UINT64_C(1) << (PAGES % 64 - 1);
	ck_assert_int_eq(missing_mark(&m, BASE, bits, words), 0);
	ck_assert_uint_eq(m.left, 2);
	ck_assert_int_eq(missing_mark(&m, BASE, bits, words), -EPROTO);
	missing_end(&m);
	close(p.link[0]);
	end(&p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("migrate_postcopy");
	TCase *tc = tcase_create("migrate_postcopy");

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, memory_follows);
	tcase_add_test(tc, nothing_is_missing);
	tcase_add_test(tc, what_is_the_same_goes_once);
	tcase_add_test(tc, what_is_untouched_stays_so);
	tcase_add_test(tc, an_end_is_told);
	tcase_add_loop_test(tc, a_lost_link_is_recovered, 0, 2);
	tcase_add_test(tc, a_wrong_source_is_refused);
	tcase_add_test(tc, one_link_at_a_time);
	tcase_add_test(tc, a_link_lost_before_the_commit);
	tcase_add_loop_test(tc, a_wrong_request_ends_it, 0, sizeof(wants) / sizeof(wants[0]));
	tcase_add_loop_test(tc, a_wrong_page_ends_it, 0, sizeof(pages) / sizeof(pages[0]));
	tcase_add_test(tc, wrong_lists_are_refused);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
