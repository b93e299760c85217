// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/its.h"
#include "tests/fake/suite.h"

/* Each command of the ITS: what it does, what the sink hears of it, and each of its errors. */

enum { DEV = 8, BITS = 5, LPI = 8192 };

static struct fake_its f;
static char last[200]; /* the last line of the trace */
static unsigned int lines;

static void keep_line(void *arg, const char *line)
{
	(void)arg;
	snprintf(last, sizeof(last), "%s", line);
	lines++;
}

static void setup(void)
{
	fake_its_init(&f, FAKE_ITS_CPUS);
	f.cfg.trace = keep_line;
	fake_its_recreate(&f);
	fake_its_enable(&f);
	lines = 0;
}

static void teardown(void)
{
	fake_its_fini(&f);
}

/* The command is taken, and traced with that result. */
static void expect(struct its_command cmd, const char *result)
{
	unsigned int before = lines;
	size_t len;

	fake_its_put(&f, &cmd);
	ck_assert(fake_its_go(&f));
	ck_assert_uint_eq(lines, before + 1);
	len = strlen(last);
	ck_assert_msg(len > strlen(result) && !strcmp(last + len - strlen(result), result),
		      "'%s' does not end in '%s'", last, result);
	ck_assert_msg(!strncmp(last + len - strlen(result) - 4, " -> ", 4), "'%s'", last);
}

static void ok(struct its_command cmd)
{
	expect(cmd, "OK");
}

/* Both the model and its sink take a message to be that LPI of that CPU. */
static void goes_to(uint32_t device, uint32_t event, uint32_t intid, uint32_t cpu)
{
	uint32_t i = 0, c = 99;

	ck_assert_int_eq(its_translate(f.dev, device, event, &i, &c), 0);
	ck_assert_uint_eq(i, intid);
	ck_assert_uint_eq(c, cpu);
	ck_assert_int_eq(fake_its_sent(&f, device, event, &i, &c), 0);
	ck_assert_uint_eq(i, intid);
	ck_assert_uint_eq(c, cpu);
}

static void goes_nowhere(uint32_t device, uint32_t event)
{
	uint32_t i, c;

	ck_assert_int_eq(its_translate(f.dev, device, event, &i, &c), -ENOENT);
	ck_assert_int_eq(fake_its_sent(&f, device, event, &i, &c), -ENOENT);
}

static void message(uint32_t device, uint32_t event)
{
	const struct msi msi = { FAKE_ITS_BASE + ITS_TRANSLATER, event, device };

	ck_assert_int_eq(its_message(f.dev, &msi), 0);
}

/* Collections n on CPU n, device DEV, event n as LPI n of collection n % 2. */
static void map(unsigned int events)
{
	for (unsigned int cpu = 0; cpu < FAKE_ITS_CPUS; cpu++)
		ok(its_mapc_cmd(cpu, cpu, true));
	ok(its_mapd_cmd(DEV, BITS, true));
	for (unsigned int i = 0; i < events; i++)
		ok(its_mapti_cmd(DEV, i, LPI + i, i % 2));
}

/* --- MAPD -------------------------------------------------------------------------------------- */

START_TEST(mapd_maps_and_unmaps)
{
	map(2);
	goes_to(DEV, 0, LPI, 0);
	message(DEV, 0);
	ok(its_mapd_cmd(DEV, BITS, false));
	goes_nowhere(DEV, 0);
	ck_assert(!f.pending[LPI]);
	expect(its_mapti_cmd(DEV, 0, LPI, 0), "E_ITS_MAPTI_UNMAPPED_DEVICE");
	/* To unmap what is not mapped is no error, and nothing for the sink. */
	f.commands = 0;
	ok(its_mapd_cmd(DEV, BITS, false));
	ok(its_mapd_cmd(DEV + 1, BITS, false));
	ck_assert_uint_eq(f.commands, 0);
}
END_TEST

/* A mapped device is unmapped first: nothing of it remains, the ITT's size is the new one. */
START_TEST(mapd_of_a_mapped_device)
{
	map(20);
	message(DEV, 3);
	ok(its_mapd_cmd(DEV, 2, true));
	for (unsigned int i = 0; i < 20; i++)
		goes_nowhere(DEV, i);
	ck_assert(!f.pending[LPI + 3]);
	expect(its_mapti_cmd(DEV, 4, LPI, 0), "E_ITS_MAPTI_ID_OOR");
	ok(its_mapti_cmd(DEV, 3, LPI, 0));
	goes_to(DEV, 3, LPI, 0);
}
END_TEST

