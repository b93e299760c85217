// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fake/postcopy.h"
#include "tests/fake/suite.h"

/* Post-copy whose link is lost, and found again. */

/* Between them: a link that is cut behind `left` frames of memory behind `word`. */
static void begin(struct pair *p, struct relay *r, const char *word, int left)
{
	pair_begin(p);
	close(p->link[0]);
	close(p->link[1]);
	relay_link(p, r, word, left);
	p->first = p->link[1];
	pair_send(p);
}

/* The guest runs at the destination, and its memory does not come any more. */
static void lose(struct pair *p, struct relay *r)
{
	struct fail fail = { 0 };

	begin(p, r, "=commit", 3);
	ck_assert_msg(!pair_take(p, &fail), "%s", fail.text);
	/* It may be lost already when that is heard. */
	ck_assert_int_ne(receiver_loaded(&p->receiver, &fail), MIGRATE_STAYED);
	ck_assert(!pthread_create(&p->guest, NULL, pair_guest, p));
}

/* It has all of it. */
static void finish(struct pair *p)
{
	pthread_join(p->guest, NULL);
	ck_assert_uint_eq(p->seen, PAIR_PAGES);
	pair_wait(&p->complete, 1);
}

/* Once, or twice. */
START_TEST(a_lost_link_is_recovered)
{
	struct fail fail = { 0 };
	struct relay r;
	struct pair p;

	lose(&p, &r);
	for (int i = 0; i <= _i; i++) {
		pthread_join(r.thread, NULL);
		ck_assert_int_eq(pair_sent(&p), MIGRATE_PAUSED);
		ck_assert_uint_eq(p.fail.code, EXIT_UNDECIDED);
		pair_wait(&p.lost, i + 1);
		ck_assert(p.ran && p.seen < PAIR_PAGES);
		ck_assert_int_eq(fetch_state(&p.receiver.fetch), FETCH_LOST);
		relay_link(&p, &r, NULL, i < _i ? 2 : -1);
		ck_assert(!fetch_recover(&p.receiver.fetch, p.link[1], p.link[1], 70 + i, &fail));
		pair_recover(&p);
	}
	fetch_wait(&p.receiver.fetch);
	finish(&p);
	ck_assert_msg(pair_sent(&p) == MIGRATE_MOVED, "%s", p.fail.text);
	ck_assert_int_eq(p.found, _i + 1);
	ck_assert_int_eq(p.client, 70 + _i);
	ck_assert_int_eq(p.ended, 1);
	pair_end(&p);
	pthread_join(r.thread, NULL);
}
END_TEST

/* Somebody else's, or one that cannot go on: refused, and waits for the right one. */
START_TEST(a_wrong_source_is_refused)
{
	struct fail fail = { 0 };
	struct relay r;
	struct pair p;

	lose(&p, &r);
	pthread_join(r.thread, NULL);
	pair_sent(&p);
	pair_wait(&p.lost, 1);
	for (int i = 0; i < 3; i++) {
		p.sender.id[3] ^= i < 2;
		p.refuse_found = i == 1;
		pair_link(&p);
		ck_assert(!fetch_recover(&p.receiver.fetch, p.link[1], p.link[1], 70 + i, &fail));
		pair_recover(&p);
		ck_assert_msg(pair_sent(&p) == (i < 2 ? MIGRATE_PAUSED : MIGRATE_MOVED), "%s",
			      p.fail.text);
		if (i < 2)
			pair_wait(&p.lost, i + 2);
		ck_assert_msg(i == 2 ||
				      strstr(p.fail.text, i ? "the disk is in use"
							    : "not where this machine comes from"),
			      "%s", p.fail.text);
	}
	finish(&p);
	pair_end(&p);
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
	int silent[2];

	lose(&p, &r);
	pthread_join(r.thread, NULL);
	pair_sent(&p);
	pair_wait(&p.lost, 1);
	ck_assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, silent));
	ck_assert(!fetch_recover(f, silent[1], silent[1], 1, &fail));
	for (int i = 0; i < 2; i++) {
		pair_link(&p);
		ck_assert_int_eq(fetch_recover(f, p.link[1], p.link[1], 2, &fail), -EBUSY);
		ck_assert_msg(strstr(fail.text, "is being tried"), "%s", fail.text);
		ck_assert_int_eq(fcntl(p.link[1], F_GETFD), FD_CLOEXEC);
		close(p.link[0]);
		close(p.link[1]);
		/* Given, or taken as well. */
		pair_wait(&p.client, 1);
	}
	close(silent[0]);
	pair_wait(&p.lost, 2);
	pair_link(&p);
	ck_assert(!fetch_recover(f, p.link[1], p.link[1], 3, &fail));
	pair_recover(&p);
	finish(&p);
	ck_assert_int_eq(p.client, 3);
	pair_sent(&p);
	/* All is here: no link is of use. */
	fail = (struct fail){ 0 };
	ck_assert_int_eq(fetch_recover(f, p.first, p.first, 4, &fail), -EBUSY);
	ck_assert_msg(strstr(fail.text, "all of its memory is here"), "%s", fail.text);
	pair_end(&p);
}
END_TEST

/* Before the source gives it up it keeps it, and nobody waits for ever. */
START_TEST(a_link_lost_before_the_commit)
{
	struct fail fail = { 0 };
	struct relay r;
	struct pair p;

	begin(&p, &r, "=end", 0);
	/* It is loaded from what is there, and never runs. */
	if (!pair_take(&p, &fail))
		ck_assert_int_eq(receiver_loaded(&p.receiver, &fail), MIGRATE_STAYED);
	ck_assert_int_eq(fetch_state(&p.receiver.fetch), FETCH_STAYS);
	ck_assert_int_eq(pair_sent(&p), MIGRATE_STAYED);
	pthread_join(r.thread, NULL);
	ck_assert(!p.lost && !p.complete);
	pair_end(&p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("migrate_recover");
	TCase *tc = tcase_create("migrate_recover");

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, a_lost_link_is_recovered, 0, 2);
	tcase_add_test(tc, a_wrong_source_is_refused);
	tcase_add_test(tc, one_link_at_a_time);
	tcase_add_test(tc, a_link_lost_before_the_commit);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
