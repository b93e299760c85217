// SPDX-License-Identifier: GPL-2.0-only
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "vmm/commands.h"
#include "vmm/core/opts.h"

struct command {
	const char *name;
	const char *help;
	int (*run)(int argc, char **argv);
};

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);

static const struct command commands[] = {
	{ "run", "boot a guest", cmd_run },
	{ "save", "write a running machine to a file", cmd_save },
	{ "restore", "go on with a machine that was saved", cmd_restore },
	{ "inspect", "say what is in a saved machine's file", cmd_inspect },
	{ "check", "say what this host can do", cmd_check },
	{ "test", "boot guests and give a verdict on each", cmd_test },
	{ "help", "say what there is", cmd_help },
	{ "version", "print the version", cmd_version },
	{ "man", "print the manual page", cmd_man },
};

enum { NCOMMANDS = sizeof(commands) / sizeof(commands[0]), NAMES_MAX = 64 };

static int cmd_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("usage: vmm COMMAND [OPTIONS]\n\nThe most commonly used commands are:");
	for (int i = 0; i < NCOMMANDS; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].help);
	puts("\nThose that speak to running machines:");
	for (unsigned int i = 0; control_command_name(i); i++)
		printf("  %-10s %s\n", control_command_name(i), control_command_help(i));
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
	const char *near;
	unsigned int n = 0;

	for (int i = 0; i < NCOMMANDS; i++)
		names[n++] = commands[i].name;
	for (unsigned int i = 0; control_command_name(i) && n < NAMES_MAX; i++)
		names[n++] = control_command_name(i);
	near = opts_nearest(word, names);
	fprintf(stderr, "vmm: unknown command '%s'%s%s; see vmm --help\n", word,
		near ? "; did you mean " : "", near ? near : "");
	return EXIT_CONFIG;
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	signal(SIGPIPE, SIG_IGN);
	if (!*word) {
		fputs("vmm: no command is given; see vmm --help\n", stderr);
		return EXIT_CONFIG;
	}
	if (!strcmp(word, "--help") || !strcmp(word, "-h"))
		word = "help";
	if (!strcmp(word, "--version"))
		word = "version";
	for (int i = 0; i < NCOMMANDS; i++)
		if (!strcmp(word, commands[i].name))
			return commands[i].run(argc - 2, argv + 2);
	for (unsigned int i = 0; control_command_name(i); i++)
		if (!strcmp(word, control_command_name(i)))
			return cmd_control(word, argc - 2, argv + 2);
	return unknown(word);
}
