// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/findings.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/text.h"

void findings_add(struct findings *f, const char *fmt, ...)
{
	char line[640], *text;
	va_list args;
	size_t len;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line) - 1, fmt, args);
	va_end(args);
	text_plain(line);
	f->n++;
	len = strlen(line);
	line[len++] = '\n';
	if (f->len + len > FINDINGS_MAX)
		return;
	text = realloc(f->text, f->len + len + 1);
	if (!text)
		return;
	memcpy(text + f->len, line, len);
	f->len += len;
	text[f->len] = 0;
	f->text = text;
}

void findings_take(struct findings *f, const char *what, struct fail *why)
{
	f->fixable += why->code == EXIT_CONFIG;
	findings_add(f, "%s%s%s", what ? what : "", what ? ": " : "", why->text);
	*why = (struct fail){ 0 };
}

bool findings_has(const struct findings *f, const char *end)
{
	size_t len = strlen(end);

	for (const char *at = f->text; at && (at = strstr(at, end)); at++)
		if (at[len] == '\n')
			return true;
	return false;
}

/* Whether the name is what the pattern, up to `end`, stands for. */
static bool matches(const char *pattern, const char *end, const char *name)
{
	const char *star = NULL, *again = name;

	while (*name) {
		if (pattern < end && *pattern == '*') {
			star = pattern++;
			again = name;
		} else if (pattern < end &&
			   (*pattern == '?' ||
			    tolower((unsigned char)*pattern) == tolower((unsigned char)*name))) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star + 1;
			name = ++again;
		} else {
			return false;
		}
	}
	while (pattern < end && *pattern == '*')
		pattern++;
	return pattern == end;
}

bool findings_allowed(const struct findings *f, const char *name)
{
	for (const char *at = f->allowed, *end; at; at = *end ? end + 1 : NULL) {
		end = at + strcspn(at, ",");
		if (matches(at, end, name))
			return true;
	}
	return false;
}

void findings_free(struct findings *f)
{
	free(f->text);
	*f = (struct findings){ 0 };
}