START_TEST(mapd_errors)
{
	ok(its_mapd_cmd(DEV, 16, true));
	for (unsigned int bits = 17; bits <= 32; bits++)
		expect(its_mapd_cmd(DEV, bits, true), "E_ITS_MAPD_ITTSIZE_OOR");
	/* The device is as it was. */
	ok(its_mapc_cmd(0, 0, true));
	ok(its_mapti_cmd(DEV, 65535, LPI, 0));
	goes_to(DEV, 65535, LPI, 0);
	ok(its_mapd_cmd(65535, 1, true));
	expect(its_mapd_cmd(65536, 1, true), "E_ITS_MAPD_DEVICE_OOR");
	expect(its_mapd_cmd(0xffffffff, 1, true), "E_ITS_MAPD_DEVICE_OOR");
	expect(its_mapd_cmd(0xffffffff, 1, false), "E_ITS_MAPD_DEVICE_OOR");
}
END_TEST

/* --- MAPC -------------------------------------------------------------------------------------- */

/* An existing collection is changed in place, any number of times: its events follow. */
START_TEST(mapc_again)
{
	map(6);
	for (unsigned int round = 0; round < 3; round++)
		for (unsigned int cpu = 0; cpu < FAKE_ITS_CPUS; cpu++) {
			ok(its_mapc_cmd(0, cpu, true));
			for (unsigned int i = 0; i < 6; i++)
				goes_to(DEV, i, LPI + i, i % 2 ? 1 : cpu);
		}
	ok(its_movall_cmd(FAKE_ITS_CPUS - 1, 2));
	goes_to(DEV, 0, LPI, 2);
}
END_TEST

START_TEST(mapc_unmaps)
{
	map(4);
	/* RDbase means nothing then. */
	ok(its_mapc_cmd(0, 0xffffffff, false));
	goes_nowhere(DEV, 0);
	goes_nowhere(DEV, 2);
	goes_to(DEV, 1, LPI + 1, 1);
	expect(its_invall_cmd(0), "E_ITS_INVALL_UNMAPPED_COLLECTION");
	/* Its events were in it, and are in none; those mapped from now on are. */
	ok(its_mapc_cmd(0, 3, true));
	goes_nowhere(DEV, 0);
	ok(its_mapti_cmd(DEV, 9, LPI + 9, 0));
	goes_to(DEV, 9, LPI + 9, 3);
	ok(its_mapc_cmd(7, 0, false));
}
END_TEST

START_TEST(mapc_errors)
{
	expect(its_mapc_cmd(0, FAKE_ITS_CPUS, true), "E_ITS_MAPC_PROCNUM_OOR");
	expect(its_mapc_cmd(0, 0xffffffff, true), "E_ITS_MAPC_PROCNUM_OOR");
	ok(its_mapc_cmd(65535, 0, true));
	/* A table of one page holds 8192 collections. */
	fake_its_write(&f, 0, 4, 0);
	fake_its_write(&f, 0x108, 8, 1ULL << 63 | (FAKE_ITS_RAM + FAKE_ITS_COLLECTIONS));
	fake_its_write(&f, 0, 4, 1);
	ok(its_mapc_cmd(8191, 0, true));
	expect(its_mapc_cmd(8192, 0, true), "E_ITS_MAPC_COLLECTION_OOR");
	ok(its_mapd_cmd(DEV, BITS, true));
	expect(its_mapti_cmd(DEV, 0, LPI, 8192), "E_ITS_MAPTI_COLLECTION_OOR");
	ok(its_mapc_cmd(8192, 0, false));
}
END_TEST

/* --- MAPTI, MAPI ------------------------------------------------------------------------------- */

START_TEST(mapti_before_its_collection)
{
	ok(its_mapd_cmd(DEV, BITS, true));
	ok(its_mapti_cmd(DEV, 1, LPI + 7, 5));
	goes_nowhere(DEV, 1);
	ok(its_mapc_cmd(5, 2, true));
	goes_to(DEV, 1, LPI + 7, 2);
}
END_TEST

