/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_COMMAND_OPTIONS_H
#define VMM_COMMAND_OPTIONS_H

#include <stdbool.h>

#include "vmm/core/opts.h"

/* The options of the small commands, apart from what they do: the manual page and completion are
 * made from them where vmm itself cannot run. */

struct check_config {
	bool gic, registers, json;
};

struct save_args {
	bool keep_running, json;
};

/* Its own words, and those of `vmm run` that may differ. */
struct restore_args {
	bool paused, lazy, check;
	struct opts_kept given;
	const char *name, *kernel, *initrd, *log_file;
	unsigned int loglevel;
	bool no_reboot;
};

struct inspect_args {
	bool registers;
};

extern const struct opt check_options[], save_options[], restore_options[], inspect_options[];

#endif
