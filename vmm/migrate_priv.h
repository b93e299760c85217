/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_MIGRATE_PRIV_H
#define VMM_MIGRATE_PRIV_H

#include "vmm/migrate.h"

/* The words of the protocol (vmm/migrate.md), as the frames that carry them are called. */
#define WORD_HANDOVER "=handover" /* struct migrate_hello */
#define WORD_CHECK    "=check"
#define WORD_ROUND    "=round" /* behind all pages of one */
#define WORD_END      "=end" /* struct migrate_sum */
#define WORD_COMMIT   "=commit"
#define WORD_CANCEL   "=cancel" /* text */
#define WORD_READY    "=ready"
#define WORD_TAKEN    "=taken" /* the round is here */
#define WORD_LOADED   "=loaded"
#define WORD_RUNNING  "=running"
#define WORD_REFUSED  "=refused" /* text, and behind a newline all reasons, a line each */
/* Of post-copy only. */
#define WORD_MISSING	"=missing" /* struct migrate_missing */
#define WORD_WANT	"=want" /* struct migrate_want */
#define WORD_COMPLETE	"=complete"
#define WORD_RECOVER	"=recover" /* struct migrate_hello */
#define WORD_RECOVERING "=recovering"

/* What it begins with; in `=ready` the destination repeats of the flags what it can do. */
enum { MIGRATE_POSTCOPY = 1 };
struct migrate_hello {
	uint32_t version, flags;
	uint8_t id[MIGRATE_ID]; /* by which both know one another when the link was lost */
};

/* Behind it bits, one a page of the region that begins at `base`. */
struct migrate_missing {
	uint64_t base;
};

struct migrate_want {
	uint64_t gpa, pages; /* at most SENDER_RUN */
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
/* What the last frame says, for a person: its first line, cut off, and nothing that drives a terminal. */
void migrate_text(const struct frames *f, char text[MIGRATE_TEXT_MAX + 1]);
/* And the lines behind that, likewise. */
void migrate_list(const struct frames *f, char list[MIGRATE_LIST_MAX + 1]);
bool migrate_is(const struct frames *f, const char *word);
/* Whether there is something to read. */
bool migrate_buffered(const struct frames *f);
/* `=missing` with the bits of a region. */
void migrate_put_missing(struct stream *to, gpa_t base, const uint64_t *bits, uint64_t words);
/* The last frame, which is one: its bits, and how many words they are; NULL: it makes no sense. */
const uint64_t *migrate_get_missing(const struct frames *f, gpa_t *base, uint64_t *words);
/* Behind the last word, for at most `ms`: takes what comes until the other side ends. What arrives
 * unread at a socket that is closed would take that word with it. */
void migrate_linger(int in, int out, unsigned int ms);
/* CLOCK_MONOTONIC, `ms` from now. */
uint64_t migrate_deadline(unsigned int ms);

/* --- the source: one link (migrate_send.c) ------------------------------------------------------ */

/* Everything that a link needs, with no bit of memory set; sender_end() in any case. */
int sender_prepare(struct sender *s, struct fail *fail);
void sender_end(struct sender *s);
/* What the other side has is not compared any more. */
void sender_forget(struct sender *s);

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
/* Waits for a frame, whichever; but that the other side refuses is an error. */
int sender_hear(struct sender *s, struct fail *fail);
/* Waits for `word`; any other is an error. */
int sender_expect(struct sender *s, const char *word, struct fail *fail);
/* Waits until the other side has all pages of a round: what lies in between has not gone. */
int sender_wait_taken(struct sender *s, struct fail *fail);
/* Whether somebody has cancelled, */
int sender_cancelled(struct sender *s, struct fail *fail);
/* or the other side has something to say out of its turn. */
int sender_look(struct sender *s, struct fail *fail);
/* The machine stays: tells the other side, if that can be. */
void sender_cancel(struct sender *s, const struct fail *fail);

/* --- the source: memory (migrate_memory.c) ------------------------------------------------------ */

void sender_report(struct sender *s, bool anyhow);
/* A round: everything whose bit is set. */
int sender_pages(struct sender *s, struct fail *fail);
/* When the bandwidth allows more, CLOCK_MONOTONIC. */
uint64_t sender_due(const struct sender *s);
/* Adds what was written to the bits of the next round, and counts how many bytes they are. */
int sender_collect(struct sender *s, struct fail *fail);
/* Sends what of the pages [at, end) of region `r`, at most SENDER_RUN, has its bit set, which it has
 * no longer then: how many. */
unsigned int sender_block(struct sender *s, unsigned int r, uint64_t at, uint64_t end);

/* --- the source: post-copy (migrate_serve.c) ---------------------------------------------------- */

/* Says what of memory the destination does not have: the pages whose bits are set. */
void sender_say_missing(struct sender *s);
/* Sends those, what is asked for first, until the other side says `word`. */
int sender_serve(struct sender *s, const char *word, struct fail *fail);

#endif