START_TEST(mapi_takes_the_event)
{
	map(0);
	ok(its_mapd_cmd(DEV, 16, true));
	ok(its_mapi_cmd(DEV, LPI + 5, 1));
	goes_to(DEV, LPI + 5, LPI + 5, 1);
	expect(its_mapi_cmd(DEV, LPI - 1, 1), "E_ITS_MAPTI_PHYSICALID_OOR");
	ok(its_mapi_cmd(DEV, 65535, 1));
	expect(its_mapi_cmd(DEV, 65536, 1), "E_ITS_MAPTI_ID_OOR");
	expect(its_mapi_cmd(DEV + 1, LPI, 1), "E_ITS_MAPTI_UNMAPPED_DEVICE");
}
END_TEST

START_TEST(mapti_errors)
{
	map(0);
	expect(its_mapti_cmd(DEV + 1, 0, LPI, 0), "E_ITS_MAPTI_UNMAPPED_DEVICE");
	expect(its_mapti_cmd(0xffffffff, 0, LPI, 0), "E_ITS_MAPTI_UNMAPPED_DEVICE");
	/* EventIDs are bounded by the ITT. */
	ok(its_mapti_cmd(DEV, (1 << BITS) - 1, LPI, 0));
	expect(its_mapti_cmd(DEV, 1 << BITS, LPI, 0), "E_ITS_MAPTI_ID_OOR");
	expect(its_mapti_cmd(DEV, 0xffffffff, LPI, 0), "E_ITS_MAPTI_ID_OOR");
	expect(its_mapti_cmd(DEV, 0, LPI - 1, 0), "E_ITS_MAPTI_PHYSICALID_OOR");
	expect(its_mapti_cmd(DEV, 0, 0, 0), "E_ITS_MAPTI_PHYSICALID_OOR");
	ok(its_mapti_cmd(DEV, 0, 65535, 0));
	expect(its_mapti_cmd(DEV, 1, 65536, 0), "E_ITS_MAPTI_PHYSICALID_OOR");
	/* What GICR_PROPBASER says. */
	f.intids = 1 << 14;
	ok(its_mapti_cmd(DEV, 1, (1 << 14) - 1, 0));
	expect(its_mapti_cmd(DEV, 2, 1 << 14, 0), "E_ITS_MAPTI_PHYSICALID_OOR");
}
END_TEST

/* The mapping stays as it is. */
START_TEST(mapti_of_a_mapped_event)
{
	map(1);
	ok(its_mapti_cmd(DEV, 0, LPI + 100, 1));
	goes_to(DEV, 0, LPI, 0);
}
END_TEST

START_TEST(two_events_of_one_lpi)
{
	map(0);
	ok(its_mapti_cmd(DEV, 0, LPI, 0));
	expect(its_mapti_cmd(DEV, 1, LPI, 0), "LPI taken");
	expect(its_mapti_cmd(DEV, 1, LPI, 1), "LPI taken");
	goes_to(DEV, 0, LPI, 0);
	goes_nowhere(DEV, 1);
	/* Free again with its event, or its event's device. */
	ok(its_event_cmd(0x0f, DEV, 0));
	ok(its_mapti_cmd(DEV, 1, LPI, 0));
	goes_to(DEV, 1, LPI, 0);
	ok(its_mapd_cmd(DEV, BITS, false));
	ok(its_mapd_cmd(DEV + 1, BITS, true));
	ok(its_mapti_cmd(DEV + 1, 0, LPI, 0));
	goes_to(DEV + 1, 0, LPI, 0);
}
END_TEST

/* --- MOVI, MOVALL ------------------------------------------------------------------------------ */

START_TEST(movi_moves_one)
{
	map(4);
	ok(its_movi_cmd(DEV, 0, 3));
	goes_to(DEV, 0, LPI, 3);
	goes_to(DEV, 2, LPI + 2, 0);
	/* And belongs to the new one. */
	ok(its_mapc_cmd(0, 2, true));
	goes_to(DEV, 0, LPI, 3);
	ok(its_mapc_cmd(3, 1, true));
	goes_to(DEV, 0, LPI, 1);
}
END_TEST

