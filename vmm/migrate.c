// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/core/loop.h"
#include "vmm/migrate_priv.h"

/* What both sides of a migration share. */

uint32_t migrate_ram_sum(const struct guest_mem *mem)
{
	uint32_t sum = 0;

	for (unsigned int i = 0; i < mem->nram; i++)
		sum = crc32c(sum, mem->ram[i].host, mem->ram[i].size);
	return sum;
}

static uint64_t first_line(const struct frames *f)
{
	const uint8_t *end = f->section.len ? memchr(f->section.data, '\n', f->section.len) : NULL;

	return end ? (uint64_t)(end - f->section.data) : f->section.len;
}

static void copy_plain(char *to, size_t max, const uint8_t *from, uint64_t len)
{
	len = len < max ? len : max;
	for (uint64_t i = 0; i < len; i++)
		to[i] = from[i] == '\n' || (from[i] >= ' ' && from[i] <= '~') ? (char)from[i] : '?';
	to[len] = 0;
}

void migrate_text(const struct frames *f, char text[MIGRATE_TEXT_MAX + 1])
{
	copy_plain(text, MIGRATE_TEXT_MAX, f->section.data, first_line(f));
}

void migrate_list(const struct frames *f, char list[MIGRATE_LIST_MAX + 1])
{
	uint64_t at = first_line(f);

	at += at < f->section.len;
	copy_plain(list, MIGRATE_LIST_MAX, f->section.data + at, f->section.len - at);
}

bool migrate_is(const struct frames *f, const char *word)
{
	return !strcmp(f->section.name, word);
}

uint64_t migrate_deadline(unsigned int ms)
{
	return loop_now_ns() + ms * 1000000ULL;
}

bool migrate_buffered(const struct frames *f)
{
	return f->in.pos < f->in.len;
}

void migrate_put_missing(struct stream *to, gpa_t base, const uint64_t *bits, uint64_t words)
{
	const struct migrate_missing head = { base };
	size_t len = sizeof(head) + words * sizeof(uint64_t);
	uint8_t *data = to->err ? NULL : malloc(len);

	if (!data) {
		to->err = to->err ? to->err : -ENOMEM;
		return;
	}
	memcpy(data, &head, sizeof(head));
	memcpy(data + sizeof(head), bits, words * sizeof(uint64_t));
	frames_word(to, WORD_MISSING, data, len);
	free(data);
}

const uint64_t *migrate_get_missing(const struct frames *f, gpa_t *base, uint64_t *words)
{
	const struct migrate_missing *head = (const void *)f->section.data;
	uint64_t len = f->section.len;

	if (len <= sizeof(*head) || len % sizeof(uint64_t))
		return NULL;
	*base = head->base;
	*words = (len - sizeof(*head)) / sizeof(uint64_t);
	return (const uint64_t *)(head + 1);
}

void migrate_linger(int in, int out, unsigned int ms)
{
	uint64_t until = migrate_deadline(ms);
	char rest[4096];

	shutdown(out, SHUT_WR);
	while (loop_now_ns() < until) {
		struct pollfd p = { .fd = in, .events = POLLIN };

		if (poll(&p, 1, 20) > 0 && read(in, rest, sizeof(rest)) <= 0)
			return;
	}
}
