// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fake/postcopy.h"
#include "tests/fake/suite.h"
#include "vmm/core/pagemap.h"

/* Memory that follows its machine, between two threads. */

enum { PAGE = PAIR_PAGE, PAGES = PAIR_PAGES, BASE = PAIR_BASE };

/* The destination has the machine, and may run it. */
static void move(struct pair *p)
{
	struct fail fail = { 0 };

	pair_send(p);
	ck_assert_msg(!pair_take(p, &fail), "%s", fail.text);
	ck_assert_int_eq(receiver_loaded(&p->receiver, &fail), MIGRATE_MOVED);
}

START_TEST(memory_follows)
{
	struct pair p;

	pair_begin(&p);
	move(&p);
	pair_guest(&p);
	ck_assert_uint_eq(p.seen, PAGES);
	ck_assert_msg(pair_sent(&p) == MIGRATE_MOVED, "%s", p.fail.text);
	ck_assert_uint_eq(p.sender.stats.rounds, 1);
	ck_assert_uint_eq(p.sender.stats.missing, PAGES * PAGE);
	ck_assert(p.sender.stats.wanted >= 1 && p.sender.runs_there);
	pair_wait(&p.complete, 1);
	ck_assert(!p.lost && !p.found);
	pair_end(&p);
}
END_TEST

/* Nothing that follows: the handover is as without. */
START_TEST(nothing_is_missing)
{
	struct pair p;

	pair_begin(&p);
	p.written = 0;
	move(&p);
	receiver_runs(&p.receiver);
	ck_assert_msg(pair_sent(&p) == MIGRATE_MOVED, "%s", p.fail.text);
	ck_assert_int_eq(p.complete, 0);
	ck_assert(!memcmp(p.src, p.dst, PAGES * PAGE));
	pair_end(&p);
}
END_TEST

/* What lies in the link would have to come first, while it stands still. */
START_TEST(it_stops_when_all_has_come)
{
	struct pair p;

	pair_begin(&p);
	p.sender.postcopy = _i;
	p.written = 0;
	move(&p);
	receiver_runs(&p.receiver);
	ck_assert_msg(pair_sent(&p) == MIGRATE_MOVED, "%s", p.fail.text);
	ck_assert(!p.behind);
	pair_end(&p);
}
END_TEST

/* Without: what was written, and is as it was sent, does not go again. */
START_TEST(what_is_the_same_goes_once)
{
	struct pair p;

	pair_begin(&p);
	p.sender.postcopy = false;
	move(&p);
	receiver_runs(&p.receiver);
	ck_assert_msg(pair_sent(&p) == MIGRATE_MOVED, "%s", p.fail.text);
	ck_assert_uint_ge(p.sender.stats.unchanged, PAGES * PAGE * 5 / 6);
	ck_assert_uint_lt(p.sender.stats.bytes, PAGES * PAGE);
	ck_assert(!memcmp(p.src, p.dst, PAGES * PAGE));
	pair_end(&p);
}
END_TEST

/* What the guest has never touched is zeros; to send it is not to touch it. */
START_TEST(what_is_untouched_stays_so)
{
	const uint64_t at = 200 * PAGE, len = 200 * PAGE;
	uint64_t *touched;
	struct pair p;

	pair_begin(&p);
	p.sender.postcopy = false;
	madvise(p.src + at, len, MADV_DONTNEED);
	p.src[at - 1] = p.src[at + len] = 9;
	guest_mem_set_sparse(&p.from, BASE);
	p.written = 0;
	move(&p);
	receiver_runs(&p.receiver);
	ck_assert_msg(pair_sent(&p) == MIGRATE_MOVED, "%s", p.fail.text);
	touched = pagemap_touched(&p.from.ram[0], len);
	ck_assert_ptr_nonnull(touched);
	ck_assert_uint_eq(*touched, 5);
	free(touched);
	ck_assert(!memcmp(p.src, p.dst, PAGES * PAGE));
	pair_end(&p);
}
END_TEST

/* A guest that has ended needs no more of its memory. */
START_TEST(an_end_is_told)
{
	struct pair p;

	pair_begin(&p);
	move(&p);
	receiver_close(&p.receiver, NULL);
	ck_assert_msg(pair_sent(&p) == MIGRATE_MOVED, "%s", p.fail.text);
	pair_end(&p);
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

/* All that the source says before `word`. */
static void hear(struct frames *f, const char *word)
{
	struct fail fail = { 0 };

	do
		ck_assert_msg(frames_next(f, &fail) >= 0, "no %s: %s", word, fail.text);
	while (!migrate_is(f, word));
}

START_TEST(a_wrong_request_ends_it)
{
	struct fail fail = { 0 };
	struct snapshot snap;
	struct stream to;
	struct frames f;
	struct pair p;
	uint32_t flags = MIGRATE_POSTCOPY;

	pair_begin(&p);
	pair_send(&p);
	fcntl(p.link[1], F_SETFL, 0);
	stream_open_fd(&to, p.link[1], true);
	snapshot_init(&snap);
	ck_assert(!frames_open(&f, p.link[1], &fail));
	frames_begin(&to);
	hear(&f, WORD_CHECK);
	frames_word(&to, WORD_READY, &flags, sizeof(flags));
	stream_flush(&to);
	hear(&f, WORD_ROUND);
	/* It does not stop before that is answered. */
	ck_assert_uint_eq(p.value, 1);
	frames_word(&to, WORD_TAKEN, NULL, 0);
	stream_flush(&to);
	hear(&f, WORD_END);
	ck_assert_uint_eq(p.value, 7);
	frames_word(&to, WORD_WANT, &wants[_i], sizeof(wants[_i]));
	stream_flush(&to);
	hear(&f, WORD_CANCEL);
	ck_assert_int_eq(pair_sent(&p), MIGRATE_STAYED);
	ck_assert_msg(strstr(p.fail.text, "memory that the machine does not have"), "%s",
		      p.fail.text);
	stream_close(&to);
	frames_close(&f);
	pair_end(&p);
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

	pair_begin(&p);
	fcntl(p.link[0], F_SETFL, 0);
	frames_attach(&from, p.link[1]);
	stream_open_fd(&answer, p.link[1], true);
	missing_init(&f->missing, &p.to);
	ck_assert(!missing_mark(&f->missing, BASE, bits, words));
	f->ops = &pair_fetch_ops;
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
	pair_end(&p);
}
END_TEST

START_TEST(wrong_lists_are_refused)
{
	uint64_t words = (PAGES + 63) / 64;
	uint64_t bits[(PAGES + 63) / 64 + 1] = { 1 };
	struct missing m;
	struct pair p;

	pair_begin(&p);
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
	pair_end(&p);
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
	tcase_add_loop_test(tc, it_stops_when_all_has_come, 0, 2);
	tcase_add_test(tc, what_is_the_same_goes_once);
	tcase_add_test(tc, what_is_untouched_stays_so);
	tcase_add_test(tc, an_end_is_told);
	tcase_add_loop_test(tc, a_wrong_request_ends_it, 0, sizeof(wants) / sizeof(wants[0]));
	tcase_add_loop_test(tc, a_wrong_page_ends_it, 0, sizeof(pages) / sizeof(pages[0]));
	tcase_add_test(tc, wrong_lists_are_refused);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
