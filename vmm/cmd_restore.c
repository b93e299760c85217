// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/psci.h"
#include "vmm/command_options.h"
#include "vmm/commands.h"
#include "vmm/config.h"
#include "vmm/foreground.h"
#include "vmm/restore.h"

/* Options of the saved machine that name things of this host, or were for its start alone. */
static const char *const not_taken[] = { "config",   "dump-dtb", "dry-run",   "log-file",
					 "loglevel", "name",	 "no-reboot", NULL };

static bool listed(const char *const *list, const char *name)
{
	for (; *list; list++)
		if (!strcmp(*list, name))
			return true;
	return false;
}

/* What the machine was made of, line by line through the same table. */
static int take_options(struct config *cfg, struct machine_saved *saved, struct fail *fail)
{
	struct fail why = { 0 };
	char *rest = saved->options, *line, *name, *value;
	int err = 0;

	while (!err && (line = strsep(&rest, "\n"))) {
		const char *wrong = opts_line(line, &name, &value);

		if (wrong)
			err = fail_set(&why, EXIT_SNAPSHOT, -EINVAL, "%s", wrong);
		else if (name && !listed(not_taken, name))
			err = opts_set(config_options, name, value, cfg, &why);
	}
	return err ? fail_set(fail, EXIT_SNAPSHOT, err, "the snapshot's options make no sense: %s",
			      why.text)
		   : 0;
}

/* Decisions that `auto` left to the host that it ran on. */
static void pin(struct config *cfg, const struct machine_saved *saved)
{
	cfg->irqchip = saved->gic;
	cfg->psci = saved->user_psci ? CONFIG_PSCI_USER : CONFIG_PSCI_KERNEL;
	for (unsigned int i = 0; psci_version_words[i]; i++)
		if (psci_version_at(i) == saved->psci_version)
			cfg->psci_version = i + 1;
}

static void apply(struct config *cfg, const struct restore_args *args)
{
	if (args->name)
		cfg->name = args->name;
	if (args->kernel)
		cfg->kernel = args->kernel;
	if (args->initrd)
		cfg->initrd = args->initrd;
	cfg->log_file = args->log_file;
	cfg->loglevel = args->loglevel;
	cfg->no_reboot = args->no_reboot;
}

static void print_findings(const struct restore *r, FILE *out)
{
	if (r->refused.text)
		fputs(r->refused.text, out);
}

static int restore(int fd, struct config *cfg, const struct restore_args *args, struct fail *fail)
{
	struct restore r = { .lazy = args->lazy, .paused = args->paused };
	const struct foreground how = { .client_fd = -1, .restore = &r };
	int err = restore_open(&r, fd, fail);
	int code;

	if (!err)
		err = machine_saved_vls(&r.snap, &r.saved, fail);
	if (!err)
		err = take_options(cfg, &r.saved, fail);
	if (!err) {
		pin(cfg, &r.saved);
		apply(cfg, args);
		code = foreground_run(cfg, &how, fail);
		print_findings(&r, stderr);
	}
	restore_close(&r);
	return err ? (int)fail->code : code;
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return true;
	return false;
}

static int open_file(const char *path, struct fail *fail)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_set(fail, EXIT_CONFIG, -errno, "cannot open %s: %s", path, strerror(errno));
	return fd;
}

int cmd_restore(int argc, char **argv)
{
	struct restore_args args = { .loglevel = 1 };
	struct fail fail = { 0 };
	struct config cfg;
	int code = EXIT_CONFIG, fd = -1, words;

	if (wants_help(argc, argv)) {
		puts("usage: vmm restore [OPTIONS] FILE\n");
		opts_help(restore_options, stdout);
		return EXIT_OK;
	}
	config_init(&cfg);
	words = opts_parse(restore_options, argc, argv, &args, &fail);
	if (words >= 0 && words != 1)
		fail_set(&fail, EXIT_CONFIG, -EINVAL, "which file? usage: vmm restore FILE");
	if (words == 1)
		fd = open_file(argv[0], &fail);
	if (fd >= 0)
		code = restore(fd, &cfg, &args, &fail);
	if (fd >= 0)
		close(fd);
	config_fini(&cfg);
	opts_kept_free(&args.given);
	if (fail.text[0])
		fprintf(stderr, "vmm: %s\n", fail.text);
	return code;
}
