// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/commands.h"

#include <string.h>

#include "vmm/command_options.h"
#include "vmm/config.h"
#include "vmm/test_config.h"

static const struct opt no_options[] = { { 0 } };
static const char *const shells[] = { "bash", "zsh", "fish", NULL };

static const struct command commands[] = {
	{ "run", "", "boot a guest", config_options, NULL },
	{ "save", "NAME FILE|-", "write a running machine to a file", save_options, NULL },
	{ "restore", "FILE|-", "go on with a machine that was saved", restore_options, NULL },
	{ "send", "NAME ADDRESS", "move a running machine to where it is received", send_options,
	  NULL },
	{ "receive", "ADDRESS", "go on with a machine that is sent", receive_options, NULL },
	{ "inspect", "FILE", "say what is in a saved machine's file", inspect_options, NULL },
	{ "check", "", "say what this host can do", check_options, NULL },
	{ "test", "", "boot guests and give a verdict on each", test_session_options, NULL },
	{ "help", "", "say what there is", no_options, NULL },
	{ "version", "", "print the version", no_options, NULL },
	{ "man", "", "print the manual page", no_options, NULL },
	{ "completion", "bash|zsh|fish", "print a shell's completion script", no_options, shells },
};

enum { NCOMMANDS = sizeof(commands) / sizeof(commands[0]) };

const struct command *command_at(unsigned int i)
{
	return i < NCOMMANDS ? &commands[i] : control_command_at(i - NCOMMANDS);
}

const struct command *command_find(const char *name)
{
	const struct command *c;

	for (unsigned int i = 0; (c = command_at(i)); i++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}
