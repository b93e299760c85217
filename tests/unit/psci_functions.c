// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/firmware.h"
#include "tests/fake/suite.h"

/*
 * Every function of DEN0022 against every version: what is offered, what PSCI_FEATURES says, and
 * what good and bad arguments give.
 */

static const uint32_t versions[] = { PSCI_0_1, PSCI_0_2, PSCI_1_0, PSCI_1_1, PSCI_1_2, PSCI_1_3 };
enum { NVERSIONS = sizeof(versions) / sizeof(versions[0]), NCPUS = 4 };

/* Written down from the specification, apart from the table of the program. */
static const struct function {
	uint32_t id;
	bool form64;
	uint32_t since;
	int64_t features; /* -1: optional, and not offered */
} functions[] = {
	{ ID_PSCI_VERSION, false, PSCI_0_2, 0 },
	{ ID_CPU_SUSPEND, true, PSCI_0_2, 0 },
	{ ID_CPU_OFF, false, PSCI_0_2, 0 },
	{ ID_CPU_ON, true, PSCI_0_2, 0 },
	{ ID_AFFINITY_INFO, true, PSCI_0_2, 0 },
	{ ID_MIGRATE, true, PSCI_0_2, -1 },
	{ ID_MIGRATE_INFO_TYPE, false, PSCI_0_2, 0 },
	{ ID_MIGRATE_INFO_UP_CPU, true, PSCI_0_2, -1 },
	{ ID_SYSTEM_OFF, false, PSCI_0_2, 0 },
	{ ID_SYSTEM_RESET, false, PSCI_0_2, 0 },
	{ ID_PSCI_FEATURES, false, PSCI_1_0, 0 },
	{ ID_CPU_FREEZE, false, PSCI_1_0, -1 },
	{ ID_CPU_DEFAULT_SUSPEND, true, PSCI_1_0, 0 },
	{ ID_NODE_HW_STATE, true, PSCI_1_0, 0 },
	{ ID_SYSTEM_SUSPEND, true, PSCI_1_0, 0 },
	{ ID_SET_SUSPEND_MODE, false, PSCI_1_0, 0 },
	{ ID_STAT_RESIDENCY, true, PSCI_1_0, -1 },
	{ ID_STAT_COUNT, true, PSCI_1_0, -1 },
	{ ID_SYSTEM_RESET2, true, PSCI_1_1, 0 },
	{ ID_MEM_PROTECT, false, PSCI_1_1, -1 },
	{ ID_MEM_PROTECT_CHECK_RANGE, true, PSCI_1_1, -1 },
	{ ID_SYSTEM_OFF2, true, PSCI_1_3, 1 },
};
enum { NFUNCTIONS = sizeof(functions) / sizeof(functions[0]) };

static const struct function *find(uint32_t id)
{
	for (unsigned int i = 0; i < NFUNCTIONS; i++)
		if (id == functions[i].id ||
		    (functions[i].form64 && id == (functions[i].id | ID_64)))
			return &functions[i];
	return NULL;
}

/* What PSCI_FEATURES says of an id, and whether calling it is anything but NOT_SUPPORTED. */
static int64_t features_of(uint32_t version, uint32_t id)
{
	const struct function *fn = find(id);

	if (id == ID_SMCCC_VERSION)
		return version >= PSCI_1_0 ? 0 : -1;
	return fn && version >= fn->since ? fn->features : -1;
}

START_TEST(versions_and_words)
{
	static const char *const words[] = { "0.1", "0.2", "1.0", "1.1", "1.2", "1.3" };
	struct fake_firmware f;
	unsigned int n = 0;

	while (psci_version_words[n])
		n++;
	ck_assert_uint_eq(n, NVERSIONS);
	for (unsigned int i = 0; i < NVERSIONS; i++) {
		ck_assert_str_eq(psci_version_words[i], words[i]);
		ck_assert_uint_eq(psci_version_at(i), versions[i]);
		ck_assert_str_eq(psci_version_name(versions[i]), words[i]);
	}
	ck_assert_str_eq(psci_version_name(0x10004), "?");
	ck_assert_int_eq(psci_init(&f.psci, 0x10004, 1, fake_mpidr, &f.mem), -EINVAL);
	ck_assert_int_eq(psci_init(&f.psci, PSCI_1_0, 0, fake_mpidr, &f.mem), -EINVAL);
	psci_fini(&f.psci);
}
END_TEST

