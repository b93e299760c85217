/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FIRMWARE_SMCCC_PRIV_H
#define FIRMWARE_SMCCC_PRIV_H

#include "firmware/inject.h"
#include "firmware/smccc.h"

/*
 * Private part of the services: the table of functions (smccc_table.c) and what its rows name.
 * A new function is a handler and a row.
 */

/* Forms of a function: bit 30 of its id tells SMC32 from SMC64. */
enum { FORM_32 = 1, FORM_64 = 2, FORM_BOTH = 3, FORM_0_1 = 4 /* exact id, 64-bit arguments */ };

enum smccc_param_kind {
	PARAM_NONE,
	PARAM_NATIVE, /* 32 or 64 bits with the form */
	PARAM_U32, /* uint32 in both forms: the upper half of Xn is ignored */
	PARAM_FUNCTION, /* uint32, a function id */
};

struct smccc_param {
	enum smccc_param_kind kind;
	const char *name;
};

/* How a result in x0 is written down; negative ones are the service's codes. */
enum smccc_result_kind {
	RESULT_CODE,
	RESULT_NUMBER,
	RESULT_VERSION,
	RESULT_AFFINITY,
	RESULT_HW_STATE,
	RESULT_WORDS, /* x0 to x3 are bits, as is */
	RESULT_SECRET, /* x1 to x3 are random numbers that the guest relies on: not written down */
};

struct smccc_fn {
	uint32_t id; /* with bit 30 clear, but for FORM_0_1 */
	unsigned int forms;
	enum smccc_service service;
	uint32_t since, until; /* PSCI versions, inclusive */
	const char *name; /* as in the specification */
	struct smccc_param params[SMCCC_REGS - 1];
	enum smccc_result_kind result;
	/* Returns x0, and may change the outcome. NULL: the specification knows the function, we
	 * do not offer it. */
	int64_t (*handler)(const struct smccc *fw, struct smccc_call *call);
};

enum { SMCCC_FN_64 = 1 << 30 };

#define SMCCC_VERSION_ID 0x80000000u

/* In order of their ids, ends with a NULL name. */
extern const struct smccc_fn smccc_table[];

/* The row for a call of `id` to this firmware: NULL when the service is absent, or the guest's
 * version of PSCI does not have it. */
const struct smccc_fn *smccc_find(const struct smccc *fw, uint32_t id);
/* Any row with that id, whatever the version, for its name. */
const struct smccc_fn *smccc_find_any(uint32_t id);
/* Which service an id belongs to, also when it names no function. */
enum smccc_service smccc_owner(uint32_t id);

/* Result codes by name; NULL for a service without any. */
extern const struct inject_code smccc_psci_codes[], smccc_trng_codes[];
const struct inject_code *smccc_codes(enum smccc_service service);

/* How many registers carry results when the function returns. */
unsigned int smccc_nresults(const struct smccc_fn *fn);

/* psci_cpu.c */
int64_t psci_cpu_on(const struct smccc *fw, struct smccc_call *call);
int64_t psci_cpu_off(const struct smccc *fw, struct smccc_call *call);
int64_t psci_cpu_suspend(const struct smccc *fw, struct smccc_call *call);
int64_t psci_cpu_default_suspend(const struct smccc *fw, struct smccc_call *call);
int64_t psci_system_suspend(const struct smccc *fw, struct smccc_call *call);
int64_t psci_affinity_info(const struct smccc *fw, struct smccc_call *call);
int64_t psci_node_hw_state(const struct smccc *fw, struct smccc_call *call);

/* psci_system.c */
int64_t psci_get_version(const struct smccc *fw, struct smccc_call *call);
int64_t psci_features(const struct smccc *fw, struct smccc_call *call);
int64_t psci_migrate_info_type(const struct smccc *fw, struct smccc_call *call);
int64_t psci_set_suspend_mode(const struct smccc *fw, struct smccc_call *call);
int64_t psci_system_off(const struct smccc *fw, struct smccc_call *call);
int64_t psci_system_off2(const struct smccc *fw, struct smccc_call *call);
int64_t psci_system_reset(const struct smccc *fw, struct smccc_call *call);
int64_t psci_system_reset2(const struct smccc *fw, struct smccc_call *call);

/* trng.c */
int64_t trng_version(const struct smccc *fw, struct smccc_call *call);
int64_t trng_features(const struct smccc *fw, struct smccc_call *call);
int64_t trng_get_uuid(const struct smccc *fw, struct smccc_call *call);
int64_t trng_rnd(const struct smccc *fw, struct smccc_call *call);

/* trace.c: `fn` is NULL for an unknown id. After the call, before its effects. */
void trace_call(const struct trace *trace, const struct smccc_fn *fn, const struct smccc_call *call,
		uint32_t id, bool injected);

#endif
