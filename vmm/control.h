/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CONTROL_H
#define VMM_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/core/fail.h"
#include "vmm/core/json.h"
#include "vmm/core/loop.h"

/*
 * The other end of a machine's socket: vmm/control.md is the protocol. Clients are served on the
 * loop thread, a line at a time. None can do harm by being slow, silent, loud or gone: no more of
 * its requests are read while it leaves an answer, and when too many are connected the one that
 * has been quiet for longest has to go.
 */

enum {
	CONTROL_VERSION = 1,
	CONTROL_LINE_MAX = 4096, /* bytes of a request, with its newline */
	CONTROL_REPLY_MAX = 128 << 10, /* bytes of an answer */
	CONTROL_CLIENTS_MAX = 16,
};

/* Descriptors that came with the bytes of a request (SCM_RIGHTS). Who takes one sets it to -1; the
 * rest is closed when the request has been answered. */
enum { CONTROL_FILES_MAX = 3 };
struct control_files {
	int fd[CONTROL_FILES_MAX];
	unsigned int n;
};

/* How a machine is to be sent; 0 is the default of each. */
struct control_send {
	uint64_t downtime_ms, bandwidth, timeout_s; /* bandwidth: bytes a second */
	bool verify, one_way, postcopy;
	bool recover; /* goes on where a link was lost */
};

/* How a machine is to be saved. */
struct control_save {
	bool keep_running;
	const char *overlay; /* the folder where its disks' overlays go, or NULL; the request's */
};

/* What a machine can be asked for. All on the loop thread, no lock held. */
struct control_ops {
	/* Power key; or the end. 0 or -errno with `fail` set. */
	int (*stop)(void *arg, bool force, struct fail *fail);
	void (*pause)(void *arg);
	/* `take`: also one whose owner nobody knows. */
	int (*resume)(void *arg, bool take, struct fail *fail);
	void (*reset)(void *arg);
	/* running, paused, undecided; arriving, moving; postcopy, postcopy-paused */
	const char *(*state)(void *arg);
	/* For how long, in ns, a client is left to another loop that serves the same socket, before this is
	 * asked again; 0: it is taken. May be NULL: it is. */
	uint64_t (*patience)(void *arg);
	/* Why it cannot do this now, a sentence, or NULL. May be NULL itself. */
	const char *(*refuses)(void *arg, const char *command);
	/* Saves to the first descriptor, and says on the second, a line of JSON each, how far it
	 * is, and at last what became of it. */
	int (*save)(void *arg, struct control_files *files, const struct control_save *how,
		    struct fail *fail);
	/* Sends it over the first descriptor; says the same on the second, and gives up when that is
	 * closed. */
	int (*send)(void *arg, struct control_files *files, const struct control_send *how,
		    struct fail *fail);
	int (*cancel)(void *arg, struct fail *fail);
	/* Its memory comes on over the first two descriptors (in, out); the third, a socket, says
	 * when all has come, or not. */
	int (*recover)(void *arg, struct control_files *files, struct fail *fail);
	void (*stat)(void *arg, struct json_out *out); /* adds members */
	/* A disk by its serial, vda and so on, or number, to `size` bytes; 0: what it has become by
	 * itself. 0 or -errno with `fail` set, here and below. */
	int (*resize)(void *arg, const char *disk, uint64_t size, struct fail *fail);
	/* The guest shall be left with `size` bytes of memory. */
	int (*balloon)(void *arg, uint64_t size, struct fail *fail);
	void (*activity)(void *arg, struct json_out *out); /* the same */
	void (*debug)(void *arg, struct json_out *out); /* the same */
};

struct backlog;
struct chardev;

struct control_target {
	const char *name;
	const struct control_ops *ops;
	void *arg;
	struct control_files *files; /* of the request that is being answered */
	/* Where attached clients type, and what they read; both or neither. */
	struct chardev *console;
	struct backlog *backlog;
};

/* What becomes of a connection behind an answer. */
enum control_then {
	CONTROL_THEN_GO_ON,
	CONTROL_THEN_TYPE, /* it is attached to the console */
	CONTROL_THEN_WATCH, /* and what it sends is dropped */
};

/* Answers one request, `line` of `len` bytes and a NUL behind them, which is changed: a NUL-terminated
 * line without newline in reply[0..cap). */
enum control_then control_answer(const struct control_target *target, char *line, size_t len,
				 char *reply, size_t cap);

struct control;

/* Serves `listen_fd` (non-blocking; -1: nobody can connect) and `target`, both borrowed. 0 or -errno. */
int control_create(struct loop *loop, int listen_fd, const struct control_target *target,
		   struct control **out);
/* One more client, over a connected stream socket that is taken over, also on failure. It never has
 * to go for others; one of them is enough. 0 or -errno. */
int control_adopt(struct control *control, int fd);
/* Disconnects all clients. Not from a callback; NULL is fine. */
void control_destroy(struct control *control);

#endif
