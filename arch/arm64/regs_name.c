// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/regs.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "arch/arm64/reg_id.h"

#define SYS(op0, op1, crn, crm, op2) REG_SYS(op0, op1, crn, crm, op2)

/* Arm ARM (DDI 0487), D24: the system registers that a guest's state is made of. */
static const struct {
	uint64_t id;
	const char *name;
} sys_names[] = {
	{ SYS(2, 0, 0, 2, 0), "MDCCINT_EL1" },
	{ SYS(2, 0, 0, 2, 2), "MDSCR_EL1" },
	{ SYS(2, 0, 1, 1, 4), "OSLSR_EL1" },
	{ SYS(3, 0, 0, 0, 0), "MIDR_EL1" },
	{ SYS(3, 0, 0, 0, 5), "MPIDR_EL1" },
	{ SYS(3, 0, 0, 0, 6), "REVIDR_EL1" },
	{ SYS(3, 0, 0, 1, 0), "ID_PFR0_EL1" },
	{ SYS(3, 0, 0, 1, 1), "ID_PFR1_EL1" },
	{ SYS(3, 0, 0, 1, 2), "ID_DFR0_EL1" },
	{ SYS(3, 0, 0, 1, 3), "ID_AFR0_EL1" },
	{ SYS(3, 0, 0, 1, 4), "ID_MMFR0_EL1" },
	{ SYS(3, 0, 0, 1, 5), "ID_MMFR1_EL1" },
	{ SYS(3, 0, 0, 1, 6), "ID_MMFR2_EL1" },
	{ SYS(3, 0, 0, 1, 7), "ID_MMFR3_EL1" },
	{ SYS(3, 0, 0, 2, 0), "ID_ISAR0_EL1" },
	{ SYS(3, 0, 0, 2, 1), "ID_ISAR1_EL1" },
	{ SYS(3, 0, 0, 2, 2), "ID_ISAR2_EL1" },
	{ SYS(3, 0, 0, 2, 3), "ID_ISAR3_EL1" },
	{ SYS(3, 0, 0, 2, 4), "ID_ISAR4_EL1" },
	{ SYS(3, 0, 0, 2, 5), "ID_ISAR5_EL1" },
	{ SYS(3, 0, 0, 2, 6), "ID_MMFR4_EL1" },
	{ SYS(3, 0, 0, 2, 7), "ID_ISAR6_EL1" },
	{ SYS(3, 0, 0, 3, 0), "MVFR0_EL1" },
	{ SYS(3, 0, 0, 3, 1), "MVFR1_EL1" },
	{ SYS(3, 0, 0, 3, 2), "MVFR2_EL1" },
	{ SYS(3, 0, 0, 3, 4), "ID_PFR2_EL1" },
	{ SYS(3, 0, 0, 3, 5), "ID_DFR1_EL1" },
	{ SYS(3, 0, 0, 3, 6), "ID_MMFR5_EL1" },
	{ SYS(3, 0, 0, 4, 0), "ID_AA64PFR0_EL1" },
	{ SYS(3, 0, 0, 4, 1), "ID_AA64PFR1_EL1" },
	{ SYS(3, 0, 0, 4, 2), "ID_AA64PFR2_EL1" },
	{ SYS(3, 0, 0, 4, 4), "ID_AA64ZFR0_EL1" },
	{ SYS(3, 0, 0, 4, 5), "ID_AA64SMFR0_EL1" },
	{ SYS(3, 0, 0, 4, 7), "ID_AA64FPFR0_EL1" },
	{ SYS(3, 0, 0, 5, 0), "ID_AA64DFR0_EL1" },
	{ SYS(3, 0, 0, 5, 1), "ID_AA64DFR1_EL1" },
	{ SYS(3, 0, 0, 5, 4), "ID_AA64AFR0_EL1" },
	{ SYS(3, 0, 0, 5, 5), "ID_AA64AFR1_EL1" },
	{ SYS(3, 0, 0, 6, 0), "ID_AA64ISAR0_EL1" },
	{ SYS(3, 0, 0, 6, 1), "ID_AA64ISAR1_EL1" },
	{ SYS(3, 0, 0, 6, 2), "ID_AA64ISAR2_EL1" },
	{ SYS(3, 0, 0, 6, 3), "ID_AA64ISAR3_EL1" },
	{ SYS(3, 0, 0, 7, 0), "ID_AA64MMFR0_EL1" },
	{ SYS(3, 0, 0, 7, 1), "ID_AA64MMFR1_EL1" },
	{ SYS(3, 0, 0, 7, 2), "ID_AA64MMFR2_EL1" },
	{ SYS(3, 0, 0, 7, 3), "ID_AA64MMFR3_EL1" },
	{ SYS(3, 0, 0, 7, 4), "ID_AA64MMFR4_EL1" },
	{ SYS(3, 0, 1, 0, 0), "SCTLR_EL1" },
	{ SYS(3, 0, 1, 0, 1), "ACTLR_EL1" },
	{ SYS(3, 0, 1, 0, 2), "CPACR_EL1" },
	{ SYS(3, 0, 1, 0, 3), "SCTLR2_EL1" },
	{ SYS(3, 0, 1, 0, 5), "RGSR_EL1" },
	{ SYS(3, 0, 1, 0, 6), "GCR_EL1" },
	{ SYS(3, 0, 1, 2, 0), "ZCR_EL1" },
	{ SYS(3, 0, 2, 0, 0), "TTBR0_EL1" },
	{ SYS(3, 0, 2, 0, 1), "TTBR1_EL1" },
	{ SYS(3, 0, 2, 0, 2), "TCR_EL1" },
	{ SYS(3, 0, 2, 0, 3), "TCR2_EL1" },
	{ SYS(3, 0, 2, 1, 0), "APIAKEYLO_EL1" },
	{ SYS(3, 0, 2, 1, 1), "APIAKEYHI_EL1" },
	{ SYS(3, 0, 2, 1, 2), "APIBKEYLO_EL1" },
	{ SYS(3, 0, 2, 1, 3), "APIBKEYHI_EL1" },
	{ SYS(3, 0, 2, 2, 0), "APDAKEYLO_EL1" },
	{ SYS(3, 0, 2, 2, 1), "APDAKEYHI_EL1" },
	{ SYS(3, 0, 2, 2, 2), "APDBKEYLO_EL1" },
	{ SYS(3, 0, 2, 2, 3), "APDBKEYHI_EL1" },
	{ SYS(3, 0, 2, 3, 0), "APGAKEYLO_EL1" },
	{ SYS(3, 0, 2, 3, 1), "APGAKEYHI_EL1" },
	{ SYS(3, 0, 5, 1, 0), "AFSR0_EL1" },
	{ SYS(3, 0, 5, 1, 1), "AFSR1_EL1" },
	{ SYS(3, 0, 5, 2, 0), "ESR_EL1" },
	{ SYS(3, 0, 5, 6, 0), "TFSR_EL1" },
	{ SYS(3, 0, 6, 0, 0), "FAR_EL1" },
	{ SYS(3, 0, 7, 4, 0), "PAR_EL1" },
	{ SYS(3, 0, 9, 14, 1), "PMINTENSET_EL1" },
	{ SYS(3, 0, 9, 14, 2), "PMINTENCLR_EL1" },
	{ SYS(3, 0, 10, 2, 0), "MAIR_EL1" },
	{ SYS(3, 0, 10, 2, 2), "PIRE0_EL1" },
	{ SYS(3, 0, 10, 2, 3), "PIR_EL1" },
	{ SYS(3, 0, 10, 2, 4), "POR_EL1" },
	{ SYS(3, 0, 10, 3, 0), "AMAIR_EL1" },
	{ SYS(3, 0, 12, 0, 0), "VBAR_EL1" },
	{ SYS(3, 0, 12, 1, 1), "DISR_EL1" },
	{ SYS(3, 0, 13, 0, 1), "CONTEXTIDR_EL1" },
	{ SYS(3, 0, 13, 0, 4), "TPIDR_EL1" },
	{ SYS(3, 0, 14, 1, 0), "CNTKCTL_EL1" },
	{ SYS(3, 1, 0, 0, 1), "CLIDR_EL1" },
	{ SYS(3, 1, 0, 0, 7), "AIDR_EL1" },
	{ SYS(3, 2, 0, 0, 0), "CSSELR_EL1" },
	{ SYS(3, 3, 0, 0, 1), "CTR_EL0" },
	{ SYS(3, 3, 9, 12, 0), "PMCR_EL0" },
	{ SYS(3, 3, 9, 12, 1), "PMCNTENSET_EL0" },
	{ SYS(3, 3, 9, 12, 3), "PMOVSCLR_EL0" },
	{ SYS(3, 3, 9, 12, 5), "PMSELR_EL0" },
	{ SYS(3, 3, 9, 13, 0), "PMCCNTR_EL0" },
	{ SYS(3, 3, 9, 14, 0), "PMUSERENR_EL0" },
	{ SYS(3, 3, 9, 14, 3), "PMOVSSET_EL0" },
	{ SYS(3, 3, 10, 2, 4), "POR_EL0" },
	{ SYS(3, 3, 13, 0, 2), "TPIDR_EL0" },
	{ SYS(3, 3, 13, 0, 3), "TPIDRRO_EL0" },
	{ SYS(3, 3, 14, 15, 7), "PMCCFILTR_EL0" },
	{ SYS(3, 4, 3, 0, 0), "DACR32_EL2" },
	{ SYS(3, 4, 5, 0, 1), "IFSR32_EL2" },
	{ SYS(3, 4, 5, 3, 0), "FPEXC32_EL2" },
	{ REG_CNTV_CTL, "CNTV_CTL_EL0" },
	{ REG_CNTV_CVAL, "CNTV_CVAL_EL0" },
	{ REG_CNTVCT, "CNTVCT_EL0" },
	{ REG_CNTP_CTL, "CNTP_CTL_EL0" },
	{ REG_CNTP_CVAL, "CNTP_CVAL_EL0" },
	{ REG_CNTPCT, "CNTPCT_EL0" },
};

