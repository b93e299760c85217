// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/command_options.h"
#include "vmm/commands.h"
#include "vmm/control_client.h"
#include "vmm/core/json.h"
#include "vmm/core/opts.h"
#include "vmm/snapshot_target.h"

enum { ANSWER_MS = 30000, LINE = 1024 };

static void show_progress(const struct json_object *obj)
{
	const struct json_field *done = json_get(obj, "done"), *total = json_get(obj, "total");

	if (!done || !total || total->num <= 0)
		return;
	fprintf(stderr, isatty(STDERR_FILENO) ? "\r%3lld %% of %lld MiB" : "%lld %% of %lld MiB\n",
		(long long)(done->num * 100 / total->num), (long long)(total->num >> 20));
}

/* The last line says how it ended: 0, or the machine's own reason. */
static int take_end(const struct json_object *obj, struct fail *fail)
{
	const struct json_field *ok = json_get(obj, "ok"), *code = json_get(obj, "code");
	const char *why = json_get_str(obj, "error");

	if (ok && ok->num)
		return 0;
	return fail_set(fail, code && code->num == EXIT_CONFIG ? EXIT_CONFIG : EXIT_HOST, -EIO,
			"the machine was not saved: %s", why ? why : "it does not say why");
}

static int follow(FILE *report, const struct save_args *args, struct fail *fail)
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
			fprintf(args->to_stdout ? stderr : stdout, "%s\n", copy);
		return take_end(&obj, fail);
	}
	return fail_set(fail, EXIT_HOST, -EPIPE, "the machine has ended before it was saved");
}

/* Asks the machine, and gives the socket on which it reports: the descriptor, or -errno. */
static int ask(const char *name, int fd, const struct save_args *args, struct fail *fail)
{
	const char *line = args->keep_running ? "{\"command\":\"save\",\"keep_running\":true}"
					      : "{\"command\":\"save\"}";
	struct control_conn *conn = NULL;
	const struct json_field *ok;
	struct json_object obj;
	int pair[2], fds[2], err;
	const char *why;
	char *reply;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return fail_set(fail, EXIT_HOST, -errno, "cannot make a socket: %s",
				strerror(errno));
	fds[0] = fd;
	fds[1] = pair[1];
	err = control_open(name, ANSWER_MS, &conn, fail);
	if (!err)
		err = control_ask_files(conn, line, fds, 2, &reply, fail);
	close(pair[1]);
	if (!err) {
		ok = json_parse(reply, &obj) ? NULL : json_get(&obj, "ok");
		why = ok && !ok->num ? json_get_str(&obj, "error") : NULL;
		if (!ok || !ok->num)
			err = fail_set(fail, EXIT_CONFIG, -EINVAL, "the machine refuses: %s",
				       why ? why : "?");
	}
	control_close(conn);
	if (err)
		close(pair[0]);
	return err ? err : pair[0];
}

/* The machine ends only when it hears that what it wrote is kept. */
static int save(const char *name, const char *path, const struct save_args *args, struct fail *fail)
{
	struct snapshot_target target = { .fd = STDOUT_FILENO };
	int err = args->to_stdout ? 0 : snapshot_target_open(&target, path, fail);
	int report = err ? -1 : ask(name, target.fd, args, fail);
	FILE *lines = report >= 0 ? fdopen(report, "r") : NULL;

	if (report < 0)
		err = err ? err : report;
	else
		err = lines ? follow(lines, args, fail)
			    : fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	if (!err && !args->to_stdout)
		err = snapshot_target_commit(&target, fail);
	if (!err && !args->keep_running && send(report, "k", 1, MSG_NOSIGNAL) != 1)
		err = fail_set(fail, EXIT_HOST, -EPIPE,
			       "the machine did not wait, and goes on; what was saved is old");
	if (lines)
		fclose(lines);
	else if (report >= 0)
		close(report);
	if (!args->to_stdout && target.path && target.fd >= 0)
		snapshot_target_drop(&target);
	return err;
}

int cmd_save(int argc, char **argv)
{
	struct save_args args = { 0 };
	struct fail fail = { 0 };
	int words;

	if (argc == 1 && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))) {
		puts("usage: vmm save [OPTIONS] NAME FILE|-\n");
		opts_help(save_options, stdout);
		return EXIT_OK;
	}
	words = opts_parse(save_options, argc, argv, &args, &fail);
	if (words >= 0 && words != 2)
		fail_set(&fail, EXIT_CONFIG, -EINVAL,
			 "which machine, and to which file? usage: vmm save NAME FILE");
	args.to_stdout = words == 2 && !strcmp(argv[1], "-");
	if (words == 2)
		save(argv[0], argv[1], &args, &fail);
	if (fail.text[0])
		fprintf(stderr, "vmm: %s\n", fail.text);
	return fail.text[0] ? (int)fail.code : EXIT_OK;
}
