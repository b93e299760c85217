/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_MIGRATE_FETCH_PRIV_H
#define VMM_MIGRATE_FETCH_PRIV_H

#include "vmm/migrate_fetch.h"

/* Private part of memory that comes later: migrate_fetch.c (the thread, and who calls it),
 * migrate_fetch_again.c (what it does when the link is lost). All on the thread. */

/* What the source is waited for, in ms. */
unsigned int fetch_silence(const struct fetch *f);
void fetch_set_state(struct fetch *f, enum fetch_state state);
/* The link is lost by `err`, or the source speaks nonsense: the error, with its sentence. */
int fetch_lost_link(int err, struct fail *fail);
int fetch_nonsense(struct fail *fail, const char *what);
/* A word for the source, which waits until it has gone. */
int fetch_say(struct fetch *f, const char *word, const void *data, size_t len, struct fail *fail);

/* The link is lost, for the reason in `fail`. True when there is another. */
bool fetch_again(struct fetch *f, const struct fail *fail);
/* Who sees its end need not wait for silence. */
void fetch_close_link(struct fetch *f);

#endif
