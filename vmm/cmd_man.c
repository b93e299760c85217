// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "vmm/commands.h"
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
	".Cm test\n"
	".Fl -kernel Ar FILE\n"
	".Op Fl -expect Ar REGEX ...\n"
	".Op Ar OPTIONS\n"
	".Nm\n"
	".Cm test\n"
	".Fl -plan Ar FILE\n"
	".Op Ar OPTIONS\n"
	".Nm\n"
	".Ar COMMAND\n"
	".Op Ar OPTIONS\n"
	".Op Ar WORDS\n"
	".Sh DESCRIPTION\n"
	"Boots unmodified arm64 kernels on Linux KVM.\n"
	"The guest's console is stdin and stdout; messages go to stderr.\n"
	"SIGTERM, SIGINT and SIGHUP press the guest's power key; a second one\n"
	"ends the machine.\n"
	"On a terminal, Ctrl-A x quits and Ctrl-A h helps.\n"
	".Pp\n"
	"Options begin with two hyphens and may stand anywhere behind the command;\n"
	"a value follows as the next word or behind an equals sign.\n"
	"Some have a letter too.\n"
	"Sizes are in MiB, or have a suffix: K, M, G, T.\n";

static const char man_commands[] = ".Sh COMMANDS\n"
				   "Each has\n"
				   ".Fl -help .\n"
				   ".Bl -tag -width Ds\n";

static const char man_control[] =
	".El\n"
	".Sh CONTROL OF RUNNING MACHINES\n"
	"Each machine has a name, which is\n"
	".Ar NAME\n"
	"below, and a socket that only its user and root may connect to.\n"
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
	".Ed\n";

static const char man_tail[] =
	".Sh FILES OF OPTIONS\n"
	"What\n"
	".Fl -config\n"
	"names, and\n"
	".Fl -dry-run\n"
	"prints: an option a line, its long name without hyphens, and its value, which\n"
	"reaches to the end of the line.\n"
	"A value that is empty, begins or ends with a space, or begins with a quotation\n"
	"mark is in double quotation marks, in which \\e\\e, \\e\" and \\en stand for a\n"
	"backslash, a quotation mark and a newline.\n"
	"Blank lines and those that begin with # say nothing.\n"
	"Options count as if they stood in place of\n"
	".Fl -config :\n"
	"what comes later wins, and what is repeatable adds up.\n"
	".Sh ENVIRONMENT\n"
	".Bl -tag -width Ds\n"
	".It Ev VMM_RUNTIME_DIR\n"
	"The folder of the machines' sockets.\n"
	".It Ev XDG_RUNTIME_DIR\n"
	"Where that is not set, the folder is\n"
	".Pa vmm\n"
	"in this one.\n"
	".It Ev TMPDIR\n"
	"Where neither is set, and the user is not root, it is\n"
	".Pa vmm-UID\n"
	"in this one, or in\n"
	".Pa /tmp .\n"
	".El\n"
	".Sh FILES\n"
	".Bl -tag -width Ds\n"
	".It Pa /dev/kvm\n"
	"What runs guests.\n"
	".It Pa /run/vmm/NAME.sock\n"
	"The socket of root's machine\n"
	".Ar NAME .\n"
	".El\n"
	".Sh EXIT STATUS\n"
	".Bl -tag -width Ds\n"
	".It 0\n"
	"The guest powered off, the test passed; what was asked for was done.\n"
	".It 1\n"
	".Cm check Fl -gic\n"
	"found a difference; a test: a line that is rejected came; a plan: a test failed.\n"
	".It 2\n"
	"Other options or other input could help; nothing was started.\n"
	".It 3\n"
	"A saved machine's file was refused.\n"
	".It 4\n"
	"The host cannot: no\n"
	".Pa /dev/kvm ,\n"
	"no permission, a failed call.\n"
	".It 5\n"
	"The machine was not sent, and goes on.\n"
	".It 6\n"
	"A machine that was sent may run at either side, and stands still here.\n"
	".It 7\n"
	"A test: the guest powered off before what was expected came.\n"
	".It 32\n"
	"The guest reset and\n"
	".Fl -no-reboot\n"
	"was given.\n"
	".It 33\n"
	"The virtual machine crashed, or\n"
	".Fl -unmapped Cm stop\n"
	"met an access to where nothing is.\n"
	".It 34\n"
	"A test: the guest panicked.\n"
	".It 35\n"
	"A test: the guest stalled.\n"
	".It 36\n"
	"The machine was saved or sent away, and has ended.\n"
	".It 124\n"
	"A test: what was expected did not come in time.\n"
	".It 128+n\n"
	"Ended by signal n; Ctrl-A x and\n"
	".Cm stop Fl -force\n"
	"are 143.\n"
	".El\n"
	".Sh EXAMPLES\n"
	"A kernel with a disk, a network and two CPUs:\n"
	".Dl vmm run -k Image -d root.ext4 -n mode=tap -c 2 -m 1G\n"
	".Pp\n"
	"The same again, from a file:\n"
	".Dl vmm run -k Image -c 2 -m 1G --dry-run >box.conf\n"
	".Dl vmm run --config box.conf --name box\n"
	".Pp\n"
	"What it does, and its end:\n"
	".Dl vmm stat --watch box\n"
	".Dl vmm stop box\n";

static void print_command(const struct command *c)
{
	bool options = opts_first(c->options);

	printf(".It Cm %s%s%s%s\n%s.\n", c->name, options ? " Oo Ar OPTIONS Oc" : "",
	       *c->args ? " Ar " : "", c->args, c->help);
	if (!options)
		return;
	puts(".Bl -tag -width Ds");
	opts_man(c->options, stdout);
	puts(".El");
}

int cmd_man(int argc, char **argv)
{
	const struct command *c, *control = control_command_at(0);

	(void)argc;
	(void)argv;
	fputs(man_head, stdout);
	fputs(man_commands, stdout);
	for (unsigned int i = 0; (c = command_at(i)); i++) {
		if (c == control)
			fputs(man_control, stdout);
		print_command(c);
	}
	fputs(man_test, stdout);
	fputs(man_tail, stdout);
	return EXIT_OK;
}
