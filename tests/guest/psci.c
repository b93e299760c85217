// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every PSCI function (DEN0022) and TRNG function (DEN0098), with good and bad arguments, at the
 * version and from the server that the boot arguments name (lib/psci.h). Nothing here suspends, and
 * no CPU starts.
 *
 * The kernel's PSCI differs, and that is expected here: it lacks optional functions, and takes any
 * entry point and any power state.
 */
#include "tests/guest/lib/psci.h"

static const struct {
	const char *name;
	u32 id; /* SMC32 */
	bool both; /* has an SMC64 form */
	u32 since; /* 0: not offered by anybody */
	bool only_user;
	long flags; /* what PSCI_FEATURES gives */
} functions[] = {
	{ "PSCI_VERSION", PSCI_VERSION, false, 2, false, 0 },
	{ "CPU_SUSPEND", FN_CPU_SUSPEND, true, 2, false, 0 },
	{ "CPU_OFF", PSCI_CPU_OFF, false, 2, false, 0 },
	{ "CPU_ON", FN_CPU_ON, true, 2, false, 0 },
	{ "AFFINITY_INFO", FN_AFFINITY_INFO, true, 2, false, 0 },
	{ "MIGRATE", FN_MIGRATE, true, 0, false, 0 },
	{ "MIGRATE_INFO_TYPE", FN_MIGRATE_INFO_TYPE, false, 2, false, 0 },
	{ "MIGRATE_INFO_UP_CPU", FN_MIGRATE_INFO_UP_CPU, true, 0, false, 0 },
	{ "SYSTEM_OFF", PSCI_SYSTEM_OFF, false, 2, false, 0 },
	{ "SYSTEM_RESET", PSCI_SYSTEM_RESET, false, 2, false, 0 },
	{ "PSCI_FEATURES", PSCI_FEATURES, false, PSCI_1_0, false, 0 },
	{ "CPU_FREEZE", FN_CPU_FREEZE, false, 0, false, 0 },
	{ "CPU_DEFAULT_SUSPEND", FN_CPU_DEFAULT_SUSPEND, true, PSCI_1_0, true, 0 },
	{ "NODE_HW_STATE", FN_NODE_HW_STATE, true, PSCI_1_0, true, 0 },
	{ "SYSTEM_SUSPEND", FN_SYSTEM_SUSPEND, true, PSCI_1_0, false, 0 },
	{ "PSCI_SET_SUSPEND_MODE", FN_SET_SUSPEND_MODE, false, PSCI_1_0, true, 0 },
	{ "PSCI_STAT_RESIDENCY", FN_STAT_RESIDENCY, true, 0, false, 0 },
	{ "PSCI_STAT_COUNT", FN_STAT_COUNT, true, 0, false, 0 },
	{ "SYSTEM_RESET2", FN_SYSTEM_RESET2, true, PSCI_1_1, false, 0 },
	{ "MEM_PROTECT", FN_MEM_PROTECT, false, 0, false, 0 },
	{ "MEM_PROTECT_CHECK_RANGE", FN_MEM_PROTECT_CHECK, true, 0, false, 0 },
	{ "SYSTEM_OFF2", FN_SYSTEM_OFF2, true, PSCI_1_3, false, 1 },
	{ "SMCCC_VERSION", 0x80000000, false, PSCI_1_0, false, 0 },
	{ "no function", 0x8400001f, true, 0, false, 0 },
	{ "an OEM's function", 0x83000000, true, 0, false, 0 },
};

static void check_features(void)
{
	for (unsigned int i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		u32 since = functions[i].since;
		bool has = psci_version() >= PSCI_1_0 && since && since <= psci_version() &&
			   !(functions[i].only_user && psci_in_kernel());
		long want32 = has ? functions[i].flags : NOT_SUPPORTED;
		long want64 = functions[i].both ? want32 : NOT_SUPPORTED;
		long got32 = firmware(PSCI_FEATURES, functions[i].id, 0, 0);
		long got64 = firmware(PSCI_FEATURES, functions[i].id | FN_64, 0, 0);

		check(got32 == want32 && got64 == want64, functions[i].name,
		      "PSCI_FEATURES %ld (SMC32) and %ld (SMC64), not %ld and %ld", got32, got64,
		      want32, want64);
	}
}

/* What does not depend on the version. BAD_ENTRY does. */
enum { BAD_ENTRY = -1000 };

struct attempt {
	const char *name;
	u64 fn, a, b, c;
	u32 since;
	bool only_user; /* the kernel's PSCI does not look at these arguments */
	long want;
};

