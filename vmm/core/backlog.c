// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/backlog.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/loop.h"

/* Readers are woken this long after the first byte that they have not seen: output comes byte by
 * byte from a serial console. */
static const uint64_t WAKE_NS = 5000000;

struct backlog {
	struct loop *loop;
	struct loop_timer wake;
	struct backlog_reader *readers; /* the loop thread's */
	pthread_mutex_t lock; /* taken after a device's and before the loop's; guards the rest */
	bool wanted; /* a reader waits, and `wake` is not armed yet */
	uint64_t total; /* bytes ever put: the last ones are in the ring */
	uint8_t ring[BACKLOG_SIZE];
};

static void on_wake(struct loop_timer *timer)
{
	struct backlog *log = container_of(timer, struct backlog, wake);
	struct backlog_reader *reader = log->readers, *next;

	for (; reader; reader = next) {
		next = reader->next;
		if (reader->told)
			continue;
		reader->told = true;
		reader->more(reader);
	}
}

void backlog_put(struct backlog *log, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	size_t skip = len > BACKLOG_SIZE ? len - BACKLOG_SIZE : 0, at, first;
	bool wake;

	pthread_mutex_lock(&log->lock);
	at = (log->total + skip) % BACKLOG_SIZE;
	first = len - skip < BACKLOG_SIZE - at ? len - skip : BACKLOG_SIZE - at;
	memcpy(log->ring + at, bytes + skip, first);
	memcpy(log->ring, bytes + skip + first, len - skip - first);
	log->total += len;
	wake = log->wanted && len;
	log->wanted &= !wake;
	pthread_mutex_unlock(&log->lock);
	if (wake)
		loop_timer_set(log->loop, &log->wake, loop_now_ns() + WAKE_NS);
}

static uint64_t oldest(const struct backlog *log)
{
	return log->total > BACKLOG_SIZE ? log->total - BACKLOG_SIZE : 0;
}

size_t backlog_read(struct backlog *log, struct backlog_reader *reader, void *buf, size_t cap,
		    uint64_t *lost)
{
	uint8_t *bytes = buf;
	size_t len, at, first;

	pthread_mutex_lock(&log->lock);
	if (reader->at < oldest(log)) {
		*lost += oldest(log) - reader->at;
		reader->at = oldest(log);
	}
	len = log->total - reader->at < cap ? log->total - reader->at : cap;
	at = reader->at % BACKLOG_SIZE;
	first = len < BACKLOG_SIZE - at ? len : BACKLOG_SIZE - at;
	memcpy(bytes, log->ring + at, first);
	memcpy(bytes + first, log->ring, len - first);
	reader->at += len;
	if (!len) {
		reader->told = false;
		log->wanted = true;
	}
	pthread_mutex_unlock(&log->lock);
	return len;
}

uint64_t backlog_missed(struct backlog *log)
{
	uint64_t missed;

	pthread_mutex_lock(&log->lock);
	missed = oldest(log);
	pthread_mutex_unlock(&log->lock);
	return missed;
}

void backlog_attach(struct backlog *log, struct backlog_reader *reader)
{
	reader->at = backlog_missed(log);
	reader->told = true;
	reader->next = log->readers;
	log->readers = reader;
}

void backlog_detach(struct backlog *log, struct backlog_reader *reader)
{
	struct backlog_reader **at = &log->readers;

	while (*at != reader)
		at = &(*at)->next;
	*at = reader->next;
}

int backlog_create(struct loop *loop, struct backlog **out)
{
	struct backlog *log = malloc(sizeof(*log));

	if (!log)
		return -ENOMEM;
	/* Not the ring: its pages cost nothing before they are written. */
	memset(log, 0, offsetof(struct backlog, ring));
	log->loop = loop;
	log->wake.fn = on_wake;
	pthread_mutex_init(&log->lock, NULL);
	*out = log;
	return 0;
}

void backlog_destroy(struct backlog *log)
{
	if (!log)
		return;
	loop_timer_cancel(log->loop, &log->wake);
	pthread_mutex_destroy(&log->lock);
	free(log);
}
