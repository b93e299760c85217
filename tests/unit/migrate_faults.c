// SPDX-License-Identifier: GPL-2.0-only
/*
 * What befalls either side by itself, as tests/unit/migrate.c does with the link: no memory at any of
 * its allocations, signals all the time, a thousand times over. The rule of vmm/migrate.md holds,
 * and nothing leaks.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "tests/fake/migrate.h"

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

/* The sanitizers have allocators of their own in this place. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define HAVE_COUNTED_ALLOCATIONS 1

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);

static bool starve_destination;
static long starve_at; /* the allocation of that side's process from which on there are no more */
static long left = -1; /* of this process; below 0: any number */
static atomic_bool *starved; /* in memory that all processes share */

static bool refuse(void)
{
	if (left < 0)
		return false;
	if (left) {
		left--;
		return false;
	}
	atomic_store(starved, true);
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return refuse() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return refuse() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
	return refuse() ? NULL : __libc_realloc(old, size);
}

static void starve(bool destination)
{
	left = destination == starve_destination ? starve_at : -1;
}

/* Whoever has no memory gives up, and says so, or goes on: never both, never neither. */
static void check_starved(const struct fake_result *r)
{
	const struct fake_side *s = &r->source, *d = &r->destination;

	ck_assert_msg(s->ended && d->ended, "allocation %ld: one has crashed", starve_at);
	ck_assert_msg(s->runs != d->runs, "allocation %ld: source %d, %s; destination %d, %s",
		      starve_at, s->end, s->fail.text, d->end, d->fail.text);
	ck_assert(!d->runs || r->gave_up);
	ck_assert_msg(!s->runs || s->fail.text[0], "allocation %ld: silent", starve_at);
}

START_TEST(no_more_memory)
{
	struct fake_plan plan = calm;
	struct fake_result r;
	unsigned int stayed = 0;

	starved = mmap(NULL, sizeof(*starved), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	ck_assert_ptr_ne(starved, MAP_FAILED);
	starve_destination = _i;
	plan.begins = starve;
	for (starve_at = 0;; starve_at++) {
		atomic_store(starved, false);
		fake_migrate(&plan, &r);
		if (!atomic_load(starved))
			break;
		check_starved(&r);
		stayed += r.source.runs;
	}
	check_moved(&r);
	ck_assert_uint_ge(stayed, 4);
	munmap(starved, sizeof(*starved));
}
END_TEST
#else
#define HAVE_COUNTED_ALLOCATIONS 0
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

static unsigned int entries(const char *of)
{
	DIR *dir = opendir(of);
	unsigned int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Well, or given up in one of these places. */
static const char *const ends[] = { NULL, NULL, "begin", "make", "stop", "load" };
enum { ENDS = sizeof(ends) / sizeof(ends[0]), WARM = 100, TIMES = 1000 };

START_TEST(nothing_leaks)
{
	unsigned int fds = 0, threads = 0;
	size_t bytes = 0;

	signal(SIGPIPE, SIG_IGN);
	for (unsigned int i = 1; i <= TIMES; i++) {
		struct fake_plan plan = calm;
		struct fake_result r;

		plan.fails = ends[i % ENDS];
		fake_migrate_here(&plan, &r);
		ck_assert(r.source.runs != r.destination.runs);
		ck_assert_msg(r.destination.runs == !plan.fails, "source %s, destination %s",
			      r.source.fail.text, r.destination.fail.text);
		if (i != WARM)
			continue;
		fds = entries("/proc/self/fd");
		threads = entries("/proc/self/task");
		bytes = mallinfo2().uordblks;
	}
	ck_assert_uint_eq(entries("/proc/self/fd"), fds);
	ck_assert_uint_eq(entries("/proc/self/task"), threads);
	ck_assert_uint_eq(mallinfo2().uordblks, bytes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("migrate_faults");
	TCase *tc = tcase_create("migrate_faults");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 600);
#if HAVE_COUNTED_ALLOCATIONS
	tcase_add_loop_test(tc, no_more_memory, 0, 2);
#endif
	tcase_add_test(tc, interrupted_all_the_time);
	tcase_add_test(tc, nothing_leaks);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
