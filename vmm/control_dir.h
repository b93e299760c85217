/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CONTROL_DIR_H
#define VMM_CONTROL_DIR_H

#include <stdbool.h>
#include <sys/un.h>

#include "vmm/core/fail.h"

/*
 * Where running machines are found: a folder of sockets, NAME.sock each. It is $VMM_RUNTIME_DIR;
 * else $XDG_RUNTIME_DIR/vmm; else /run/vmm for root and vmm-UID in the temporary folder for others.
 * It is made with mode 0700, and used only if it is ours and nobody else can write to it. A name is
 * taken by the socket that answers for it; a lock on the folder keeps two from taking one at once,
 * and the socket that a killed machine has left from being removed twice.
 */

enum { CONTROL_NAME_MAX = 64 };

/* A machine's own socket. */
struct control_socket {
	int fd; /* listening, non-blocking; -1: none */
	struct sockaddr_un addr;
	bool forgotten; /* private: the name is free again */
};

/* Letters, digits, and . _ - but for the first character; at most CONTROL_NAME_MAX. */
bool control_name_ok(const char *name);
/* The same: 0, or -EINVAL with a sentence (EXIT_CONFIG). */
int control_name_check(const char *name, struct fail *fail);

/* Takes the name: 0; -EEXIST if a machine of that name runs (EXIT_CONFIG); or -errno with a sentence
 * about the folder or the socket (EXIT_CONFIG too: it can be named). */
int control_take(const char *name, struct control_socket *sock, struct fail *fail);
/* Gives the name back, while connections go on; nothing taken (fd -1) is fine, here and below. */
void control_forget(struct control_socket *sock);
/* The same, and closes the descriptor. */
void control_release(struct control_socket *sock);

/* Connects to the machine: a blocking descriptor; or -ENOENT (no such machine), -EAGAIN (it does
 * not accept) and other -errno with a sentence. */
int control_connect(const char *name, struct fail *fail);

/* Calls `fn` for the name of each socket, stale ones included: 0 (also without a folder) or -errno
 * with a sentence. */
int control_names(void (*fn)(void *arg, const char *name), void *arg, struct fail *fail);

#endif
