/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_TEXT_H
#define VMM_CORE_TEXT_H

#include <stddef.h>

/* Text that grows in a fixed buffer, from all zero; what does not fit is cut. */
struct text {
	char buf[256];
	size_t len;
};

/* In place: what is no UTF-8 or could drive a terminal becomes `?`. */
void text_plain(char *text);

void text_put(struct text *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
