/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FAKE_SNAPFILE_H
#define TESTS_FAKE_SNAPFILE_H

#include <stddef.h>
#include <stdint.h>

/* A snapshot's file by somebody who knows the checksums (vmm/snapshot.md). */
enum { SNAPFILE_HEADER = 64 };
/* Offsets in the header. */
enum {
	SNAPFILE_AT_SECTIONS = 16,
	SNAPFILE_AT_RUNS = 20,
	SNAPFILE_AT_META = 24,
	SNAPFILE_AT_LEN = 32,
	SNAPFILE_AT_META_SUM = 40,
	SNAPFILE_AT_SUMS = 44,
	SNAPFILE_AT_SUM = 60,
};

/*
 * Makes the beginning of a file, at least a header, look like one and its checksums hold, as far as its
 * lengths make sense. Returns how long it says that it is.
 */
uint64_t snapfile_mend(uint8_t *file, size_t len);
/* The checksums of at most `n` sections, one behind the other in at[0..len): those of a file, or a stream's frames. */
void snapfile_mend_sections(uint8_t *at, uint64_t len, uint64_t n);

#endif
