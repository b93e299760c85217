// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/command_options.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

const struct opt check_options[] = {
	{ "gic", 0, OPT_FLAG, NULL, NULL,
	  "test the kernel's interrupt controller, step by step (TAP)",
	  .offset = offsetof(struct check_config, gic) },
	{ "registers", 0, OPT_FLAG, NULL, NULL,
	  "only the registers of the kernel's own firmware services",
	  .offset = offsetof(struct check_config, registers) },
	{ "json", 0, OPT_FLAG, NULL, NULL, "one JSON object",
	  .offset = offsetof(struct check_config, json) },
	{ 0 },
};

const struct opt save_options[] = {
	{ "keep-running", 0, OPT_FLAG, NULL, NULL,
	  "the machine goes on; otherwise it ends, with 36",
	  .offset = offsetof(struct save_args, keep_running) },
	{ "disk-overlay", 0, OPT_STR, NULL, "FOLDER",
	  "with --keep-running: from then on what the guest writes to its disks goes to throw-away "
	  "files there, and the images stay as they were saved",
	  .offset = offsetof(struct save_args, disk_overlay) },
	{ "json", 0, OPT_FLAG, NULL, NULL, "say the result as JSON on stdout",
	  .offset = offsetof(struct save_args, json) },
	{ 0 },
};

static const char *const clock_words[] = { "stop", "advance", NULL };
#define SECOND 1000000000ULL

static const char *const loglevel_words[] = { "error", "warning", "info", "debug", NULL };

/* "N=WHAT": the N-th of a kind, counted from 0 as the saved machine had them. */
static int parse_nth(const char *arg, const char **list, unsigned int max, struct fail *fail)
{
	char *end;
	unsigned long n = strtoul(arg, &end, 10);

	if (end == arg || *end != '=' || !end[1] || n >= max)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"'%s' does not say which and what; write N=..., N counted from 0",
				arg);
	list[n] = end + 1;
	return 0;
}

static int parse_disk(void *into, const char *arg, struct fail *fail)
{
	return parse_nth(arg, ((struct restore_args *)into)->disks, CONFIG_DISKS_MAX, fail);
}

static int parse_net(void *into, const char *arg, struct fail *fail)
{
	return parse_nth(arg, ((struct restore_args *)into)->nets, CONFIG_NETS_MAX, fail);
}

static int parse_port(void *into, const char *arg, struct fail *fail)
{
	return parse_nth(arg, ((struct restore_args *)into)->ports, CONSOLE_PORTS_MAX, fail);
}

/* Where a machine goes on that was made elsewhere, or before. */
static const struct opt arriving_options[] = {
	{ "paused", 0, OPT_FLAG, NULL, NULL, "let its CPUs stand still until `vmm resume`",
	  .offset = offsetof(struct restore_args, paused) },
	{ "disk-overlay", 0, OPT_STR, NULL, "FOLDER",
	  "what the guest writes to its disks goes to throw-away files there",
	  .offset = offsetof(struct restore_args, disk_overlay) },
	{ "disk", 'd', OPT_PARSE, NULL, "N=FILE[,...]", "another file for disk N; repeatable",
	  .parse = parse_disk },
	{ "network", 'n', OPT_PARSE, NULL, "N=mode=...", "another network N; repeatable",
	  .parse = parse_net },
	{ "port", 0, OPT_PARSE, NULL, "N=name=...", "another port N; repeatable",
	  .parse = parse_port },
	{ "allow-changed-disk", 0, OPT_FLAG, NULL, NULL,
	  "go on although a disk was written to since; the guest may find it damaged",
	  .offset = offsetof(struct restore_args, allow_changed_disk) },
	{ "allow-psci-downgrade", 0, OPT_FLAG, NULL, NULL,
	  "go on where the kernel's PSCI is of a lower version; what the guest was told of may be "
	  "gone",
	  .offset = offsetof(struct restore_args, allow_psci_downgrade) },
	{ "allow-register", 0, OPT_STR, NULL, "NAME[,NAME]...",
	  "go on although this host has other values in these registers, which the guest may have "
	  "read; * stands for any letters",
	  .offset = offsetof(struct restore_args, allow_register) },
	{ "name", 0, OPT_STR, NULL, "NAME", "another name (that of the saved machine)",
	  .offset = offsetof(struct restore_args, name) },
	{ "kernel", 'k', OPT_STR, NULL, "FILE", "what a reset of the guest starts",
	  .offset = offsetof(struct restore_args, kernel) },
	{ "initrd", 'i', OPT_STR, NULL, "FILE", "and its initial RAM disk",
	  .offset = offsetof(struct restore_args, initrd) },
	{ "no-reboot", 0, OPT_FLAG, NULL, NULL, "exit with 32 when the guest resets",
	  .offset = offsetof(struct restore_args, no_reboot) },
	{ "log-file", 0, OPT_STR, NULL, "FILE", "where vmm's own messages go (stderr)",
	  .offset = offsetof(struct restore_args, log_file) },
	{ "loglevel", 0, OPT_CHOICE, NULL, "error|warning|info|debug", "what is said (warning)",
	  .offset = offsetof(struct restore_args, loglevel), .choices = loglevel_words },
	{ 0 },
};