START_TEST(version_is_exact)
{
	struct fake_firmware f;

	fake_firmware_init(&f, versions[_i], NCPUS);
	ck_assert_int_eq(fake_call(&f, 0, ID_PSCI_VERSION, 0, 0, 0),
			 versions[_i] == PSCI_0_1 ? -1 : (int64_t)versions[_i]);
	fake_firmware_fini(&f);
}
END_TEST

START_TEST(features_are_exact)
{
	struct fake_firmware f;

	fake_firmware_init(&f, versions[_i], NCPUS);
	for (uint32_t n = 0; n < 0x100; n++) {
		const uint32_t ids[] = { 0x84000000 + n, 0xc4000000 + n, 0x80000000 + n,
					 0xc0000000 + n, 0x95c1ba5e + n };

		for (unsigned int i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
			int64_t want =
				versions[_i] >= PSCI_1_0 ? features_of(versions[_i], ids[i]) : -1;

			ck_assert_msg(fake_call(&f, 0, ID_PSCI_FEATURES, ids[i], 0, 0) == want,
				      "PSCI_FEATURES(0x%x)", ids[i]);
		}
	}
	fake_firmware_fini(&f);
}
END_TEST

/* Arguments with which every offered function does something. */
static int64_t call_well(struct fake_firmware *f, uint32_t id)
{
	switch (id & ~ID_64) {
	case ID_CPU_SUSPEND:
		return fake_call(f, 0, id, 0, 0, 0);
	case ID_CPU_ON:
		return fake_call(f, 0, id, fake_affinity(1), FAKE_ENTRY, FAKE_CONTEXT);
	case ID_PSCI_FEATURES:
		return fake_call(f, 0, id, ID_CPU_ON, 0, 0);
	case ID_CPU_DEFAULT_SUSPEND:
	case ID_SYSTEM_SUSPEND:
		return fake_call(f, 0, id, FAKE_ENTRY, FAKE_CONTEXT, 0);
	default:
		return fake_call(f, 0, id, 0, 0, 0);
	}
}

START_TEST(offered_is_what_features_say)
{
	for (unsigned int i = 0; i < NFUNCTIONS * 2; i++) {
		uint32_t id = functions[i / 2].id | (i % 2 ? ID_64 : 0);
		bool offered = features_of(versions[_i], id) >= 0;
		struct fake_firmware f;
		int64_t result;

		fake_firmware_init(&f, versions[_i], NCPUS);
		result = call_well(&f, id);
		if (offered) {
			ck_assert_msg(result >= 0 || f.last.action == SMCCC_STOP, "0x%x: %d", id,
				      (int)result);
		} else {
			ck_assert_msg(result == PSCI_NOT_SUPPORTED, "0x%x: %d", id, (int)result);
			ck_assert_int_eq(f.last.action, SMCCC_CONTINUE);
			ck_assert_int_eq(f.last.wake, -1);
		}
		fake_firmware_fini(&f);
	}
}
END_TEST

/* --- arguments -------------------------------------------------------------------------------- */

#define OUTSIDE (FAKE_RAM + FAKE_RAM_SIZE)
enum { FORM32 = 1, FORM64 = 2, BOTH = 3 };

