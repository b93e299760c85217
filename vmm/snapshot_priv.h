/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_SNAPSHOT_PRIV_H
#define VMM_SNAPSHOT_PRIV_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/snapshot.h"

/* As they lie in a file or stream: little-endian, without gaps. vmm/snapshot.md */
struct section_head {
	char name[32]; /* padded with zeros */
	uint32_t version;
	uint32_t flags; /* bit 0: optional */
	uint64_t len;
	uint32_t sum; /* CRC-32C of the fields above and the payload */
} __attribute__((packed));

_Static_assert(sizeof(struct section_head) == 52, "the format");

struct section_head section_head(const struct section *section);
/* Takes a head whose payload is `data`: fills all of `section` but `data`. -EPROTO, -EBADMSG. */
int section_check(const struct section_head *head, const uint8_t *data, struct section *section);

/* All of it, at an offset: 0 or -errno; -ENODATA for a file that ends too soon. */
int full_pwrite(int fd, const void *data, size_t len, off_t off);
int full_pread(int fd, void *data, size_t len, off_t off);

/* CRC-32C of `len` zeros, whole pages. */
uint32_t zeros_sum(const struct snapshot *snap, uint64_t len);
/* Bytes of chunk `i` of a run of RAM, counted from its first. */
uint64_t chunk_len(const struct snapshot_ram *ram, uint32_t i);
static inline uint32_t chunks_of(uint64_t size)
{
	return (uint32_t)((size + SNAPSHOT_CHUNK - 1) / SNAPSHOT_CHUNK);
}
/* Whether a page of GUEST_PAGE_SIZE bytes, aligned, is all zeros. */
bool page_is_zero(const uint8_t *page);

#endif
