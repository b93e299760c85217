/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CMD_CONTROL_PRIV_H
#define VMM_CMD_CONTROL_PRIV_H

#include <stdbool.h>

#include "vmm/control_client.h"
#include "vmm/core/json.h"

/* Private part of the commands for running machines: cmd_control.c (the table, what is one request),
 * cmd_control_stat.c (statistics, disks, memory). */

/* A pause waits for vCPUs that may be in the middle of a slow access. */
enum { ANSWER_MS = 30000, LIST_MS = 2000 };

struct control_args {
	const char *name;
	const char *line, *more; /* the words behind the name, or NULL */
	bool force, take, json, watch, readonly, stats;
};

/* Asks, and passes on why the machine refuses. */
int control_request(struct control_conn *conn, const char *line, struct json_object *obj,
		    struct fail *fail);
/* Connects, asks, and is done. */
int control_simple(const struct control_args *args, const char *line, struct fail *fail);

int control_do_stat(const struct control_args *args, struct fail *fail);
int control_do_resize(const struct control_args *args, struct fail *fail);
int control_do_balloon(const struct control_args *args, struct fail *fail);

#endif
