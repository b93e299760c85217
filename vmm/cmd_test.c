// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "vmm/commands.h"
#include "vmm/foreground.h"
#include "vmm/restore_config.h"
#include "vmm/test_session.h"

/* What tests change of a machine is never seen by the next. */
static int go_on(struct restore *r, const struct test *test, const char *name, struct config *cfg,
		 struct fail *fail)
{
	const struct restore_args args = {
		.clone = true,
		.name = name,
		.log_file = test->run.log_file,
		.loglevel = test->run.loglevel,
		.no_reboot = test->run.no_reboot,
	};

	r->verified = r->throw_away = true;
	config_init(cfg);
	return restore_configure(r, test->snapshot_fd, &args, cfg, fail);
}

/* In a process of its own. A machine without a name gets that of its process. */
static int run(const struct test *test, const char *name, int control_fd)
{
	struct restore restore = { 0 };
	const struct foreground how = {
		.client_fd = control_fd,
		.restore = test->from_snapshot ? &restore : NULL,
		.dump = true,
	};
	struct config cfg = test->run;
	struct fail fail = { 0 };
	int err = 0, code;

	if (!cfg.name)
		name = NULL;
	cfg.name = name;
	if (how.restore)
		err = go_on(&restore, test, name, &cfg, &fail);
	code = err ? (int)fail.code : foreground_run(&cfg, &how, &fail);
	if (restore.refused.text)
		fputs(restore.refused.text, stderr);
	if (fail.text[0])
		fprintf(stderr, "vmm: %s\n", fail.text);
	return code;
}

/* All of the snapshot is found whole once, for any number of clones. */
static int look(int fd, struct config *run, struct fail *fail)
{
	const struct test of = { .snapshot_fd = fd };
	struct restore restore = { 0 };
	struct snapshot_load load;
	struct config cfg;
	int err = go_on(&restore, &of, NULL, &cfg, fail);

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
