/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include <stdio.h>

#include "vmm/config.h"
#include "vmm/core/log.h"

struct chardev;
struct device;
struct vm;

struct machine_saved;
struct findings;

/* A VM with its devices, boot files and device tree: what goes where, and in which order. */
struct machine;

/* What a machine has of its host, by number. */
enum machine_part { MACHINE_DISK, MACHINE_NET, MACHINE_PORT, MACHINE_PARTS };

/* To be made like one that was saved: what this host cannot be is added to `refused`. */
struct machine_like {
	const struct machine_saved *saved;
	struct findings *refused;
	bool psci_downgrade; /* a lower version than the guest was told of will do */
	/* A bit each: the user has not said what it is here, so that nothing is opened. */
	uint32_t unnamed[MACHINE_PARTS];
};

/*
 * Checks and builds everything but vCPUs, from what can be refused cheaply to what leaves traces:
 * KVM and its interrupt controller, boot files (the only child process is a decompressor), disks,
 * then taps. With cfg->dry_run it stops before taps. cfg and log are borrowed.
 * `like` is NULL for a new machine; of one that is to be restored the boot files are not opened
 * before a reset needs them, and what is missing is left out: machine_partial() says so, and it can only
 * be compared. 0 or -errno with `fail` set.
 */
int machine_create(const struct config *cfg, const struct machine_like *like, struct log *log,
		   struct machine **out, struct fail *fail);

/* Not all of what was saved could be made: it has the same CPUs and, if this host has it, the same
 * interrupt controller; but for that only what is there, and no memory. */
bool machine_partial(const struct machine *m);
/* Whether a device at that address was left out. */
bool machine_left_out(const struct machine *m, uint64_t addr);

/* Makes the vCPUs, paused, without loading anything: what is restored comes from elsewhere. */
int machine_start_empty(struct machine *m, struct fail *fail);

/* Loads the boot files into RAM and makes the vCPUs, paused: vm_run() starts them. */
int machine_start(struct machine *m, struct fail *fail);

/* Restarts in place: as after machine_start(). Taps, disks and consoles stay open. */
int machine_reset(struct machine *m, struct fail *fail);

/* Takes what only one machine of a host can have, all of it or none, or gives it back: 0 or -errno
 * with a sentence. The vCPUs are parked and nothing is under way. */
int machine_hold(struct machine *m, bool on, struct fail *fail);

void machine_power_key(struct machine *m);
/* The guest goes on from a state that may go on elsewhere, too: it is told when its vCPUs run. */
void machine_new_generation(struct machine *m);
void machine_destroy(struct machine *m); /* NULL is fine */

/* For blk_resize(): the disk of that serial, place (vda, vdb ...) or number (0, 1 ...); or NULL with
 * `fail` set. */
struct device *machine_disk(struct machine *m, const char *word, struct fail *fail);
/* As --disk named them; NULL: it was left out. */
struct device *machine_nth_disk(const struct machine *m, unsigned int n);
/* For balloon_set(); NULL without --balloon. */
struct device *machine_balloon(struct machine *m);
struct vm *machine_vm(struct machine *m);
const struct config *machine_config(const struct machine *m);
/* Fills what the machine decided by itself. */
void machine_made_of(const struct machine *m, struct machine_saved *saved);
struct chardev *machine_console(struct machine *m);

/* The terminal has this size now: the guest's, where its console is virtio. */
void machine_resize_console(struct machine *m, uint16_t cols, uint16_t rows);
/* Writes out what the guest has written to its consoles and ports; as chardev_flush(). */
void machine_flush(struct machine *m, int stop_fd);

/* What --dry-run says: one "what: value" a line. */
void machine_print(const struct machine *m, FILE *out);

#endif
