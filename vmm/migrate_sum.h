/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_MIGRATE_SUM_H
#define VMM_MIGRATE_SUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * What a page was like when it was sent: SipHash-2-4 of 128 bits (Aumasson and Bernstein, "SipHash: a
 * fast short-input PRF"), with a key that is drawn for each migration. Equal sums are taken for equal
 * pages: that two differ all the same has a chance of 2^-128, which no guest can better without the
 * key, as it could with a checksum that has none.
 */
struct page_sum {
	uint64_t half[2];
};

/* Of `len` bytes. */
struct page_sum page_sum(const uint64_t key[2], const void *data, size_t len);

#endif
