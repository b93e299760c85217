// SPDX-License-Identifier: GPL-2.0-only
/* What the machine says it is: identification registers, counter frequency, device tree facts. */
#include "tests/guest/lib/lib.h"

/* Known to the assembler only with SVE. */
#define ID_AA64ZFR0_EL1 s3_0_c0_c4_4
#define SHOW(name)	print("hwregs: %s %016lx\n", #name, sysreg_read(name))

void guest(void)
{
	SHOW(midr_el1);
	SHOW(mpidr_el1);
	SHOW(ctr_el0);
	SHOW(dczid_el0);
	SHOW(id_aa64pfr0_el1);
	SHOW(id_aa64pfr1_el1);
	SHOW(id_aa64dfr0_el1);
	SHOW(id_aa64isar0_el1);
	SHOW(id_aa64isar1_el1);
	SHOW(id_aa64isar2_el1);
	SHOW(id_aa64mmfr0_el1);
	SHOW(id_aa64mmfr1_el1);
	SHOW(id_aa64mmfr2_el1);
	SHOW(ID_AA64ZFR0_EL1);
	SHOW(cntfrq_el0);
	print("hwregs: gic %u\nhwregs: cpus %u\nhwregs: ram %lx\nhwregs: bootargs %s\n",
	      machine.gic, machine.cpus, machine.ram_size,
	      machine.bootargs ? machine.bootargs : "");
	check(sysreg_read(currentel) == 1 << 2, "el", "CurrentEL %lx", sysreg_read(currentel));
	check((sysreg_read(mpidr_el1) & 0xff00ffffff) == machine.mpidr[0], "mpidr",
	      "%lx, the device tree says %lx", sysreg_read(mpidr_el1), machine.mpidr[0]);
	check(machine.gic == 2 || machine.gic == 3, "gic", "none in the device tree");
	check(sysreg_read(cntfrq_el0) >= 1000000, "cntfrq", "%lu", sysreg_read(cntfrq_el0));
}
