/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FAKE_FIRMWARE_H
#define TESTS_FAKE_FIRMWARE_H

#include "firmware/psci.h"
#include "firmware/smccc.h"
#include "firmware/trng.h"

/*
 * A machine's firmware without a machine: CPUs that tests move by hand, RAM that nobody reads, and
 * entropy whose byte i is i + 1.
 */
enum {
	FAKE_RAM = 0x40000000,
	FAKE_RAM_SIZE = 0x10000,
	FAKE_ENTRY = FAKE_RAM + 0x200,
	FAKE_CONTEXT = 0x5eed,
};

struct fake_firmware {
	struct guest_mem mem;
	struct psci psci;
	struct trng trng;
	struct smccc fw; /* psci and trng; tests add trace and inject */
	int entropy_err; /* what the entropy source returns instead */
	struct smccc_call last;
};

/* CPU i has Aff0 = i % 2, Aff1 = i / 2 % 2, Aff2 = i / 4 % 2, Aff3 = i / 8. */
uint64_t fake_mpidr(uint32_t cpu);
uint64_t fake_affinity(uint32_t cpu); /* without bit 31, which is no affinity */

void fake_firmware_init(struct fake_firmware *f, uint32_t version, unsigned int ncpus);
void fake_firmware_fini(struct fake_firmware *f);

/* One call by HVC; x1 to x3 hold a, b, c. Returns x0, and leaves the whole outcome in *call. */
int64_t fake_call_on(const struct smccc *fw, struct smccc_call *call, unsigned int cpu, uint32_t id,
		     uint64_t a, uint64_t b, uint64_t c);
/* The same, into f->last. */
int64_t fake_call(struct fake_firmware *f, unsigned int cpu, uint32_t id, uint64_t a, uint64_t b,
		  uint64_t c);

/* Function ids, as tests write them down: the SMC32 form. */
enum fake_id {
	ID_SMCCC_VERSION = 0x80000000,
	ID_PSCI_VERSION = 0x84000000,
	ID_CPU_SUSPEND,
	ID_CPU_OFF,
	ID_CPU_ON,
	ID_AFFINITY_INFO,
	ID_MIGRATE,
	ID_MIGRATE_INFO_TYPE,
	ID_MIGRATE_INFO_UP_CPU,
	ID_SYSTEM_OFF,
	ID_SYSTEM_RESET,
	ID_PSCI_FEATURES,
	ID_CPU_FREEZE,
	ID_CPU_DEFAULT_SUSPEND,
	ID_NODE_HW_STATE,
	ID_SYSTEM_SUSPEND,
	ID_SET_SUSPEND_MODE,
	ID_STAT_RESIDENCY,
	ID_STAT_COUNT,
	ID_SYSTEM_RESET2,
	ID_MEM_PROTECT,
	ID_MEM_PROTECT_CHECK_RANGE,
	ID_SYSTEM_OFF2,
	ID_TRNG_VERSION = 0x84000050,
	ID_TRNG_FEATURES,
	ID_TRNG_GET_UUID,
	ID_TRNG_RND,
};
#define ID_64 0x40000000u

#endif
