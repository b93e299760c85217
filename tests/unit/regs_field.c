// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <stdlib.h>

#include "arch/arm64/regs_field.h"
#include "tests/fake/suite.h"

enum { MIDR = 0xc000, CTR = 0xd801, PFR0 = 0xc020, DFR0 = 0xc028, DFR1 = 0xc029, ISAR0 = 0xc030 };

static const struct {
	uint16_t encoding;
	unsigned int bit, shift, width;
	const char *name;
} rows[] = {
	{ MIDR, 0, 0, 4, ".Revision" },	     { MIDR, 15, 4, 12, ".PartNum" },
	{ MIDR, 31, 24, 8, ".Implementer" }, { MIDR, 32, 32, 1, "[32]" },
	{ CTR, 15, 14, 2, ".L1Ip" },	     { CTR, 13, 13, 1, "[13]" },
	{ CTR, 37, 32, 6, ".TminLine" },     { PFR0, 24, 24, 4, ".GIC" },
	{ PFR0, 63, 60, 4, ".CSV3" },	     { DFR0, 9, 8, 4, ".PMUVer" },
	{ DFR1, 63, 56, 8, ".ABL_CMPs" },    { ISAR0, 4, 4, 4, ".AES" },
	{ ISAR0, 2, 0, 4, "[3:0]" },	     { ISAR0, 60, 60, 4, ".RNDR" },
};

START_TEST(fields)
{
	struct reg_field field;

	ck_assert(regs_field(rows[_i].encoding, rows[_i].bit, &field));
	ck_assert_uint_eq(field.shift, rows[_i].shift);
	ck_assert_uint_eq(field.width, rows[_i].width);
	ck_assert_str_eq(field.name, rows[_i].name);
}
END_TEST

/* Whatever the register, its bits are in one field each, which begins no later than they do. */
START_TEST(every_bit_is_in_one)
{
	unsigned int known = 0;

	for (uint32_t encoding = 0; encoding < 0x10000; encoding++) {
		struct reg_field field;

		if (!regs_field((uint16_t)encoding, 0, &field))
			continue;
		known++;
		for (unsigned int bit = 0; bit < 64; bit += field.width) {
			ck_assert(regs_field((uint16_t)encoding, bit, &field));
			ck_assert_uint_eq(field.shift, bit);
			ck_assert_uint_ge(field.width, 1);
			ck_assert_uint_le(bit + field.width, 64);
		}
	}
	ck_assert_uint_ge(known, 37);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("regs_field");
	TCase *tc = tcase_create("regs_field");

	tcase_add_loop_test(tc, fields, 0, (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tc, every_bit_is_in_one);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