static long wanted(const struct attempt *t, bool *tried)
{
	*tried = !(t->only_user && psci_in_kernel());
	if (t->since > psci_version())
		return NOT_SUPPORTED;
	if (t->want == BAD_ENTRY)
		return psci_version() >= PSCI_1_0 ? INVALID_ADDRESS : PSCI_INVALID;
	return t->want;
}

static void attempt_all(const struct attempt *t, unsigned int n)
{
	for (; n--; t++) {
		bool tried;
		long want = wanted(t, &tried), got;

		if (!tried)
			continue;
		got = firmware(t->fn, t->a, t->b, t->c);
		check(got == want, t->name, "returned %ld, not %ld", got, want);
	}
}
#define ATTEMPT(table) attempt_all(table, sizeof(table) / sizeof(*(table)))

static void check_cpu_on(void)
{
	const u64 self = machine.mpidr[0], other = machine.mpidr[1], entry = (u64)secondary_entry;
	const u64 end = RAM + machine.ram_size, upper = 0xdeadbeefUL << 32;
	const struct attempt attempts[] = {
		{ "on: self", PSCI_CPU_ON, self, entry, 0, 2, false, PSCI_ALREADY_ON },
		{ "on: self, SMC32", FN_CPU_ON, self, entry, 0, 2, false, PSCI_ALREADY_ON },
		{ "on: SMC32 ignores upper halves", FN_CPU_ON, self | upper, entry | upper, 0, 2,
		  false, PSCI_ALREADY_ON },
		{ "on: no such cpu", PSCI_CPU_ON, 0xff00fe0f0fUL, entry, 0, 2, false,
		  PSCI_INVALID },
		{ "on: reserved target bits", PSCI_CPU_ON, other | 1UL << 31, entry, 0, 2, false,
		  PSCI_INVALID },
		{ "on: entry in no RAM", PSCI_CPU_ON, other, 0, 0, 2, true, BAD_ENTRY },
		{ "on: entry in a device", PSCI_CPU_ON, other, UART, 0, 2, true, BAD_ENTRY },
		{ "on: entry behind RAM", PSCI_CPU_ON, other, end, 0, 2, true, BAD_ENTRY },
		{ "on: entry before RAM", PSCI_CPU_ON, other, RAM - 4UL, 0, 2, true, BAD_ENTRY },
		{ "on: entry at the top", PSCI_CPU_ON, other, -4UL, 0, 2, true, BAD_ENTRY },
		{ "on: entry not aligned", PSCI_CPU_ON, other, entry + 2, 0, 2, true, BAD_ENTRY },
		{ "on: SMC32, entry behind RAM", FN_CPU_ON, other, end, 0, 2, true, BAD_ENTRY },
		{ "info: still off", PSCI_AFFINITY_INFO, other, 0, 0, 2, false, PSCI_OFF },
	};

	ATTEMPT(attempts);
}

static void check_affinity(void)
{
	const u64 self = machine.mpidr[0], other = machine.mpidr[1];
	const struct attempt attempts[] = {
		{ "info: self", PSCI_AFFINITY_INFO, self, 0, 0, 2, false, PSCI_ON },
		{ "info: self, SMC32", FN_AFFINITY_INFO, self, 0, 0, 2, false, PSCI_ON },
		{ "info: other", PSCI_AFFINITY_INFO, other, 0, 0, 2, false, PSCI_OFF },
		{ "info: level 1", PSCI_AFFINITY_INFO, other, 1, 0, 2, false, PSCI_ON },
		{ "info: level 2", PSCI_AFFINITY_INFO, other, 2, 0, 2, false, PSCI_ON },
		{ "info: level 3", PSCI_AFFINITY_INFO, other, 3, 0, 2, false, PSCI_ON },
		{ "info: level 4", PSCI_AFFINITY_INFO, other, 4, 0, 2, false, PSCI_INVALID },
		{ "info: no such cpu", PSCI_AFFINITY_INFO, self | 0xe, 0, 0, 2, false,
		  PSCI_INVALID },
		{ "info: no such cluster", PSCI_AFFINITY_INFO, 0xff0000, 2, 0, 2, false,
		  PSCI_INVALID },
		{ "info: bits beside the fields", PSCI_AFFINITY_INFO, self | 1UL << 31, 3, 0, 2,
		  true, PSCI_INVALID },
		{ "hw state: self", FN_NODE_HW_STATE | FN_64, self, 0, 0, PSCI_1_0, true, 0 },
		{ "hw state: other", FN_NODE_HW_STATE | FN_64, other, 0, 0, PSCI_1_0, true, 1 },
		{ "hw state: no such cpu", FN_NODE_HW_STATE, self | 0xe, 0, 0, PSCI_1_0, true,
		  PSCI_INVALID },
	};

	ATTEMPT(attempts);
}

