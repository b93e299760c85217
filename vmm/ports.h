/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_PORTS_H
#define VMM_PORTS_H

#include "vmm/config.h"
#include "vmm/core/log.h"
#include "vmm/core/loop.h"

/* The host's ends of a machine's named ports. All zero to begin with. */
struct ports {
	struct hostport *host[CONSOLE_PORTS_MAX];
	unsigned int n;
};

/* Opens all that `cfg` names, and describes them in `out`, which has room for CONSOLE_PORTS_MAX. On
 * an error, 0 or -errno with `fail` set, ports_close() closes those that are open. */
int ports_open(struct ports *ports, const struct config *cfg, struct loop *loop, struct log *log,
	       struct console_port *out, struct fail *fail);
/* Writes out what the guest has written; as chardev_flush(). */
void ports_flush(struct ports *ports, int stop_fd);
/* When no device uses them any more. */
void ports_close(struct ports *ports);

#endif
