/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_MACHINE_SAVED_H
#define VMM_MACHINE_SAVED_H

#include "arch/arm64/cpu_traits.h"
#include "vmm/snapshot.h"

/* The section "machine" of a snapshot. Portable: whoever only looks at one needs no KVM. */

enum { MACHINE_VERSION = 1 }; /* of all sections of a machine */
enum { MACHINE_OPTIONS_MAX = 1 << 20 }; /* bytes */

/* What the machine was made of: enough to make one like it. */
struct machine_saved {
	char *options; /* owned: a line each, as --config takes them */
	char *cwd; /* owned: what paths that do not begin with / were relative to */
	uint32_t counter_hz; /* CNTFRQ_EL0 */
	uint32_t gic; /* enum gic_kind */
	bool user_psci;
	uint32_t psci_version;
	struct cpu_traits cpu;
};

/* Adds the section. 0 or -errno with a sentence. */
int machine_saved_add(struct snapshot *snap, struct machine_saved *saved, struct fail *fail);
/* Reads the section "machine": EXIT_SNAPSHOT. */
int machine_saved_read(struct snapshot *snap, struct machine_saved *saved, struct fail *fail);
/* Adds the SVE vector lengths, which the vCPUs' registers hold. EXIT_SNAPSHOT. */
int machine_saved_vls(const struct snapshot *snap, struct machine_saved *saved, struct fail *fail);
void machine_saved_free(struct machine_saved *saved);

#endif
