// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/test_lines.h"

#include <string.h>

/* Where in an escape sequence a byte is (ECMA-48, 5.3 to 5.6). */
enum escape { ESC_NONE, ESC_START, ESC_MIDDLE, ESC_CSI, ESC_STRING, ESC_STRING_END };

/* A longer one is none: what follows is text. */
enum { ESCAPE_MAX = 256, ESC = 0x1b, BEL = 7, CAN = 0x18, SUB = 0x1a };

void test_lines_init(struct test_lines *l,
		     void (*line)(void *arg, const char *text, size_t fresh, bool whole), void *arg)
{
	*l = (struct test_lines){ .line = line, .arg = arg };
}

static void end_line(struct test_lines *l)
{
	l->line(l->arg, l->text, l->fresh, true);
	l->len = l->fresh = 0;
	l->text[0] = 0;
	l->cut = l->cr = false;
}

static void put(struct test_lines *l, char c)
{
	if (l->len == TEST_LINE_MAX) {
		l->line(l->arg, l->text, l->fresh, false);
		memmove(l->text, l->text + TEST_LINE_HALF, TEST_LINE_HALF);
		l->len = l->fresh = TEST_LINE_HALF;
		l->cut = true;
	}
	l->text[l->len++] = c;
	l->text[l->len] = 0;
}

static void text_byte(struct test_lines *l, uint8_t c)
{
	if (l->cr && c != '\r' && c != '\n')
		end_line(l);
	if (c == ESC)
		l->escape = ESC_START;
	else if (c == '\n')
		end_line(l);
	else if (c == '\r')
		l->cr = true;
	else if ((c >= ' ' && c != 0x7f) || c == '\t')
		put(l, (char)c);
}

static enum escape after_start(uint8_t c)
{
	if (c == '[')
		return ESC_CSI;
	if (c && strchr("]PX^_", c))
		return ESC_STRING;
	return c >= ' ' && c < '0' ? ESC_MIDDLE : ESC_NONE;
}

static enum escape after(enum escape state, uint8_t c)
{
	switch (state) {
	case ESC_START:
		return after_start(c);
	case ESC_MIDDLE:
		return c >= ' ' && c < '0' ? ESC_MIDDLE : ESC_NONE;
	case ESC_CSI:
		return c >= ' ' && c < '@' ? ESC_CSI : ESC_NONE;
	case ESC_STRING:
		return c == ESC ? ESC_STRING_END : c == BEL ? ESC_NONE : ESC_STRING;
	default:
		return ESC_NONE;
	}
}

/* A line's end, and what a terminal takes for a broken sequence, end it: a stray ESC hides nothing. */
static void escape_byte(struct test_lines *l, uint8_t c)
{
	bool broken = c == '\n' || c == '\r' || (c == ESC && l->escape != ESC_STRING);

	if (broken || ++l->escape_len > ESCAPE_MAX) {
		l->escape = ESC_NONE;
		l->escape_len = 0;
		text_byte(l, c);
		return;
	}
	l->escape = c == CAN || c == SUB ? ESC_NONE : after(l->escape, c);
	if (l->escape == ESC_NONE)
		l->escape_len = 0;
}

void test_lines_feed(struct test_lines *l, const void *data, size_t len)
{
	for (const uint8_t *p = data, *end = p + len; p < end; p++)
		if (l->escape != ESC_NONE)
			escape_byte(l, *p);
		else
			text_byte(l, *p);
}

void test_lines_end(struct test_lines *l)
{
	if (l->len)
		end_line(l);
}
