/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_FINDINGS_H
#define VMM_CORE_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Everything that speaks against a thing, in one list: unlike struct fail, which stops at the
 * first. Each finding is one line for a person.
 */
struct findings {
	char *text; /* owned; every line ends with a newline; NULL while there is none */
	size_t len;
	unsigned int n;
	const char *allowed; /* what nothing is to be found of; borrowed; NULL: nothing */
};

/* Adds a line, without newline. When memory is short, the line is counted and lost. */
void findings_add(struct findings *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void findings_free(struct findings *f);

/* Whether somebody has said that `name` does not matter: `allowed` has names with a comma between
 * them, in which * and ? stand for any letters and any one, whatever their case. */
bool findings_allowed(const struct findings *f, const char *name);

#endif
