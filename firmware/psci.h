/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FIRMWARE_PSCI_H
#define FIRMWARE_PSCI_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "firmware/dtb.h"
#include "firmware/smccc.h"
#include "vmm/core/mem.h"

/*
 * Power State Coordination Interface (Arm DEN0022), versions 0.1 to 1.3, in platform-coordinated
 * mode. A guest sees exactly one version: what a later one adds is NOT_SUPPORTED, also to
 * PSCI_FEATURES.
 *
 *   0.1  CPU_SUSPEND, CPU_OFF, CPU_ON; ids in the device tree, arguments of native width
 *   0.2  PSCI_VERSION, CPU_SUSPEND, CPU_OFF, CPU_ON, AFFINITY_INFO (levels 0 to 3),
 *        MIGRATE_INFO_TYPE (2, nothing to migrate), SYSTEM_OFF, SYSTEM_RESET
 *   1.0  PSCI_FEATURES, CPU_DEFAULT_SUSPEND, NODE_HW_STATE (level 0), SYSTEM_SUSPEND,
 *        PSCI_SET_SUSPEND_MODE (platform-coordinated only); INVALID_ADDRESS for entry points
 *   1.1  SYSTEM_RESET2 (warm reset and vendor types)
 *   1.2  no function; clarifications
 *   1.3  SYSTEM_OFF2 (HIBERNATE_OFF)
 *
 * Optional and not offered: MIGRATE and MIGRATE_INFO_UP_CPU (no trusted OS), CPU_FREEZE,
 * PSCI_STAT_RESIDENCY and PSCI_STAT_COUNT, MEM_PROTECT and MEM_PROTECT_CHECK_RANGE.
 */
struct state;

enum psci_version {
	PSCI_0_1 = 0x1,
	PSCI_0_2 = 0x2,
	PSCI_1_0 = 0x10000,
	PSCI_1_1 = 0x10001,
	PSCI_1_2 = 0x10002,
	PSCI_1_3 = 0x10003,
	PSCI_LATEST = PSCI_1_3,
};

/* "0.1" to "1.3", oldest first, NULL at the end: --psci-version. */
extern const char *const psci_version_words[];
/* The version that a word of the list stands for, by its index. */
uint32_t psci_version_at(unsigned int index);
/* "1.0"; "?" for what is no version of PSCI. */
const char *psci_version_name(uint32_t version);

/* Return codes. */
enum psci_result {
	PSCI_SUCCESS = 0,
	PSCI_NOT_SUPPORTED = -1,
	PSCI_INVALID_PARAMETERS = -2,
	PSCI_DENIED = -3,
	PSCI_ALREADY_ON = -4,
	PSCI_ON_PENDING = -5,
	PSCI_INTERNAL_FAILURE = -6,
	PSCI_NOT_PRESENT = -7,
	PSCI_DISABLED = -8,
	PSCI_INVALID_ADDRESS = -9,
};

/*
 * PSCI 0.1 has no ids of its own: the device tree carries them. Linux takes any; these are the ones
 * that KVM's in-kernel PSCI answers to (it has CPU_OFF and CPU_ON only), so the device tree says the
 * same in both modes. They lie outside the SMCCC's ranges, and carry 64-bit arguments though bit 30 is clear.
 */
enum psci_0_1_id {
	PSCI_0_1_CPU_SUSPEND = 0x95c1ba5e,
	PSCI_0_1_CPU_OFF,
	PSCI_0_1_CPU_ON,
	PSCI_0_1_MIGRATE,
};

enum psci_cpu_state {
	PSCI_CPU_OFF,
	PSCI_CPU_ON_PENDING, /* CPU_ON succeeded; its thread has not taken the entry point yet */
	PSCI_CPU_ON,
	PSCI_CPU_STANDBY, /* waits for an interrupt, registers kept */
	PSCI_CPU_POWERDOWN, /* waits for an interrupt, starts at `entry` then */
	PSCI_CPU_SYSTEM_SUSPEND, /* the same, and every other CPU is off */
	PSCI_CPU_STATES,
};

struct psci_cpu {
	uint64_t mpidr; /* affinity fields only */
	enum psci_cpu_state state;
	/* ON_PENDING, POWERDOWN and SYSTEM_SUSPEND: where it starts, and its x0. */
	uint64_t entry, context;
};

/* Private to psci*.c. */
struct psci {
	uint32_t version; /* changes only while no vCPU runs */
	const struct guest_mem *mem; /* borrowed; an entry point must be in it */
	unsigned int ncpus;
	pthread_mutex_t lock; /* innermost: nothing is called with it held. Covers `cpus` */
	struct psci_cpu *cpus; /* by index */
};

/*
 * All CPUs off but CPU 0, as psci_reset() leaves it. `mpidr` gives a CPU's MPIDR_EL1 by index; only
 * Aff3..Aff0 count, and they differ. 0, -EINVAL (no such version, no CPU) or -ENOMEM.
 */
int psci_init(struct psci *psci, uint32_t version, unsigned int ncpus,
	      uint64_t (*mpidr)(uint32_t cpu), const struct guest_mem *mem);
void psci_fini(struct psci *psci); /* all zero is fine */

/* The machine's power-on state. While no vCPU runs. */
void psci_reset(struct psci *psci);

/* Saves or loads the version and each CPU's power state. The number of CPUs is the machine's: a
 * stream with another one is refused. While no vCPU runs. */
void psci_state(struct psci *psci, struct state *s);

/*
 * A CPU that is off looks for work: true moves it from ON_PENDING to ON, and it is to be reset and
 * started at *entry with *context in x0. A thread that waits calls this under the lock under which
 * it is woken: CPU_ON changes the state before smccc_call() returns `wake`, so no wake is lost.
 */
bool psci_cpu_take(struct psci *psci, unsigned int cpu, uint64_t *entry, uint64_t *context);

/*
 * The wait of SMCCC_STANDBY, SMCCC_POWERDOWN or SMCCC_SYSTEM_SUSPEND is over: the CPU is ON again.
 * True when it is to be reset and started at *entry with *context in x0; false when it goes on with
 * its registers as they are (also when it was not suspended).
 */
bool psci_cpu_woken(struct psci *psci, unsigned int cpu, uint64_t *entry, uint64_t *context);

/* What a vCPU's thread does when it starts or after a restore: SMCCC_CONTINUE, SMCCC_CPU_OFF, or
 * the kind of wait that the CPU is in. */
enum smccc_action psci_cpu_action(struct psci *psci, unsigned int cpu);

enum psci_cpu_state psci_cpu_state(struct psci *psci, unsigned int cpu);
/* "off", "on_pending", ... */
const char *psci_cpu_state_name(enum psci_cpu_state state);

/* Whether `entry` can be an entry point: A64 code is 4-byte aligned, and its first instruction must
 * be in RAM. */
bool psci_entry_in(const struct guest_mem *mem, uint64_t entry);

/* What the device tree says for a version: compatible list, conduit, and the ids for 0.1; the same
 * whether we or the kernel serve it. */
struct psci_desc psci_dt(uint32_t version, bool smc);

#endif
