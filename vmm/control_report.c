// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/control_report.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/core/text.h"
#include "vmm/progress.h"

void control_report_begin(struct control_report *report, int fd)
{
	report->fd = fd;
	report->last = false;
	/* A place is left for the newline. */
	json_out_init(&report->out, report->line, sizeof(report->line) - 1);
	json_open(&report->out, NULL, '{');
}

void control_report_end(struct control_report *report, int fd, const struct fail *fail)
{
	control_report_begin(report, fd);
	report->last = true;
	json_bool(&report->out, "ok", !fail->text[0]);
	if (!fail->text[0])
		return;
	json_str(&report->out, "error", fail->text);
	json_uint(&report->out, "code", fail->code);
}

void control_report_send(struct control_report *report)
{
	const struct timeval limit = { 5, 0 };
	const int flags = (report->last ? 0 : MSG_DONTWAIT) | MSG_NOSIGNAL;
	size_t len;

	json_close(&report->out, '}');
	len = strlen(report->line);
	report->line[len++] = '\n';
	if (report->last)
		setsockopt(report->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	while (send(report->fd, report->line, len, flags) < 0 && errno == EINTR)
		;
}

int64_t control_report_number(const struct json_object *obj, const char *name)
{
	const struct json_field *field = json_get(obj, name);

	return field ? field->num : 0;
}

/* What speaks against something, before the sentence that says so. */
static void show_findings(const struct json_object *obj)
{
	const struct json_field *list = json_get(obj, "findings");
	char *at = list && list->type == JSON_ARRAY ? list->text + 1 : NULL;
	struct json_field line;

	while (at && json_next(&at, &line)) {
		if (line.type != JSON_STRING)
			continue;
		text_plain(line.text);
		fprintf(stderr, "%s\n", line.text);
	}
}

int control_report_follow(FILE *report, const struct control_listener *listener, struct fail *fail)
{
	char line[CONTROL_REPORT_LINE], copy[CONTROL_REPORT_LINE];
	const struct json_field *ok;
	struct json_object obj;
	struct progress shown;

	progress_begin(&shown);
	while (fgets(line, sizeof(line), report)) {
		line[strcspn(line, "\n")] = 0;
		memcpy(copy, line, sizeof(copy));
		if (json_parse(line, &obj))
			break;
		ok = json_get(&obj, "ok");
		if (!ok) {
			if (progress_due(&shown))
				listener->progress(&obj);
			continue;
		}
		progress_end(&shown);
		if (listener->json)
			fprintf(listener->json, "%s\n", copy);
		else
			show_findings(&obj);
		return listener->ended(ok->num, control_report_number(&obj, "code"),
				       json_get_str(&obj, "error"), fail);
	}
	return -EPIPE;
}
