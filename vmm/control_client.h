/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CONTROL_CLIENT_H
#define VMM_CONTROL_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/core/fail.h"
#include "vmm/core/json.h"

/* A client's side of a machine's socket, as the commands use it: one request, then its answer. */
struct control_conn;

/* What a command waits for: a pause needs vCPUs that may be in the middle of a slow access. */
enum { CONTROL_ANSWER_MS = 30000 };

/* Connects and reads the greeting; every wait of the connection ends after `timeout_ms` (-ETIMEDOUT).
 * 0 or -errno with a sentence; -ENOENT: no such machine. */
int control_open(const char *name, int timeout_ms, struct control_conn **out, struct fail *fail);
void control_close(struct control_conn *conn); /* NULL is fine */

/* Sends a line (without its newline), and gives the answer's, which is the connection's until the
 * next call and may be changed. 0 or -errno with a sentence; -EPIPE: the machine has ended. */
int control_ask(struct control_conn *conn, const char *line, char **reply, struct fail *fail);

/* The same, and passes `n` descriptors with it, at most CONTROL_FILES_MAX; they stay the caller's. */
int control_ask_files(struct control_conn *conn, const char *line, const int *fds, unsigned int n,
		      char **reply, struct fail *fail);

/* Sends a line, and gives the answer as an object, which points into the connection's buffer; one that
 * does not say that it is done is a failure. 0 or -errno with a sentence. */
int control_request(struct control_conn *conn, const char *line, struct json_object *obj,
		    struct fail *fail);

/* A whole request to a machine of that name, with `n` descriptors (`fds` may be NULL for none), which
 * has to answer that it does it. 0 or -errno with a sentence. */
int control_demand(const char *name, const char *line, const int *fds, unsigned int n,
		   struct fail *fail);

/* Waits until `deadline_ns` (CLOCK_MONOTONIC), while no answer is due: 0; -EPIPE when the machine has
 * ended before. */
int control_idle(struct control_conn *conn, uint64_t deadline_ns);

/*
 * From now on the connection carries bytes: its descriptor, which stays the connection's, and in
 * *data and *len what has come of them already.
 */
int control_raw(struct control_conn *conn, const char **data, size_t *len);

/* Waits, for as long as it takes, until the machine closes the connection. */
void control_wait_end(struct control_conn *conn);

#endif
