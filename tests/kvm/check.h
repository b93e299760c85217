/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_KVM_CHECK_H
#define TESTS_KVM_CHECK_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/fail.h"

/* What a program that runs on the host says of its cases, a line each. */
static inline void check(bool holds, const char *name, const char *why, ...)
{
	va_list ap;

	printf("%s %s", holds ? "ok" : "FAIL", name);
	if (!holds) {
		printf(": ");
		va_start(ap, why);
		vprintf(why, ap);
		va_end(ap);
	}
	putchar('\n');
}

/* Without which no case can be tried. */
static inline void need(int err, const struct fail *fail, const char *what)
{
	if (!err)
		return;
	printf("FAIL %s: %s: %s\n", what, strerror(-err), fail->text);
	exit(EXIT_TEST_FAILED);
}

static inline void need_ioctl(int ret, const char *what)
{
	if (ret >= 0)
		return;
	printf("FAIL %s: %s\n", what, strerror(-ret));
	exit(EXIT_TEST_FAILED);
}

#endif
