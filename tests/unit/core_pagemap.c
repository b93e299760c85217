// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/core/pagemap.h"

enum { PAGES = 200 };

static uint64_t page;
static struct guest_ram ram;
static struct pagemap map;

static void setup(void)
{
	page = (uint64_t)sysconf(_SC_PAGESIZE);
	ram = (struct guest_ram){ .base = 0x40000000, .size = PAGES * page, .sparse = true };
	ram.host = mmap(NULL, ram.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(ram.host, MAP_FAILED);
	madvise(ram.host, ram.size, MADV_NOHUGEPAGE);
	pagemap_open(&map);
	ck_assert_int_ge(map.fd, 0);
}

static void teardown(void)
{
	pagemap_close(&map);
	munmap(ram.host, ram.size);
}

START_TEST(fresh_memory)
{
	ck_assert(pagemap_untouched(&map, &ram, 0, ram.size));
	ck_assert(pagemap_untouched(&map, &ram, page, 1));
	ck_assert(pagemap_untouched(&map, &ram, ram.size - 1, 1));
}
END_TEST

/* Each page of it, by a write, and by a read, whatever range it is in. */
START_TEST(each_page_counts)
{
	for (uint64_t i = 0; i < PAGES; i++) {
		volatile uint8_t *p = ram.host + i * page + i;

		if (i % 2)
			*p = 1;
		else
			(void)*p;
		ck_assert(!pagemap_untouched(&map, &ram, 0, ram.size));
		ck_assert(!pagemap_untouched(&map, &ram, i * page, 1));
		ck_assert(!i || !pagemap_untouched(&map, &ram, i * page - 1, 2));
		ck_assert(!i || pagemap_untouched(&map, &ram, 0, i * page));
		ck_assert(i == PAGES - 1 ||
			  pagemap_untouched(&map, &ram, (i + 1) * page, ram.size - (i + 1) * page));
		madvise(ram.host, ram.size, MADV_DONTNEED);
		ck_assert(pagemap_untouched(&map, &ram, 0, ram.size));
	}
}
END_TEST

/* A file's pages are not zeros where the host has given none. */
START_TEST(where_it_does_not_say)
{
	const struct pagemap none = { -1 };

	ck_assert(!pagemap_untouched(&none, &ram, 0, page));
	ram.sparse = false;
	ck_assert(!pagemap_untouched(&map, &ram, 0, page));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_pagemap");
	TCase *tc = tcase_create("pagemap");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, fresh_memory);
	tcase_add_test(tc, each_page_counts);
	tcase_add_test(tc, where_it_does_not_say);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
