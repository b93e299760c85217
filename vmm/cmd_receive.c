// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/commands.h"
#include "vmm/control_client.h"
#include "vmm/control_report.h"
#include "vmm/foreground.h"
#include "vmm/migrate_link.h"
#include "vmm/restore_config.h"

/* The link is its stdin and stdout: the guest's console is left to `vmm console`. */
static int leave_std(const struct migrate_link *link, const struct restore *r, struct fail *fail)
{
	int null;

	if (!link->std)
		return 0;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    (r->from.two_way && dup2(null, STDOUT_FILENO) < 0))
		return fail_set(fail, EXIT_HOST, -errno, "cannot open /dev/null: %s",
				strerror(errno));
	close(null);
	return 0;
}

/* Until all of it is here, and said to be its own, the machine is whose it was. */
static void say_whose(const struct restore *r, struct fail *fail)
{
	const struct fail why = *fail;

	if (!fail->text[0] || r->taken || r->from.over)
		return;
	*fail = (struct fail){ 0 };
	fail_set(fail, why.code, -EIO, "%s; the machine is its source's still", why.text);
}

static int receive(struct migrate_link *link, struct config *cfg, const struct restore_args *args,
		   struct fail *fail)
{
	struct restore r = {
		.answers = true,
		.from = { .out = link->out,
			  .stop_fd = -1,
			  .silence_ms = link->std ? 0 : MIGRATE_SILENCE_MS },
	};
	const struct foreground how = { .client_fd = -1, .restore = &r };
	int err = restore_configure(&r, link->in, args, cfg, fail), code;

	cfg->incoming = r.from.two_way;
	if (!err)
		err = leave_std(link, &r, fail);
	code = err ? (int)fail->code : foreground_run(cfg, &how, fail);
	/* Whoever sends it is told why it cannot be, if that has not been. */
	receiver_close(&r.from, fail);
	say_whose(&r, fail);
	if (r.refused.text)
		fputs(r.refused.text, stderr);
	restore_close(&r);
	return code;
}

static void no_progress(const struct json_object *obj)
{
	(void)obj;
}

static int take_end(bool ok, unsigned int code, const char *why, struct fail *fail)
{
	return ok ? 0 : fail_set(fail, code, -EIO, "%s", why ? why : "it does not say why");
}

/* Until all of the machine's memory has come. */
static int follow(int fd, struct fail *fail)
{
	const struct control_listener listener = { .progress = no_progress, .ended = take_end };
	FILE *report = fdopen(fd, "r");
	int err = report ? control_report_follow(report, &listener, fail) : -ENOMEM;

	if (err && !fail->text[0])
		fail_set(fail, EXIT_MIGRATION, err, "the machine has ended");
	if (report)
		fclose(report);
	else
		close(fd);
	return err;
}

/* Hands the link to the machine, and waits: the exit code. */
static int recover(const char *name, struct migrate_link *link, struct fail *fail)
{
	int pair[2], fds[] = { link->in, link->out, -1 };

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		fail_set(fail, EXIT_HOST, -errno, "cannot make a socket: %s", strerror(errno));
		return (int)fail->code;
	}
	fds[2] = pair[1];
	if (!control_demand(name, "{\"command\":\"recover\"}", fds, 3, fail)) {
		migrate_link_close(link);
		close(pair[1]);
		follow(pair[0], fail);
	} else {
		close(pair[0]);
		close(pair[1]);
	}
	return (int)fail->code;
}

int cmd_receive(int argc, char **argv)
{
	struct restore_args args = { .loglevel = 1 };
	struct migrate_link link = { .in = -1, .out = -1 };
	struct fail fail = { 0 };
	struct config cfg;
	int code, words;

	if (argc == 1 && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))) {
		puts("usage: vmm receive [OPTIONS] tcp:HOST:PORT|unix:PATH|fd:N|exec:COMMAND|-\n"
		     "       vmm receive --recover NAME ADDRESS\n");
		opts_help(receive_options, stdout);
		return EXIT_OK;
	}
	config_init(&cfg);
	words = opts_parse(receive_options, argc, argv, &args, &fail);
	if (words >= 0 && words != (args.recover ? 2 : 1))
		fail_set(
			&fail, EXIT_CONFIG, -EINVAL,
			"from where? usage: vmm receive ADDRESS, such as unix:PATH, or vmm receive "
			"--recover NAME ADDRESS");
	else if (words > 0)
		migrate_link_accept(argv[words - 1], &link, &fail);
	code = (int)fail.code;
	if (!fail.text[0])
		code = args.recover ? recover(argv[0], &link, &fail)
				    : receive(&link, &cfg, &args, &fail);
	migrate_link_close(&link);
	config_fini(&cfg);
	if (fail.text[0])
		fprintf(stderr, "vmm: %s\n", fail.text);
	return code;
}