/* The machine: CPU 0 calls, CPU 1 is off, CPU 2 is ON_PENDING, CPU 3 in standby. */
static const struct arguments {
	uint32_t id;
	int forms;
	uint64_t x[3];
	int64_t v0_2, v1_0; /* result before 1.0, and since */
	enum smccc_action action; /* where the result is SUCCESS */
} arguments[] = {
	{ ID_CPU_ON, BOTH, { 0x1, FAKE_ENTRY, 7 }, 0, 0, SMCCC_CONTINUE },
	{ ID_CPU_ON, BOTH, { 0x0, FAKE_ENTRY, 7 }, -4, -4, 0 }, /* itself */
	{ ID_CPU_ON, BOTH, { 0x100, FAKE_ENTRY, 7 }, -5, -5, 0 },
	{ ID_CPU_ON, BOTH, { 0x101, FAKE_ENTRY, 7 }, -4, -4, 0 }, /* suspended is on */
	{ ID_CPU_ON, BOTH, { 0x2, FAKE_ENTRY, 7 }, -2, -2, 0 },
	{ ID_CPU_ON, BOTH, { 0x80000001, FAKE_ENTRY, 7 }, -2, -2, 0 }, /* MPIDR's bit 31 */
	{ ID_CPU_ON, BOTH, { 0x01000001, FAKE_ENTRY, 7 }, -2, -2, 0 }, /* MT */
	{ ID_CPU_ON, FORM64, { 0x100000001, FAKE_ENTRY, 7 }, -2, -2, 0 }, /* Aff3 */
	{ ID_CPU_ON, FORM64, { 0x10000000001, FAKE_ENTRY, 7 }, -2, -2, 0 },
	{ ID_CPU_ON, BOTH, { 0x1, OUTSIDE, 7 }, -2, -9, 0 },
	{ ID_CPU_ON, BOTH, { 0x1, OUTSIDE - 4, 7 }, 0, 0, SMCCC_CONTINUE },
	{ ID_CPU_ON, BOTH, { 0x1, FAKE_RAM - 4, 7 }, -2, -9, 0 },
	{ ID_CPU_ON, BOTH, { 0x1, 0, 7 }, -2, -9, 0 },
	{ ID_CPU_ON, BOTH, { 0x1, FAKE_ENTRY + 1, 7 }, -2, -9, 0 },
	{ ID_CPU_ON, BOTH, { 0x1, FAKE_ENTRY + 2, 7 }, -2, -9, 0 },
	{ ID_CPU_ON, FORM64, { 0x1, ~0x3ull, 7 }, -2, -9, 0 },
	{ ID_CPU_ON, FORM64, { 0x1, FAKE_ENTRY | 1ull << 32, 7 }, -2, -9, 0 },
	{ ID_CPU_ON, BOTH, { 0x2, OUTSIDE, 7 }, -2, -2, 0 }, /* the target is looked at first */

	{ ID_CPU_SUSPEND, BOTH, { 0, 0, 0 }, 0, 0, SMCCC_STANDBY },
	{ ID_CPU_SUSPEND, BOTH, { 0x0300ffff, 1, 0 }, 0, 0, SMCCC_STANDBY },
	{ ID_CPU_SUSPEND, BOTH, { 0x10000, FAKE_ENTRY, 7 }, 0, 0, SMCCC_POWERDOWN },
	{ ID_CPU_SUSPEND, BOTH, { 0x0301ffff, FAKE_ENTRY, 7 }, 0, 0, SMCCC_POWERDOWN },
	{ ID_CPU_SUSPEND, BOTH, { 0x10000, OUTSIDE, 7 }, -2, -9, 0 },
	{ ID_CPU_SUSPEND, BOTH, { 0x10000, FAKE_ENTRY + 2, 7 }, -2, -9, 0 },
	{ ID_CPU_SUSPEND, BOTH, { 0x20000, FAKE_ENTRY, 7 }, -2, -2, 0 },
	{ ID_CPU_SUSPEND, BOTH, { 0x00800000, FAKE_ENTRY, 7 }, -2, -2, 0 },
	{ ID_CPU_SUSPEND, BOTH, { 0x04000000, FAKE_ENTRY, 7 }, -2, -2, 0 },
	{ ID_CPU_SUSPEND, BOTH, { 0x40000000, FAKE_ENTRY, 7 }, -2, -2, 0 }, /* extended format */
	{ ID_CPU_SUSPEND, BOTH, { 0x80000000, FAKE_ENTRY, 7 }, -2, -2, 0 },

	{ ID_AFFINITY_INFO, BOTH, { 0x0, 0 }, 0, 0, 0 },
	{ ID_AFFINITY_INFO, BOTH, { 0x1, 0 }, 1, 1, 0 },
	{ ID_AFFINITY_INFO, BOTH, { 0x100, 0 }, 2, 2, 0 },
	{ ID_AFFINITY_INFO, BOTH, { 0x101, 0 }, 0, 0, 0 },
	{ ID_AFFINITY_INFO, BOTH, { 0x0ff, 1 }, 0, 0, 0 }, /* fields below the level do not count */
	{ ID_AFFINITY_INFO, BOTH, { 0x100, 1 }, 0, 0, 0 },
	{ ID_AFFINITY_INFO, BOTH, { 0x200, 1 }, -2, -2, 0 },
	{ ID_AFFINITY_INFO, BOTH, { 0x0, 2 }, 0, 0, 0 },
	{ ID_AFFINITY_INFO, BOTH, { 0x10000, 2 }, -2, -2, 0 },
	{ ID_AFFINITY_INFO, BOTH, { 0xffffff, 3 }, 0, 0, 0 },
	{ ID_AFFINITY_INFO, FORM64, { 0x100000000, 3 }, -2, -2, 0 },
	{ ID_AFFINITY_INFO, BOTH, { 0x0, 4 }, -2, -2, 0 },
	{ ID_AFFINITY_INFO, BOTH, { 0x0, 0xffffffff }, -2, -2, 0 },
	{ ID_AFFINITY_INFO, BOTH, { 0x2, 0 }, -2, -2, 0 },
	{ ID_AFFINITY_INFO, BOTH, { 0x80000000, 0 }, -2, -2, 0 },
	{ ID_AFFINITY_INFO, BOTH, { 0x80000000, 3 }, -2, -2, 0 },

	{ ID_MIGRATE_INFO_TYPE, FORM32, { 0 }, 2, 2, 0 },

	{ ID_CPU_DEFAULT_SUSPEND, BOTH, { FAKE_ENTRY, 7 }, -1, 0, SMCCC_POWERDOWN },
	{ ID_CPU_DEFAULT_SUSPEND, BOTH, { OUTSIDE, 7 }, -1, -9, 0 },
	{ ID_CPU_DEFAULT_SUSPEND, BOTH, { FAKE_ENTRY + 3, 7 }, -1, -9, 0 },

	{ ID_NODE_HW_STATE, BOTH, { 0x0, 0 }, -1, 0, 0 },
	{ ID_NODE_HW_STATE, BOTH, { 0x1, 0 }, -1, 1, 0 },
	{ ID_NODE_HW_STATE, BOTH, { 0x100, 0 }, -1, 0, 0 },
	{ ID_NODE_HW_STATE, BOTH, { 0x101, 0 }, -1, 2, 0 },
	{ ID_NODE_HW_STATE, BOTH, { 0x100, 1 }, -1, 0, 0 },
	{ ID_NODE_HW_STATE, BOTH, { 0x0, 4 }, -1, -2, 0 },
	{ ID_NODE_HW_STATE, BOTH, { 0x2, 0 }, -1, -2, 0 },

	{ ID_SYSTEM_SUSPEND, BOTH, { FAKE_ENTRY, 7 }, -1, -3, 0 }, /* others are not off */
	{ ID_SYSTEM_SUSPEND, BOTH, { OUTSIDE, 7 }, -1, -3, 0 },

	{ ID_SET_SUSPEND_MODE, FORM32, { 0 }, -1, 0, 0 },
	{ ID_SET_SUSPEND_MODE, FORM32, { 1 }, -1, -1, 0 },
	{ ID_SET_SUSPEND_MODE, FORM32, { 2 }, -1, -2, 0 },
	{ ID_SET_SUSPEND_MODE, FORM32, { 0x80000000 }, -1, -2, 0 },
};
enum { NARGUMENTS = sizeof(arguments) / sizeof(arguments[0]) };

