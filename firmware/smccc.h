/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FIRMWARE_SMCCC_H
#define FIRMWARE_SMCCC_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The firmware services behind HVC and SMC (SMC Calling Convention, Arm DEN0028). One table,
 * smccc_table.c, names every function; a call is looked up there, its arguments are cut to the
 * widths of the convention, it is injected or handled, traced, and its outcome given back as data:
 * result registers, what the calling vCPU does now, and which other CPU is to be woken. Nothing
 * here knows KVM or a vCPU.
 *
 * Fault injection and tracing see every function of the services that are present, whether it is
 * implemented or not.
 */
struct inject;
struct psci;
struct trace;
struct trng;

/* SMCCC_OTHER is what no service of ours owns. */
enum smccc_service { SMCCC_OTHER, SMCCC_PSCI, SMCCC_TRNG, SMCCC_SERVICES };

/* As --trace and --inject name it: "psci". */
const char *smccc_service_name(enum smccc_service service);

/* Firmware of one machine; each part is borrowed, and NULL when the machine does not have it. */
struct smccc {
	struct psci *psci;
	struct trng *trng;
	struct trace *trace;
	struct inject *inject;
};

/* What the calling vCPU does after its result registers are written. */
enum smccc_action {
	SMCCC_CONTINUE, /* goes on behind the HVC or SMC */
	SMCCC_CPU_OFF, /* waits until psci_cpu_take() gives it an entry point */
	SMCCC_STANDBY, /* waits for an interrupt, calls psci_cpu_woken(), goes on */
	/* The same wait, then a CPU reset and a start at what psci_cpu_woken() gives. */
	SMCCC_POWERDOWN,
	SMCCC_SYSTEM_SUSPEND, /* as POWERDOWN; every other CPU is off */
	SMCCC_STOP, /* the machine ends as call->end says; the caller runs no further */
};

enum smccc_end {
	SMCCC_END_NONE,
	SMCCC_END_OFF,
	SMCCC_END_HIBERNATE, /* SYSTEM_OFF2: the guest has saved itself, and expects to be resumed */
	SMCCC_END_RESET,
	SMCCC_END_RESET2, /* with reset_type and cookie */
};

enum { SMCCC_REGS = 4 };

struct smccc_call {
	/* In. Only the first smccc_nargs() arguments x[1].. need to be filled in. */
	unsigned int cpu; /* index of the calling CPU */
	bool smc; /* by SMC, not HVC; for the trace, the services are the same */
	uint64_t x[SMCCC_REGS]; /* x0 (the function id, low 32 bits) to x3 */

	/* Out. */
	unsigned int nresults; /* x[0..nresults) are to be written back; all others are preserved */
	enum smccc_action action;
	int wake; /* CPU to be woken: it is ON_PENDING for psci_cpu_take(); -1: none */
	enum smccc_end end; /* with SMCCC_STOP */
	uint32_t reset_type; /* SMCCC_END_RESET2 */
	uint64_t cookie;

	/* Private: the arguments in the width of the call; 0 for what the function does not take. */
	uint64_t arg[SMCCC_REGS - 1];
};

/*
 * Serves one call; any vCPU's thread, no lock held. Unknown functions return NOT_SUPPORTED in x0.
 * Negative results are sign-extended to 64 bits, which both W0 and X0 read correctly.
 */
void smccc_call(const struct smccc *fw, struct smccc_call *call);

/* How many argument registers, from x1 on, a call of `id` looks at: reading registers of a vCPU
 * costs a system call each. 0..3; 0 for what is unknown. */
unsigned int smccc_nargs(const struct smccc *fw, uint32_t id);

/* Function ids that have to reach smccc_call() for a service to work: what a filter forwards. The
 * list ends with count 0. SMCCC_VERSION and the other Arm architecture calls (0x80000000..) are
 * the host kernel's, as they describe its workarounds. */
struct smccc_range {
	uint32_t base, count;
	enum smccc_service service;
};
extern const struct smccc_range smccc_ranges[];

#endif
