/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_MEM_H
#define VMM_CORE_MEM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/*
 * Guest RAM, checked. A guest address becomes a pointer only in guest_mem_ptr() and
 * guest_mem_iov(), which take a length and know only RAM: an address in a device's page, a range
 * that leaves RAM or one that wraps gives nothing. Regions are added before any vCPU runs and are
 * then read-only, so lookups take no lock.
 */

typedef uint64_t gpa_t; /* guest physical address (an IPA, on arm64) */

struct guest_ram {
	gpa_t base;
	uint64_t size; /* bytes, not 0; the last byte's address does not wrap */
	uint8_t *host; /* owned by whoever added it */
	bool sparse; /* what the host has given no page for is zeros: private anonymous memory */
	_Atomic uint64_t
		*dirty; /* one bit a page, counted from base; NULL: writes are not recorded */
};

enum { GUEST_RAM_MAX = 8, GUEST_PAGE_SHIFT = 12 };

struct guest_mem {
	struct guest_ram ram[GUEST_RAM_MAX]; /* sorted by base, disjoint */
	unsigned int nram;
};

/* Adds a region: 0, -EINVAL (empty, wraps), -EEXIST (overlap) or -ENOSPC. */
int guest_mem_add(struct guest_mem *m, gpa_t base, uint64_t size, void *host);

/* Says that the region at `base` is private anonymous memory (`sparse`). */
void guest_mem_set_sparse(struct guest_mem *m, gpa_t base);

/* Host address of [gpa, gpa+len) in this region, or NULL unless all of it is inside. No end is
 * computed, so a region may reach 2^64: below its base the difference wraps to at least 2^64 - base,
 * which is no less than its size. len 0 is an address check: the byte at gpa must be inside. */
static inline void *guest_ram_ptr(const struct guest_ram *r, gpa_t gpa, uint64_t len)
{
	gpa_t off = gpa - r->base;

	return off < r->size && len <= r->size - off ? r->host + off : NULL;
}

/* The region that holds gpa, or NULL. A copy of it stays true for as long as the region does. */
const struct guest_ram *guest_mem_region(const struct guest_mem *m, gpa_t gpa);

/* The same for whichever region holds gpa. */
void *guest_mem_ptr(const struct guest_mem *m, gpa_t gpa, uint64_t len);

/* The same for a range over adjacent regions: fills up to `max` vectors and returns their number;
 * -EFAULT when any byte is not RAM, -ENOBUFS when `max` is too small. len 0 gives 0. */
int guest_mem_iov(const struct guest_mem *m, gpa_t gpa, uint64_t len, struct iovec *iov, int max);

/* Copies once, across regions; all or nothing: 0, or -EFAULT with nothing copied. */
int guest_mem_read(const struct guest_mem *m, gpa_t gpa, void *buf, uint64_t len);
int guest_mem_write(struct guest_mem *m, gpa_t gpa, const void *buf, uint64_t len);

/* Marks the pages of a range written through a pointer of ours. KVM's dirty log sees only what
 * vCPUs write. What of the range is outside RAM is ignored. guest_mem_write() calls it itself. */
void guest_mem_dirty(struct guest_mem *m, gpa_t gpa, uint64_t len);

/* The guest's address of a byte behind a pointer into its RAM; it must be one. */
gpa_t guest_mem_gpa(const struct guest_mem *m, const void *host);

/* Gives those pages of the host that lie wholly in the range back to it: they read as zero from
 * now on, until written again. How many bytes; -EFAULT when any byte is not RAM, or madvise()'s
 * error. May race with anything that uses the memory. */
int64_t guest_mem_discard(struct guest_mem *m, gpa_t gpa, uint64_t len);

/* Starts recording writes (all pages clean), or stops it: 0 or -ENOMEM. While nobody writes. */
int guest_mem_track(struct guest_mem *m, bool on);

/* Whether writes are recorded. */
static inline bool guest_mem_tracked(const struct guest_mem *m)
{
	return m->nram && m->ram[0].dirty;
}

/* Adds to `bits`, one a page of region `ram`, what has been recorded, and forgets it. Any thread. */
void guest_mem_take_dirty(struct guest_mem *m, unsigned int ram, uint64_t *bits);

/* Pages of a region, whole or begun. */
static inline uint64_t guest_ram_pages(const struct guest_ram *r)
{
	return ((r->size - 1) >> GUEST_PAGE_SHIFT) + 1;
}

/* Frees the dirty bitmaps; the host memory stays its owner's. */
void guest_mem_destroy(struct guest_mem *m);

#endif
