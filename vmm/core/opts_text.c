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

/* A line of text in mdoc: a backslash and a control character at the start are not roff's. */
static void man_text(const char *text, FILE *out)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text; text++)
		if (*text == '\\')
			fputs("\\e", out);
		else
			fputc(*text, out);
	fputc('\n', out);
}

void opts_man(const struct opt *table, FILE *out)
{
	for (; table->name; table++) {
		const char *word;
		size_t len;

		fputs(".It ", out);
		if (table->letter)
			fprintf(out, "Fl %c , ", table->letter);
		opts_first_name(table, &len);
		fprintf(out, "Fl -%s", table->name);
		if (table->type != OPT_FLAG) {
			fputs(" Ar ", out);
			print_arg(table, out);
		}
		fputc('\n', out);
		man_text(table->help ? table->help : "", out);
		for (word = opts_next_name(table, table->name, &len); word;
		     word = opts_next_name(table, word, &len))
			fprintf(out, "Also\n.Fl -%.*s .\n", (int)len, word);
	}
}
