// SPDX-License-Identifier: GPL-2.0-only
#include "tests/guest/lib/psci.h"

/* x19 holds the structure: the calling convention of the call spares it. */
#define CALL(conduit)                                                                         \
	__asm__ volatile("mov x19, %0\n\t"                                                    \
			 "ldp x0, x1, [x19]\n\tldp x2, x3, [x19, #16]\n\t"                    \
			 "ldp x4, x5, [x19, #32]\n\tldp x6, x7, [x19, #48]\n\t"               \
			 "ldp x8, x9, [x19, #64]\n\tldp x10, x11, [x19, #80]\n\t"             \
			 "ldp x12, x13, [x19, #96]\n\tldp x14, x15, [x19, #112]\n\t"          \
			 "ldp x16, x17, [x19, #128]\n\t" conduit " #0\n\t"                    \
			 "stp x0, x1, [x19]\n\tstp x2, x3, [x19, #16]\n\t"                    \
			 "stp x4, x5, [x19, #32]\n\tstp x6, x7, [x19, #48]\n\t"               \
			 "stp x8, x9, [x19, #64]\n\tstp x10, x11, [x19, #80]\n\t"             \
			 "stp x12, x13, [x19, #96]\n\tstp x14, x15, [x19, #112]\n\t"          \
			 "stp x16, x17, [x19, #128]"                                          \
			 :                                                                    \
			 : "r"(call)                                                          \
			 : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", \
			   "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x19", "memory")

void smccc_hvc(struct smccc *call)
{
	CALL("hvc");
}

/* The assembler takes SMC for the architecture, whatever the compiler's target. */
void smccc_smc(struct smccc *call)
{
	CALL("smc");
}

long firmware(u64 function, u64 a, u64 b, u64 c)
{
	struct smccc call = { .x = { function, a, b, c } };

	if (arg_is("conduit", "smc"))
		smccc_smc(&call);
	else
		smccc_hvc(&call);
	return function & FN_64 ? (long)call.x[0] : (long)(int)call.x[0];
}

u32 psci_version(void)
{
	return arg_number("version", PSCI_1_1);
}

bool psci_in_kernel(void)
{
	return arg_is("mode", "kernel");
}
