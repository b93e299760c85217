// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cmd_control_priv.h"
#include "vmm/control.h"
#include "vmm/control_print.h"
#include "vmm/core/loop.h"
#include "vmm/core/opts.h"

/* --- disks and memory ------------------------------------------------------------------------- */

static int bad_size(const char *word, struct fail *fail)
{
	return fail_set(fail, EXIT_CONFIG, -EINVAL,
			"'%s' is no size; give one such as 512M or 2G (a bare number is MiB)",
			word);
}

int control_do_resize(const struct control_args *args, struct fail *fail)
{
	char line[CONTROL_LINE_MAX];
	struct json_out out;
	uint64_t size;

	if (args->more && (opts_size(args->more, &size) || !size))
		return bad_size(args->more, fail);
	json_out_init(&out, line, sizeof(line));
	json_open(&out, NULL, '{');
	json_str(&out, "command", "resize");
	json_str(&out, "disk", args->line);
	if (args->more)
		json_uint(&out, "size", size);
	json_close(&out, '}');
	return control_demand(args->name, line, NULL, 0, fail);
}

/* The members of the device that is one. */
static int print_balloon(struct json_object *obj, struct fail *fail)
{
	const struct json_field *devices = json_get(obj, "devices");
	char *at = devices && devices->type == JSON_ARRAY ? devices->text + 1 : NULL;
	struct json_object device;
	struct json_field field;

	while (at && json_next(&at, &field)) {
		const char *name = NULL;

		if (field.type == JSON_OBJECT && !json_parse(field.text, &device))
			name = json_get_str(&device, "name");
		if (!name || strncmp(name, "virtio-balloon", 14))
			continue;
		control_print(&device);
		return 0;
	}
	return fail_set(fail, EXIT_CONFIG, -ENOENT,
			"the machine has no balloon; run it with --balloon");
}

int control_do_balloon(const struct control_args *args, struct fail *fail)
{
	struct control_conn *conn = NULL;
	struct json_object obj;
	char line[64];
	uint64_t size;
	int err;

	if (!args->stats == !args->line)
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "give a SIZE, or --stats");
	if (args->line) {
		if (opts_size(args->line, &size))
			return bad_size(args->line, fail);
		snprintf(line, sizeof(line), "{\"command\":\"balloon\",\"size\":%llu}",
			 (unsigned long long)size);
		return control_demand(args->name, line, NULL, 0, fail);
	}
	err = control_open(args->name, CONTROL_ANSWER_MS, &conn, fail);
	if (!err)
		err = control_request(conn, "{\"command\":\"stat\"}", &obj, fail);
	if (!err)
		err = print_balloon(&obj, fail);
	control_close(conn);
	return err;
}

/* --- stat ------------------------------------------------------------------------------------- */

static int parse_seconds(const char *word, unsigned int *seconds)
{
	uint64_t ns;

	if (opts_time(word, &ns) || ns < 1000000000 || ns > 86400 * 1000000000ULL ||
	    ns % 1000000000)
		return -EINVAL;
	*seconds = (unsigned int)(ns / 1000000000);
	return 0;
}

/* The answer printed, once. 0 or -errno. */
static int stat_once(struct control_conn *conn, bool json, bool clear, struct fail *fail)
{
	const char *line = "{\"command\":\"stat\"}";
	struct json_object obj;
	char *reply;
	int err = json ? control_ask(conn, line, &reply, fail)
		       : control_request(conn, line, &obj, fail);

	if (err)
		return err;
	/* The cursor to the top, and nothing below it. */
	fputs(clear ? "\x1b[H\x1b[J" : "", stdout);
	if (json)
		puts(reply);
	else
		control_print(&obj);
	return 0;
}

/* Again and again, to the machine's end, which is no failure, or the reader's. */
static int stat_watch(struct control_conn *conn, const struct control_args *args,
		      unsigned int seconds, struct fail *fail)
{
	bool clear = !args->json && isatty(STDOUT_FILENO);
	struct fail why = { 0 };
	uint64_t next = loop_now_ns();
	int err = 0;

	while (!err) {
		err = stat_once(conn, args->json, clear, &why);
		if (!err && !args->json && !clear)
			putchar('\n');
		if (fflush(stdout))
			return 0;
		next += seconds * 1000000000ULL;
		if (!err)
			err = control_idle(conn, next);
	}
	return err == -EPIPE ? 0 : fail_set(fail, why.code, err, "%s", why.text);
}

int control_do_stat(const struct control_args *args, struct fail *fail)
{
	struct control_conn *conn = NULL;
	unsigned int seconds = 1;
	int err = 0;

	if (args->line && (!args->watch || parse_seconds(args->line, &seconds)))
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"'%s': SECONDS are a number from 1 to 86400, with --watch",
				args->line);
	err = control_open(args->name, CONTROL_ANSWER_MS, &conn, fail);
	if (!err)
		err = args->watch ? stat_watch(conn, args, seconds, fail)
				  : stat_once(conn, args->json, false, fail);
	control_close(conn);
	return err;
}
