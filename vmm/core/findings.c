// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void findings_add(struct findings *f, const char *fmt, ...)
{
	char line[512], *text;
	va_list args;
	size_t len;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line) - 1, fmt, args);
	va_end(args);
	f->n++;
	len = strlen(line);
	line[len++] = '\n';
	text = realloc(f->text, f->len + len + 1);
	if (!text)
		return;
	memcpy(text + f->len, line, len);
	f->len += len;
	text[f->len] = 0;
	f->text = text;
}

void findings_free(struct findings *f)
{
	free(f->text);
	*f = (struct findings){ 0 };
}
