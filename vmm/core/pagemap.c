// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/pagemap.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { ENTRIES = 512, REGIONS = 64 };
/* Of an entry: a page is there, or swapped out, or on its way between. */
#define TOUCHED (UINT64_C(1) << 63 | UINT64_C(1) << 62)

/* The bits of what [from, end) of the region has a part of. The host's last page may end behind it. */
static void mark(const struct guest_ram *ram, uint64_t unit, uint64_t *bits, uint64_t from,
		 uint64_t end)
{
	uint64_t at = from / unit, last = ((end < ram->size ? end : ram->size) - 1) / unit;

	for (; at / 64 < last / 64; at = (at / 64 + 1) * 64)
		bits[at / 64] |= UINT64_MAX << at % 64;
	bits[at / 64] |= UINT64_MAX << at % 64 & UINT64_MAX >> (63 - last % 64);
}

/* It passes by what has no page tables. False if this kernel cannot be asked so. */
static bool scan(int fd, const struct guest_ram *ram, uint64_t unit, uint64_t *bits)
{
#ifdef PAGEMAP_SCAN
	const uint64_t host = (uintptr_t)ram->host;
	struct page_region found[REGIONS];
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.walk_end = host,
		.end = host + ram->size,
		.vec = (uintptr_t)found,
		.vec_len = REGIONS,
		.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		.return_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
	};

	while (arg.walk_end < arg.end) {
		int n;

		arg.start = arg.walk_end;
		n = ioctl(fd, PAGEMAP_SCAN, &arg);
		if (n < 0 || arg.walk_end <= arg.start)
			return false;
		for (int i = 0; i < n; i++)
			mark(ram, unit, bits, found[i].start - host, found[i].end - host);
	}
	return true;
#else
	(void)fd, (void)ram, (void)unit, (void)bits;
	return false;
#endif
}

/* An entry a page. */
static bool look(int fd, const struct guest_ram *ram, uint64_t unit, uint64_t *bits)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE),
		       pages = (ram->size + page - 1) / page;
	uint64_t entries[ENTRIES];

	for (uint64_t at = 0; at < pages; at += ENTRIES) {
		uint64_t n = pages - at < ENTRIES ? pages - at : ENTRIES;
		ssize_t len = (ssize_t)(n * sizeof(entries[0]));
		uint64_t first = (uintptr_t)ram->host / page + at;

		if (pread(fd, entries, (size_t)len, (off_t)(first * sizeof(entries[0]))) != len)
			return false;
		for (uint64_t i = 0; i < n; i++)
			if (entries[i] & TOUCHED)
				mark(ram, unit, bits, (at + i) * page, (at + i + 1) * page);
	}
	return true;
}

uint64_t *pagemap_touched(const struct guest_ram *ram, uint64_t unit)
{
	int fd = ram->sparse ? open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC) : -1;
	uint64_t *bits;

	if (fd < 0)
		return NULL;
	bits = calloc(((ram->size + unit - 1) / unit + 63) / 64, sizeof(*bits));
	if (bits && !scan(fd, ram, unit, bits) && !look(fd, ram, unit, bits)) {
		free(bits);
		bits = NULL;
	}
	close(fd);
	return bits;
}
