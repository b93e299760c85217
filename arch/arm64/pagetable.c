// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/pagetable.h"

#include <errno.h>
#include <stdbool.h>

#define SCTLR_M	 (1ULL << 0)
#define SCTLR_EE (1ULL << 25)
#define TCR_DS	 (1ULL << 59)

enum { LAST_LEVEL = 3, PA_BITS = 48, IPS_52_BITS = 6, TSZ_MIN = 16, TSZ_MIN_LVA = 12 };

/* What one half of the address space is made of. */
struct half {
	uint64_t ttbr;
	unsigned int granule; /* log2 bytes of a page and a table */
	unsigned int va_bits, pa_bits;
	bool lpa; /* 52-bit output addresses, 64 KiB granule */
};

static uint64_t mask(unsigned int n)
{
	return (1ULL << n) - 1;
}

static unsigned int field(uint64_t reg, unsigned int shift, unsigned int n)
{
	return reg >> shift & mask(n);
}

/* Fills `half` from the fields for `va`: false for what is switched off or not followed. */
static bool choose_half(const struct pagetable *pt, uint64_t va, struct half *half)
{
	static const unsigned int granules[2][4] = { { 12, 16, 14, 0 }, { 0, 14, 12, 16 } };
	static const unsigned int pa_bits[] = { 32, 36, 40, 42, 44, 48, 52, 52 };
	unsigned int high = field(va, 55, 1), base = 16 * high;
	unsigned int tsz = field(pt->tcr, base, 6), ips = field(pt->tcr, 32, 3);
	bool disabled = field(pt->tcr, base + 7, 1), tagged = field(pt->tcr, 37 + high, 1);
	uint64_t top;

	half->ttbr = high ? pt->ttbr1 : pt->ttbr0;
	half->granule = granules[high][field(pt->tcr, base + 14, 2)];
	half->va_bits = 64 - tsz;
	half->lpa = half->granule == 16 && ips >= IPS_52_BITS;
	half->pa_bits = half->lpa || pa_bits[ips] < PA_BITS ? pa_bits[ips] : PA_BITS;
	if (disabled || !half->granule || (half->granule != 16 && pt->tcr & TCR_DS))
		return false;
	if (tsz < (half->granule == 16 ? TSZ_MIN_LVA : TSZ_MIN) || half->va_bits <= half->granule)
		return false;
	/* Bits above the range are all alike, but for the tag. */
	top = va >> half->va_bits;
	if (tagged)
		top &= mask(56 - half->va_bits);
	return top == (high ? mask((tagged ? 56 : 64) - half->va_bits) : 0);
}

/* Bits 47 to `low` of a descriptor or TTBR, and with 52-bit addresses the four at `high_at`. */
static uint64_t address(const struct half *half, uint64_t desc, unsigned int low,
			unsigned int high_at)
{
	uint64_t addr = desc & mask(PA_BITS) & ~mask(low);

	return half->lpa ? addr | (uint64_t)field(desc, high_at, 4) << PA_BITS : addr;
}

static bool block_allowed(const struct half *half, unsigned int level)
{
	return level == 2 || (level == 1 && (half->granule == 12 || half->lpa));
}

static int walk(const struct guest_mem *mem, const struct half *half, uint64_t va, gpa_t *gpa)
{
	unsigned int stride = half->granule - 3;
	unsigned int levels = (half->va_bits - half->granule + stride - 1) / stride;
	unsigned int shift = half->granule + (levels - 1) * stride;
	unsigned int size = half->va_bits - shift + 3; /* log2 bytes of the first table */
	uint64_t table = address(half, half->ttbr, half->lpa && size < 6 ? 6 : size, 2);
	uint64_t index = va >> shift & mask(half->va_bits - shift);

	for (unsigned int level = LAST_LEVEL + 1 - levels;; level++) {
		uint64_t desc;
		int err;

		if (table >> half->pa_bits)
			return -EFAULT;
		err = guest_mem_read(mem, table + index * 8, &desc, sizeof(desc));
		if (err)
			return err;
		if (!(desc & 1) || (level == LAST_LEVEL && !(desc & 2)))
			return -EFAULT;
		if (level == LAST_LEVEL || !(desc & 2)) {
			if (level != LAST_LEVEL && !block_allowed(half, level))
				return -EFAULT;
			*gpa = address(half, desc, shift, 12) | (va & mask(shift));
			return *gpa >> half->pa_bits ? -EFAULT : 0;
		}
		table = address(half, desc, half->granule, 12);
		shift -= stride;
		index = va >> shift & mask(stride);
	}
}

int pagetable_walk(const struct guest_mem *mem, const struct pagetable *pt, uint64_t va, gpa_t *gpa)
{
	struct half half;

	if (!(pt->sctlr & SCTLR_M)) {
		*gpa = va;
		return 0;
	}
	if (pt->sctlr & SCTLR_EE || !choose_half(pt, va, &half))
		return -EFAULT;
	return walk(mem, &half, va, gpa);
}
