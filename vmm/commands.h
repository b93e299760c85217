/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_COMMANDS_H
#define VMM_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/core/opts.h"

/* What is said of a command: by --help, the manual page and completion. */
struct command {
	const char *name;
	const char *args; /* the words behind it: "NAME FILE"; NAME is a running machine's */
	const char *help; /* one line */
	const struct opt *options; /* may be empty */
	const char *const *words; /* what the first of `args` may be; NULL: that is open */
};

/* The i-th command: in their order of help, those for running machines last. NULL behind the end. */
const struct command *command_at(unsigned int i);
/* The same of those for running machines alone. */
const struct command *control_command_at(unsigned int i);
/* NULL if there is none of that name. */
const struct command *command_find(const char *name);

/* The commands, one file each. They get the words after their name and return the exit code. */
int cmd_run(int argc, char **argv);
int cmd_save(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_send(int argc, char **argv);
int cmd_receive(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
/* Says what this host can do, or tests its KVM's interrupt controller. */
int cmd_check(int argc, char **argv);
/* Boots machines that must pass: vmm/test_*.h. */
int cmd_test(int argc, char **argv);
/* Prints vmm.1, made from the tables; the build runs it too. */
int cmd_man(int argc, char **argv);
/* Prints a shell's completion script, made from the tables. */
int cmd_completion(int argc, char **argv);

/* The commands that speak to running machines: a table of their own. `command` is one of it. */
int cmd_control(const char *command, int argc, char **argv);

#endif
