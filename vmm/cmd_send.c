// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/command_options.h"
#include "vmm/commands.h"
#include "vmm/control_client.h"
#include "vmm/core/json.h"
#include "vmm/migrate_link.h"

/* Opens the link and hands it to the machine, which does the rest and says how it goes. */

enum { ANSWER_MS = 30000, LINE = 1024 };

static int64_t member(const struct json_object *obj, const char *name)
{
	const struct json_field *field = json_get(obj, name);

	return field ? field->num : 0;
}

static void show_progress(const struct json_object *obj)
{
	int64_t total = member(obj, "total");

	if (total <= 0)
		return;
	fprintf(stderr,
		isatty(STDERR_FILENO) ? "\r\033[Kround %" PRId64 ", %3" PRId64 " %%, %" PRId64
					" MiB sent, %" PRId64 " MiB/s"
				      : "round %" PRId64 ", %" PRId64 " %%, %" PRId64
					" MiB sent, %" PRId64 " MiB/s\n",
		member(obj, "rounds"), member(obj, "done") * 100 / total,
		member(obj, "bytes") >> 20, member(obj, "rate") >> 20);
}

/* The machine's own reason. */
static int take_end(const struct json_object *obj, struct fail *fail)
{
	const struct json_field *ok = json_get(obj, "ok"), *code = json_get(obj, "code");
	const char *why = json_get_str(obj, "error");

	if (ok && ok->num)
		return 0;
	return fail_set(
		fail, code && code->num == EXIT_UNDECIDED ? EXIT_UNDECIDED : EXIT_MIGRATION, -EIO,
		code && code->num == EXIT_UNDECIDED ? "the machine stands still: %s"
						    : "the machine was not sent, and goes on: %s",
		why ? why : "it does not say why");
}

static int follow(FILE *report, const struct send_args *args, bool one_way, struct fail *fail)
{
	char line[LINE], copy[LINE];
	struct json_object obj;

	while (fgets(line, sizeof(line), report)) {
		line[strcspn(line, "\n")] = 0;
		memcpy(copy, line, sizeof(copy));
		if (json_parse(line, &obj))
			break;
		if (!json_get(&obj, "ok")) {
			show_progress(&obj);
			continue;
		}
		if (isatty(STDERR_FILENO))
			fputs("\r\033[K", stderr);
		if (args->json)
			fprintf(one_way ? stderr : stdout, "%s\n", copy);
		return take_end(&obj, fail);
	}
	return fail_set(fail, EXIT_MIGRATION, -EPIPE, "the machine has ended before it was sent");
}

static void request(const struct send_args *args, bool one_way, char *line, size_t cap)
{
	struct json_out out;

	json_out_init(&out, line, cap);
	json_open(&out, NULL, '{');
	json_str(&out, "command", "send");
	json_uint(&out, "downtime_ms", args->downtime_ns / 1000000);
	json_uint(&out, "bandwidth", args->bandwidth);
	json_uint(&out, "timeout_s", (args->timeout_ns + 999999999) / 1000000000);
	json_bool(&out, "verify", args->verify);
	json_bool(&out, "one_way", one_way);
	json_close(&out, '}');
}

static int ask(const char *name, const char *line, const int *fds, struct fail *fail)
{
	struct control_conn *conn = NULL;
	const struct json_field *ok;
	struct json_object obj;
	const char *why;
	char *reply;
	int err = control_open(name, ANSWER_MS, &conn, fail);

	if (!err)
		err = fds ? control_ask_files(conn, line, fds, 2, &reply, fail)
			  : control_ask(conn, line, &reply, fail);
	if (!err) {
		ok = json_parse(reply, &obj) ? NULL : json_get(&obj, "ok");
		why = ok && !ok->num ? json_get_str(&obj, "error") : NULL;
		if (!ok || !ok->num)
			err = fail_set(fail, EXIT_CONFIG, -EINVAL, "the machine refuses: %s",
				       why ? why : "?");
	}
	control_close(conn);
	return err;
}

/* The machine hears of our end by the end of the socket, and stays: Ctrl-C cancels. */
static int send_machine(const char *name, const char *uri, const struct send_args *args,
			struct fail *fail)
{
	struct migrate_link link;
	int pair[2], fds[2], err;
	char line[LINE];
	FILE *report;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return fail_set(fail, EXIT_HOST, -errno, "cannot make a socket: %s",
				strerror(errno));
	report = fdopen(pair[0], "r");
	err = report ? migrate_link_connect(uri, &link, fail)
		     : fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	if (!err) {
		fds[0] = link.out;
		fds[1] = pair[1];
		request(args, link.one_way, line, sizeof(line));
		err = ask(name, line, fds, fail);
		migrate_link_close(&link);
	}
	close(pair[1]);
	if (!err)
		err = follow(report, args, link.one_way, fail);
	if (report)
		fclose(report);
	else
		close(pair[0]);
	return err;
}

int cmd_send(int argc, char **argv)
{
	struct send_args args = { 0 };
	struct fail fail = { 0 };
	int words;

	if (argc == 1 && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))) {
		puts("usage: vmm send [OPTIONS] NAME "
		     "tcp:HOST:PORT|unix:PATH|fd:N|exec:COMMAND|-\n");
		opts_help(send_options, stdout);
		return EXIT_OK;
	}
	words = opts_parse(send_options, argc, argv, &args, &fail);
	if (words >= 0 && words != (args.cancel ? 1 : 2))
		fail_set(&fail, EXIT_CONFIG, -EINVAL,
			 "which machine, and to where? usage: vmm send NAME ADDRESS, or vmm send "
			 "--cancel NAME");
	else if (words == 1)
		ask(argv[0], "{\"command\":\"cancel\"}", NULL, &fail);
	else if (words == 2)
		send_machine(argv[0], argv[1], &args, &fail);
	if (fail.text[0])
		fprintf(stderr, "vmm: %s\n", fail.text);
	return fail.text[0] ? (int)fail.code : EXIT_OK;
}
