/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CMD_CONTROL_PRIV_H
#define VMM_CMD_CONTROL_PRIV_H

#include <stdbool.h>

#include "vmm/control_client.h"

/* Private part of the commands for running machines: cmd_control.c (the table, what is one request),
 * cmd_control_stat.c (statistics, disks, memory). */

struct control_args {
	const char *name;
	const char *line, *more; /* the words behind the name, or NULL */
	bool force, take, json, watch, readonly, stats;
};

int control_do_stat(const struct control_args *args, struct fail *fail);
int control_do_resize(const struct control_args *args, struct fail *fail);
int control_do_balloon(const struct control_args *args, struct fail *fail);

#endif
