// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/regs_field.h"

#include <stdio.h>

#define ENCODING(op0, op1, crn, crm, op2) \
	((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
#define ID(crm, op2) ENCODING(3, 0, 0, crm, op2)

enum { NIBBLES = 16 };

/* Registers of sixteen fields of four bits each, from the lowest on; NULL: reserved. */
static const struct {
	uint16_t encoding;
	const char *names[NIBBLES];
} nibbles[] = {
	/* What AArch32 is like: ID_PFR0_EL1, ID_PFR1_EL1, ID_DFR0_EL1 */
	{ ID(1, 0), { "State0", "State1", "State2", "State3", "CSV2", "AMU", "DIT", "RAS" } },
	{ ID(1, 1),
	  { "ProgMod", "Security", "MProgMod", "Virtualization", "GenTimer", "Sec_frac",
	    "Virt_frac", "GIC" } },
	{ ID(1, 2),
	  { "CopDbg", "CopSDbg", "MMapDbg", "CopTrc", "MMapTrc", "MProfDbg", "PerfMon",
	    "TraceFilt" } },
	/* ID_MMFR0_EL1 to MMFR3 */
	{ ID(1, 4),
	  { "VMSA", "PMSA", "OuterShr", "ShareLvl", "TCM", "AuxReg", "FCSE", "InnerShr" } },
	{ ID(1, 5),
	  { "L1HvdVA", "L1UniVA", "L1HvdSW", "L1UniSW", "L1Hvd", "L1Uni", "L1TstCln", "BPred" } },
	{ ID(1, 6),
	  { "L1HvdFG", "L1HvdBG", "L1HvdRng", "HvdTLB", "UniTLB", "MemBarr", "WFIStall",
	    "HWAccFlg" } },
	{ ID(1, 7),
	  { "CMaintVA", "CMaintSW", "BPMaint", "MaintBcst", "PAN", "CohWalk", "CMemSz",
	    "Supersec" } },
	/* ID_ISAR0_EL1 to ISAR5, ID_MMFR4_EL1, ID_ISAR6_EL1 */
	{ ID(2, 0), { "Swap", "BitCount", "BitField", "CmpBranch", "Coproc", "Debug", "Divide" } },
	{ ID(2, 1),
	  { "Endian", "Except", "Except_AR", "Extend", "IfThen", "Immediate", "Interwork",
	    "Jazelle" } },
	{ ID(2, 2),
	  { "LoadStore", "MemHint", "MultiAccessInt", "Mult", "MultS", "MultU", "PSR_AR",
	    "Reversal" } },
	{ ID(2, 3),
	  { "Saturate", "SIMD", "SVC", "SynchPrim", "TabBranch", "T32Copy", "TrueNOP", "T32EE" } },
	{ ID(2, 4),
	  { "Unpriv", "WithShifts", "Writeback", "SMC", "Barrier", "SynchPrim_frac", "PSR_M",
	    "SWP_frac" } },
	{ ID(2, 5), { "SEVL", "AES", "SHA1", "SHA2", "CRC32", NULL, "RDM", "VCMA" } },
	{ ID(2, 6), { "SpecSEI", "AC2", "XNX", "CnP", "HPDS", "LSM", "CCIDX", "EVT" } },
	{ ID(2, 7), { "JSCVT", "DP", "FHM", "SB", "SPECRES", "BF16", "I8MM", "CLRBHB" } },
	/* MVFR0_EL1 to MVFR2, ID_PFR2_EL1, ID_DFR1_EL1, ID_MMFR5_EL1 */
	{ ID(3, 0),
	  { "SIMDReg", "FPSP", "FPDP", "FPTrap", "FPDivide", "FPSqrt", "FPShVec", "FPRound" } },
	{ ID(3, 1),
	  { "FPFtZ", "FPDNaN", "SIMDLS", "SIMDInt", "SIMDSP", "SIMDHP", "FPHP", "SIMDFMAC" } },
	{ ID(3, 2), { "SIMDMisc", "FPMisc" } },
	{ ID(3, 4), { "CSV3", "SSBS", "RAS_frac" } },
	{ ID(3, 5), { "MTPMU", "HPMN0" } },
	{ ID(3, 6), { "ETS", "nTLBPA" } },
	/* ID_AA64PFR0_EL1 to PFR2 */
	{ ID(4, 0),
	  { "EL0", "EL1", "EL2", "EL3", "FP", "AdvSIMD", "GIC", "RAS", "SVE", "SEL2", "MPAM", "AMU",
	    "DIT", "RME", "CSV2", "CSV3" } },
	{ ID(4, 1),
	  { "BT", "SSBS", "MTE", "RAS_frac", "MPAM_frac", NULL, "SME", "RNDR_trap", "CSV2_frac",
	    "NMI", "MTE_frac", "GCS", "THE", "MTEX", "DF2", "PFAR" } },
	{ ID(4, 2), { "MTEPERM", "MTESTOREONLY", "MTEFAR", NULL, NULL, NULL, NULL, NULL, "FPMR" } },
	/* ID_AA64ZFR0_EL1 */
	{ ID(4, 4),
	  { "SVEver", "AES", NULL, "EltPerm", "BitPerm", "BF16", "B16B16", NULL, "SHA3", NULL,
	    "SM4", "I8MM", NULL, "F32MM", "F64MM", NULL } },
	/* ID_AA64DFR0_EL1 */
	{ ID(5, 0),
	  { "DebugVer", "TraceVer", "PMUVer", "BRPs", "PMSS", "WRPs", "SEBEP", "CTX_CMPs", "PMSVer",
	    "DoubleLock", "TraceFilt", "TraceBuffer", "MTPMU", "BRBE", "ExtTrcBuff", "HPMN0" } },
	/* ID_AA64ISAR0_EL1 to ISAR3 */
	{ ID(6, 0),
	  { NULL, "AES", "SHA1", "SHA2", "CRC32", "Atomic", "TME", "RDM", "SHA3", "SM3", "SM4",
	    "DP", "FHM", "TS", "TLB", "RNDR" } },
	{ ID(6, 1),
	  { "DPB", "APA", "API", "JSCVT", "FCMA", "LRCPC", "GPA", "GPI", "FRINTTS", "SB", "SPECRES",
	    "BF16", "DGH", "I8MM", "XS", "LS64" } },
	{ ID(6, 2),
	  { "WFxT", "RPRES", "GPA3", "APA3", "MOPS", "BC", "PAC_frac", "CLRBHB", "SYSREG_128",
	    "SYSINSTR_128", "PRFMSLC", "PCDPHINT", "RPRFM", "CSSC", "LUT", "ATS1A" } },
	{ ID(6, 3), { "CPA", "FAMINMAX", "TLBIW", "PACM", "LSFE", "OCCMO", "LSUI", "FPRCVT" } },
	/* ID_AA64MMFR0_EL1 to MMFR4 */
	{ ID(7, 0),
	  { "PARange", "ASIDBits", "BigEnd", "SNSMem", "BigEndEL0", "TGran16", "TGran64", "TGran4",
	    "TGran16_2", "TGran64_2", "TGran4_2", "ExS", NULL, NULL, "FGT", "ECV" } },
	{ ID(7, 1),
	  { "HAFDBS", "VMIDBits", "VH", "HPDS", "LO", "PAN", "SpecSEI", "XNX", "TWED", "ETS", "HCX",
	    "AFP", "nTLBPA", "TIDCP1", "CMOW", "ECBHB" } },
	{ ID(7, 2),
	  { "CnP", "UAO", "LSM", "IESB", "VARange", "CCIDX", "NV", "ST", "AT", "IDS", "FWB", NULL,
	    "TTL", "BBM", "EVT", "E0PD" } },
	{ ID(7, 3),
	  { "TCRX", "SCTLRX", "S1PIE", "S2PIE", "S1POE", "S2POE", "AIE", "MEC", "D128", "D128_2",
	    "SNERR", "ANERR", NULL, "SDERR", "ADERR", "Spec_FPACC" } },
	{ ID(7, 4),
	  { "PoPS", "EIESB", "ASID2", "HACDBS", "FGWTE3", "NV_frac", "E2H0", NULL, NULL,
	    "E3DSE" } },
};

/* Those of other widths. */
static const struct {
	uint16_t encoding;
	uint8_t shift, width;
	const char *name;
} fields[] = {
#define MIDR ENCODING(3, 0, 0, 0, 0)
	{ MIDR, 0, 4, "Revision" },	 { MIDR, 4, 12, "PartNum" },
	{ MIDR, 16, 4, "Architecture" }, { MIDR, 20, 4, "Variant" },
	{ MIDR, 24, 8, "Implementer" },
#define CTR ENCODING(3, 3, 0, 0, 1)
	{ CTR, 0, 4, "IminLine" },	 { CTR, 14, 2, "L1Ip" },
	{ CTR, 16, 4, "DminLine" },	 { CTR, 20, 4, "ERG" },
	{ CTR, 24, 4, "CWG" },		 { CTR, 28, 1, "IDC" },
	{ CTR, 29, 1, "DIC" },		 { CTR, 32, 6, "TminLine" },
#define DFR1 ID(5, 1)
	{ DFR1, 0, 8, "SYSPMUID" },	 { DFR1, 8, 8, "BRPs" },
	{ DFR1, 16, 8, "WRPs" },	 { DFR1, 24, 8, "CTX_CMPs" },
	{ DFR1, 32, 4, "SPMU" },	 { DFR1, 36, 4, "PMICNTR" },
	{ DFR1, 40, 4, "ABLE" },	 { DFR1, 44, 4, "ITE" },
	{ DFR1, 48, 4, "EBEP" },	 { DFR1, 52, 4, "DPFZS" },
	{ DFR1, 56, 8, "ABL_CMPs" },
};

static bool nibble_at(uint16_t encoding, unsigned int bit, struct reg_field *field)
{
	for (size_t i = 0; i < sizeof(nibbles) / sizeof(nibbles[0]); i++) {
		const char *name = nibbles[i].names[bit / 4];

		if (nibbles[i].encoding != encoding)
			continue;
		field->shift = (uint8_t)(bit / 4 * 4);
		field->width = 4;
		if (name)
			snprintf(field->name, sizeof(field->name), ".%s", name);
		else
			snprintf(field->name, sizeof(field->name), "[%u:%u]", field->shift + 3U,
				 field->shift);
		return true;
	}
	return false;
}

static bool field_at(uint16_t encoding, unsigned int bit, struct reg_field *field)
{
	bool known = false;

	*field = (struct reg_field){ .shift = (uint8_t)bit, .width = 1 };
	snprintf(field->name, sizeof(field->name), "[%u]", bit);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (fields[i].encoding != encoding)
			continue;
		known = true;
		if (bit - fields[i].shift >= fields[i].width)
			continue;
		field->shift = fields[i].shift;
		field->width = fields[i].width;
		snprintf(field->name, sizeof(field->name), ".%s", fields[i].name);
	}
	return known;
}

bool regs_field(uint16_t encoding, unsigned int bit, struct reg_field *field)
{
	return nibble_at(encoding, bit, field) || field_at(encoding, bit, field);
}
