// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/text.h"

#include <stdarg.h>
#include <stdio.h>

void text_put(struct text *text, const char *fmt, ...)
{
	size_t room = sizeof(text->buf) - text->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text->buf + text->len, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		text->len += (size_t)n < room ? (size_t)n : room - 1;
}
