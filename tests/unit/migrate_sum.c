// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <string.h>

#include "tests/fake/suite.h"
#include "vmm/migrate_sum.h"

/* The vectors of its authors: key 00 01 ... 0f, data of so many bytes 00 01 ... */
static const struct {
	size_t len;
	uint8_t sum[16];
} vectors[] = {
	{ 0,
	  { 0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55,
	    0x02, 0x93 } },
	{ 1,
	  { 0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22,
	    0xfc, 0x45 } },
};

START_TEST(vectors_hold)
{
	const uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	uint8_t data[16];
	struct page_sum sum;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	sum = page_sum(key, data, vectors[_i].len);
	ck_assert_mem_eq(&sum, vectors[_i].sum, sizeof(sum));
}
END_TEST

START_TEST(every_bit_and_the_key_count)
{
	static uint8_t page[4096];
	uint64_t key[2] = { 1, 2 };
	struct page_sum none = page_sum(key, page, sizeof(page)), sum;

	for (size_t bit = 0; bit < sizeof(page) * 8; bit++) {
		page[bit / 8] ^= 1 << bit % 8;
		sum = page_sum(key, page, sizeof(page));
		ck_assert(sum.half[0] != none.half[0] && sum.half[1] != none.half[1]);
		page[bit / 8] ^= 1 << bit % 8;
	}
	key[1]++;
	sum = page_sum(key, page, sizeof(page));
	ck_assert(sum.half[0] != none.half[0] && sum.half[1] != none.half[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("migrate_sum");
	TCase *tc = tcase_create("migrate_sum");

	tcase_add_loop_test(tc, vectors_hold, 0, sizeof(vectors) / sizeof(vectors[0]));
	tcase_add_test(tc, every_bit_and_the_key_count);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
