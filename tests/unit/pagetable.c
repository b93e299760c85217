// SPDX-License-Identifier: GPL-2.0-only
/* The guest's page tables, synthetic ones: every granule and level, and those that mean harm. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arm64/pagetable.h"
#include "tests/fake/suite.h"

#define RAM	 0x40000000ULL
#define RAM_SIZE 0x100000ULL
#define TARGET	 0x123400000000ULL /* where pages are: no RAM, which is fine */
#define TCR_DS	 (1ULL << 59)
#define EE	 (1ULL << 25)
#define TBI0	 (1ULL << 37)
#define TBI1	 (1ULL << 38)
#define EPD0	 (1ULL << 7)
#define EPD1	 (1ULL << 23)

enum { BLOCK = 1, TABLE = 3, PAGE = 3, IPS_48 = 5, IPS_52 = 6 };

static struct guest_mem mem;
static uint8_t *ram;
static struct pagetable pt;
static uint64_t next_table;

static void setup(void)
{
	memset(&mem, 0, sizeof(mem));
	ram = calloc(1, RAM_SIZE);
	ck_assert_int_eq(guest_mem_add(&mem, RAM, RAM_SIZE, ram), 0);
	pt = (struct pagetable){ .sctlr = 1 };
	next_table = RAM;
}

static void teardown(void)
{
	guest_mem_destroy(&mem);
	free(ram);
}

static void put(uint64_t table, uint64_t index, uint64_t desc)
{
	ck_assert_int_eq(guest_mem_write(&mem, table + index * 8, &desc, 8), 0);
}

/* Tables are of 64 KiB whatever the granule. */
static uint64_t new_table(void)
{
	uint64_t table = next_table;

	next_table += 0x10000;
	return table;
}

/* TG as TCR has it for each half; ranges of 64 - tsz bits for both. */
static void set_tcr(unsigned int granule, unsigned int tsz, unsigned int ips)
{
	uint64_t tg0 = granule == 12 ? 0 : granule == 14 ? 2 : 1;
	uint64_t tg1 = granule == 12 ? 2 : granule == 14 ? 1 : 3;

	pt.tcr = tsz | tsz << 16 | tg0 << 14 | tg1 << 30 | (uint64_t)ips << 32;
}

/* Maps `va` down to `last` and fills in TTBRs: the tables differ in contents from their other
 * entries by this one path alone. Index bits of a level: `granule` - 3, fewer at the first. */
static void map(unsigned int granule, unsigned int va_bits, int first, int last, uint64_t va,
		uint64_t target)
{
	uint64_t table = new_table();

	pt.ttbr0 = table | 0xabcdULL << 48 | 1; /* ASID and CnP are no address */
	pt.ttbr1 = pt.ttbr0;
	va &= (1ULL << va_bits) - 1;
	for (int level = first;; level++) {
		unsigned int shift = granule + (unsigned int)(3 - level) * (granule - 3);
		uint64_t index = va >> shift;

		if (level != first)
			index &= (1ULL << (granule - 3)) - 1;
		if (level == last) {
			put(table, index,
			    target | (level == 3 ? PAGE : BLOCK) | 0x3ULL << 53 | 0x4);
			return;
		}
		put(table, index, new_table() | TABLE | 0x7ULL << 59);
		table = next_table - 0x10000;
	}
}

static void ck_at(uint64_t va, uint64_t want)
{
	gpa_t gpa = 0;

	ck_assert_int_eq(pagetable_walk(&mem, &pt, va, &gpa), 0);
	ck_assert_uint_eq(gpa, want);
}

static void ck_fault(uint64_t va)
{
	gpa_t gpa = 0;

	ck_assert_int_eq(pagetable_walk(&mem, &pt, va, &gpa), -EFAULT);
}

static const struct shape {
	unsigned int granule, va_bits;
	int first, last;
} shapes[] = {
	{ 12, 48, 0, 3 }, { 12, 48, 0, 2 }, { 12, 48, 0, 1 }, { 12, 39, 1, 3 }, { 12, 39, 1, 2 },
	{ 12, 39, 1, 1 }, { 12, 40, 0, 3 }, { 12, 36, 1, 3 }, { 12, 30, 2, 3 }, { 12, 25, 2, 3 },
	{ 12, 20, 3, 3 }, { 14, 48, 0, 3 }, { 14, 48, 0, 2 }, { 14, 47, 1, 3 }, { 14, 47, 1, 2 },
	{ 14, 36, 2, 3 }, { 14, 36, 2, 2 }, { 16, 48, 1, 3 }, { 16, 48, 1, 2 }, { 16, 42, 2, 3 },
	{ 16, 42, 2, 2 }, { 16, 52, 1, 3 }, { 16, 52, 1, 2 },
}, lpa2_shapes[] = {
	{ 12, 52, -1, 3 }, { 12, 52, -1, 0 }, { 12, 50, -1, 2 }, { 12, 48, 0, 3 }, { 12, 48, 0, 0 },
	{ 12, 39, 1, 3 },  { 14, 52, 0, 3 },  { 14, 52, 0, 1 },  { 14, 47, 1, 1 },
};

enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]) };
enum { LPA2_SHAPES = sizeof(lpa2_shapes) / sizeof(lpa2_shapes[0]) };

START_TEST(every_shape)
{
	const struct shape *s = _i < SHAPES ? &shapes[_i] : &lpa2_shapes[_i - SHAPES];
	unsigned int shift = s->granule + (unsigned int)(3 - s->last) * (s->granule - 3);
	uint64_t offset = 0x5a5a5a5a5a5a5a5aULL & ((1ULL << shift) - 1);
	uint64_t range = (1ULL << s->va_bits) - 1;
	uint64_t va = 0x0003c9a65b4d2e17ULL & range & ~((1ULL << shift) - 1);
	uint64_t target = TARGET & ~((1ULL << shift) - 1);

	set_tcr(s->granule, 64 - s->va_bits, IPS_48);
	pt.tcr |= _i < SHAPES ? 0 : TCR_DS;
	map(s->granule, s->va_bits, s->first, s->last, va, target);
	ck_at(va | offset, target | offset);
	ck_at(~range | va | offset, target | offset);
	/* Neither half, and the neighbours of what is mapped. */
	if (s->va_bits < 52)
		ck_fault(va | 1ULL << s->va_bits);
	ck_fault(va | offset | 1ULL << 60);
	if (shift < s->va_bits)
		ck_fault((va | offset) ^ 1ULL << shift);
	ck_fault((va | offset) ^ 1ULL << (s->va_bits - 1));
}
END_TEST

START_TEST(mmu_off)
{
	pt.sctlr = EE;
	ck_at(0x12345678, 0x12345678);
}
END_TEST

START_TEST(halves_apart)
{
	uint64_t low;

	set_tcr(12, 16, IPS_48);
	map(12, 48, 0, 3, 0x1000, 0x9000000);
	low = pt.ttbr0;
	map(12, 48, 0, 3, 0x1000, 0x9010000);
	pt.ttbr0 = low;
	ck_at(0x1abc, 0x9000abc);
	ck_at(0xffff000000001abc, 0x9010abc);
	pt.tcr |= EPD0;
	ck_fault(0x1abc);
	ck_at(0xffff000000001abc, 0x9010abc);
	pt.tcr ^= EPD0 | EPD1;
	ck_at(0x1abc, 0x9000abc);
	ck_fault(0xffff000000001abc);
}
END_TEST

START_TEST(tags)
{
	set_tcr(12, 25, IPS_48);
	map(12, 39, 1, 3, 0x1000, 0x9000000);
	ck_fault(0xa500000000001abc);
	ck_fault(0xa5ffff8000001abc);
	pt.tcr |= TBI0;
	ck_at(0xa500000000001abc, 0x9000abc);
	ck_fault(0xa540000000001abc); /* bit 54 is none of the tag */
	ck_fault(0xa5ffff8000001abc);
	pt.tcr ^= TBI0 | TBI1;
	ck_fault(0xa500000000001abc);
	ck_at(0xa5ffff8000001abc, 0x9000abc);
	ck_fault(0xa5bfff8000001abc);
}
END_TEST

/* Tables and pages above 48 bits: 64 KiB granule with IPS 52 alone. */
START_TEST(wide_addresses)
{
	static const uint64_t wide = 0xf00040000000ULL;
	uint8_t *high = calloc(1, 0x20000);

	ck_assert_int_eq(guest_mem_add(&mem, 0xf000000000000ULL, 0x20000, high), 0);
	set_tcr(16, 22, IPS_52);
	pt.ttbr0 = 0xf << 2;
	put(0xf000000000000ULL, 0, 0x10000 | 0xf << 12 | TABLE);
	put(0xf000000010000ULL, 1, wide | 0xa << 12 | PAGE);
	ck_at(0x10123, 0xaf00040000123ULL);
	set_tcr(16, 22, IPS_48);
	ck_fault(0x10123);
	free(high);
}
END_TEST

