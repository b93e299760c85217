// SPDX-License-Identifier: GPL-2.0-only
#include "firmware/psci.h"
#include "firmware/smccc_priv.h"
#include "firmware/trng.h"

#define N(word)                    \
	{                          \
		PARAM_NATIVE, word \
	}
#define W(word)                 \
	{                       \
		PARAM_U32, word \
	}
#define F(word)                      \
	{                            \
		PARAM_FUNCTION, word \
	}
#define ANY 0, UINT32_MAX

enum { V01 = PSCI_0_1, V02 = PSCI_0_2, V10 = PSCI_1_0, V11 = PSCI_1_1, V13 = PSCI_1_3 };
enum { LAST = INT32_MAX };

/*
 * Columns: id, forms, service, first and last PSCI version, name, arguments, result, handler.
 * CLEAN_INV_MEMREGION is absent on purpose: it was in the alpha of PSCI 1.3 only.
 */
/* clang-format off */
const struct smccc_fn smccc_table[] = {
	{ SMCCC_VERSION_ID, FORM_32, SMCCC_OTHER, ANY, "SMCCC_VERSION",
	  { }, RESULT_VERSION, NULL },

	{ 0x84000000, FORM_32, SMCCC_PSCI, V02, LAST, "PSCI_VERSION",
	  { }, RESULT_VERSION, psci_get_version },
	{ 0x84000001, FORM_BOTH, SMCCC_PSCI, V02, LAST, "CPU_SUSPEND",
	  { W("power_state"), N("entry"), N("context") }, RESULT_CODE, psci_cpu_suspend },
	{ 0x84000002, FORM_32, SMCCC_PSCI, V02, LAST, "CPU_OFF",
	  { }, RESULT_CODE, psci_cpu_off },
	{ 0x84000003, FORM_BOTH, SMCCC_PSCI, V02, LAST, "CPU_ON",
	  { N("target"), N("entry"), N("context") }, RESULT_CODE, psci_cpu_on },
	{ 0x84000004, FORM_BOTH, SMCCC_PSCI, V02, LAST, "AFFINITY_INFO",
	  { N("target"), W("level") }, RESULT_AFFINITY, psci_affinity_info },
	{ 0x84000005, FORM_BOTH, SMCCC_PSCI, V02, LAST, "MIGRATE",
	  { N("target") }, RESULT_CODE, NULL },
	{ 0x84000006, FORM_32, SMCCC_PSCI, V02, LAST, "MIGRATE_INFO_TYPE",
	  { }, RESULT_NUMBER, psci_migrate_info_type },
	{ 0x84000007, FORM_BOTH, SMCCC_PSCI, V02, LAST, "MIGRATE_INFO_UP_CPU",
	  { }, RESULT_NUMBER, NULL },
	{ 0x84000008, FORM_32, SMCCC_PSCI, V02, LAST, "SYSTEM_OFF",
	  { }, RESULT_CODE, psci_system_off },
	{ 0x84000009, FORM_32, SMCCC_PSCI, V02, LAST, "SYSTEM_RESET",
	  { }, RESULT_CODE, psci_system_reset },

	{ 0x8400000a, FORM_32, SMCCC_PSCI, V10, LAST, "PSCI_FEATURES",
	  { F("function") }, RESULT_NUMBER, psci_features },
	{ 0x8400000b, FORM_32, SMCCC_PSCI, V10, LAST, "CPU_FREEZE",
	  { }, RESULT_CODE, NULL },
	{ 0x8400000c, FORM_BOTH, SMCCC_PSCI, V10, LAST, "CPU_DEFAULT_SUSPEND",
	  { N("entry"), N("context") }, RESULT_CODE, psci_cpu_default_suspend },
	{ 0x8400000d, FORM_BOTH, SMCCC_PSCI, V10, LAST, "NODE_HW_STATE",
	  { N("target"), W("level") }, RESULT_HW_STATE, psci_node_hw_state },
	{ 0x8400000e, FORM_BOTH, SMCCC_PSCI, V10, LAST, "SYSTEM_SUSPEND",
	  { N("entry"), N("context") }, RESULT_CODE, psci_system_suspend },
	{ 0x8400000f, FORM_32, SMCCC_PSCI, V10, LAST, "PSCI_SET_SUSPEND_MODE",
	  { W("mode") }, RESULT_CODE, psci_set_suspend_mode },
	{ 0x84000010, FORM_BOTH, SMCCC_PSCI, V10, LAST, "PSCI_STAT_RESIDENCY",
	  { N("target"), W("power_state") }, RESULT_NUMBER, NULL },
	{ 0x84000011, FORM_BOTH, SMCCC_PSCI, V10, LAST, "PSCI_STAT_COUNT",
	  { N("target"), W("power_state") }, RESULT_NUMBER, NULL },

	{ 0x84000012, FORM_BOTH, SMCCC_PSCI, V11, LAST, "SYSTEM_RESET2",
	  { W("type"), N("cookie") }, RESULT_CODE, psci_system_reset2 },
	{ 0x84000013, FORM_32, SMCCC_PSCI, V11, LAST, "MEM_PROTECT",
	  { W("enable") }, RESULT_NUMBER, NULL },
	{ 0x84000014, FORM_BOTH, SMCCC_PSCI, V11, LAST, "MEM_PROTECT_CHECK_RANGE",
	  { N("base"), N("length") }, RESULT_CODE, NULL },

	{ 0x84000015, FORM_BOTH, SMCCC_PSCI, V13, LAST, "SYSTEM_OFF2",
	  { W("type"), N("cookie") }, RESULT_CODE, psci_system_off2 },

	{ 0x84000050, FORM_32, SMCCC_TRNG, ANY, "TRNG_VERSION",
	  { }, RESULT_VERSION, trng_version },
	{ 0x84000051, FORM_32, SMCCC_TRNG, ANY, "TRNG_FEATURES",
	  { F("function") }, RESULT_NUMBER, trng_features },
	{ 0x84000052, FORM_32, SMCCC_TRNG, ANY, "TRNG_GET_UUID",
	  { }, RESULT_WORDS, trng_get_uuid },
	{ 0x84000053, FORM_BOTH, SMCCC_TRNG, ANY, "TRNG_RND",
	  { N("bits") }, RESULT_SECRET, trng_rnd },

	{ PSCI_0_1_CPU_SUSPEND, FORM_0_1, SMCCC_PSCI, V01, V01, "CPU_SUSPEND",
	  { W("power_state"), N("entry") }, RESULT_CODE, psci_cpu_suspend },
	{ PSCI_0_1_CPU_OFF, FORM_0_1, SMCCC_PSCI, V01, V01, "CPU_OFF",
	  { W("power_state") }, RESULT_CODE, psci_cpu_off },
	{ PSCI_0_1_CPU_ON, FORM_0_1, SMCCC_PSCI, V01, V01, "CPU_ON",
	  { N("target"), N("entry") }, RESULT_CODE, psci_cpu_on },
	{ PSCI_0_1_MIGRATE, FORM_0_1, SMCCC_PSCI, V01, V01, "MIGRATE",
	  { N("target") }, RESULT_CODE, NULL },
	{ 0 },
};
/* clang-format on */

