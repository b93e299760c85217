// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/fail.h"

#include <stdarg.h>
#include <stdio.h>

#include "vmm/core/text.h"

int fail_set(struct fail *f, enum exit_code code, int err, const char *fmt, ...)
{
	va_list ap;

	if (!f || f->text[0])
		return err;
	f->code = code;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);

	/* One line, and nothing that a hostile file name could do to a terminal. */
	text_plain(f->text);
	return err;
}
