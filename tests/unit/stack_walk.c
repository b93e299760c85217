// SPDX-License-Identifier: GPL-2.0-only
/* Frame records in guest memory, sound and not. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arm64/stack.h"
#include "tests/fake/suite.h"

enum { BASE = 0x40000000, SIZE = 1 << 20 };

static struct guest_mem mem;
static uint64_t *ram;
static uint64_t frames[STACK_FRAMES_MAX];
/* The MMU is off: addresses are themselves. */
static const struct pagetable flat, bits48 = { .tcr = 16 | 16 << 16 },
				    bits52 = { .tcr = 12 | 12 << 16 };

static void setup(void)
{
	memset(&mem, 0, sizeof(mem));
	ram = calloc(1, SIZE);
	ck_assert_int_eq(guest_mem_add(&mem, BASE, SIZE, ram), 0);
}

static void teardown(void)
{
	guest_mem_destroy(&mem);
	free(ram);
}

static void put_frame(uint64_t at, uint64_t next, uint64_t lr)
{
	ram[(at - BASE) / 8] = next;
	ram[(at - BASE) / 8 + 1] = lr;
}

START_TEST(chain)
{
	put_frame(BASE + 0x100, BASE + 0x200, 0x1000);
	put_frame(BASE + 0x200, BASE + 0x280, 0x2000);
	put_frame(BASE + 0x280, 0, 0x3000);
	ck_assert_uint_eq(stack_walk(&mem, &flat, BASE + 0x100, frames), 3);
	ck_assert(frames[0] == 0x1000 && frames[1] == 0x2000 && frames[2] == 0x3000);
}
END_TEST

START_TEST(ends)
{
	static const struct {
		uint64_t fp, next, lr;
		unsigned int n;
	} rows[] = {
		{ 0, 0, 0, 0 },
		{ BASE + 4, 0, 1, 0 }, /* misaligned */
		{ BASE - 8, 0, 1, 0 }, /* half of it not there */
		{ BASE + SIZE - 8, 0, 1, 0 },
		{ BASE + SIZE, 0, 1, 0 },
		{ UINT64_MAX - 7, 0, 1, 0 },
		{ BASE + 0x100, BASE + 0x100, 0x1000, 1 }, /* itself */
		{ BASE + 0x100, BASE + 0x80, 0x1000, 1 }, /* downwards */
		{ BASE + 0x100, 0x1234560, 0x1000, 1 }, /* nowhere */
		{ BASE + 0x100, BASE + 0x200, 0, 0 }, /* no return address */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(ram, 0, SIZE);
		if (rows[i].fp >= BASE && rows[i].fp < BASE + SIZE - 8)
			put_frame(rows[i].fp & ~7ULL, rows[i].next, rows[i].lr);
		ck_assert_uint_eq(stack_walk(&mem, &flat, rows[i].fp, frames), rows[i].n);
	}
}
END_TEST

START_TEST(endless)
{
	for (uint64_t at = BASE; at < BASE + SIZE - 16; at += 16)
		put_frame(at, at + 16, 0x1000);
	ck_assert_uint_eq(stack_walk(&mem, &flat, BASE, frames), STACK_FRAMES_MAX);
}
END_TEST

START_TEST(authentication_codes)
{
	put_frame(BASE + 0x100, BASE + 0x200, 0x00a1800080012345);
	put_frame(BASE + 0x200, BASE + 0x300, 0x7f21000000400124);
	put_frame(BASE + 0x300, 0, 0xffff800080012348);
	ck_assert_uint_eq(stack_walk(&mem, &bits48, BASE + 0x100, frames), 3);
	ck_assert_uint_eq(frames[0], 0xffff800080012345);
	ck_assert_uint_eq(frames[1], 0x0000000000400124);
	ck_assert_uint_eq(frames[2], 0xffff800080012348);
	ck_assert_uint_eq(stack_walk(&mem, &bits52, BASE + 0x100, frames), 3);
	ck_assert_uint_eq(frames[0], 0xfff1800080012345);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stack_walk");
	TCase *tc = tcase_create("stack");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, chain);
	tcase_add_test(tc, ends);
	tcase_add_test(tc, endless);
	tcase_add_test(tc, authentication_codes);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
