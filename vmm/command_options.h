/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_COMMAND_OPTIONS_H
#define VMM_COMMAND_OPTIONS_H

#include <stdbool.h>

#include "vmm/config.h"
#include "vmm/core/opts.h"

/* The options of the small commands, apart from what they do: the manual page and completion are
 * made from them where vmm itself cannot run. */

struct check_config {
	bool gic, registers, json;
};

struct save_args {
	bool keep_running, json;
	const char *disk_overlay; /* a folder */
	bool to_stdout; /* is where the snapshot goes; no option */
};

/* Its own words, and those of `vmm run` that may differ. */
enum restore_clock { RESTORE_CLOCK_STOP, RESTORE_CLOCK_ADVANCE };

struct restore_args {
	bool json, paused, lazy, clone, check, recover;
	bool allow_changed_disk, allow_psci_downgrade;
	const char *allow_register;
	unsigned int clock; /* enum restore_clock */
	const char *name, *kernel, *initrd, *log_file;
	const char *disk_overlay; /* a folder */
	const char *disks[CONFIG_DISKS_MAX], *nets[CONFIG_NETS_MAX]; /* instead of the saved ones */
	const char *ports[CONSOLE_PORTS_MAX];
	unsigned int loglevel;
	bool no_reboot;
};

struct send_args {
	uint64_t downtime_ns, bandwidth, timeout_ns; /* bandwidth: bytes a second; 0: the default */
	bool verify, cancel, json, postcopy, recover;
};

struct inspect_args {
	bool registers, json;
};

extern const struct opt check_options[], save_options[], restore_options[], inspect_options[];
extern const struct opt send_options[], receive_options[];

#endif