/* Single ones and rows of equal ones. */
static const struct {
	unsigned int at, n, words;
	const char *name;
} core_names[] = {
	{ REG_CORE_X, 31, 2, "x" },	     { REG_CORE_SP_EL0, 1, 2, "sp_el0" },
	{ REG_CORE_PC, 1, 2, "pc" },	     { REG_CORE_PSTATE, 1, 2, "pstate" },
	{ REG_CORE_SP_EL1, 1, 2, "sp_el1" }, { REG_CORE_ELR_EL1, 1, 2, "elr_el1" },
	{ REG_CORE_SPSR, 5, 2, "spsr" },     { REG_CORE_V, 32, 4, "v" },
	{ REG_CORE_FPSR, 1, 1, "fpsr" },     { REG_CORE_FPCR, 1, 1, "fpcr" },
};

/* Of the kernel's own firmware services: fw-pseudo-registers.rst. */
static const struct {
	uint64_t id;
	const char *name;
} firmware_names[] = {
	{ REG_FW(0), "psci_version" },
	{ REG_FW(1), "smccc_workaround_1" },
	{ REG_FW(2), "smccc_workaround_2" },
	{ REG_FW(3), "smccc_workaround_3" },
	{ REG_FW_FEATURES(0), "std_bitmap" },
	{ REG_FW_FEATURES(1), "std_hyp_bitmap" },
	{ REG_FW_FEATURES(2), "vendor_hyp_bitmap" },
	{ REG_FW_FEATURES(3), "vendor_hyp_bitmap_2" },
};

