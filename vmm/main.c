// SPDX-License-Identifier: GPL-2.0-only
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "vmm/commands.h"
#include "vmm/core/opts.h"

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);

/* What the commands of vmm/commands.c do. */
static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} runs[] = {
	{ "run", cmd_run },	    { "save", cmd_save },   { "restore", cmd_restore },
	{ "inspect", cmd_inspect }, { "check", cmd_check }, { "help", cmd_help },
	{ "version", cmd_version }, { "man", cmd_man },	    { "completion", cmd_completion },
	{ "test", cmd_test },	    { "send", cmd_send },   { "receive", cmd_receive },
};

enum { NRUNS = sizeof(runs) / sizeof(runs[0]), NAMES_MAX = 64 };

static int cmd_help(int argc, char **argv)
{
	const struct command *c, *control = control_command_at(0);

	(void)argc;
	(void)argv;
	puts("usage: vmm COMMAND [OPTIONS]\n\nThe most commonly used commands are:");
	for (unsigned int i = 0; (c = command_at(i)); i++) {
		if (c == control)
			puts("\nThose that speak to running machines:");
		printf("  %-10s %s\n", c->name, c->help);
	}
	puts("\n`vmm COMMAND --help` lists a command's options.");
	return EXIT_OK;
}

static int cmd_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("vmm " VMM_VERSION);
	return EXIT_OK;
}

static int unknown(const char *word)
{
	const char *names[NAMES_MAX + 1] = { 0 };
	const struct command *c;
	const char *near;
	unsigned int n = 0;

	for (unsigned int i = 0; n < NAMES_MAX && (c = command_at(i)); i++)
		names[n++] = c->name;
	near = opts_nearest(word, names);
	fprintf(stderr, "vmm: unknown command '%s'%s%s; see vmm --help\n", word,
		near ? "; did you mean " : "", near ? near : "");
	return EXIT_CONFIG;
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	/* A reader that has gone, and a file that may not become longer (ulimit -f), are errors where
	 * they happen: no machine ends by them. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (!*word) {
		fputs("vmm: no command is given; see vmm --help\n", stderr);
		return EXIT_CONFIG;
	}
	if (!strcmp(word, "--help") || !strcmp(word, "-h"))
		word = "help";
	if (!strcmp(word, "--version"))
		word = "version";
	for (int i = 0; i < NRUNS; i++)
		if (!strcmp(word, runs[i].name))
			return runs[i].run(argc - 2, argv + 2);
	if (command_find(word))
		return cmd_control(word, argc - 2, argv + 2);
	return unknown(word);
}
