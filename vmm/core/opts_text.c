// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/opts_priv.h"

#include <string.h>

enum { COLUMNS = 100, HELP_COLUMN = 32 };

/* The argument as shown: the table's word, or the choices themselves. */
static void print_arg(const struct opt *opt, FILE *out)
{
	if (opt->arg || !opt->choices) {
		fputs(opts_arg(opt), out);
		return;
	}
	for (const char *const *w = opt->choices; *w; w++)
		fprintf(out, "%s%s", w == opt->choices ? "" : "|", *w);
}

bool opts_words(const struct opt *opt, const char *between, FILE *out)
{
	const char *arg = opts_arg(opt), *word = arg;

	/* The words themselves are the table's name for the argument, or nearly. */
	if (opt->choices) {
		for (const char *const *w = opt->choices; *w; w++)
			fprintf(out, "%s%s", w == opt->choices ? "" : between, *w);
		return true;
	}
	if (opt->type != OPT_PARSE || !strchr(arg, '|') || strpbrk(arg, "=[,"))
		return false;
	for (size_t len; *word; word += len + (word[len] == '|')) {
		len = strcspn(word, "|");
		fprintf(out, "%s%.*s", word == arg ? "" : between, (int)len, word);
	}
	return true;
}

static void print_head(const struct opt *opt, FILE *out)
{
	if (opt->letter)
		fprintf(out, "  -%c, --%s", opt->letter, opt->name);
	else
		fprintf(out, "      --%s", opt->name);
	if (opt->type != OPT_FLAG) {
		fputc(' ', out);
		print_arg(opt, out);
	}
}

/* Prints words from the column on, and breaks lines before the last one. */
static unsigned int print_wrapped(const char *text, unsigned int column, FILE *out)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		if (column > HELP_COLUMN && column + 1 + len > COLUMNS) {
			fprintf(out, "\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
		}
		if (column > HELP_COLUMN) {
			fputc(' ', out);
			column++;
		}
		fwrite(text, 1, len, out);
		column += (unsigned int)len;
		text += len;
		text += strspn(text, " ");
	}
	return column;
}

/* "(also --memory, --ram)", or nothing. */
static void aliases_text(const struct opt *opt, char *text, size_t size)
{
	const char *word;
	size_t len, at = 0;

	text[0] = 0;
	opts_first_name(opt, &len);
	for (word = opts_next_name(opt, opt->name, &len); word && at < size;
	     word = opts_next_name(opt, word, &len))
		at += (size_t)snprintf(text + at, size - at, "%s--%.*s", at ? ", " : "(also ",
				       (int)len, word);
	if (at && at < size)
		snprintf(text + at, size - at, ")");
}

static void help_one(const struct opt *opt, FILE *out)
{
	char head[COLUMNS + 1] = "", also[256];
	FILE *mem = fmemopen(head, sizeof(head), "w");
	unsigned int column;

	if (!mem)
		return;
	print_head(opt, mem);
	fclose(mem);
	column = (unsigned int)fprintf(out, "%s", head);
	if (column + 2 > HELP_COLUMN)
		fprintf(out, "\n%*s", HELP_COLUMN, "");
	else
		fprintf(out, "%*s", (int)(HELP_COLUMN - column), "");
	aliases_text(opt, also, sizeof(also));
	column = print_wrapped(opt->help ? opt->help : "", HELP_COLUMN, out);
	print_wrapped(also, column, out);
	fputc('\n', out);
}

void opts_help(const struct opt *table, FILE *out)
{
	for (table = opts_first(table); table; table = opts_next(table))
		help_one(table, out);
}

/* A word in mdoc: a backslash, and a control character at the start of a line, are not roff's. It
 * may be broken where `breaks` says. */
static void man_word(const char *word, size_t len, bool first, const char *breaks, FILE *out)
{
	if (first && (*word == '.' || *word == '\''))
		fputs("\\&", out);
	for (size_t i = 0; i < len; i++) {
		if (i && strchr(breaks, word[i]))
			fputs("\\:", out);
		if (word[i] == '\\')
			fputs("\\e", out);
		else
			fputc(word[i], out);
	}
}

/* A sentence of help, in lines of source as mdoc likes them. */
static void man_text(const char *text, FILE *out)
{
	enum { LINE = 72 };
	size_t column = 0;

	while (*text) {
		size_t len = strcspn(text, " ");

		if (column && column + 1 + len > LINE) {
			fputc('\n', out);
			column = 0;
		}
		if (column)
			fputc(' ', out);
		man_word(text, len, !column, "", out);
		column += len + 1;
		text += len;
		text += strspn(text, " ");
	}
	fputs(".\n", out);
}

static void man_aliases(const struct opt *opt, FILE *out)
{
	const char *word, *next;
	size_t len, next_len;

	opts_first_name(opt, &len);
	word = opts_next_name(opt, opt->name, &len);
	if (word)
		fputs("Also\n", out);
	for (; word; word = next, len = next_len) {
		next_len = len;
		next = opts_next_name(opt, word, &next_len);
		fprintf(out, ".Fl -%.*s %s\n", (int)len, word, next ? "," : ".");
	}
}

void opts_man(const struct opt *table, FILE *out)
{
	for (const struct opt *o = opts_first(table); o; o = opts_next(o)) {
		fputs(".It ", out);
		if (o->letter)
			fprintf(out, "Fl %c , ", o->letter);
		fprintf(out, "Fl -%s", o->name);
		if (o->type != OPT_FLAG) {
			fputs(" Ar ", out);
			if (o->arg)
				man_word(o->arg, strlen(o->arg), false, "|[,", out);
			else
				print_arg(o, out);
		}
		fputc('\n', out);
		man_text(o->help ? o->help : "", out);
		man_aliases(o, out);
	}
}
