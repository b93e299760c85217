// SPDX-License-Identifier: GPL-2.0-only
/*
 * What befalls either side by itself, as tests/unit/migrate.c does with the link: no memory at any of
 * its allocations, signals all the time, a thousand times over. The rule of vmm/migrate.md holds,
 * and nothing leaks.
 */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "tests/fake/held.h"
#include "tests/fake/migrate.h"
#include "tests/fake/scarce.h"
#include "tests/fake/suite.h"
#include "vmm/migrate_priv.h"

static const struct fake_plan calm = { .silence_ms = 20000, .downtime_ns = 20000000000 };

static void check_moved(const struct fake_result *r)
{
	ck_assert_msg(r->source.end == MIGRATE_MOVED, "source: %s", r->source.fail.text);
	ck_assert_msg(r->destination.runs, "destination: %s", r->destination.fail.text);
	ck_assert(!r->source.runs && r->gave_up);
	ck_assert_uint_eq(r->source.sum, r->destination.sum);
	ck_assert_uint_eq(r->destination.value, 7);
}

/* --- no memory --------------------------------------------------------------------------------- */

#if SCARCE_MEMORY
static bool starve_destination;
static unsigned int
	starve_at; /* the allocation of that side's process from which on there are no more */

static void starve(bool destination)
{
	if (destination == starve_destination)
		scarce_begin(starve_at);
}

/* Whoever has no memory gives up, and says so, or goes on: never both, never neither. */
static void check_starved(const struct fake_result *r)
{
	const struct fake_side *s = &r->source, *d = &r->destination;

	ck_assert_msg(s->ended && d->ended, "allocation %u: one has crashed", starve_at);
	ck_assert_msg(s->runs != d->runs, "allocation %u: source %d, %s; destination %d, %s",
		      starve_at, s->end, s->fail.text, d->end, d->fail.text);
	ck_assert(!d->runs || r->gave_up);
	ck_assert_msg(!s->runs || s->fail.text[0], "allocation %u: silent", starve_at);
}

START_TEST(no_more_memory)
{
	struct fake_plan plan = calm;
	struct fake_result r;
	_Atomic bool *starved; /* in memory that all processes share */
	unsigned int stayed = 0;

	starved = mmap(NULL, sizeof(*starved), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	ck_assert_ptr_ne(starved, MAP_FAILED);
	scarce.refused = starved;
	starve_destination = _i;
	plan.begins = starve;
	for (starve_at = 0;; starve_at++) {
		*starved = false;
		fake_migrate(&plan, &r);
		if (!*starved)
			break;
		check_starved(&r);
		stayed += r.source.runs;
	}
	check_moved(&r);
	ck_assert_uint_ge(stayed, 4);
	scarce.refused = NULL;
	munmap(starved, sizeof(*starved));
}
END_TEST

/* Nor when a lost link is recovered: all the memory that there is stays here, and is asked for again. */
START_TEST(no_more_memory_to_recover)
{
	enum { SIZE = 1 << 20 };
	uint8_t *ram = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct guest_mem mem = { 0 };
	_Atomic bool starved = true;
	unsigned int n;

	ck_assert_ptr_ne(ram, MAP_FAILED);
	guest_mem_add(&mem, 0x40000000, SIZE, ram);
	scarce.refused = &starved;
	for (n = 0; starved; n++) {
		struct sender s = { .mem = &mem, .stop_fd = -1, .silence_ms = 10000 };
		struct fail fail = { 0 };
		enum migrate_end end;
		int link[2];

		ck_assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, link));
		close(link[1]);
		s.in = s.out = link[0];
		starved = false;
		scarce_begin(n);
		end = migrate_recover(&s, &fail);
		ck_assert_int_eq(scarce_end(), 0);
		ck_assert_int_eq(end, MIGRATE_PAUSED);
		ck_assert(fail.text[0] && !s.runs_there);
		close(link[0]);
	}
	ck_assert_uint_ge(n, 3);
	scarce.refused = NULL;
	munmap(ram, SIZE);
}
END_TEST
#endif

/* --- interrupted ------------------------------------------------------------------------------- */

static atomic_uint *interrupts; /* in memory that all processes share */

static void on_alarm(int sig)
{
	(void)sig;
	(*interrupts)++;
}

/* Every 200 us; no call goes on by itself. */
static void storm(bool destination)
{
	const struct sigaction sa = { .sa_handler = on_alarm };
	const struct itimerval it = { { 0, 200 }, { 0, 200 } };

	(void)destination;
	if (sigaction(SIGALRM, &sa, NULL) || setitimer(ITIMER_REAL, &it, NULL))
		abort();
}

START_TEST(interrupted_all_the_time)
{
	struct fake_plan plan = calm;
	struct fake_result r;

	interrupts = mmap(NULL, sizeof(*interrupts), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(interrupts, MAP_FAILED);
	plan.begins = storm;
	plan.verify = true;
	/* Both sides wait for each other most of the time. */
	plan.bandwidth = 4000000;
	for (int i = 0; i < 20 || *interrupts < 100; i++) {
		fake_migrate(&plan, &r);
		check_moved(&r);
	}
	munmap(interrupts, sizeof(*interrupts));
}
END_TEST

/* --- a thousand times -------------------------------------------------------------------------- */

/* Well, or given up in one of these places. */
static const char *const ends[] = { NULL, NULL, "begin", "make", "stop", "load" };
enum { ENDS = sizeof(ends) / sizeof(ends[0]), WARM = 100, TIMES = 1000 };

START_TEST(nothing_leaks)
{
	struct held warm = { 0 };

	for (unsigned int i = 1; i <= TIMES; i++) {
		struct fake_plan plan = calm;
		struct fake_result r;

		plan.fails = ends[i % ENDS];
		fake_migrate_here(&plan, &r);
		ck_assert(r.source.runs != r.destination.runs);
		ck_assert_msg(r.destination.runs == !plan.fails, "source %s, destination %s",
			      r.source.fail.text, r.destination.fail.text);
		if (i == WARM)
			warm = held_now();
	}
	held_same(&warm);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("migrate_faults");
	TCase *tc = tcase_create("migrate_faults");

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tc, 600);
#if SCARCE_MEMORY
	tcase_add_loop_test(tc, no_more_memory, 0, 2);
	tcase_add_test(tc, no_more_memory_to_recover);
#endif
	tcase_add_test(tc, interrupted_all_the_time);
	tcase_add_test(tc, nothing_leaks);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
