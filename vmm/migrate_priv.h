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

enum {
	MIGRATE_TEXT_MAX = 400,
	SENDER_RUN = 64, /* pages of a frame, and of a look at what else there is */
};

/* CRC-32C of all RAM, region by region. */
uint32_t migrate_ram_sum(const struct guest_mem *mem);
/* What the last frame says, for a person: cut off, and nothing that drives a terminal. */
void migrate_text(const struct frames *f, char text[MIGRATE_TEXT_MAX + 1]);
bool migrate_is(const struct frames *f, const char *word);
/* CLOCK_MONOTONIC, `ms` from now. */
uint64_t migrate_deadline(unsigned int ms);

/* --- the source: its link (migrate_talk.c) ------------------------------------------------------ */

/* What is read and written from now on may be late by the other side's silence, */
void sender_wait_silence(struct sender *s);
/* or, while the machine stands still, by what is left of that, too. */
void sender_wait_downtime(struct sender *s);
/* All give the error with the sentence that goes with it: the machine would stand still for too long; */
int sender_too_long(const struct sender *s, struct fail *fail);
/* the link failed by `err`; */
int sender_link_failed(struct sender *s, int err, struct fail *fail);
/* writing to it has failed: the other side may have said why before it went. */
int sender_write_failed(struct sender *s, struct fail *fail);
/* Waits for `word`; any other is an error. */
int sender_expect(struct sender *s, const char *word, struct fail *fail);
/* Whether somebody has cancelled, or the other side has something to say out of its turn. */
int sender_look(struct sender *s, struct fail *fail);
/* The machine stays: tells the other side, if that can be. */
void sender_cancel(struct sender *s, const struct fail *fail);

/* --- the source: memory (migrate_memory.c) ------------------------------------------------------ */

void sender_report(struct sender *s, bool anyhow);
/* A round: everything whose bit is set. */
int sender_pages(struct sender *s, struct fail *fail);
/* Adds what was written to the bits of the next round, and counts how many bytes they are. */
int sender_collect(struct sender *s, struct fail *fail);

#endif
