// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/pagemap.h"

#include <fcntl.h>
#include <unistd.h>

enum { ENTRIES = 64 };
/* A page is there, or swapped out, or on its way between. */
#define TOUCHED (UINT64_C(1) << 63 | UINT64_C(1) << 62)

void pagemap_open(struct pagemap *map)
{
	map->fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
}

void pagemap_close(struct pagemap *map)
{
	if (map->fd >= 0)
		close(map->fd);
	map->fd = -1;
}

static bool none_touched(int fd, uint64_t first, uint64_t n)
{
	uint64_t entries[ENTRIES], any = 0;
	ssize_t len = (ssize_t)(n * sizeof(entries[0]));

	if (pread(fd, entries, (size_t)len, (off_t)(first * sizeof(entries[0]))) != len)
		return false;
	for (uint64_t i = 0; i < n; i++)
		any |= entries[i];
	return !(any & TOUCHED);
}

bool pagemap_untouched(const struct pagemap *map, const struct guest_ram *ram, uint64_t at,
		       uint64_t len)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)ram->host + at;
	uint64_t first = from / page, end = (from + len - 1) / page + 1;

	if (map->fd < 0 || !ram->sparse)
		return false;
	for (; first < end; first += ENTRIES)
		if (!none_touched(map->fd, first, end - first < ENTRIES ? end - first : ENTRIES))
			return false;
	return true;
}