static void mixed_machine(struct fake_firmware *f, uint32_t version)
{
	uint64_t entry, context;

	fake_firmware_init(f, version, NCPUS);
	for (unsigned int cpu = 2; cpu <= 3; cpu++)
		ck_assert_int_eq(fake_call(f, 0, ID_CPU_ON, fake_affinity(cpu), FAKE_ENTRY, 0), 0);
	ck_assert(psci_cpu_take(&f->psci, 3, &entry, &context));
	ck_assert_int_eq(fake_call(f, 3, ID_CPU_SUSPEND, 0, 0, 0), 0);
}

static void check_arguments(uint32_t version, const struct arguments *a, uint32_t id, uint64_t mask)
{
	int64_t want = version >= PSCI_1_0 ? a->v1_0 : a->v0_2;
	struct fake_firmware f;
	int64_t result;

	mixed_machine(&f, version);
	result = fake_call(&f, 0, id, a->x[0] | mask, a->x[1] | mask, a->x[2] | mask);
	ck_assert_msg(result == want, "%s 0x%x(0x%llx, 0x%llx): %d instead of %d",
		      psci_version_name(version), id, (unsigned long long)a->x[0],
		      (unsigned long long)a->x[1], (int)result, (int)want);
	ck_assert_int_eq(f.last.action, result == 0 ? a->action : SMCCC_CONTINUE);
	ck_assert_uint_eq(f.last.nresults, f.last.action == SMCCC_POWERDOWN ? 0 : 1);
	ck_assert_int_eq(f.last.wake, a->id == ID_CPU_ON && result == 0 ? 1 : -1);
	ck_assert_int_eq(f.last.end, SMCCC_END_NONE);
	fake_firmware_fini(&f);
}