static void check_suspend(void)
{
	const u64 entry = (u64)secondary_entry, end = RAM + machine.ram_size;
	const u64 suspend = FN_CPU_SUSPEND | FN_64, system = FN_SYSTEM_SUSPEND | FN_64;
	const u64 powerdown = 1 << 16;
	const struct attempt attempts[] = {
		{ "suspend: reserved bit", suspend, 1 << 17, entry, 0, 2, true, PSCI_INVALID },
		{ "suspend: reserved top bit", FN_CPU_SUSPEND, 1U << 31, entry, 0, 2, true,
		  PSCI_INVALID },
		{ "suspend: entry behind RAM", suspend, powerdown, end, 0, 2, true, BAD_ENTRY },
		{ "suspend: entry not aligned", FN_CPU_SUSPEND, powerdown, entry + 1, 0, 2, true,
		  BAD_ENTRY },
		{ "default suspend: entry in no RAM", FN_CPU_DEFAULT_SUSPEND | FN_64, 0, 0, 0,
		  PSCI_1_0, true, BAD_ENTRY },
		{ "system suspend: entry in no RAM", system, 0, 0, 0, PSCI_1_0, false, BAD_ENTRY },
		{ "system suspend: entry behind RAM", system, end, 0, 0, PSCI_1_0, false,
		  BAD_ENTRY },
		{ "system suspend: SMC32, entry in a device", FN_SYSTEM_SUSPEND, UART, 0, 0,
		  PSCI_1_0, false, BAD_ENTRY },
		{ "suspend mode: platform", FN_SET_SUSPEND_MODE, 0, 0, 0, PSCI_1_0, true, 0 },
		{ "suspend mode: OS", FN_SET_SUSPEND_MODE, 1, 0, 0, PSCI_1_0, true, NOT_SUPPORTED },
		{ "suspend mode: none", FN_SET_SUSPEND_MODE, 2, 0, 0, PSCI_1_0, true,
		  PSCI_INVALID },
	};

	ATTEMPT(attempts);
}

static void check_system(void)
{
	const u64 reset2 = FN_SYSTEM_RESET2, off2 = FN_SYSTEM_OFF2;
	const struct attempt attempts[] = {
		{ "migrate info type", FN_MIGRATE_INFO_TYPE, 0, 0, 0, 2, false, 2 },
		{ "migrate", FN_MIGRATE | FN_64, 0, 0, 0, 2, false, NOT_SUPPORTED },
		{ "migrate info up cpu", FN_MIGRATE_INFO_UP_CPU, 0, 0, 0, 2, false, NOT_SUPPORTED },
		{ "freeze", FN_CPU_FREEZE, 0, 0, 0, 2, false, NOT_SUPPORTED },
		{ "stat count", FN_STAT_COUNT | FN_64, 0, 0, 0, 2, false, NOT_SUPPORTED },
		{ "mem protect", FN_MEM_PROTECT, 1, 0, 0, 2, false, NOT_SUPPORTED },
		{ "reset2: type 1", reset2, 1, 0, 0, PSCI_1_1, false, PSCI_INVALID },
		{ "reset2: SMC64, type 0x7fffffff", reset2 | FN_64, 0x7fffffff, 0, 0, PSCI_1_1,
		  false, PSCI_INVALID },
		{ "off2: type 2", off2, 2, 0, 0, PSCI_1_3, false, PSCI_INVALID },
		{ "off2: SMC64, a cookie", off2 | FN_64, 1, 1, 0, PSCI_1_3, false, PSCI_INVALID },
		{ "no function", 0x8400001f, 0, 0, 0, 2, false, NOT_SUPPORTED },
		{ "no function, SMC64", 0xc400001f, 0, 0, 0, 2, false, NOT_SUPPORTED },
		{ "an OEM's function", 0x83000001, 0, 0, 0, 2, false, NOT_SUPPORTED },
	};

	ATTEMPT(attempts);
}

/* --- TRNG ------------------------------------------------------------------------------------- */

/* The host may have no entropy yet: then the guest has to ask again. */
static struct smccc rnd(u64 fn, u64 bits)
{
	enum { NO_ENTROPY = -3, WAIT_MS = 10000 };
	u64 end = ticks() + ticks_of_ms(WAIT_MS);
	struct smccc call;

