// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "vmm/commands.h"
#include "vmm/config.h"
#include "vmm/core/opts.h"

static const char man_head[] =
	".Dd November 21, 2026\n"
	".Dt VMM 1\n"
	".Os\n"
	".Sh NAME\n"
	".Nm vmm\n"
	".Nd minimal hypervisor for arm64 over KVM\n"
	".Sh SYNOPSIS\n"
	".Nm\n"
	".Cm run\n"
	".Fl -kernel Ar FILE\n"
	".Op Ar OPTIONS\n"
	".Nm\n"
	".Cm check\n"
	".Op Fl -gic | -registers | -json\n"
	".Nm\n"
	".Ar COMMAND\n"
	".Op Ar NAME\n"
	".Sh DESCRIPTION\n"
	"Boots unmodified arm64 kernels on Linux KVM.\n"
	"The guest's console is stdin and stdout; messages go to stderr.\n"
	"SIGTERM, SIGINT and SIGHUP press the guest's power key; a second one\n"
	"ends the machine.\n"
	"On a terminal, Ctrl-A x quits and Ctrl-A h helps.\n"
	".Pp\n"
	".Cm check\n"
	"says what this host can do, a name: value a line, with the consequence of\n"
	"what it lacks and what would help, and ends with 0 where\n"
	".Cm run\n"
	"works; with\n"
	".Fl -json\n"
	"as one JSON object; with\n"
	".Fl -registers\n"
	"only the registers of the kernel's own firmware services; with\n"
	".Fl -gic\n"
	"it tests how the kernel's interrupt controller is set up, and says in TAP\n"
	"what answers as it should; a difference ends with 1.\n"
	".Sh OPTIONS OF RUN\n"
	".Bl -tag -width Ds\n";

static const char man_middle[] = ".El\n"
				 ".Sh CONTROL OF RUNNING MACHINES\n"
				 "Each machine has a name and a socket,\n"
				 ".Pa NAME.sock ,\n"
				 "in\n"
				 ".Ev VMM_RUNTIME_DIR ;\n"
				 "else in\n"
				 ".Pa vmm\n"
				 "under\n"
				 ".Ev XDG_RUNTIME_DIR ;\n"
				 "else in\n"
				 ".Pa /run/vmm\n"
				 "for root and\n"
				 ".Pa vmm-UID\n"
				 "in the temporary folder for others.\n"
				 "Only its user and root may connect.\n"
				 ".Bl -tag -width Ds\n";

static const char man_tail[] =
	".El\n"
	".Sh EXIT STATUS\n"
	".Bl -tag -width Ds\n"
	".It 0\nThe guest powered off.\n"
	".It 2\nOther options or other input could help; nothing was started.\n"
	".It 4\nThe host cannot: no /dev/kvm, no permission, a failed call.\n"
	".It 32\nThe guest reset and\n.Fl -no-reboot\nwas given.\n"
	".It 33\nThe virtual machine crashed.\n"
	".It 128+n\nEnded by signal n; Ctrl-A x and\n.Cm stop Fl -force\nare 143.\n"
	".El\n";

int cmd_man(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	fputs(man_head, stdout);
	opts_man(config_options, stdout);
	fputs(man_middle, stdout);
	control_commands_man(stdout);
	fputs(man_tail, stdout);
	return EXIT_OK;
}
