// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/restore_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "firmware/psci.h"
#include "vmm/core/loop.h"

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
	int part; /* of nth: enum machine_part */
	unsigned int max; /* of nth */
	unsigned int seen;
	bool path; /* begins with one */
};

/* What it takes to make a configuration of the saved options. */
struct taking {
	struct config *cfg;
	struct restore *r;
	bool trusted;
	const char *cwd; /* to put before paths; NULL: the folder is the same */
	bool asked; /* the option at hand is the command line's */
};

/* The path as it was meant. A comma in it is doubled, as in options that have more behind theirs. */
static const char *absolute(struct taking *t, const char *value, struct fail *fail)
{
	size_t len = strlen(value), at = 0;
	struct restore *r = t->r;
	char *text;

	if (!t->cwd || *value == '/')
		return value;
	text = r->ntexts < RESTORE_TEXTS_MAX ? malloc(2 * strlen(t->cwd) + len + 2) : NULL;
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
	r->texts[r->ntexts++] = text;
	return text;
}

/* A card that a clone has, or whose address is named again, does not take the saved one. */
static void own_address(struct taking *t, bool named)
{
	struct net_config *net = &t->cfg->nets[t->cfg->nnets - 1];

	if (t->r->clone && !named)
		net->has_mac = false;
	net->own_mac = t->r->clone || (named && net->has_mac);
}

/* It is taken as it was, for its place in the machine, but not made. */
static void refuse_unnamed(struct taking *t, const struct host_option *o, unsigned int n,
			   const char *value)
{
	struct fail why = { 0 };

	fail_set(&why, EXIT_CONFIG, -EPERM,
		 "the snapshot is not yours alone, so nothing that it names is opened: say what "
		 "--%s %u is (it was '%s'): --%s %u=...",
		 o->name, n, value, o->name, n);
	findings_take(&t->r->refused, NULL, &why);
	/* There are no more than that. */
	if (n < o->max)
		t->r->unnamed[o->part] |= 1U << n;
}

static int take_host_option(struct taking *t, struct host_option *o, const char *value,
			    struct fail *fail)
{
	unsigned int n = o->seen++;
	const char *named = o->nth && n < o->max ? o->nth[n] : NULL;
	unsigned int nets = t->cfg->nnets;
	int err;

	t->asked = named;
	if (!named && !t->trusted && !o->nth)
		return 0;
	if (!named && !t->trusted)
		refuse_unnamed(t, o, n, value);
	else if (!named)
		named = o->path ? absolute(t, value, fail) : value;
	if (!t->asked && !t->trusted)
		named = value;
	err = named ? opts_set(config_options, o->name, named, t->cfg, fail) : -ENOMEM;
	if (!err && t->cfg->nnets > nets)
		own_address(t, t->asked);
	return err;
}

/* What is named has to be there. */
static int check_named(const struct host_option *o, struct fail *fail)
{
	for (; o->name; o++)
		for (unsigned int n = o->seen; o->nth && n < o->max; n++)
			if (o->nth[n])
				return fail_set(fail, EXIT_CONFIG, -ENOENT,
						"--%s %u=...: the saved machine has %u of these, "
						"counted from 0",
						o->name, n, o->seen);
	return 0;
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
		{ "disk", args->disks, MACHINE_DISK, CONFIG_DISKS_MAX, 0, true },
		{ "network", args->nets, MACHINE_NET, CONFIG_NETS_MAX, 0, false },
		{ "port", args->ports, MACHINE_PORT, CONSOLE_PORTS_MAX, 0, false },
		{ "kernel", NULL, 0, 0, 0, true },
		{ "initrd", NULL, 0, 0, 0, true },
		{ NULL, NULL, 0, 0, 0, false },
	};
	struct fail why = { 0 };
	char *rest = t->r->saved.options, *line, *name, *value;

	while ((line = strsep(&rest, "\n"))) {
		const char *wrong = opts_line(line, &name, &value);
		struct host_option *o = name && !wrong ? find_host_option(host, name) : NULL;
		int err = 0;

		t->asked = false;
		if (wrong)
			err = fail_set(&why, EXIT_SNAPSHOT, -EINVAL, "%s", wrong);
		else if (o && value)
			err = take_host_option(t, o, value, &why);
		else if (name && !listed(not_taken, name))
			err = opts_set(config_options, name, value, t->cfg, &why);
		if (err && (t->asked || why.code == EXIT_HOST))
			return fail_set(fail, why.code, err, "%s", why.text);
		if (err) {
			why.code = EXIT_SNAPSHOT;
			findings_take(&t->r->refused, "the snapshot's options", &why);
		}
	}
	return check_named(host, fail);
}

