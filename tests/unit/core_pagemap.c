// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/core/pagemap.h"

enum { PAGES = 2000, RUN = 24 };

static uint64_t page;
static struct guest_ram ram;

static void setup(void)
{
	page = (uint64_t)sysconf(_SC_PAGESIZE);
	ram = (struct guest_ram){ .base = 0x40000000, .size = PAGES * page, .sparse = true };
	ram.host = mmap(NULL, ram.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(ram.host, MAP_FAILED);
	madvise(ram.host, ram.size, MADV_NOHUGEPAGE);
}

static void teardown(void)
{
	munmap(ram.host, ram.size);
}

/* `wanted` says it of each page; units are of every size, also such that the last is not whole. */
static void check_touched(const bool wanted[PAGES])
{
	const uint64_t units[] = { page / 4, page, 3 * page, 64 * page, PAGES * page, 4096 * page };

	for (unsigned int u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
		uint64_t n = (ram.size + units[u] - 1) / units[u];
		uint64_t *bits = pagemap_touched(&ram, units[u]);

		ck_assert_ptr_nonnull(bits);
		for (uint64_t i = 0; i < n; i++) {
			uint64_t end = ((i + 1) * units[u] + page - 1) / page;
			bool want = false;

			for (uint64_t p = i * units[u] / page; p < end && p < PAGES; p++)
				want |= wanted[p];
			quick_assert((bits[i / 64] >> i % 64 & 1) == want, "unit %u of %llu: %d",
				     (unsigned int)i, (unsigned long long)units[u], !want);
		}
		quick_assert(n % 64 == 0 || !(bits[n / 64] >> n % 64), "beyond the end");
		free(bits);
	}
}

START_TEST(fresh_memory)
{
	static const bool none[PAGES];

	check_touched(none);
}
END_TEST

/* By a write, and by a read; one page, the first, the last, and many in pieces. */
START_TEST(each_page_counts)
{
	unsigned int seed = 1;

	for (unsigned int turn = 0; turn < 100; turn++) {
		bool wanted[PAGES] = { 0 };
		unsigned int n = turn < 3 ? 1 : (unsigned int)rand_r(&seed) % 400;

		for (unsigned int i = 0; i < n; i++) {
			unsigned int at = turn == 0   ? 0
					  : turn == 1 ? PAGES - 1
						      : (unsigned int)rand_r(&seed) % PAGES;
			unsigned int end =
				turn < 3 ? at + 1 : at + (unsigned int)rand_r(&seed) % RUN;

			for (; at < end && at < PAGES; at++) {
				volatile uint8_t *p =
					ram.host + at * page + (unsigned int)rand_r(&seed) % page;

				if (at % 2)
					*p = 1;
				else
					(void)*p;
				wanted[at] = true;
			}
		}
		check_touched(wanted);
		madvise(ram.host, ram.size, MADV_DONTNEED);
	}
}
END_TEST

/* The host's pages may be larger than the guest's. */
START_TEST(a_page_in_part)
{
	uint64_t *bits;

	ram.size = 64 * page - page / 2;
	ram.host[ram.size - 1] = 1;
	bits = pagemap_touched(&ram, page / 2);
	ck_assert_ptr_nonnull(bits);
	ck_assert(!bits[0] && bits[1] == UINT64_C(1) << 62);
	free(bits);
	ram.size = PAGES * page;
}
END_TEST

/* A file's pages are not zeros where the host has given none. */
START_TEST(where_it_does_not_say)
{
	ram.sparse = false;
	ck_assert_ptr_null(pagemap_touched(&ram, page));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_pagemap");
	TCase *tc = tcase_create("pagemap");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, fresh_memory);
	tcase_add_test(tc, each_page_counts);
	tcase_add_test(tc, a_page_in_part);
	tcase_add_test(tc, where_it_does_not_say);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