const char *regs_firmware_name(uint64_t id)
{
	for (size_t i = 0; i < sizeof(firmware_names) / sizeof(firmware_names[0]); i++)
		if (firmware_names[i].id == id)
			return firmware_names[i].name;
	return NULL;
}

static void core_name(unsigned int word, char *name, size_t size)
{
	for (size_t i = 0; i < sizeof(core_names) / sizeof(core_names[0]); i++) {
		unsigned int nth = (word - core_names[i].at) / core_names[i].words;

		if (word < core_names[i].at || nth >= core_names[i].n)
			continue;
		if (core_names[i].n == 1)
			snprintf(name, size, "%s", core_names[i].name);
		else
			snprintf(name, size, "%s%u", core_names[i].name, nth);
		return;
	}
	snprintf(name, size, "core_0x%x", word);
}

static void sys_name(uint64_t id, char *name, size_t size)
{
	uint32_t bits = (uint32_t)id & 0xffff;

	for (size_t i = 0; i < sizeof(sys_names) / sizeof(sys_names[0]); i++) {
		if (sys_names[i].id != id)
			continue;
		snprintf(name, size, "%s", sys_names[i].name);
		return;
	}
	snprintf(name, size, "S%u_%u_C%u_C%u_%u", bits >> 14, bits >> 11 & 7, bits >> 7 & 15,
		 bits >> 3 & 15, bits & 7);
}

static void sve_name(uint32_t bits, char *name, size_t size)
{
	if (bits == 0xffff)
		snprintf(name, size, "sve_vls");
	else if (bits < REG_SVE_P)
		snprintf(name, size, "z%u", bits >> 5);
	else if (bits < REG_SVE_FFR)
		snprintf(name, size, "p%u", bits >> 5 & 15);
	else
		snprintf(name, size, "ffr");
}

void regs_name(uint64_t id, char *name, size_t size)
{
	const char *firmware = regs_firmware_name(id);

	if (firmware) {
		snprintf(name, size, "%s", firmware);
		return;
	}
	switch (reg_group(id)) {
	case REG_CORE:
		core_name((uint32_t)id & 0xffff, name, size);
		break;
	case REG_SYSTEM:
		sys_name(id, name, size);
		break;
	case REG_CACHE_SIZE:
		snprintf(name, size, "CCSIDR_EL1[%u]", (unsigned int)(id & 0xff));
		break;
	case REG_SVE:
		sve_name((uint32_t)id & 0xffff, name, size);
		break;
	default:
		snprintf(name, size, "0x%llx", (unsigned long long)id);
	}
}
