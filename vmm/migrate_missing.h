/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_MIGRATE_MISSING_H
#define VMM_MIGRATE_MISSING_H

#include "vmm/core/fail.h"
#include "vmm/core/mem.h"

/*
 * Pages of guest memory that are not here yet (userfaultfd): whoever touches one, a vCPU, a device of
 * ours or the kernel, waits until it has come. One thread reads the faults and puts the pages; it
 * must not touch guest memory itself. All others only mark, before it begins.
 */
struct missing {
	bool begun;
	int uffd; /* once begun: readable when somebody waits for a page; else -1 */
	const struct guest_mem *mem; /* borrowed */
	uint64_t left; /* pages that are missing */
	/* private: one bit a page; `asked`: somebody waits for it, and that has been told */
	uint64_t *lacks[GUEST_RAM_MAX], *asked[GUEST_RAM_MAX];
};

/* Whether this host lets us have it: 0, or EXIT_HOST with what would. */
int missing_possible(struct fail *fail);

/* Nothing is missing. */
void missing_init(struct missing *m, const struct guest_mem *mem);
/* `bits`, `words` of them, one a page from `base` on: those that are set are missing. -EPROTO unless
 * they are exactly those of a region of which nothing has been said yet; -ENOMEM. */
int missing_mark(struct missing *m, gpa_t base, const uint64_t *bits, uint64_t words);
/* What those pages have held is forgotten, and who touches one waits: 0, or -errno with a sentence. */
int missing_begin(struct missing *m, struct fail *fail);

/* One fault: the page to ask for in *gpa (1); nothing to do (0), also for one that is not missing,
 * which reads as zeros then; or -errno. */
int missing_fault(struct missing *m, gpa_t *gpa);
/* The first page at or behind *gpa that has been asked for and is missing still: false at the end. */
bool missing_asked(const struct missing *m, gpa_t *gpa);
/* `n` pages have come, with what is in `data`; NULL: zeros. -EPROTO unless all of them are missing;
 * -errno. */
int missing_put(struct missing *m, gpa_t gpa, const void *data, uint64_t n);
/* What region `ram` still lacks, as missing_mark() had it; NULL: nothing was ever missing. */
const uint64_t *missing_bits(const struct missing *m, unsigned int ram, uint64_t *words);

/* Nobody waits any more, whatever is missing. */
void missing_end(struct missing *m);

#endif