/* Decisions that `auto` left to the host that it ran on. */
static void pin(struct config *cfg, const struct machine_saved *saved, struct findings *refused)
{
	bool known = false;

	cfg->irqchip = saved->gic;
	cfg->psci = saved->user_psci ? CONFIG_PSCI_USER : CONFIG_PSCI_KERNEL;
	for (unsigned int i = 0; psci_version_words[i]; i++)
		if (psci_version_at(i) == saved->psci_version) {
			cfg->psci_version = i + 1;
			known = true;
		}
	if (!known)
		findings_add(refused,
			     "the guest was told of PSCI %u.%u, which this vmm does not know",
			     saved->psci_version >> 16, saved->psci_version & 0xffff);
}

static void apply(struct config *cfg, const struct restore_args *args)
{
	/* Only to check it takes nobody's name. */
	if (args->name || args->clone || args->check)
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

/* What the guest wrote to a throw-away overlay is in the snapshot, and goes to a new one. */
static void take_overlays(struct config *cfg, const struct restore *r, const char *folder)
{
	for (unsigned int i = 0; i < cfg->ndisks; i++) {
		struct disk_config *disk = &cfg->disks[i].disk;
		char name[OVERLAY_SECTION];

		machine_overlay_section(i, name);
		if (snapshot_find(&r->snap, name) || ((folder || r->throw_away) && !disk->ro))
			disk->snapshot = true;
		disk->scratch = folder;
	}
}

/* Clones that write to one disk would destroy it. */
static int check_clone(const struct config *cfg, struct fail *fail)
{
	for (unsigned int i = 0; i < cfg->ndisks; i++) {
		const struct disk_config *disk = &cfg->disks[i].disk;

		if (!disk->ro && !disk->snapshot)
			return fail_set(fail, EXIT_CONFIG, -EINVAL,
					"--clone: every clone would write to %s; let each have "
					"what it writes for itself, in --disk-overlay FOLDER",
					disk->path);
	}
	return 0;
}

static void take_args(struct restore *r, const struct restore_args *args)
{
	r->began = loop_now_ns();
	r->json = args->json;
	r->clone = args->clone;
	r->lazy = args->lazy || args->clone;
	r->paused = args->paused;
	r->check = args->check;
	r->allow_changed_disk = args->allow_changed_disk;
	r->psci_downgrade = args->allow_psci_downgrade;
	r->refused.allowed = args->allow_register;
	r->advance_clock = args->clock == RESTORE_CLOCK_ADVANCE;
}

int restore_configure(struct restore *r, int fd, const struct restore_args *args,
		      struct config *cfg, struct fail *fail)
{
	struct taking t = { .cfg = cfg, .r = r, .trusted = own_file(fd) };
	char *cwd = NULL;
	int err;

	take_args(r, args);
	err = restore_open(r, fd, fail);
	if (!err)
		err = machine_saved_vls(&r->snap, &r->saved, fail);
	if (err)
		return err;
	cwd = getcwd(NULL, 0);
	t.cwd = cwd && !strcmp(cwd, r->saved.cwd) ? NULL : r->saved.cwd;
	free(cwd);
	err = take_options(&t, args, fail);
	if (err)
		return err;
	pin(cfg, &r->saved, &r->refused);
	apply(cfg, args);
	take_overlays(cfg, r, args->disk_overlay);
	return args->clone ? check_clone(cfg, fail) : 0;
}
