/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_MIGRATE_LINK_H
#define VMM_MIGRATE_LINK_H

#include <stdbool.h>
#include <sys/types.h>

#include "vmm/core/fail.h"

/*
 * What a machine goes over:
 *
 *   tcp:HOST:PORT   numeric, [HOST] if it has colons itself; or a name, which `getent ahosts` knows
 *   unix:PATH       a stream socket, of mode 0600 where it is listened on
 *   fd:N            a connected stream socket
 *   exec:COMMAND    what sh runs, both ways over its stdin and stdout
 *   -               one way: stdout, or stdin; but receiving, whoever sends may want answers, which go
 *                   to stdout
 */
struct migrate_link {
	int in, out; /* owned; may be one */
	bool one_way; /* nobody can answer */
	bool std; /* it is our own stdin and stdout: whoever goes on has to do without */
};

/* To where a machine is received. 0, or -errno with a sentence (EXIT_CONFIG, EXIT_HOST). */
int migrate_link_connect(const char *uri, struct migrate_link *link, struct fail *fail);
/* For one machine to come: waits for it. */
int migrate_link_accept(const char *uri, struct migrate_link *link, struct fail *fail);
void migrate_link_close(struct migrate_link *link);

#endif