START_TEST(movi_errors)
{
	map(1);
	expect(its_movi_cmd(DEV, 1, 1), "E_ITS_MOVI_UNMAPPED_INTERRUPT");
	expect(its_movi_cmd(DEV, 1 << BITS, 1), "E_ITS_MOVI_UNMAPPED_INTERRUPT");
	expect(its_movi_cmd(DEV + 1, 0, 1), "E_ITS_MOVI_UNMAPPED_INTERRUPT");
	expect(its_movi_cmd(0xffffffff, 0, 1), "E_ITS_MOVI_UNMAPPED_INTERRUPT");
	/* To a collection that is not mapped, or was only named by MAPTI; from one such. */
	expect(its_movi_cmd(DEV, 0, 9), "E_ITS_MOVI_UNMAPPED_COLLECTION");
	ok(its_mapti_cmd(DEV, 1, LPI + 1, 9));
	expect(its_movi_cmd(DEV, 0, 9), "E_ITS_MOVI_UNMAPPED_COLLECTION");
	expect(its_movi_cmd(DEV, 1, 0), "E_ITS_MOVI_UNMAPPED_COLLECTION");
	goes_to(DEV, 0, LPI, 0);
	ok(its_mapc_cmd(9, 1, true));
	ok(its_movi_cmd(DEV, 1, 0));
	ok(its_mapc_cmd(0, 0, false));
	expect(its_movi_cmd(DEV, 0, 1), "E_ITS_MOVI_UNMAPPED_COLLECTION");
}
END_TEST

/* All collections of that CPU, and of no other; what is mapped into them later goes there, too. */
START_TEST(movall_moves_all)
{
	map(4);
	ok(its_mapc_cmd(20, 0, true));
	ok(its_mapti_cmd(DEV, 4, LPI + 4, 20));
	ok(its_movall_cmd(0, 2));
	goes_to(DEV, 0, LPI, 2);
	goes_to(DEV, 1, LPI + 1, 1);
	goes_to(DEV, 4, LPI + 4, 2);
	ok(its_mapti_cmd(DEV, 5, LPI + 5, 20));
	goes_to(DEV, 5, LPI + 5, 2);
	/* To itself: nothing happens, and nothing is lost. */
	f.commands = 0;
	ok(its_movall_cmd(2, 2));
	ck_assert_uint_eq(f.commands, 0);
	goes_to(DEV, 0, LPI, 2);
	/* Back again, which would not end with a list that bites its tail. */
	ok(its_movall_cmd(2, 0));
	ok(its_movall_cmd(0, 1));
	for (unsigned int i = 0; i < 6; i++)
		goes_to(DEV, i, LPI + i, 1);
}
END_TEST

START_TEST(movall_errors)
{
	expect(its_movall_cmd(0, FAKE_ITS_CPUS), "E_ITS_MOVALL_PROCNUM_OOR");
	expect(its_movall_cmd(FAKE_ITS_CPUS, 0), "E_ITS_MOVALL_PROCNUM_OOR");
	expect(its_movall_cmd(0xffffffff, 0xffffffff), "E_ITS_MOVALL_PROCNUM_OOR");
}
END_TEST

/* --- INT, CLEAR, DISCARD ----------------------------------------------------------------------- */

START_TEST(int_is_a_message)
{
	map(1);
	f.holds = 0;
	ok(its_event_cmd(0x03, DEV, 0));
	ok((struct its_command){ { 0x05, 0, 0, 0 } });
	ck_assert(f.pending[LPI]);
	/* Nobody is parked for a message. */
	ck_assert_uint_eq(f.holds, 0);
	ck_assert_uint_eq(f.messages, 1);
	expect(its_event_cmd(0x03, DEV, 1), "E_ITS_INT_UNMAPPED_INTERRUPT");
	expect(its_event_cmd(0x03, DEV + 1, 0), "E_ITS_INT_UNMAPPED_INTERRUPT");
	ok(its_mapti_cmd(DEV, 1, LPI + 1, 9));
	expect(its_event_cmd(0x03, DEV, 1), "E_ITS_INT_UNMAPPED_INTERRUPT");
}
END_TEST

