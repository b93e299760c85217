// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/command_options.h"
#include "vmm/commands.h"
#include "vmm/control.h"
#include "vmm/control_client.h"
#include "vmm/control_report.h"
#include "vmm/core/opts.h"
#include "vmm/progress.h"
#include "vmm/snapshot_target.h"

static void show_progress(const struct json_object *obj)
{
	int64_t done = control_report_number(obj, "done"),
		total = control_report_number(obj, "total");
	struct progress now;

	progress_begin(&now);
	if (done >= 0 && total > 0)
		progress_show(&now, (uint64_t)done, (uint64_t)total);
}

static int take_end(bool ok, unsigned int code, const char *why, struct fail *fail)
{
	if (ok)
		return 0;
	return fail_set(fail, code == EXIT_CONFIG ? EXIT_CONFIG : EXIT_HOST, -EIO,
			"the machine was not saved: %s", why ? why : "it does not say why");
}

static int follow(FILE *report, const struct save_args *args, struct fail *fail)
{
	const struct control_listener listener = {
		.progress = show_progress,
		.ended = take_end,
		.json = !args->json	  ? NULL
			: args->to_stdout ? stderr
					  : stdout,
	};
	int err = control_report_follow(report, &listener, fail);

	if (err && !fail->text[0])
		fail_set(fail, EXIT_HOST, err, "the machine has ended before it was saved");
	return err;
}

/* The folder as the machine, which is elsewhere, finds it. */
static int request(const struct save_args *args, char *line, size_t cap, struct fail *fail)
{
	char folder[PATH_MAX];
	struct json_out out;

	json_out_init(&out, line, cap);
	json_open(&out, NULL, '{');
	json_str(&out, "command", "save");
	json_bool(&out, "keep_running", args->keep_running);
	if (args->disk_overlay && !realpath(args->disk_overlay, folder))
		return fail_set(fail, EXIT_CONFIG, -errno, "--disk-overlay %s: %s",
				args->disk_overlay, strerror(errno));
	if (args->disk_overlay)
		json_str(&out, "disk_overlay", folder);
	json_close(&out, '}');
	return out.full ? fail_set(fail, EXIT_CONFIG, -ENAMETOOLONG, "--disk-overlay: too long")
			: 0;
}

/* Asks the machine, and gives the socket on which it reports: the descriptor, or -errno. */
static int ask(const char *name, int fd, const struct save_args *args, struct fail *fail)
{
	char line[CONTROL_LINE_MAX];
	int pair[2], fds[2], err = request(args, line, sizeof(line), fail);

	if (err)
		return err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return fail_set(fail, EXIT_HOST, -errno, "cannot make a socket: %s",
				strerror(errno));
	fds[0] = fd;
	fds[1] = pair[1];
	err = control_demand(name, line, fds, 2, fail);
	close(pair[1]);
	if (err)
		close(pair[0]);
	return err ? err : pair[0];
}

/* The machine ends, or goes on over overlays, only when it hears that what it wrote is kept. */
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
	if (!err && (!args->keep_running || args->disk_overlay) &&
	    send(report, "k", 1, MSG_NOSIGNAL) != 1)
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
