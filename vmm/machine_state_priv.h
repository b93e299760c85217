/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_MACHINE_STATE_PRIV_H
#define VMM_MACHINE_STATE_PRIV_H

#include "vmm/machine_state.h"

/* Private part: machine_state.c (sections of all but disks), machine_disks.c (those of disks). */

/* "disk/N": which one each was, as it is left; and "overlay/N": what the guest wrote where that is
 * not in the image. 0 or -errno with a sentence. */
int machine_save_disks(const struct machine *m, struct snapshot *snap, struct fail *fail);
int machine_save_overlays(struct machine *m, struct snapshot *snap, struct fail *fail);
/* Loads these, before the devices'. EXIT_SNAPSHOT. */
int machine_load_overlays(struct machine *m, struct snapshot *snap, struct fail *fail);

#endif
