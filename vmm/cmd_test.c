// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "vmm/commands.h"
#include "vmm/foreground.h"
#include "vmm/restore_config.h"
#include "vmm/test_session.h"

/* Out of a snapshot: of a clone, what it changes is never seen by the next. */
static int go_on(struct restore *r, const struct test *test, int fd, bool clone, const char *name,
		 struct config *cfg, struct fail *fail)
{
	const struct restore_args args = {
		.clone = clone,
		.name = name,
		.log_file = test->run.log_file,
		.loglevel = test->run.loglevel,
		.no_reboot = test->run.no_reboot,
	};

	r->verified = r->throw_away = clone;
	r->moves = !clone;
	config_init(cfg);
	return restore_configure(r, fd, &args, cfg, fail);
}

/* From its start, or from where `snapshot_fd` (or -1) has it, to its end. */
static int run_once(const struct test *test, const char *name, int control_fd, int snapshot_fd)
{
	bool moved = snapshot_fd >= 0;
	struct restore restore = { 0 };
	const struct foreground how = {
		.client_fd = control_fd,
		.restore = moved || test->from_snapshot ? &restore : NULL,
		.dump = true,
	};
	struct config own, *cfg = &own;
	struct fail fail = { 0 };
	int err = 0, code;

	own = test->run;
	own.name = name;
	if (how.restore)
		err = go_on(&restore, test, moved ? snapshot_fd : test->snapshot_fd, !moved, name,
			    cfg, &fail);
	code = err ? (int)fail.code : foreground_run(cfg, &how, &fail);
	if (restore.refused.text)
		fputs(restore.refused.text, stderr);
	if (fail.text[0])
		fprintf(stderr, "vmm: %s\n", fail.text);
	if (how.restore) {
		config_fini(cfg);
		restore_close(&restore);
	}
	return code;
}

/* In a process of its own. A machine without a name gets that of its process. */
static int run(const struct test *test, const char *name, int control_fd, int snapshot_fd)
{
	int from = -1, code;

	do {
		code = run_once(test, test->run.name ? name : NULL,
				fcntl(control_fd, F_DUPFD_CLOEXEC, 0), from);
		from = snapshot_fd;
	} while (code == EXIT_MOVED && test->rules.migrate.text);
	return code;
}

/* All of the snapshot is found whole once, for any number of clones. */
static int look(int fd, struct config *run, struct fail *fail)
{
	const struct test of = { 0 };
	struct restore restore = { 0 };
	struct snapshot_load load;
	struct config cfg;
	int err = go_on(&restore, &of, fd, true, NULL, &cfg, fail);

	if (!err)
		err = snapshot_load_start(&load, &restore.snap, NULL, fail);
	if (!err)
		err = snapshot_load_wait(&load, fail);
	run->cpus = cfg.cpus;
	run->mem = cfg.mem;
	config_fini(&cfg);
	restore_close(&restore);
	return err;
}

int cmd_test(int argc, char **argv)
{
	static const struct test_machines machines = { run, look };
	struct fail fail = { 0 };
	int code;

	for (int i = 0; i < argc; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			puts("usage: vmm test --kernel FILE [--expect REGEX]... [OPTIONS]\n"
			     "       vmm test --from-snapshot FILE [--expect REGEX]... [OPTIONS]\n"
			     "       vmm test --plan FILE [OPTIONS]\n");
			opts_help(test_session_options, stdout);
			return EXIT_OK;
		}
	code = test_session(argc, argv, &machines, &fail);
	if (fail.text[0])
		fprintf(stderr, "vmm: %s\n", fail.text);
	return code;
}
