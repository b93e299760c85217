// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "firmware/smccc_priv.h"
#include "tests/fake/firmware.h"
#include "tests/fake/suite.h"

/* The table of functions, and what a call may touch. */

static struct fake_firmware f;

static void setup(void)
{
	fake_firmware_init(&f, PSCI_LATEST, 2);
}

static void teardown(void)
{
	fake_firmware_fini(&f);
}

START_TEST(rows_are_sound)
{
	for (const struct smccc_fn *fn = smccc_table; fn->name; fn++) {
		bool ended = false;

		ck_assert(fn->forms == FORM_0_1 || (fn->forms && !(fn->forms & ~FORM_BOTH)));
		ck_assert(fn->forms == FORM_0_1 || !(fn->id & SMCCC_FN_64));
		ck_assert_uint_le(fn->since, fn->until);
		if (fn != smccc_table && fn->forms != FORM_0_1)
			ck_assert_uint_gt(fn->id, fn[-1].id);
		/* Fast calls all: bit 31. */
		ck_assert(fn->id & 1u << 31);
		for (unsigned int i = 0; i < SMCCC_REGS - 1; i++) {
			ck_assert((fn->params[i].kind == PARAM_NONE) == !fn->params[i].name);
			ck_assert(!ended || fn->params[i].kind == PARAM_NONE);
			ended = fn->params[i].kind == PARAM_NONE;
		}
	}
}
END_TEST

START_TEST(ids_are_unique)
{
	for (const struct smccc_fn *fn = smccc_table; fn->name; fn++) {
		const uint32_t ids[] = { fn->id, fn->id | SMCCC_FN_64 };

		ck_assert_ptr_eq(smccc_find_any(ids[0]), fn);
		if (fn->forms & FORM_64)
			ck_assert_ptr_eq(smccc_find_any(ids[1]), fn);
		else
			ck_assert_ptr_null(smccc_find_any(ids[1]));
	}
}
END_TEST

/* A filter that forwards the ranges lets every function through that has a handler. */
START_TEST(ranges_cover_the_table)
{
	for (const struct smccc_fn *fn = smccc_table; fn->name; fn++) {
		if (fn->service == SMCCC_OTHER) {
			ck_assert_ptr_null(fn->handler);
			continue;
		}
		ck_assert_int_eq(smccc_owner(fn->id), fn->service);
		if (fn->forms & FORM_64)
			ck_assert_int_eq(smccc_owner(fn->id | SMCCC_FN_64), fn->service);
	}
	ck_assert_int_eq(smccc_owner(SMCCC_VERSION_ID), SMCCC_OTHER);
	ck_assert_int_eq(smccc_owner(0x83ffffff), SMCCC_OTHER);
	ck_assert_int_eq(smccc_owner(0x84000020), SMCCC_OTHER);
	ck_assert_int_eq(smccc_owner(0x8400001f), SMCCC_PSCI);
	ck_assert_int_eq(smccc_owner(0xc4000060), SMCCC_OTHER);
	for (const struct smccc_range *r = smccc_ranges; r->count; r++)
		for (const struct smccc_range *o = smccc_ranges; o < r; o++)
			ck_assert(r->base + r->count <= o->base || o->base + o->count <= r->base);
}
END_TEST

START_TEST(number_of_arguments)
{
	static const struct {
		uint32_t id;
		unsigned int nargs;
	} cases[] = {
		{ ID_PSCI_VERSION, 0 },		{ ID_CPU_ON, 3 },      { ID_CPU_ON | ID_64, 3 },
		{ ID_AFFINITY_INFO, 2 },	{ ID_CPU_SUSPEND, 3 }, { ID_PSCI_FEATURES, 1 },
		{ ID_SYSTEM_OFF2 | ID_64, 2 },	{ ID_TRNG_RND, 1 },    { ID_TRNG_GET_UUID, 0 },
		{ ID_PSCI_VERSION | ID_64, 0 }, { 0x84000016, 0 },     { 0, 0 },
		{ PSCI_0_1_CPU_ON, 0 },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(smccc_nargs(&f.fw, cases[i].id) == cases[i].nargs, "0x%x",
			      cases[i].id);
	f.psci.version = PSCI_0_1;
	ck_assert_uint_eq(smccc_nargs(&f.fw, PSCI_0_1_CPU_ON), 2);
	ck_assert_uint_eq(smccc_nargs(&f.fw, ID_CPU_ON), 0);
}
END_TEST

/* Registers that a function does not take change nothing. */
START_TEST(further_registers_do_not_count)
{
	ck_assert_int_eq(fake_call(&f, 0, ID_AFFINITY_INFO, 1, 0, ~0ull), 1);
	ck_assert_int_eq(fake_call(&f, 0, ID_PSCI_VERSION, ~0ull, ~0ull, ~0ull), PSCI_LATEST);
	ck_assert_int_eq(fake_call(&f, 0, ID_PSCI_FEATURES, ID_CPU_ON, ~0ull, ~0ull), 0);
	ck_assert_int_eq(fake_call(&f, 0, ID_SYSTEM_OFF, ~0ull, ~0ull, ~0ull),
			 PSCI_INTERNAL_FAILURE);
}
END_TEST

START_TEST(absent_services)
{
	f.fw.psci = NULL;
	ck_assert_int_eq(fake_call(&f, 0, ID_PSCI_VERSION, 1, 2, 3), -1);
	ck_assert_uint_eq(f.last.nresults, 1);
	ck_assert_int_eq(fake_call(&f, 0, ID_TRNG_VERSION, 0, 0, 0), 0x10000);
	f.fw.trng = NULL;
	ck_assert_int_eq(fake_call(&f, 0, ID_TRNG_VERSION, 0, 0, 0), -1);
	ck_assert_int_eq(fake_call(&f, 0, SMCCC_VERSION_ID, 0, 0, 0), -1);
}
END_TEST

START_TEST(negative_results_are_64_bits_wide)
{
	fake_call(&f, 0, ID_CPU_ON, 5, FAKE_ENTRY, 0);
	ck_assert_uint_eq(f.last.x[0], 0xfffffffffffffffe);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("smccc_table");
	TCase *t = tcase_create("table");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, rows_are_sound);
	tcase_add_test(t, ids_are_unique);
	tcase_add_test(t, ranges_cover_the_table);
	tcase_add_test(t, number_of_arguments);
	tcase_add_test(t, further_registers_do_not_count);
	tcase_add_test(t, absent_services);
	tcase_add_test(t, negative_results_are_64_bits_wide);
	return run_suite(s);
}