START_TEST(good_and_bad_arguments)
{
	for (unsigned int i = 0; i < NARGUMENTS; i++) {
		const struct arguments *a = &arguments[i];

		if (a->forms & FORM32) {
			check_arguments(versions[_i], a, a->id, 0);
			/* The upper halves of an SMC32 call's registers mean nothing. */
			check_arguments(versions[_i], a, a->id, 0xdeadbeef00000000);
		}
		if (a->forms & FORM64)
			check_arguments(versions[_i], a, a->id | ID_64, 0);
	}
}
END_TEST

START_TEST(uint32_of_smc64_is_a_w_register)
{
	const uint64_t high = 0xdeadbeef00000000;
	struct fake_firmware f;

	mixed_machine(&f, PSCI_1_3);
	ck_assert_int_eq(fake_call(&f, 0, ID_AFFINITY_INFO | ID_64, 1, high, 0), 1);
	ck_assert_int_eq(fake_call(&f, 0, ID_NODE_HW_STATE | ID_64, 1, high, 0), 1);
	fake_call(&f, 0, ID_SYSTEM_RESET2 | ID_64, high | 0x80000001, high | 2, 0);
	ck_assert_uint_eq(f.last.reset_type, 0x80000001);
	ck_assert_uint_eq(f.last.cookie, high | 2);
	fake_call(&f, 0, ID_SYSTEM_OFF2 | ID_64, high | 1, 0, 0);
	ck_assert_int_eq(f.last.end, SMCCC_END_HIBERNATE);
	ck_assert_int_eq(fake_call(&f, 0, ID_CPU_SUSPEND | ID_64, high, 0, 0), 0);
	ck_assert_int_eq(f.last.action, SMCCC_STANDBY);
	fake_firmware_fini(&f);
}
END_TEST

/* --- the end of the machine ------------------------------------------------------------------- */

