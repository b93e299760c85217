/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_SAVE_H
#define VMM_SAVE_H

#include "vmm/config.h"
#include "vmm/control.h"
#include "vmm/machine.h"

/* A client's wish to have the machine saved, carried out between two runs of its loop. */
struct save {
	bool wanted;
	int fd, report; /* owned */
	bool keep_running;
	char *overlay; /* owned: the folder of its disks' overlays, or NULL */
	bool frozen[CONFIG_DISKS_MAX]; /* disks that have one now */
	bool was_paused;
	bool piped; /* it went out, and cannot be taken back */
};

/* Takes both descriptors: 0, or -errno with a sentence when they are not there, or another save is
 * under way. */
int save_ask(struct save *save, struct control_files *files, const struct control_save *how,
	     bool paused, struct fail *fail);

/*
 * Carries it out: the vCPUs are parked, the caller is the loop thread and outside of the loop.
 * Requests under way are finished first. Whoever asked is told what became of it, and has to say
 * that the snapshot is kept before the machine ends, or goes on over overlays. Returns whether the
 * machine is to go on: it was to be, could not be saved, or nobody kept it.
 */
bool save_do(struct save *save, struct machine *m);

/* What the guest has asked of its devices is done, and they have nothing more to do. As save_do(). */
void save_settle(struct vm *vm);

/* Tells whoever asked that the machine has ended before. */
void save_drop(struct save *save);

#endif