const struct opt restore_options[] = {
	{ "lazy", 0, OPT_FLAG, NULL, NULL,
	  "begin before all memory was read; what is wrong in it stops the guest with 3",
	  .offset = offsetof(struct restore_args, lazy) },
	{ "clone", 0, OPT_FLAG, NULL, NULL,
	  "one of any number that share the file's memory, as --lazy; with a name, network "
	  "addresses "
	  "and a generation id of its own",
	  .offset = offsetof(struct restore_args, clone) },
	{ "clock", 0, OPT_CHOICE, NULL, "stop|advance",
	  "the guest's counters go on from where they stood, or have gone on meanwhile (stop)",
	  .offset = offsetof(struct restore_args, clock), .choices = clock_words },
	{ "check", 0, OPT_FLAG, NULL, NULL,
	  "say what stands against it, all of it, and start nothing",
	  .offset = offsetof(struct restore_args, check) },
	{ "json", 0, OPT_FLAG, NULL, NULL,
	  "say the result as JSON: with --check on stdout, else on stderr when the guest goes on",
	  .offset = offsetof(struct restore_args, json) },
	{ .more = arriving_options },
};

const struct opt receive_options[] = {
	{ "recover", 0, OPT_FLAG, NULL, NULL,
	  "NAME ADDRESS: another link for a machine here that waits for its memory",
	  .offset = offsetof(struct restore_args, recover) },
	{ .more = arriving_options },
};

#define AT(field) .offset = offsetof(struct send_args, field)

const struct opt send_options[] = {
	{ "downtime", 0, OPT_TIME, NULL, "TIME",
	  "the most that the guest may stand still; or it stays (300ms)", AT(downtime_ns),
	  .min = 1000000, .max = 3600 * SECOND },
	{ "bandwidth", 0, OPT_SIZE, NULL, "SIZE",
	  "the most that is sent a second while the guest runs (what the link takes)",
	  AT(bandwidth), .min = 16384, .max = 1ULL << 46 },
	{ "timeout", 0, OPT_TIME, NULL, "TIME", "the most that all may take; or it stays (any)",
	  AT(timeout_ns), .min = 1000000, .max = 30 * 86400 * SECOND },
	{ "verify", 0, OPT_FLAG, NULL, NULL,
	  "compare all memory on both sides before the handover; the guest stands still for it",
	  AT(verify) },
	{ "postcopy", 0, OPT_FLAG, NULL, NULL,
	  "after one round the guest goes on there, and the rest of its memory follows; it is lost "
	  "if the destination is meanwhile",
	  AT(postcopy) },
	{ "recover", 0, OPT_FLAG, NULL, NULL,
	  "another link for one whose memory was following when the link was lost", AT(recover) },
	{ "cancel", 0, OPT_FLAG, NULL, NULL, "end one that is under way; the machine stays",
	  AT(cancel) },
	{ "json", 0, OPT_FLAG, NULL, NULL, "say the result as JSON on stdout", AT(json) },
	{ 0 },
};

const struct opt inspect_options[] = {
	{ "registers", 0, OPT_FLAG, NULL, NULL, "also each vCPU's registers, by name",
	  .offset = offsetof(struct inspect_args, registers) },
	{ "json", 0, OPT_FLAG, NULL, NULL, "one JSON object",
	  .offset = offsetof(struct inspect_args, json) },
	{ 0 },
};