static const struct ending {
	uint32_t id;
	int forms;
	uint32_t since;
	uint64_t type, cookie;
	enum smccc_end end; /* NONE: INVALID_PARAMETERS */
} endings[] = {
	{ ID_SYSTEM_OFF, FORM32, PSCI_0_2, 0, 0, SMCCC_END_OFF },
	{ ID_SYSTEM_RESET, FORM32, PSCI_0_2, 0, 0, SMCCC_END_RESET },
	{ ID_SYSTEM_RESET2, BOTH, PSCI_1_1, 0, 0x1234, SMCCC_END_RESET2 },
	{ ID_SYSTEM_RESET2, BOTH, PSCI_1_1, 1, 0, SMCCC_END_NONE },
	{ ID_SYSTEM_RESET2, BOTH, PSCI_1_1, 0x7fffffff, 0, SMCCC_END_NONE },
	{ ID_SYSTEM_RESET2, BOTH, PSCI_1_1, 0x80000000, 0x1234, SMCCC_END_RESET2 },
	{ ID_SYSTEM_RESET2, BOTH, PSCI_1_1, 0xffffffff, 0, SMCCC_END_RESET2 },
	{ ID_SYSTEM_OFF2, BOTH, PSCI_1_3, 0, 0, SMCCC_END_HIBERNATE },
	{ ID_SYSTEM_OFF2, BOTH, PSCI_1_3, 1, 0, SMCCC_END_HIBERNATE },
	{ ID_SYSTEM_OFF2, BOTH, PSCI_1_3, 2, 0, SMCCC_END_NONE },
	{ ID_SYSTEM_OFF2, BOTH, PSCI_1_3, 0x80000000, 0, SMCCC_END_NONE },
	{ ID_SYSTEM_OFF2, BOTH, PSCI_1_3, 1, 1, SMCCC_END_NONE },
};

static void check_ending(uint32_t version, const struct ending *e, uint32_t id)
{
	bool offered = version >= e->since;
	struct fake_firmware f;
	int64_t result;

	mixed_machine(&f, version);
	result = fake_call(&f, 0, id, e->type, e->cookie, 0);
	if (!offered || e->end == SMCCC_END_NONE) {
		ck_assert_int_eq(result, offered ? PSCI_INVALID_PARAMETERS : PSCI_NOT_SUPPORTED);
		ck_assert_int_eq(f.last.action, SMCCC_CONTINUE);
		ck_assert_int_eq(f.last.end, SMCCC_END_NONE);
	} else {
		ck_assert_int_eq(result, PSCI_INTERNAL_FAILURE);
		ck_assert_int_eq(f.last.action, SMCCC_STOP);
		ck_assert_int_eq(f.last.end, e->end);
		if (e->end == SMCCC_END_RESET2) {
			ck_assert_uint_eq(f.last.reset_type, e->type);
			ck_assert_uint_eq(f.last.cookie, e->cookie);
		}
	}
	fake_firmware_fini(&f);
}

START_TEST(ends_of_the_machine)
{
	for (unsigned int i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		check_ending(versions[_i], &endings[i], endings[i].id);
		if (endings[i].forms & FORM64)
			check_ending(versions[_i], &endings[i], endings[i].id | ID_64);
	}
}
END_TEST

/* --- 0.1 -------------------------------------------------------------------------------------- */

