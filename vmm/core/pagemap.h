/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_PAGEMAP_H
#define VMM_CORE_PAGEMAP_H

#include "vmm/core/mem.h"

/*
 * Which of guest RAM has never been touched, without touching it: what the kernel says in
 * /proc/self/pagemap (Documentation/admin-guide/mm/pagemap.rst). To ask costs a small part of what it
 * costs to look at the memory, which is also given pages for that.
 * What userfaultfd keeps back looks untouched, too: nobody is to ask while memory is missing.
 */
struct pagemap {
	int fd; /* -1: this host does not say, and all counts as touched */
};

void pagemap_open(struct pagemap *map);
void pagemap_close(struct pagemap *map);

/* Whether [at, at + len) of a region is zeros because the host has given no page of it. `at` and
 * `len`, not 0, are inside of it. False where that is not known. Any thread. */
bool pagemap_untouched(const struct pagemap *map, const struct guest_ram *ram, uint64_t at,
		       uint64_t len);

#endif
