// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "vmm/commands.h"

/* A text as it stands between single quotation marks. `escape`: characters that need a backslash
 * there; `quote`: how the mark itself is written. */
static void print_quoted(const char *text, const char *escape, const char *quote)
{
	for (; *text; text++) {
		if (*text == '\'') {
			fputs(quote, stdout);
			continue;
		}
		if (strchr(escape, *text))
			putchar('\\');
		putchar(*text);
	}
}

static bool takes_file(const struct opt *o)
{
	return !strncmp(opts_arg(o), "FILE", 4);
}

/* What the words behind a command are. */
static bool names_machine(const struct command *c)
{
	return !strncmp(c->args, "NAME", 4);
}

static bool names_file(const struct command *c)
{
	return strstr(c->args, "FILE");
}

static void print_words(const char *const *words)
{
	for (unsigned int i = 0; words[i]; i++)
		printf("%s%s", i ? " " : "", words[i]);
}

static void print_commands(void)
{
	const struct command *c;

	for (unsigned int i = 0; (c = command_at(i)); i++)
		printf("%s%s", i ? " " : "", c->name);
}

/* --- bash ------------------------------------------------------------------------------------- */

/* "run:--kernel|run:-k", with all its names. */
static void bash_pattern(const struct command *c, const struct opt *o)
{
	size_t len;

	for (const char *w = opts_first_name(o, &len); w; w = opts_next_name(o, w, &len))
		printf("%s%s:--%.*s", w == o->name ? "" : "|", c->name, (int)len, w);
	if (o->letter)
		printf("|%s:-%c", c->name, o->letter);
}

static void bash_value(const struct command *c, const struct opt *o)
{
	if (o->type == OPT_FLAG)
		return;
	fputs("\t", stdout);
	bash_pattern(c, o);
	if (takes_file(o)) {
		puts(") _vmm_files; return ;;");
		return;
	}
	fputs(") _vmm_words '", stdout);
	opts_words(o, " ", stdout);
	puts("'; return ;;");
}

static void bash_command(const struct command *c)
{
	printf("\t%s) options='", c->name);
	for (const struct opt *o = opts_first(c->options); o; o = opts_next(o))
		printf("--%s ", o->name);
	fputs("--help'", stdout);
	if (names_machine(c))
		fputs(" words=$(_vmm_machines)", stdout);
	if (c->words) {
		fputs(" words='", stdout);
		print_words(c->words);
		putchar('\'');
	}
	puts(names_file(c) ? " files=1 ;;" : " ;;");
}

static void print_bash(void)
{
	const struct command *c;

	puts("# Completion of vmm for bash: to be sourced.\n"
	     "_vmm_machines() {\n"
	     "\tlocal name rest\n"
	     "\tvmm list 2>/dev/null | while read -r name rest; do echo \"$name\"; done\n"
	     "}\n"
	     "_vmm_words() { mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$cur\"); }\n"
	     "_vmm_files() {\n"
	     "\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	     "\tcompopt -o filenames 2>/dev/null\n"
	     "}\n"
	     "_vmm() {\n"
	     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	     "\tlocal options= words= files=\n"
	     "\tCOMPREPLY=()\n"
	     "\t# --name=value is three words to bash.\n"
	     "\t[[ $cur != = ]] || cur=\n"
	     "\t[[ $prev != = ]] || prev=${COMP_WORDS[COMP_CWORD-2]}\n"
	     "\tif ((COMP_CWORD == 1)); then");
	fputs("\t\t_vmm_words '", stdout);
	print_commands();
	puts("'\n\t\treturn\n\tfi\n\tcase ${COMP_WORDS[1]}:$prev in");
	for (unsigned int i = 0; (c = command_at(i)); i++)
		for (const struct opt *o = opts_first(c->options); o; o = opts_next(o))
			bash_value(c, o);
	puts("\tesac\n\tcase ${COMP_WORDS[1]} in");
	for (unsigned int i = 0; (c = command_at(i)); i++)
		bash_command(c);
	puts("\tesac\n"
	     "\tif [[ $cur == -* ]]; then\n"
	     "\t\t_vmm_words \"$options\"\n"
	     "\telif [[ $words && ${COMP_WORDS[COMP_CWORD-1]} == -* || COMP_CWORD -eq 2 ]]; then\n"
	     "\t\t_vmm_words \"$words\"\n"
	     "\t\t[[ $words || ! $files ]] || _vmm_files\n"
	     "\telif [[ $files ]]; then\n"
	     "\t\t_vmm_files\n"
	     "\tfi\n"
	     "}\n"
	     "complete -F _vmm vmm");
}

/* --- zsh -------------------------------------------------------------------------------------- */

static void zsh_help(const char *help)
{
	putchar('[');
	print_quoted(help, "[]:\\", "'\\''");
	putchar(']');
}