START_TEST(version_0_1)
{
	struct fake_firmware f;
	uint64_t entry, context;

	fake_firmware_init(&f, PSCI_0_1, 16);
	/* Native width: Aff3 in a call whose id has bit 30 clear. */
	ck_assert_int_eq(fake_call(&f, 0, PSCI_0_1_CPU_ON, fake_affinity(9), FAKE_ENTRY, 7), 0);
	ck_assert_int_eq(f.last.wake, 9);
	/* Before 0.2 there is one code for what is not off. */
	ck_assert_int_eq(fake_call(&f, 0, PSCI_0_1_CPU_ON, fake_affinity(9), FAKE_ENTRY, 7), -2);
	ck_assert_int_eq(fake_call(&f, 0, PSCI_0_1_CPU_ON, 0, FAKE_ENTRY, 7), -2);
	ck_assert_int_eq(fake_call(&f, 0, PSCI_0_1_CPU_ON, 1, OUTSIDE, 7), -2);
	ck_assert_int_eq(fake_call(&f, 0, PSCI_0_1_CPU_ON, 1, FAKE_ENTRY | 1ull << 32, 7), -2);
	ck_assert(psci_cpu_take(&f.psci, 9, &entry, &context));
	ck_assert_uint_eq(entry, FAKE_ENTRY);
	ck_assert_uint_eq(context, 0); /* x3 is no argument yet */
	ck_assert_int_eq(fake_call(&f, 9, PSCI_0_1_CPU_OFF, 0x10000, 0, 0), 0);
	ck_assert_int_eq(f.last.action, SMCCC_CPU_OFF);
	ck_assert_int_eq(fake_call(&f, 0, PSCI_0_1_MIGRATE, 1, 0, 0), -1);
	ck_assert_int_eq(fake_call(&f, 0, PSCI_0_1_CPU_SUSPEND, 0x20000, FAKE_ENTRY, 0), -2);
	ck_assert_int_eq(fake_call(&f, 0, PSCI_0_1_CPU_SUSPEND, 0x10000, FAKE_ENTRY, 7), 0);
	ck_assert_int_eq(f.last.action, SMCCC_POWERDOWN);
	ck_assert(psci_cpu_woken(&f.psci, 0, &entry, &context));
	ck_assert_uint_eq(context, 0);
	/* Nor is what an earlier call left. */
	f.last = (struct smccc_call){ .x = { PSCI_0_1_CPU_ON, 1, FAKE_ENTRY, 7 },
				      .arg = { 1, 2, 3 } };
	smccc_call(&f.fw, &f.last);
	ck_assert(psci_cpu_take(&f.psci, 1, &entry, &context));
	ck_assert_uint_eq(context, 0);
	fake_firmware_fini(&f);
}
END_TEST

START_TEST(ids_of_0_1_are_gone_later)
{
	struct fake_firmware f;

	fake_firmware_init(&f, versions[_i], NCPUS);
	for (uint32_t id = PSCI_0_1_CPU_SUSPEND; id <= PSCI_0_1_MIGRATE; id++)
		ck_assert_int_eq(fake_call(&f, 0, id, fake_affinity(1), FAKE_ENTRY, 0), -1);
	fake_firmware_fini(&f);
}
END_TEST

START_TEST(device_tree)
{
	struct psci_desc desc = psci_dt(versions[_i], false);
	const char *newest = versions[_i] == PSCI_0_1	? "arm,psci"
			     : versions[_i] == PSCI_0_2 ? "arm,psci-0.2"
							: "arm,psci-1.0";

	ck_assert_str_eq(desc.compatible[0], newest);
	ck_assert_uint_eq(desc.ncompatible, versions[_i] >= PSCI_1_0 ? 2 : 1);
	if (desc.ncompatible == 2)
		ck_assert_str_eq(desc.compatible[1], "arm,psci-0.2");
	ck_assert_str_eq(desc.method, "hvc");
	ck_assert_str_eq(psci_dt(versions[_i], true).method, "smc");
	ck_assert_uint_eq(desc.cpu_on, versions[_i] == PSCI_0_1 ? PSCI_0_1_CPU_ON : 0);
	ck_assert_uint_eq(desc.cpu_off, versions[_i] == PSCI_0_1 ? PSCI_0_1_CPU_OFF : 0);
	ck_assert_uint_eq(desc.cpu_suspend, versions[_i] == PSCI_0_1 ? PSCI_0_1_CPU_SUSPEND : 0);
	ck_assert_uint_eq(desc.migrate, 0);
}
END_TEST

