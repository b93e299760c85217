// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

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

void migrate_text(const struct frames *f, char text[MIGRATE_TEXT_MAX + 1])
{
	size_t len = f->section.len < MIGRATE_TEXT_MAX ? f->section.len : MIGRATE_TEXT_MAX;

	if (len)
		memcpy(text, f->section.data, len);
	text[len] = 0;
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

bool migrate_is(const struct frames *f, const char *word)
{
	return !strcmp(f->section.name, word);
}

uint64_t migrate_deadline(unsigned int ms)
{
	return loop_now_ns() + ms * 1000000ULL;
}
