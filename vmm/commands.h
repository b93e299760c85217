/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_COMMANDS_H
#define VMM_COMMANDS_H

/* The commands, one file each. They get the words after their name and return the exit code. */
int cmd_run(int argc, char **argv);
/* Says what this host's KVM offers, a `name: value` a line. */
int cmd_host(int argc, char **argv);
/* Prints vmm.1, made from the option table; the build runs it too. */
int cmd_man(int argc, char **argv);

#endif
