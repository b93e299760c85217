// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "vmm/core/json.h"

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

/* C1 controls are two bytes, C2 80 to C2 9F. */
static bool drives(const char *c, size_t len)
{
	const uint8_t *b = (const uint8_t *)c;

	return !len || b[0] < ' ' || b[0] == 0x7f || (b[0] == 0xc2 && b[1] < 0xa0);
}

void text_plain(char *text)
{
	while (*text) {
		size_t len = json_utf8(text);
		bool bad = drives(text, len);

		for (len = len ? len : 1; len; len--, text++)
			if (bad)
				*text = '?';
	}
}
