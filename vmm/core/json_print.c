// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/json.h"

/* A value of LONG_VALUE characters still fits behind others. */
enum { COLUMNS = 100, STEP = 2, LONG_VALUE = 20 };

static unsigned int print_plain(const char *text, FILE *out)
{
	unsigned int n = 0;

	for (; *text; text++, n++)
		fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, out);
	return n;
}

static void print_members(char *text, unsigned int indent, bool dash, FILE *out)
{
	struct json_object obj;

	if (json_parse(text, &obj)) {
		fprintf(out, "%*s?\n", dash ? 0 : (int)indent, "");
		return;
	}
	for (unsigned int i = 0; i < obj.n; i++)
		json_print(&obj.fields[i], dash && !i ? 0 : indent, out);
	if (!obj.n)
		fputs(dash ? "-\n" : "", out);
}

/* Behind a key that ends at `column`: plain values side by side, wrapped; objects and arrays a line each. */
static void print_elements(char *text, unsigned int indent, unsigned int column, FILE *out)
{
	bool at_start = false;
	struct json_field el;

	for (char *at = text + 1; json_next(&at, &el);) {
		bool nested = el.type == JSON_OBJECT || el.type == JSON_ARRAY;

		if (nested || column >= COLUMNS - LONG_VALUE) {
			fprintf(out, "%s%*s", at_start ? "" : "\n", (int)indent, "");
			column = indent;
		} else {
			fputc(' ', out);
		}
		at_start = el.type == JSON_OBJECT;
		if (at_start) {
			fputs("- ", out);
			print_members(el.text, indent + STEP, true, out);
		} else {
			column += print_plain(el.text, out) + 1;
		}
		if (nested)
			column = COLUMNS;
	}
	fputs(at_start ? "" : "\n", out);
}

void json_print(struct json_field *field, unsigned int indent, FILE *out)
{
	unsigned int column = (unsigned int)fprintf(out, "%*s", (int)indent, "");

	if (field->key) {
		column += print_plain(field->key, out) + 1;
		fputc(':', out);
	}
	if (field->type == JSON_OBJECT) {
		fputc('\n', out);
		print_members(field->text, indent + STEP, false, out);
	} else if (field->type == JSON_ARRAY) {
		print_elements(field->text, indent + STEP, column, out);
	} else {
		fputs(field->key ? " " : "", out);
		print_plain(field->text, out);
		fputc('\n', out);
	}
}
