/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_MACHINE_STATE_H
#define VMM_MACHINE_STATE_H

#include "vmm/config.h"
#include "vmm/core/findings.h"
#include "vmm/machine.h"
#include "vmm/machine_saved.h"

/*
 * A machine as sections of a snapshot: "machine" (what it was made of), "disk/N" (which one it had,
 * as it was left), "clock", "vcpu/N", "gic", "psci" where it is ours, and "device/NAME" each. The machine stands still: vCPUs parked, nothing
 * under way in its devices. RAM is the snapshot's own matter.
 */

/* The section that has what the guest wrote to the throw-away overlay of disk `n`. */
enum { OVERLAY_SECTION = 32 };
void machine_overlay_section(unsigned int n, char name[OVERLAY_SECTION]);

/* Adds all sections. 0 or -errno with a sentence. */
int machine_save(struct machine *m, struct snapshot *snap, struct fail *fail);

/*
 * Compares a machine with what was saved, before anything else is loaded, and needs no memory: the vCPUs'
 * registers, the interrupt controller if it is one of that kind, which parts there are. The machine may be
 * partial (machine.h), and can be loaded later if it is not. What does not fit is added to `refused`.
 */
int machine_compare(struct machine *m, struct snapshot *snap, const struct machine_saved *saved,
		    struct findings *refused, struct fail *fail);

/* Compares the machine's disks with those that it had: what has been written to since is added to
 * `refused`. Loads those sections. EXIT_SNAPSHOT. */
int machine_check_disks(const struct machine *m, struct snapshot *snap, struct findings *refused,
			struct fail *fail);

/*
 * Loads all other sections into a machine that was made like the saved one and started, paused, and
 * whose RAM is loaded. What this host refuses is added to `refused`, all of it; a section that does
 * not hold is EXIT_SNAPSHOT.
 */
int machine_load(struct machine *m, struct snapshot *snap, struct findings *refused,
		 struct fail *fail);

#endif