/* In one batch, too, a message is behind what stands before it. */
START_TEST(int_in_order)
{
	const struct its_command cmds[] = {
		its_mapc_cmd(0, 1, true),	   its_mapd_cmd(DEV, BITS, true),
		its_mapti_cmd(DEV, 0, LPI, 0),	   its_event_cmd(0x03, DEV, 0),
		its_mapti_cmd(DEV, 1, LPI + 1, 0), its_event_cmd(0x03, DEV, 1),
		its_event_cmd(0x04, DEV, 1),
	};

	for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++)
		fake_its_put(&f, &cmds[i]);
	f.holds = 0;
	ck_assert(fake_its_go(&f));
	ck_assert_uint_eq(f.holds, 1);
	ck_assert(f.pending[LPI] && !f.pending[LPI + 1]);
}
END_TEST

START_TEST(clear_clears)
{
	map(2);
	message(DEV, 0);
	message(DEV, 1);
	ok(its_event_cmd(0x04, DEV, 0));
	ck_assert(!f.pending[LPI] && f.pending[LPI + 1]);
	expect(its_event_cmd(0x04, DEV, 2), "E_ITS_CLEAR_UNMAPPED_INTERRUPT");
	expect(its_event_cmd(0x04, DEV + 1, 0), "E_ITS_CLEAR_UNMAPPED_INTERRUPT");
}
END_TEST

START_TEST(discard_ends_an_event)
{
	map(2);
	message(DEV, 0);
	ok(its_event_cmd(0x0f, DEV, 0));
	goes_nowhere(DEV, 0);
	ck_assert(!f.pending[LPI]);
	goes_to(DEV, 1, LPI + 1, 1);
	expect(its_event_cmd(0x0f, DEV, 0), "E_ITS_DISCARD_UNMAPPED_INTERRUPT");
	expect(its_event_cmd(0x0f, DEV + 1, 0), "E_ITS_DISCARD_UNMAPPED_INTERRUPT");
	/* Without a collection there is nothing to discard either. */
	ok(its_mapti_cmd(DEV, 0, LPI, 9));
	expect(its_event_cmd(0x0f, DEV, 0), "E_ITS_DISCARD_UNMAPPED_INTERRUPT");
	ok(its_mapc_cmd(9, 3, true));
	goes_to(DEV, 0, LPI, 3);
}
END_TEST

/* --- INV, INVALL, SYNC, others ----------------------------------------------------------------- */

static uint8_t *config(uint32_t intid)
{
	return &f.ram[FAKE_ITS_CONFIG + intid - LPI];
}

START_TEST(inv_reads_one)
{
	map(2);
	*config(LPI) = *config(LPI + 1) = 0xa1;
	f.reads = 0;
	ok(its_event_cmd(0x0c, DEV, 1));
	ck_assert_uint_eq(f.reads, 1);
	ck_assert(!f.config[LPI] && f.config[LPI + 1] == 0xa1);
	/* Pending stays what it is: it is the redistributor's. */
	message(DEV, 0);
	ok(its_event_cmd(0x0c, DEV, 0));
	ck_assert(f.pending[LPI]);
	expect(its_event_cmd(0x0c, DEV, 2), "E_ITS_INV_UNMAPPED_INTERRUPT");
	expect(its_event_cmd(0x0c, DEV + 1, 0), "E_ITS_INV_UNMAPPED_INTERRUPT");
	expect(its_event_cmd(0x0c, DEV, 1 << BITS), "E_ITS_INV_UNMAPPED_INTERRUPT");
}
END_TEST

START_TEST(inv_of_what_was_mapped_anew)
{
	map(1);
	ok(its_event_cmd(0x0f, DEV, 0));
	expect(its_event_cmd(0x0c, DEV, 0), "E_ITS_INV_UNMAPPED_INTERRUPT");
	ok(its_mapti_cmd(DEV, 0, LPI + 50, 0));
	*config(LPI + 50) = 0xb1;
	ok(its_event_cmd(0x0c, DEV, 0));
	ck_assert_uint_eq(f.config[LPI + 50], 0xb1);
}
END_TEST

