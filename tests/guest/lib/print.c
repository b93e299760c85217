// SPDX-License-Identifier: GPL-2.0-only
/* The report, over the PL011 (DDI0183), polled; and the boot arguments. */
#include <stdarg.h>

#include "tests/guest/lib/lib.h"

enum { UART_DR = UART, UART_FR = UART + 0x18, UART_LCR = UART + 0x2c, UART_CR = UART + 0x30 };
enum { FR_RXFE = 1 << 4, FR_TXFF = 1 << 5 };

void uart_open(void)
{
	w32(UART_LCR, 0x70); /* 8 bits, FEN: switching it later may lose what has arrived */
	w32(UART_CR, 0x301); /* UARTEN, TXE, RXE */
}

void putc(char c)
{
	while (r32(UART_FR) & FR_TXFF)
		;
	w32(UART_DR, (u8)c);
}

int getc(void)
{
	while (r32(UART_FR) & FR_RXFE)
		;
	return r32(UART_DR) & 0xff;
}

size_t getline(char *buf, size_t size)
{
	size_t n = 0;

	for (;;) {
		int c = getc();

		if (c == '\n' || n == size - 1)
			break;
		buf[n++] = c;
	}
	buf[n] = 0;
	return n;
}

static void print_number(u64 v, unsigned int base, unsigned int width)
{
	char digits[20];
	unsigned int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (width > n) {
		putc('0');
		width--;
	}
	while (n)
		putc(digits[--n]);
}

static void print_string(const char *s)
{
	while (*s)
		putc(*s++);
}

static void vprint(const char *fmt, va_list *ap)
{
	for (; *fmt; fmt++) {
		unsigned int width = 0;
		bool wide = false;
		u64 v;

		if (*fmt != '%') {
			putc(*fmt);
			continue;
		}
		for (fmt++; *fmt >= '0' && *fmt <= '9'; fmt++)
			width = width * 10 + *fmt - '0';
		for (; *fmt == 'l'; fmt++)
			wide = true;
		if (*fmt == 's') {
			print_string(va_arg(*ap, const char *));
			continue;
		}
		v = wide ? va_arg(*ap, u64) : va_arg(*ap, unsigned int);
		if (*fmt == 'c') {
			putc(v);
		} else if (*fmt == 'd' && (wide ? (long)v : (int)v) < 0) {
			putc('-');
			print_number(wide ? -v : (u32)-v, 10, width);
		} else {
			print_number(v, *fmt == 'x' ? 16 : 10, width);
		}
	}
}

void print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint(fmt, &ap);
	va_end(ap);
}

void ok(const char *name)
{
	print("ok %s\n", name);
}

bool check(bool holds, const char *name, const char *why, ...)
{
	va_list ap;

	if (holds) {
		ok(name);
		return true;
	}
	print("FAIL %s: ", name);
	va_start(ap, why);
	vprint(why, &ap);
	va_end(ap);
	putc('\n');
	return false;
}

/* The value of NAME=..., up to a blank; NULL if absent. */
static const char *arg_find(const char *name)
{
	size_t n = strlen(name);

	for (const char *p = machine.bootargs; p && *p;) {
		if (!memcmp(p, name, n) && p[n] == '=')
			return p + n + 1;
		while (*p && *p != ' ')
			p++;
		while (*p == ' ')
			p++;
	}
	return NULL;
}

u64 arg_number(const char *name, u64 none)
{
	const char *p = arg_find(name);
	unsigned int base = 10;
	u64 v = 0;

	if (!p)
		return none;
	if (p[0] == '0' && p[1] == 'x') {
		base = 16;
		p += 2;
	}
	for (; *p && *p != ' '; p++)
		v = v * base + (*p >= 'a' ? *p - 'a' + 10 : *p - '0');
	return v;
}

bool arg_is(const char *name, const char *value)
{
	const char *p = arg_find(name);
	size_t n = strlen(value);

	return p && !memcmp(p, value, n) && (p[n] == 0 || p[n] == ' ');
}