const struct smccc_range smccc_ranges[] = {
	{ 0x84000000, 0x20, SMCCC_PSCI },	 { 0xc4000000, 0x20, SMCCC_PSCI },
	{ PSCI_0_1_CPU_SUSPEND, 4, SMCCC_PSCI }, { 0x84000050, 0x10, SMCCC_TRNG },
	{ 0xc4000050, 0x10, SMCCC_TRNG },	 { 0 },
};

const struct inject_code smccc_psci_codes[] = {
	{ "SUCCESS", PSCI_SUCCESS },
	{ "NOT_SUPPORTED", PSCI_NOT_SUPPORTED },
	{ "INVALID_PARAMETERS", PSCI_INVALID_PARAMETERS },
	{ "DENIED", PSCI_DENIED },
	{ "ALREADY_ON", PSCI_ALREADY_ON },
	{ "ON_PENDING", PSCI_ON_PENDING },
	{ "INTERNAL_FAILURE", PSCI_INTERNAL_FAILURE },
	{ "NOT_PRESENT", PSCI_NOT_PRESENT },
	{ "DISABLED", PSCI_DISABLED },
	{ "INVALID_ADDRESS", PSCI_INVALID_ADDRESS },
	{ NULL, 0 },
};

const struct inject_code smccc_trng_codes[] = {
	{ "SUCCESS", TRNG_SUCCESS },
	{ "NOT_SUPPORTED", TRNG_NOT_SUPPORTED },
	{ "INVALID_PARAMETERS", TRNG_INVALID_PARAMETERS },
	{ "NO_ENTROPY", TRNG_NO_ENTROPY },
	{ NULL, 0 },
};

const char *smccc_service_name(enum smccc_service service)
{
	static const char *const names[SMCCC_SERVICES] = {
		[SMCCC_OTHER] = "other",
		[SMCCC_PSCI] = "psci",
		[SMCCC_TRNG] = "trng",
	};

	return names[service];
}

const struct inject_code *smccc_codes(enum smccc_service service)
{
	static const struct inject_code *const codes[SMCCC_SERVICES] = {
		[SMCCC_PSCI] = smccc_psci_codes,
		[SMCCC_TRNG] = smccc_trng_codes,
	};

	return codes[service];
}
