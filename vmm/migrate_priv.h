/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_MIGRATE_PRIV_H
#define VMM_MIGRATE_PRIV_H

#include "vmm/migrate.h"

/* The words of the protocol (vmm/migrate.md), as the frames that carry them are called. */
#define WORD_HANDOVER "=handover" /* struct migrate_hello */
#define WORD_CHECK    "=check"
#define WORD_END      "=end" /* struct migrate_sum */
#define WORD_COMMIT   "=commit"
#define WORD_CANCEL   "=cancel" /* text */
#define WORD_READY    "=ready"
#define WORD_LOADED   "=loaded"
#define WORD_RUNNING  "=running"
#define WORD_REFUSED  "=refused" /* text */

struct migrate_hello {
	uint32_t version;
};

struct migrate_sum {
	uint32_t has; /* 0: not compared */
	uint32_t sum; /* CRC-32C of all RAM */
};

enum { MIGRATE_TEXT_MAX = 400 };

/* CRC-32C of all RAM, region by region. */
uint32_t migrate_ram_sum(const struct guest_mem *mem);
/* What the last frame says, for a person: cut off, and nothing that drives a terminal. */
void migrate_text(const struct frames *f, char text[MIGRATE_TEXT_MAX + 1]);
bool migrate_is(const struct frames *f, const char *word);
/* CLOCK_MONOTONIC, `ms` from now. */
uint64_t migrate_deadline(unsigned int ms);

#endif
