/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_BACKLOG_H
#define VMM_CORE_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

/*
 * The last BACKLOG_SIZE bytes of an output, for readers that come late and read as slowly as they
 * like: none ever holds the writer up. What is overwritten before a reader has come to it is lost
 * to that reader, which is told how much.
 */
enum { BACKLOG_SIZE = 64 * 1024 };

struct backlog;

struct backlog_reader {
	/* There is something to read, some milliseconds after it was put. Called again only after a
	 * read has found nothing more. Loop thread, no lock held; may detach its own reader. */
	void (*more)(struct backlog_reader *reader);
	/* private */
	uint64_t at; /* the next byte, counted from the first one ever put */
	bool told;
	struct backlog_reader *next;
};

int backlog_create(struct loop *loop, struct backlog **out); /* 0 or -ENOMEM */
void backlog_destroy(struct backlog *log); /* no reader is left; NULL is fine */

/* Any thread, also under a device's lock. */
void backlog_put(struct backlog *log, const void *data, size_t len);

/* The rest is for the loop thread. A reader begins with the oldest byte that is left. */
void backlog_attach(struct backlog *log, struct backlog_reader *reader);
void backlog_detach(struct backlog *log, struct backlog_reader *reader);
/* Copies the next bytes, at most `cap`, and adds to *lost how many before them are lost. */
size_t backlog_read(struct backlog *log, struct backlog_reader *reader, void *buf, size_t cap,
		    uint64_t *lost);
/* How many bytes somebody who comes now has missed. */
uint64_t backlog_missed(struct backlog *log);

#endif