static void zsh_option(const struct opt *o)
{
	const char *value = o->type == OPT_FLAG ? "" : "=";

	if (o->letter)
		printf(" \\\n\t\t'*'{-%c%s,--%s%s}'", o->letter, *value ? "+" : "", o->name, value);
	else
		printf(" \\\n\t\t'*--%s%s", o->name, value);
	zsh_help(o->help);
	if (o->type != OPT_FLAG) {
		fputs(":value:", stdout);
		if (takes_file(o)) {
			fputs("_files", stdout);
		} else {
			putchar('(');
			opts_words(o, " ", stdout);
			putchar(')');
		}
	}
	putchar('\'');
}

static void zsh_command(const struct command *c)
{
	printf("\t%s) _arguments -s", c->name);
	for (const struct opt *o = opts_first(c->options); o; o = opts_next(o))
		zsh_option(o);
	fputs(" \\\n\t\t'--help[list the options]'", stdout);
	if (names_machine(c))
		fputs(" '1:machine:_vmm_machines'", stdout);
	if (c->words) {
		fputs(" '1:word:(", stdout);
		print_words(c->words);
		fputs(")'", stdout);
	}
	puts(names_file(c) ? " '*:file:_files' ;;" : " ;;");
}

static void print_zsh(void)
{
	const struct command *c;

	puts("#compdef vmm\n"
	     "_vmm_machines() {\n"
	     "\tlocal -a names\n"
	     "\tnames=(${(f)\"$(vmm list 2>/dev/null | cut -d ' ' -f 1)\"})\n"
	     "\tcompadd -a names\n"
	     "}\n"
	     "_vmm() {\n"
	     "\tlocal -a commands\n"
	     "\tcommands=(");
	for (unsigned int i = 0; (c = command_at(i)); i++) {
		printf("\t\t'%s:", c->name);
		print_quoted(c->help, ":\\", "'\\''");
		puts("'");
	}
	puts("\t)\n"
	     "\tif ((CURRENT == 2)); then\n"
	     "\t\t_describe command commands\n"
	     "\t\treturn\n"
	     "\tfi\n"
	     "\tshift words\n"
	     "\t((CURRENT--))\n"
	     "\tcase $words[1] in");
	for (unsigned int i = 0; (c = command_at(i)); i++)
		zsh_command(c);
	puts("\tesac\n"
	     "}\n"
	     "compdef _vmm vmm\n"
	     "# As an autoloaded function it is called for the first time here.\n"
	     "if [[ $funcstack[1] == _vmm ]]; then _vmm; fi");
}

/* --- fish ------------------------------------------------------------------------------------- */

static void fish_begin(const struct command *c)
{
	printf("complete -c vmm -n '__fish_seen_subcommand_from %s'", c->name);
}

static void fish_option(const struct command *c, const struct opt *o)
{
	size_t len;

	fish_begin(c);
	for (const char *w = opts_first_name(o, &len); w; w = opts_next_name(o, w, &len))
		printf(" -l %.*s", (int)len, w);
	if (o->letter)
		printf(" -s %c", o->letter);
	if (o->type != OPT_FLAG && takes_file(o)) {
		fputs(" -r -F", stdout);
	} else if (o->type != OPT_FLAG) {
		fputs(" -x -a '", stdout);
		opts_words(o, " ", stdout);
		putchar('\'');
	}
	fputs(" -d '", stdout);
	print_quoted(o->help, "\\", "\\'");
	puts("'");
}

static void fish_command(const struct command *c)
{
	for (const struct opt *o = opts_first(c->options); o; o = opts_next(o))
		fish_option(c, o);
	if (names_machine(c)) {
		fish_begin(c);
		puts(" -a '(vmm list 2>/dev/null | string replace -r \" .*\" \"\")'");
	}
	if (c->words) {
		fish_begin(c);
		fputs(" -a '", stdout);
		print_words(c->words);
		puts("'");
	}
	if (names_file(c)) {
		fish_begin(c);
		puts(" -F");
	}
}

static void print_fish(void)
{
	const struct command *c;

	puts("# Completion of vmm for fish.\ncomplete -c vmm -f");
	for (unsigned int i = 0; (c = command_at(i)); i++) {
		printf("complete -c vmm -n __fish_use_subcommand -a %s -d '", c->name);
		print_quoted(c->help, "\\", "\\'");
		puts("'");
	}
	for (unsigned int i = 0; (c = command_at(i)); i++)
		fish_command(c);
}

int cmd_completion(int argc, char **argv)
{
	static const struct {
		const char *shell;
		void (*print)(void);
	} shells[] = { { "bash", print_bash }, { "zsh", print_zsh }, { "fish", print_fish } };

	for (size_t i = 0; argc == 1 && i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(argv[0], shells[i].shell))
			continue;
		shells[i].print();
		return EXIT_OK;
	}
	if (argc == 1 && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))) {
		puts("usage: vmm completion bash|zsh|fish\n\n"
		     "Prints that shell's completion script:\n\n"
		     "  bash  . <(vmm completion bash)\n"
		     "  zsh   . <(vmm completion zsh)\n"
		     "  fish  vmm completion fish | source");
		return EXIT_OK;
	}
	fputs("vmm: which shell? usage: vmm completion bash|zsh|fish\n", stderr);
	return EXIT_CONFIG;
}
