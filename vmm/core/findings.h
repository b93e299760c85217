/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_FINDINGS_H
#define VMM_CORE_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/core/fail.h"

/*
 * Everything that speaks against a thing, in one list: unlike struct fail, which stops at the
 * first. Each finding is one line for a person.
 */
struct findings {
	char *text; /* owned; every line ends with a newline; NULL while there is none */
	size_t len;
	unsigned int n;
	unsigned int fixable; /* of them, what other options could fix */
	const char *allowed; /* what nothing is to be found of; borrowed; NULL: nothing */
};

enum { FINDINGS_MAX = 64 << 10 }; /* bytes of text */

/* Adds a line, without newline. When memory is short, or the list longer than anybody reads, the line is
 * counted and lost. */
void findings_add(struct findings *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What `why` says, of `what` if that is not NULL; EXIT_CONFIG is fixable. `why` is empty then. */
void findings_take(struct findings *f, const char *what, struct fail *why);
/* Whether a line ends so. */
bool findings_has(const struct findings *f, const char *end);
void findings_free(struct findings *f);

/* Whether somebody has said that `name` does not matter: `allowed` has names with a comma between
 * them, in which * and ? stand for any letters and any one, whatever their case. */
bool findings_allowed(const struct findings *f, const char *name);

#endif
