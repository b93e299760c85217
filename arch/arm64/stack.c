// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/stack.h"

#include <endian.h>
#include <stdbool.h>

struct frame {
	uint64_t fp, lr; /* the caller's, little-endian */
};

/* Each half by itself: a record may cross a page. */
static bool read_u64(const struct guest_mem *mem, const struct pagetable *pt, uint64_t va,
		     uint64_t *v)
{
	gpa_t at;

	if (va & 7 || pagetable_walk(mem, pt, va, &at) || guest_mem_read(mem, at, v, sizeof(*v)))
		return false;
	*v = le64toh(*v);
	return true;
}

/* Bit 55 says which half of the addresses it is of; a code lies in the bits above its size (Arm ARM,
 * D8.8.1). 48 bits, or 52 where the half is that large. */
static uint64_t without_code(const struct pagetable *pt, uint64_t pc)
{
	bool high = pc >> 55 & 1;
	unsigned int tsz = pt->tcr >> (high ? 16 : 0) & 0x3f;
	uint64_t mask = ~0ULL << (tsz < 16 ? 52 : 48);

	return high ? pc | mask : pc & ~mask;
}

unsigned int stack_walk(const struct guest_mem *mem, const struct pagetable *pt, uint64_t fp,
			uint64_t frames[STACK_FRAMES_MAX])
{
	unsigned int n = 0;
	struct frame f;

	while (n < STACK_FRAMES_MAX && fp && read_u64(mem, pt, fp, &f.fp) &&
	       read_u64(mem, pt, fp + 8, &f.lr) && f.lr) {
		frames[n++] = without_code(pt, f.lr);
		if (f.fp <= fp)
			break;
		fp = f.fp;
	}
	return n;
}