/* With TCR.DS, the same for the other granules. */
START_TEST(wide_addresses_lpa2)
{
	static const unsigned int granules[] = { 12, 14 };
	unsigned int granule = granules[_i], levels = granule == 12 ? 5 : 4;
	uint8_t *high = calloc(1, 0x50000);

	ck_assert_int_eq(guest_mem_add(&mem, 0xf000000000000ULL, 0x50000, high), 0);
	set_tcr(granule, 12, IPS_52);
	pt.tcr |= TCR_DS;
	pt.ttbr0 = 0xf << 2;
	for (uint64_t i = 0; i < levels - 1; i++)
		put(0xf000000000000ULL + i * 0x10000, 0,
		    0x3000000000000ULL | (i + 1) << 16 | 0x300 | TABLE);
	put(0xf000000000000ULL + (levels - 1) * 0x10000, 1, 0x2f00040000000ULL | 0x100 | PAGE);
	ck_at((1 << granule) + 0x123, 0x6f00040000123ULL);
	/* Without it the same bits mean something else. */
	pt.tcr &= ~TCR_DS;
	ck_fault((1 << granule) + 0x123);
	free(high);
}
END_TEST

START_TEST(output_size)
{
	set_tcr(12, 25, 0); /* 32 bits */
	map(12, 39, 1, 3, 0x1000, 0x100000000);
	ck_fault(0x1abc);
	set_tcr(12, 25, 1);
	ck_at(0x1abc, 0x100000abc);
	put(RAM, 0, 1ULL << 40 | TABLE);
	ck_fault(0x1abc);
}
END_TEST

START_TEST(not_followed)
{
	set_tcr(12, 25, IPS_48);
	map(12, 39, 1, 3, 0x1000, 0x9000000);
	ck_at(0x1abc, 0x9000abc);
	pt.sctlr |= EE;
	ck_fault(0x1abc);
	pt.sctlr = 1;
	pt.tcr |= 3 << 14; /* reserved granule */
	ck_fault(0x1abc);
	pt.tcr &= ~(3ULL << 30);
	ck_fault(0xffffff8000001abc);
}
END_TEST

/* Every TCR that shifts could trip over; nothing may be read outside RAM or for ever. */
START_TEST(any_tcr)
{
	for (uint64_t i = 0; i < RAM_SIZE / 8; i++)
		put(RAM, i, RAM | TABLE); /* tables all the way down, and round */
	pt.ttbr0 = pt.ttbr1 = RAM;
	for (uint64_t tsz = 0; tsz < 64; tsz++)
		for (uint64_t tg = 0; tg < 16; tg++)
			for (uint64_t ips = 0; ips < 8; ips++) {
				gpa_t gpa;

				pt.tcr = tsz | tsz << 16 | (tg & 3) << 14 | tg >> 2 << 30 |
					 ips << 32;
				pagetable_walk(&mem, &pt, 0, &gpa);
				pagetable_walk(&mem, &pt, ~0ULL, &gpa);
				pt.tcr |= TBI0 | TBI1;
				pagetable_walk(&mem, &pt, 0x5500000000001000, &gpa);
				pagetable_walk(&mem, &pt, 0x55fffffffffff000, &gpa);
				pt.tcr |= TCR_DS;
				pagetable_walk(&mem, &pt, 0x5500000000001000, &gpa);
				pagetable_walk(&mem, &pt, 0x55fffffffffff000, &gpa);
			}
}
END_TEST

START_TEST(hostile_tables)
{
	static const uint64_t descs[] = {
		0, /* invalid */
		2, /* invalid with bit 1 */
		0x9000000 | BLOCK, /* no block at level 0 */
		0x0 | TABLE, /* a table where no RAM is */
		(RAM + RAM_SIZE) | TABLE, /* just behind RAM */
		0xfffffffff000 | TABLE,
	};

	set_tcr(12, 16, IPS_48);
	pt.ttbr0 = RAM;
	for (size_t i = 0; i < sizeof(descs) / sizeof(descs[0]); i++) {
		put(RAM, 0, descs[i]);
		ck_fault(0x1000);
	}
	/* A table that is its own next level ends after four: the last descriptor is a page. */
	put(RAM, 0, RAM | TABLE);
	ck_at(0xabc, RAM + 0xabc);
	/* Bit 1 clear at the last level is reserved. */
	set_tcr(12, 44, IPS_48);
	put(RAM, 0, 0x9000000 | BLOCK);
	ck_fault(0xabc);
	pt.ttbr0 = 0;
	ck_fault(0xabc);
	pt.ttbr0 = ~0ULL;
	ck_fault(0xabc);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pagetable");
	TCase *t = tcase_create("pagetable");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, every_shape, 0, SHAPES + LPA2_SHAPES);
	tcase_add_test(t, mmu_off);
	tcase_add_test(t, halves_apart);
	tcase_add_test(t, tags);
	tcase_add_test(t, wide_addresses);
	tcase_add_loop_test(t, wide_addresses_lpa2, 0, 2);
	tcase_add_test(t, output_size);
	tcase_add_test(t, not_followed);
	tcase_add_test(t, any_tcr);
	tcase_add_test(t, hostile_tables);
	return run_suite(s);
}
