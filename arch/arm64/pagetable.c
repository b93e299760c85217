// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/pagetable.h"

#include <errno.h>
#include <stdbool.h>

#define SCTLR_M	 (1ULL << 0)
#define SCTLR_EE (1ULL << 25)
#define TCR_DS	 (1ULL << 59)

enum { LAST_LEVEL = 3, PA_BITS = 48, IPS_52_BITS = 6, TSZ_MIN = 16, TSZ_MIN_LVA = 12 };

/* Where a descriptor has the upper bits of an address (D8.3.1). */
enum format {
	ADDRESS_48, /* there are none */
	ADDRESS_LPA, /* 64 KiB granule with 52 bits: 51 to 48 in 15 to 12 */
	ADDRESS_LPA2, /* TCR.DS: 49 and 48 in their places, 51 and 50 in 9 and 8 */
};

/* What one half of the address space is made of. */
struct half {
	uint64_t ttbr;
	unsigned int granule; /* log2 bytes of a page and a table */
	unsigned int va_bits, pa_bits;
	enum format format;
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
	if (half->granule == 16)
		half->format = ips >= IPS_52_BITS ? ADDRESS_LPA : ADDRESS_48;
	else
		half->format = pt->tcr & TCR_DS ? ADDRESS_LPA2 : ADDRESS_48;
	half->pa_bits =
		half->format != ADDRESS_48 || pa_bits[ips] < PA_BITS ? pa_bits[ips] : PA_BITS;
	if (disabled || !half->granule)
		return false;
	if (tsz < (half->granule == 16 || half->format == ADDRESS_LPA2 ? TSZ_MIN_LVA : TSZ_MIN) ||
	    half->va_bits <= half->granule)
		return false;
	/* Bits above the range are all alike, but for the tag. */
	top = va >> half->va_bits;
	if (tagged)
		top &= mask(56 - half->va_bits);
	return top == (high ? mask((tagged ? 56 : 64) - half->va_bits) : 0);
}

/* The address in a descriptor, whose bits below `low` say something else. */
static uint64_t address(const struct half *half, uint64_t desc, unsigned int low)
{
	switch (half->format) {
	case ADDRESS_LPA:
		return (desc & mask(48) & ~mask(low)) | (uint64_t)field(desc, 12, 4) << 48;
	case ADDRESS_LPA2:
		return (desc & mask(50) & ~mask(low)) | (uint64_t)field(desc, 8, 2) << 50;
	default:
		return desc & mask(48) & ~mask(low);
	}
}

/* Of the first table, of 2^`size` bytes (TTBR0_EL1, BADDR). */
static uint64_t first_table(const struct half *half, unsigned int size)
{
	if (half->pa_bits <= PA_BITS)
		return half->ttbr & mask(PA_BITS) & ~mask(size);
	return (half->ttbr & mask(PA_BITS) & ~mask(size < 6 ? 6 : size)) |
	       (uint64_t)field(half->ttbr, 2, 4) << PA_BITS;
}

static bool block_allowed(const struct half *half, int level)
{
	bool lpa2 = half->format == ADDRESS_LPA2;

	switch (half->granule) {
	case 12:
		return level == 2 || level == 1 || (level == 0 && lpa2);
	case 14:
		return level == 2 || (level == 1 && lpa2);
	default:
		return level == 2 || (level == 1 && half->format == ADDRESS_LPA);
	}
}

static int walk(const struct guest_mem *mem, const struct half *half, uint64_t va, gpa_t *gpa)
{
	unsigned int stride = half->granule - 3;
	unsigned int levels = (half->va_bits - half->granule + stride - 1) / stride;
	unsigned int shift = half->granule + (levels - 1) * stride;
	unsigned int size = half->va_bits - shift + 3; /* log2 bytes of the first table */
	uint64_t table = first_table(half, size);
	uint64_t index = va >> shift & mask(half->va_bits - shift);

	for (int level = LAST_LEVEL + 1 - (int)levels;; level++) {
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
			*gpa = address(half, desc, shift) | (va & mask(shift));
			return *gpa >> half->pa_bits ? -EFAULT : 0;
		}
		table = address(half, desc, half->granule);
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
