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
#include "vmm/control_report.h"
#include "vmm/migrate_link.h"

/* Opens the link and hands it to the machine, which does the rest and says how it goes. */

enum { LINE = 1024 };

static void show_progress(const struct json_object *obj)
{
	int64_t total = control_report_number(obj, "total");

	if (total <= 0)
		return;
	fprintf(stderr,
		isatty(STDERR_FILENO) ? "\r\033[Kround %" PRId64 ", %3" PRId64 " %%, %" PRId64
					" MiB sent, %" PRId64 " MiB/s"
				      : "round %" PRId64 ", %" PRId64 " %%, %" PRId64
					" MiB sent, %" PRId64 " MiB/s\n",
		control_report_number(obj, "rounds"),
		control_report_number(obj, "done") * 100 / total,
		control_report_number(obj, "bytes") >> 20,
		control_report_number(obj, "rate") >> 20);
}

static int take_end(bool ok, unsigned int code, const char *why, struct fail *fail)
{
	if (ok)
		return 0;
	return fail_set(fail, code == EXIT_UNDECIDED ? EXIT_UNDECIDED : EXIT_MIGRATION, -EIO,
			code == EXIT_UNDECIDED ? "the machine stands still: %s"
					       : "the machine was not sent, and goes on: %s",
			why ? why : "it does not say why");
}

static int follow(FILE *report, const struct send_args *args, bool one_way, struct fail *fail)
{
	const struct control_listener listener = {
		.progress = show_progress,
		.ended = take_end,
		.json = !args->json ? NULL
			: one_way   ? stderr
				    : stdout,
	};
	int err = control_report_follow(report, &listener, fail);

	if (err && !fail->text[0])
		fail_set(fail, EXIT_UNDECIDED, err,
			 "the machine's vmm has ended without a word; if the guest is anywhere, it "
			 "runs or stands still where it was sent to");
	return err;
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
	json_bool(&out, "postcopy", args->postcopy);
	json_bool(&out, "recover", args->recover);
	json_close(&out, '}');
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
		err = control_demand(name, line, fds, 2, fail);
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
		control_demand(argv[0], "{\"command\":\"cancel\"}", NULL, 0, &fail);
	else if (words == 2)
		send_machine(argv[0], argv[1], &args, &fail);
	if (fail.text[0])
		fprintf(stderr, "vmm: %s\n", fail.text);
	return fail.text[0] ? (int)fail.code : EXIT_OK;
}
