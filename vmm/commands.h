/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_COMMANDS_H
#define VMM_COMMANDS_H

#include <stdio.h>

/* The commands, one file each. They get the words after their name and return the exit code. */
int cmd_run(int argc, char **argv);
int cmd_save(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
/* Says what this host can do, or tests its KVM's interrupt controller. */
int cmd_check(int argc, char **argv);
/* Boots machines that must pass: vmm/test_*.h. */
int cmd_test(int argc, char **argv);
/* Prints vmm.1, made from the option table; the build runs it too. */
int cmd_man(int argc, char **argv);

/* The commands that speak to running machines: a table of their own. `command` is one of it. */
int cmd_control(const char *command, int argc, char **argv);
/* The name and the line of help of the i-th of them; NULL behind the last one. */
const char *control_command_name(unsigned int i);
const char *control_command_help(unsigned int i);
/* Prints them as a section of the manual page (mdoc .It entries). */
void control_commands_man(FILE *out);

#endif