/* --- random ids ------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Half of them near the ranges that have functions. */
static uint32_t random_id(uint64_t *seed)
{
	uint64_t r = next_random(seed);
	static const uint32_t near[] = { 0x84000000, 0xc4000000, 0x95c1ba50, 0x80000000 };

	return r & 1 ? (uint32_t)(r >> 32) : near[r >> 1 & 3] + (uint32_t)(r >> 8 & 0x7f);
}

static bool offered_0_1(uint32_t id)
{
	return id >= PSCI_0_1_CPU_SUSPEND && id <= PSCI_0_1_CPU_ON;
}

static bool trng_id(uint32_t id)
{
	return (id >= ID_TRNG_VERSION && id <= ID_TRNG_RND) || id == (ID_TRNG_RND | ID_64);
}

static void check_random_call(struct fake_firmware *f, uint32_t version, uint32_t id,
			      const uint64_t arg[3])
{
	bool offered =
		version == PSCI_0_1 ? offered_0_1(id) : find(id) && features_of(version, id) >= 0;
	unsigned int nresults = f->last.nresults;

	if (!offered && !trng_id(id)) {
		quick_assert(f->last.x[0] == (uint64_t)-1, "0x%x", id);
		quick_assert(f->last.action == SMCCC_CONTINUE, "0x%x", id);
		quick_assert(nresults == 1, "0x%x: %u results", id, nresults);
	}
	quick_assert(nresults == 0 || nresults == 1 || (nresults == 4 && trng_id(id)),
		     "0x%x: %u results", id, nresults);
	for (unsigned int i = nresults; i < SMCCC_REGS; i++)
		quick_assert(i == 0 || f->last.x[i] == arg[i - 1], "0x%x changes x%u", id, i);
	quick_assert((f->last.end != SMCCC_END_NONE) == (f->last.action == SMCCC_STOP), "0x%x", id);
	quick_assert(f->last.wake >= -1 && f->last.wake < NCPUS, "0x%x", id);
}

START_TEST(random_ids)
{
	uint64_t seed = 0x9e3779b97f4a7c15 + (uint64_t)_i;
	unsigned int nhit = 0;
	struct fake_firmware f;

	fake_firmware_init(&f, versions[_i], NCPUS);
	for (unsigned int n = 0; n < 1u << 16; n++) {
		uint32_t id = random_id(&seed);
		uint64_t arg[3];

		for (unsigned int i = 0; i < 3; i++)
			arg[i] = next_random(&seed) >> (next_random(&seed) & 63);
		/* x0's upper half is no part of the id. */
		f.last = (struct smccc_call){ .x = { next_random(&seed) << 32 | id, arg[0], arg[1],
						     arg[2] } };
		smccc_call(&f.fw, &f.last);
		check_random_call(&f, versions[_i], id, arg);
		nhit += f.last.x[0] != (uint64_t)-1;
		psci_reset(&f.psci);
	}
	ck_assert_uint_gt(nhit, 100);
	fake_firmware_fini(&f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("psci_functions");
	TCase *t = tcase_create("functions");

	suite_add_tcase(s, t);
	tcase_add_test(t, versions_and_words);
	tcase_add_test(t, uint32_of_smc64_is_a_w_register);
	tcase_add_test(t, version_0_1);
	tcase_add_loop_test(t, version_is_exact, 0, NVERSIONS);
	tcase_add_loop_test(t, features_are_exact, 0, NVERSIONS);
	tcase_add_loop_test(t, offered_is_what_features_say, 0, NVERSIONS);
	tcase_add_loop_test(t, good_and_bad_arguments, 1, NVERSIONS);
	tcase_add_loop_test(t, ends_of_the_machine, 1, NVERSIONS);
	tcase_add_loop_test(t, ids_of_0_1_are_gone_later, 1, NVERSIONS);
	tcase_add_loop_test(t, device_tree, 0, NVERSIONS);
	tcase_add_loop_test(t, random_ids, 0, NVERSIONS);
	return run_suite(s);
}
