/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_HOSTPORT_H
#define VMM_CORE_HOSTPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/chardev.h"

/*
 * What a guest's port is connected to on the host, behind a chardev:
 *
 *   file=PATH    output is appended; there is no input
 *   socket=PATH  a stream socket of mode 0600, for one client at a time; further ones are
 *                disconnected at once. A socket that nobody listens on is replaced.
 *   pty[=LINK]   a pseudo terminal in raw mode, and a symbolic link to it. Somebody is there while
 *                a program has it open.
 *   fd=N         an open descriptor, in the directions that it allows, until its other side ends
 *
 * While nobody is there output goes nowhere. Whoever is there and takes no output for 30 seconds
 * while there is some is given up: a client is disconnected, a pty loses what waits for its reader.
 */
enum hostport_kind { HOSTPORT_FILE, HOSTPORT_SOCKET, HOSTPORT_PTY, HOSTPORT_FD };

struct hostport_config {
	enum hostport_kind kind;
	const char *path; /* of the file, the socket, or the link (or NULL); borrowed */
	int fd; /* HOSTPORT_FD */
	uint64_t patience_ns; /* 0: 30 s */
};

/* Reads one of the words above, split at '='. 0; -ENOENT if it is none of them; -EINVAL with
 * `fail` set. */
int hostport_parse(struct hostport_config *cfg, const char *key, const char *value,
		   struct fail *fail);

struct hostport;

/* Opens it; EXIT_CONFIG with a sentence if that cannot be. `name` is the guest's for the port, for
 * messages; all but `cfg` is borrowed. */
int hostport_create(const struct hostport_config *cfg, const char *name, struct loop *loop,
		    struct log *log, struct hostport **out, struct fail *fail);
/* While the loop is idle and no device is connected; NULL is fine. Removes the socket and the link,
 * unless another has taken their places. */
void hostport_destroy(struct hostport *port);

struct chardev *hostport_chardev(struct hostport *port);
/* The pty's name, or NULL. */
const char *hostport_pty(const struct hostport *port);

#endif