START_TEST(invall_reads_those_of_its_cpu)
{
	map(6);
	for (unsigned int i = 0; i < 6; i++)
		*config(LPI + i) = 0xa1;
	message(DEV, 0);
	ok(its_invall_cmd(1));
	for (unsigned int i = 0; i < 6; i++)
		ck_assert_uint_eq(f.config[LPI + i], i % 2 ? 0xa1 : 0);
	ck_assert(f.pending[LPI]);
	expect(its_invall_cmd(9), "E_ITS_INVALL_UNMAPPED_COLLECTION");
	expect(its_invall_cmd(65535), "E_ITS_INVALL_UNMAPPED_COLLECTION");
}
END_TEST

START_TEST(sync_does_nothing)
{
	f.commands = f.holds = 0;
	ok((struct its_command){ { 0x05, 0, 0xffffffff0000, 0 } });
	ck_assert_uint_eq(f.commands, 0);
	ck_assert_uint_eq(f.holds, 0);
}
END_TEST

START_TEST(others_are_unknown)
{
	static const char *const known = "\x01\x03\x04\x05\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f";

	for (unsigned int op = 0; op < 256; op++)
		if (!op || !strchr(known, (int)op))
			expect((struct its_command){ { op, ~0ULL, ~0ULL, ~0ULL } },
			       "unknown command");
	map(1);
	goes_to(DEV, 0, LPI, 0);
}
END_TEST

/* --- trace and injection ----------------------------------------------------------------------- */

START_TEST(trace_decodes)
{
	ok(its_mapc_cmd(2, 3, true));
	ck_assert_ptr_nonnull(strstr(last, " its MAPC collection=2 cpu=3 valid=1 -> OK"));
	ok(its_mapd_cmd(DEV, BITS, true));
	ck_assert_ptr_nonnull(strstr(last, " its MAPD device=0x8 itt=0x40300000 valid=1 -> OK"));
	ok(its_mapti_cmd(DEV, 1, LPI + 1, 2));
	ck_assert_ptr_nonnull(
		strstr(last, " its MAPTI device=0x8 event=1 intid=8193 collection=2 -> OK"));
	ok(its_movall_cmd(3, 1));
	ck_assert_ptr_nonnull(strstr(last, " its MOVALL cpu=3 to=1 -> OK"));
	expect((struct its_command){ { 0x77, 0, 0, 0 } }, "unknown command");
	ck_assert_ptr_nonnull(strstr(last, " its 0x77 -> unknown command"));
}
END_TEST

static int64_t injected;

static bool inject_mapti(void *arg, const char *command, int64_t *result)
{
	(void)arg;
	*result = injected;
	return !strcmp(command, "MAPTI");
}

START_TEST(injected_commands_do_nothing)
{
	f.cfg.inject = inject_mapti;
	fake_its_recreate(&f);
	fake_its_enable(&f);
	ok(its_mapc_cmd(0, 0, true));
	ok(its_mapd_cmd(DEV, BITS, true));
	injected = E_ITS_MAPTI_UNMAPPED_DEVICE;
	expect(its_mapti_cmd(DEV, 0, LPI, 0), "E_ITS_MAPTI_UNMAPPED_DEVICE (injected)");
	injected = 0;
	expect(its_mapti_cmd(DEV, 0, LPI, 0), "OK (injected)");
	injected = -ENOMEM;
	expect(its_mapti_cmd(DEV, 0, LPI, 0), "0xfffffffffffffff4 (injected)");
	goes_nowhere(DEV, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		mapd_maps_and_unmaps,
		mapd_of_a_mapped_device,
		mapd_errors,
		mapc_again,
		mapc_unmaps,
		mapc_errors,
		mapti_before_its_collection,
		mapi_takes_the_event,
		mapti_errors,
		mapti_of_a_mapped_event,
		two_events_of_one_lpi,
		movi_moves_one,
		movi_errors,
		movall_moves_all,
		movall_errors,
		int_is_a_message,
		int_in_order,
		clear_clears,
		discard_ends_an_event,
		inv_reads_one,
		inv_of_what_was_mapped_anew,
		invall_reads_those_of_its_cpu,
		sync_does_nothing,
		others_are_unknown,
		trace_decodes,
		injected_commands_do_nothing,
	};
	Suite *suite = suite_create("its_commands");
	TCase *tc = tcase_create("its");

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
