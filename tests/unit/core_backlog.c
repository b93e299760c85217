// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <pthread.h>
#include <string.h>

#include "tests/fake/suite.h"
#include "vmm/core/backlog.h"
#include "vmm/core/loop.h"

struct client {
	struct backlog_reader reader;
	unsigned int calls;
	bool leave; /* when called */
};

static struct loop *loop;
static struct backlog *backlog;

static void on_more(struct backlog_reader *reader)
{
	struct client *c = container_of(reader, struct client, reader);

	c->calls++;
	if (c->leave)
		backlog_detach(backlog, reader);
}

static void setup(void)
{
	ck_assert_int_eq(loop_create(&loop), 0);
	ck_assert_int_eq(backlog_create(loop, &backlog), 0);
}

static void teardown(void)
{
	backlog_destroy(backlog);
	loop_destroy(loop);
}

static uint8_t pattern(uint64_t i)
{
	return (uint8_t)(i * 7 + i / 251 + i / 65521);
}

/* Puts the bytes [from, from + len) of the pattern. */
static void put(uint64_t from, size_t len)
{
	uint8_t data[1000];

	while (len) {
		size_t n = len < sizeof(data) ? len : sizeof(data);

		for (size_t i = 0; i < n; i++)
			data[i] = pattern(from + i);
		backlog_put(backlog, data, n);
		from += n;
		len -= n;
	}
}

/* Reads all that there is, which must be the pattern from `*at` on, lost bytes left out. */
static uint64_t read_all(struct client *c, uint64_t *at, size_t piece)
{
	static uint8_t buf[BACKLOG_SIZE];
	uint64_t lost = 0, before = 0;
	size_t n;

	while ((n = backlog_read(backlog, &c->reader, buf, piece, &lost)) > 0) {
		*at += lost - before;
		before = lost;
		for (size_t i = 0; i < n; i++)
			quick_assert(buf[i] == pattern(*at + i), "byte %llu",
				     (unsigned long long)(*at + i));
		*at += n;
	}
	return lost;
}

START_TEST(late_readers)
{
	struct client a = { .reader.more = on_more }, b = { .reader.more = on_more };
	uint64_t at = 0;

	put(0, 1000);
	ck_assert_uint_eq(backlog_missed(backlog), 0);
	backlog_attach(backlog, &a.reader);
	ck_assert_uint_eq(read_all(&a, &at, 7), 0);
	ck_assert_uint_eq(at, 1000);
	put(1000, BACKLOG_SIZE);
	ck_assert_uint_eq(backlog_missed(backlog), 1000);
	at = 1000;
	backlog_attach(backlog, &b.reader);
	ck_assert_uint_eq(read_all(&b, &at, 4096), 0);
	ck_assert_uint_eq(at, 1000 + BACKLOG_SIZE);
	at = 1000;
	ck_assert_uint_eq(read_all(&a, &at, BACKLOG_SIZE), 0);
	ck_assert_uint_eq(at, 1000 + BACKLOG_SIZE);
	backlog_detach(backlog, &a.reader);
	backlog_detach(backlog, &b.reader);
}
END_TEST

static const size_t chunks[] = { 1,	999, 1000, BACKLOG_SIZE - 1, BACKLOG_SIZE, BACKLOG_SIZE + 1,
				 200000 };

START_TEST(slow_reader_loses_the_oldest)
{
	struct client c = { .reader.more = on_more };
	uint64_t at = 0, total = 0, lost = 0;

	backlog_attach(backlog, &c.reader);
	for (int round = 0; round < 20; round++) {
		size_t len = chunks[(round * 3 + _i) % 7];

		put(total, len);
		total += len;
		if (round % 3)
			lost += read_all(&c, &at, 1 + round * 100);
	}
	lost += read_all(&c, &at, 1000);
	ck_assert_uint_eq(at, total);
	ck_assert_uint_gt(lost, 0);
	backlog_detach(backlog, &c.reader);
}
END_TEST

/* One piece larger than all: its end is what stays. */
START_TEST(a_piece_too_large)
{
	static uint8_t data[BACKLOG_SIZE + 5000];
	struct client c = { .reader.more = on_more };
	uint64_t at = 5100, lost = 0;

	put(0, 100);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = pattern(100 + i);
	backlog_put(backlog, data, sizeof(data));
	backlog_attach(backlog, &c.reader);
	lost = read_all(&c, &at, 10000);
	ck_assert_uint_eq(lost, 0);
	ck_assert_uint_eq(at, 100 + sizeof(data));
	backlog_detach(backlog, &c.reader);
}
END_TEST

START_TEST(told_once)
{
	struct client a = { .reader.more = on_more }, b = { .reader.more = on_more };
	uint64_t at = 0;

	backlog_attach(backlog, &a.reader);
	backlog_attach(backlog, &b.reader);
	put(0, 10);
	ck_assert(!loop_poll(loop, 20)); /* nobody has found it empty yet */
	read_all(&a, &at, 10);
	ck_assert(!loop_poll(loop, 20));
	put(10, 10);
	put(20, 10);
	ck_assert(loop_poll(loop, 1000));
	put(30, 10);
	ck_assert(!loop_poll(loop, 20));
	ck_assert_uint_eq(a.calls, 1);
	ck_assert_uint_eq(b.calls, 0);
	read_all(&a, &at, 10);
	at = 0;
	read_all(&b, &at, 10);
	a.leave = true;
	put(40, 1);
	ck_assert(loop_poll(loop, 1000));
	ck_assert_uint_eq(a.calls, 2);
	ck_assert_uint_eq(b.calls, 1);
	backlog_detach(backlog, &b.reader);
}
END_TEST

enum { TOTAL = 1000000 };

static void *writer(void *arg)
{
	(void)arg;
	for (uint64_t at = 0; at < TOTAL; at += 500)
		put(at, 500);
	return NULL;
}

/* Another thread writes; the reader sleeps whenever it has all, and misses no wake-up. */
START_TEST(racing_writer)
{
	struct client c = { .reader.more = on_more };
	uint64_t at = 0;
	pthread_t thread;

	backlog_attach(backlog, &c.reader);
	ck_assert_int_eq(pthread_create(&thread, NULL, writer, NULL), 0);
	read_all(&c, &at, 3000);
	while (at < TOTAL) {
		ck_assert(loop_poll(loop, 10000));
		read_all(&c, &at, 3000);
	}
	pthread_join(thread, NULL);
	ck_assert_uint_eq(at, TOTAL);
	backlog_detach(backlog, &c.reader);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_backlog");
	TCase *tc = tcase_create("backlog");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, late_readers);
	tcase_add_loop_test(tc, slow_reader_loses_the_oldest, 0, 7);
	tcase_add_test(tc, a_piece_too_large);
	tcase_add_test(tc, told_once);
	tcase_add_test(tc, racing_writer);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
