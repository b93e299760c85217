/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_RESTORE_CONFIG_H
#define VMM_RESTORE_CONFIG_H

#include "vmm/command_options.h"
#include "vmm/restore.h"

/*
 * Opens a snapshot, the caller's, and makes the configuration of the machine that comes out of it:
 * the saved options through the same table as those of `vmm run`, what `auto` had chosen, and what
 * `args` want otherwise. Of `r` only `moves`, `verified` and `throw_away` may be set. `cfg` is as after config_init(), and its strings live as long as `r`, which
 * restore_close() ends in any case. EXIT_SNAPSHOT, EXIT_CONFIG or EXIT_HOST with a sentence; nothing
 * but the snapshot was opened.
 */
int restore_configure(struct restore *r, int fd, const struct restore_args *args,
		      struct config *cfg, struct fail *fail);

#endif
