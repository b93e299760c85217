// SPDX-License-Identifier: GPL-2.0-only
#include "tests/fake/snapfile.h"

#include <string.h>

#include "vmm/core/stream.h"
#include "vmm/snapshot_priv.h"

static void put32(uint8_t *at, uint32_t v)
{
	memcpy(at, &v, sizeof(v));
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

void snapfile_mend_sections(uint8_t *at, uint64_t len, uint64_t n)
{
	struct section_head head;

	while (n-- && len >= sizeof(head)) {
		memcpy(&head, at, sizeof(head));
		if (head.len > len - sizeof(head))
			return;
		head.sum = crc32c(0, &head, offsetof(struct section_head, sum));
		head.sum = crc32c(head.sum, at + sizeof(head), head.len);
		memcpy(at, &head, sizeof(head));
		at += sizeof(head) + head.len;
		len -= sizeof(head) + head.len;
	}
}

uint64_t snapfile_mend(uint8_t *file, size_t len)
{
	uint64_t meta = get64(file + SNAPFILE_AT_META);
	uint32_t n;

	memcpy(file, "VMMSNAP\x1a", 8);
	put32(file + 8, SNAPSHOT_VERSION);
	put32(file + 12, SNAPSHOT_CHUNK);
	memcpy(&n, file + SNAPFILE_AT_SECTIONS, sizeof(n));
	if (meta <= len - SNAPFILE_HEADER) {
		snapfile_mend_sections(file + SNAPFILE_HEADER, meta, n);
		put32(file + SNAPFILE_AT_META_SUM, crc32c(0, file + SNAPFILE_HEADER, meta));
	}
	put32(file + SNAPFILE_AT_SUM, crc32c(0, file, SNAPFILE_AT_SUM));
	return get64(file + SNAPFILE_AT_LEN);
}
