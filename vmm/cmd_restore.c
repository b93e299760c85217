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
static const char *const not_taken[] = { "config",   "dump-dtb",  "dry-run", "log-file",
					 "loglevel", "no-reboot", NULL };

static bool listed(const char *const *list, const char *name)
{
	for (; *list; list++)
		if (!strcmp(*list, name))
			return true;
	return false;
}

/* Options that open things of this host. Of a file that somebody else may have written none is
 * opened unless it is named again; `nth` is where, NULL: the option is left out. */
struct host_option {
	const char *name;
	const char *const *nth;
	unsigned int max; /* of nth */
	unsigned int seen;
	bool path; /* begins with one */
};

enum { TEXTS_MAX = CONFIG_DISKS_MAX + 8 };

/* What it takes to make a configuration of the saved options. */
struct taking {
	struct config *cfg;
	const struct machine_saved *saved;
	bool trusted;
	const char *cwd; /* to put before paths; NULL: the folder is the same */
	char *texts[TEXTS_MAX];
	unsigned int ntexts;
};

/* The path as it was meant. A comma in it is doubled, as in options that have more behind theirs. */
static const char *absolute(struct taking *t, const char *value, struct fail *fail)
{
	size_t len = strlen(value), at = 0;
	char *text;

	if (!t->cwd || *value == '/')
		return value;
	text = t->ntexts < TEXTS_MAX ? malloc(2 * strlen(t->cwd) + len + 2) : NULL;
	if (!text) {
		fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
		return NULL;
	}
	for (const char *c = t->cwd; *c; c++) {
		text[at++] = *c;
		if (*c == ',')
			text[at++] = *c;
	}
	text[at++] = '/';
	memcpy(text + at, value, len + 1);
	t->texts[t->ntexts++] = text;
	return text;
}

static int take_host_option(struct taking *t, struct host_option *o, const char *value,
			    struct fail *fail)
{
	unsigned int n = o->seen++;
	const char *named = o->nth && n < o->max ? o->nth[n] : NULL;

	if (!named && !t->trusted && !o->nth)
		return 0;
	if (!named && !t->trusted)
		return fail_set(fail, EXIT_CONFIG, -EPERM,
				"the snapshot is not yours alone, so nothing that it names is "
				"opened: say what --%s %u is (it was '%s'): --%s %u=...",
				o->name, n, value, o->name, n);
	if (!named)
		named = o->path ? absolute(t, value, fail) : value;
	return named ? opts_set(config_options, o->name, named, t->cfg, fail) : -ENOMEM;
}

static struct host_option *find_host_option(struct host_option *list, const char *name)
{
	for (; list->name; list++)
		if (!strcmp(list->name, name))
			return list;
	return NULL;
}

/* What the machine was made of, line by line through the same table. */
static int take_options(struct taking *t, const struct restore_args *args, struct fail *fail)
{
	struct host_option host[] = {
		{ "disk", args->disks, CONFIG_DISKS_MAX, 0, true },
		{ "network", args->nets, CONFIG_NETS_MAX, 0, false },
		{ "port", args->ports, CONSOLE_PORTS_MAX, 0, false },
		{ "kernel", NULL, 0, 0, true },
		{ "initrd", NULL, 0, 0, true },
		{ NULL, NULL, 0, 0, false },
	};
	struct fail why = { 0 };
	char *rest = t->saved->options, *line, *name, *value;
	int err = 0;

	while (!err && (line = strsep(&rest, "\n"))) {
		const char *wrong = opts_line(line, &name, &value);
		struct host_option *o = name && !wrong ? find_host_option(host, name) : NULL;

		if (wrong)
			err = fail_set(&why, EXIT_SNAPSHOT, -EINVAL, "%s", wrong);
		else if (o && value)
			err = take_host_option(t, o, value, &why);
		else if (name && !listed(not_taken, name))
			err = opts_set(config_options, name, value, t->cfg, &why);
	}
	if (err && why.code == EXIT_CONFIG && !t->trusted)
		return fail_set(fail, why.code, err, "%s", why.text);
	return err ? fail_set(fail, EXIT_SNAPSHOT, err, "the snapshot's options: %s", why.text) : 0;
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

/* Whether nobody else can have written the file. */
static bool own_file(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) &&
	       (st.st_uid == geteuid() || st.st_uid == 0) && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static int configure(struct restore *r, int fd, struct taking *t, const struct restore_args *args,
		     struct fail *fail)
{
	char *cwd = getcwd(NULL, 0);
	int err;

	t->saved = &r->saved;
	t->trusted = own_file(fd);
	t->cwd = cwd && !strcmp(cwd, r->saved.cwd) ? NULL : r->saved.cwd;
	free(cwd);
	err = machine_saved_vls(&r->snap, &r->saved, fail);
	if (!err)
		err = take_options(t, args, fail);
	if (err)
		return err;
	pin(t->cfg, &r->saved);
	apply(t->cfg, args);
	return 0;
}

static int restore(int fd, struct config *cfg, const struct restore_args *args, struct fail *fail)
{
	struct restore r = {
		.lazy = args->lazy,
		.paused = args->paused,
		.check = args->check,
		.allow_changed_disk = args->allow_changed_disk,
	};
	const struct foreground how = { .client_fd = -1, .restore = &r };
	struct taking t = { .cfg = cfg };
	int err = restore_open(&r, fd, fail);
	int code = 0;

	if (!err)
		err = configure(&r, fd, &t, args, fail);
	if (!err)
		code = foreground_run(cfg, &how, fail);
	if (r.refused.text)
		fputs(r.refused.text, stderr);
	while (t.ntexts)
		free(t.texts[--t.ntexts]);
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
		puts("usage: vmm restore [OPTIONS] FILE|-\n");
		opts_help(restore_options, stdout);
		return EXIT_OK;
	}
	config_init(&cfg);
	words = opts_parse(restore_options, argc, argv, &args, &fail);
	if (words >= 0 && words != 1)
		fail_set(&fail, EXIT_CONFIG, -EINVAL, "which file? usage: vmm restore FILE");
	if (words == 1)
		fd = strcmp(argv[0], "-") ? open_file(argv[0], &fail) : dup(STDIN_FILENO);
	if (fd >= 0)
		code = restore(fd, &cfg, &args, &fail);
	if (fd >= 0)
		close(fd);
	config_fini(&cfg);
	if (fail.text[0])
		fprintf(stderr, "vmm: %s\n", fail.text);
	return code;
}
