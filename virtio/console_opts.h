/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_CONSOLE_OPTS_H
#define VIRTIO_CONSOLE_OPTS_H

#include "virtio/console.h"
#include "vmm/core/hostport.h"

/* A named port, as the user asks for it. */
struct port_config {
	const char *name;
	bool console;
	struct hostport_config host;
};

/* Reads "name=NAME,file=FILE|socket=PATH|pty[=LINK]|fd=N[,console]" into a zeroed object. `words`
 * is cut up, and what is kept points into it. 0 or -EINVAL with `fail` set. */
int port_parse(struct port_config *cfg, char *words, struct fail *fail);

#endif