	do {
		call = (struct smccc){ .x = { fn, bits } };
		smccc_hvc(&call);
	} while ((int)call.x[0] == NO_ENTROPY && ticks() < end);
	return call;
}

/* Of `bits` asked for, all above are zero; the words are x3 (lowest), x2, x1. */
static bool only_bits(const struct smccc *call, unsigned int width, unsigned int bits)
{
	for (unsigned int i = 0; i < 3; i++) {
		unsigned int below = i * width;
		u64 mask = bits <= below	   ? 0
			   : bits - below >= width ? (width == 64 ? ~0UL : (1UL << width) - 1)
						   : (1UL << (bits - below)) - 1;

		if (call->x[3 - i] & ~mask)
			return false;
	}
	return true;
}

static void check_trng_bits(const char *name, u64 fn, unsigned int width)
{
	unsigned int bad = 0, same = 0;

	for (unsigned int bits = 1; bits <= 3 * width; bits++) {
		struct smccc a = rnd(fn, bits), b = rnd(fn, bits);

		bad += (int)a.x[0] || !only_bits(&a, width, bits);
		same += bits > 32 && !memcmp(&a.x[1], &b.x[1], 24);
	}
	check(!bad && !same, name, "%u wrong, %u repeated", bad, same);
}

static void check_trng(void)
{
	const struct attempt attempts[] = {
		{ "trng version", FN_TRNG_VERSION, 0, 0, 0, 0, false, 0x10000 },
		{ "trng features", FN_TRNG_FEATURES, FN_TRNG_RND, 0, 0, 0, false, 0 },
		{ "trng features, SMC64", FN_TRNG_FEATURES, FN_TRNG_RND | FN_64, 0, 0, 0, false,
		  0 },
		{ "trng features of PSCI", FN_TRNG_FEATURES, PSCI_CPU_OFF, 0, 0, 0, false,
		  NOT_SUPPORTED },
		{ "trng rnd: 0 bits", FN_TRNG_RND, 0, 0, 0, 0, true, PSCI_INVALID },
		{ "trng rnd: 97 bits", FN_TRNG_RND, 97, 0, 0, 0, false, PSCI_INVALID },
		{ "trng rnd: 193 bits", FN_TRNG_RND | FN_64, 193, 0, 0, 0, false, PSCI_INVALID },
	};
	struct smccc uuid = { .x = { FN_TRNG_GET_UUID } };

	ATTEMPT(attempts);
	smccc_hvc(&uuid);
	check((int)uuid.x[0] != NOT_SUPPORTED && uuid.x[0] >> 32 == 0, "trng uuid", "x0 %lx",
	      uuid.x[0]);
	check_trng_bits("trng rnd of 1 to 96 bits", FN_TRNG_RND, 32);
	check_trng_bits("trng rnd of 1 to 192 bits", FN_TRNG_RND | FN_64, 64);
}

/* --- the convention --------------------------------------------------------------------------- */

static unsigned int changed(const struct smccc *call, unsigned int from)
{
	unsigned int mask = 0;

	for (unsigned int i = from; i < 18; i++)
		mask |= (call->x[i] != 0x1111111111111111UL * (i + 1)) << i;
	return mask;
}

/* SMCCC 1.1: x4 to x17 survive a call; x1 to x3 too, but for the kernel's. */
static void check_registers(void)
{
	struct smccc call;

	for (unsigned int i = 0; i < 18; i++)
		call.x[i] = 0x1111111111111111UL * (i + 1);
	call.x[0] = PSCI_VERSION;
	smccc_hvc(&call);
	check(!changed(&call, psci_in_kernel() ? 4 : 1), "registers survive", "changed: mask %x",
	      changed(&call, 1));
}

/* Before Linux 6.4 KVM answers no SMC. */
static void check_smc(void)
{
	struct smccc call = { .x = { PSCI_VERSION } };
	int want = arg_number("smc", 1) ? (int)psci_version() : NOT_SUPPORTED;

	smccc_smc(&call);
	check((int)call.x[0] == want, "smc", "returned %x", (u32)call.x[0]);
}

void guest(void)
{
	long version = firmware(PSCI_VERSION, 0, 0, 0);

	check(version == psci_version(), "version", "%lx", (u64)version);
	check(firmware(0x80000000, 0, 0, 0) >= 0x10001, "smccc version", "%ld",
	      firmware(0x80000000, 0, 0, 0));
	check_registers();
	check_smc();
	check_features();
	check_cpu_on();
	check_affinity();
	check_suspend();
	check_system();
	check_trng();
}
