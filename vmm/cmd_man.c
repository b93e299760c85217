// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "vmm/commands.h"
#include "vmm/config.h"
#include "vmm/core/opts.h"
#include "vmm/test_config.h"

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
	".Cm test\n"
	".Fl -kernel Ar FILE\n"
	".Op Fl -expect Ar REGEX ...\n"
	".Op Ar OPTIONS\n"
	".Nm\n"
	".Cm test\n"
	".Fl -plan Ar FILE\n"
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

static const char man_test[] =
	".El\n"
	".Sh TESTS\n"
	".Cm test\n"
	"boots machines and gives a verdict on each.\n"
	"Patterns are POSIX extended regular expressions over one line of the console,\n"
	"without escape sequences; a line that has no end yet is looked at, too, for a\n"
	"prompt, where $ is its end once nothing has come for a tenth of a second.\n"
	"A test passes with the last of its expectations, or without any when the guest\n"
	"powers off; it fails with the first rejected line.\n"
	"What follows that line is waited for while it comes, and where it is a panic,\n"
	"that is the verdict.\n"
	"After a failure the report has the last lines of the console, what vmm said,\n"
	"and each CPU's registers and stack.\n"
	"Each machine is a process of its own; those that run at once have no more\n"
	"memory than the host has available.\n"
	".Pp\n"
	"Of a guest that has stalled the verdict says whether its CPUs wait, and no\n"
	"timer will expire before the test ends, or spin: no wait for an interrupt, and\n"
	"no write to a device, for as long as\n"
	".Fl -idle-timeout\n"
	"says.\n"
	".Pp\n"
	"A plan is a file of options, one a line, by their long names without dashes, a\n"
	"value reaching to the line's end, or in quotation marks.\n"
	"A line [NAME] begins a test; options above the first one are for all.\n"
	"A line that begins with # is a comment.\n"
	".Bd -literal -offset indent\n"
	"kernel Image\n"
	"expect login:\n"
	"\n"
	"[one-cpu]\n"
	"\n"
	"[four-cpus]\n"
	"cpus 4\n"
	"timeout 2m\n"
	".Ed\n"
	".Sh OPTIONS OF TEST\n"
	"All options of\n"
	".Cm run ,\n"
	"and these.\n"
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
	".It 0\nThe guest powered off; the test passed.\n"
	".It 1\nA test: a line that is rejected came. A plan: a test failed.\n"
	".It 2\nOther options or other input could help; nothing was started.\n"
	".It 4\nThe host cannot: no /dev/kvm, no permission, a failed call.\n"
	".It 7\nA test: the guest powered off before what was expected came.\n"
	".It 32\nThe guest reset and\n.Fl -no-reboot\nwas given.\n"
	".It 33\nThe virtual machine crashed.\n"
	".It 34\nA test: the guest panicked.\n"
	".It 35\nA test: the guest stalled.\n"
	".It 124\nA test: what was expected did not come in time.\n"
	".It 128+n\nEnded by signal n; Ctrl-A x and\n.Cm stop Fl -force\nare 143.\n"
	".El\n";

int cmd_man(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	fputs(man_head, stdout);
	opts_man(config_options, stdout);
	fputs(man_test, stdout);
	opts_man(test_options, stdout);
	opts_man(test_session_options, stdout);
	fputs(man_middle, stdout);
	control_commands_man(stdout);
	fputs(man_tail, stdout);
	return EXIT_OK;
}
