/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GUEST_PSCI_H
#define GUEST_PSCI_H

#include "tests/guest/lib/lib.h"

/*
 * Firmware calls with all their registers, by either conduit, and what the PSCI guests share. What
 * they expect is told by boot arguments: version=0x10000 mode=user|kernel smc=1|0.
 */
enum { PSCI_1_0 = 0x10000, PSCI_1_1 = 0x10001, PSCI_1_2 = 0x10002, PSCI_1_3 = 0x10003 };
enum { NOT_SUPPORTED = -1, ON_PENDING = -5, INVALID_ADDRESS = -9 };
enum { PSCI_STATE_ON_PENDING = 2 }; /* AFFINITY_INFO, after PSCI_ON and PSCI_OFF */

/* Bit 30 tells SMC64 from SMC32. */
enum { FN_64 = 0x40000000 };
enum {
	FN_CPU_SUSPEND = 0x84000001,
	FN_CPU_ON = 0x84000003,
	FN_AFFINITY_INFO = 0x84000004,
	FN_MIGRATE = 0x84000005,
	FN_MIGRATE_INFO_TYPE = 0x84000006,
	FN_MIGRATE_INFO_UP_CPU = 0x84000007,
	FN_CPU_FREEZE = 0x8400000b,
	FN_CPU_DEFAULT_SUSPEND = 0x8400000c,
	FN_NODE_HW_STATE = 0x8400000d,
	FN_SYSTEM_SUSPEND = 0x8400000e,
	FN_SET_SUSPEND_MODE = 0x8400000f,
	FN_STAT_RESIDENCY = 0x84000010,
	FN_STAT_COUNT = 0x84000011,
	FN_SYSTEM_RESET2 = 0x84000012,
	FN_MEM_PROTECT = 0x84000013,
	FN_MEM_PROTECT_CHECK = 0x84000014,
	FN_SYSTEM_OFF2 = 0x84000015,
	FN_TRNG_VERSION = 0x84000050,
	FN_TRNG_FEATURES = 0x84000051,
	FN_TRNG_GET_UUID = 0x84000052,
	FN_TRNG_RND = 0x84000053,
};

struct smccc {
	u64 x[18]; /* x0 to x17, in and out */
};
void smccc_hvc(struct smccc *call);
void smccc_smc(struct smccc *call);

/* As psci(), by SMC where the boot arguments say conduit=smc. */
long firmware(u64 function, u64 a, u64 b, u64 c);

/* What vmm was told to be. */
u32 psci_version(void);
bool psci_in_kernel(void);

#endif
