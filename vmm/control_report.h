/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CONTROL_REPORT_H
#define VMM_CONTROL_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "vmm/core/fail.h"
#include "vmm/core/json.h"

/*
 * What a machine tells about something long, on a socket that came with the request: lines of JSON,
 * of which the one with a member "ok" is the last.
 */
enum { CONTROL_REPORT_LINE = 16384 };

/* --- the machine's side -------------------------------------------------------------------------- */

struct control_report {
	struct json_out out; /* where members are added */
	char line[CONTROL_REPORT_LINE];
	int fd;
	bool last;
};

/* Starts a line of progress to `fd`, which stays the caller's. */
void control_report_begin(struct control_report *report, int fd);

/* Starts the last line: "ok", or the sentence and code of `fail` if it has one. */
void control_report_end(struct control_report *report, int fd, const struct fail *fail);

/* Sends it. A slow or dead listener costs nothing: what it has no room for is lost, but the last
 * line, for which it is waited 5 s. */
void control_report_send(struct control_report *report);

/* --- the command's side -------------------------------------------------------------------------- */

struct control_listener {
	void (*progress)(const struct json_object *obj); /* shows it on standard error */
	/* The machine's own reason has become a failure: 0 or -errno with a sentence. */
	int (*ended)(bool ok, unsigned int code, const char *why, struct fail *fail);
	FILE *json; /* where the last line goes as it is; NULL: nowhere */
};

/* Reads until the last line, whose "findings", if it has any, go to standard error, a line each. 0, what ended() gave, or -EPIPE, without a sentence: the machine ended
 * before. */
int control_report_follow(FILE *report, const struct control_listener *listener, struct fail *fail);

/* The number in a member; 0 if there is none. */
int64_t control_report_number(const struct json_object *obj, const char *name);

#endif
