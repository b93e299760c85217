/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_OPTS_PRIV_H
#define VMM_CORE_OPTS_PRIV_H

#include "vmm/core/opts.h"

/* Private part of opts: opts.c (parsing), opts_word.c (values, names), opts_text.c (help, man),
 * opts_file.c (files of options). */

enum { OPTS_NAME_MAX = 40, OPTS_SIZE_TEXT = 24 };

/* A decimal or 0x number without sign: 0, or -EINVAL (also when it does not fit). */
int opts_number(const char *word, uint64_t *v);
/* "512M": the largest suffix that divides it. */
void opts_size_text(uint64_t bytes, char text[OPTS_SIZE_TEXT]);

/* "90s", "1500ms": the largest unit that divides it. */
void opts_time_text(uint64_t ns, char text[OPTS_SIZE_TEXT]);

/* The nearest long name to a mistyped one: whether there is one. What follows '=' is ignored. */
bool opts_nearest_name(const struct opt *table, const char *word, char near[OPTS_NAME_MAX + 1]);

/* Takes all options of a file. */
int opts_file(struct opts_kept *kept, const char *path, void *into, struct fail *fail);

#endif
