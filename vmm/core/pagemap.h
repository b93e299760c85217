/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_PAGEMAP_H
#define VMM_CORE_PAGEMAP_H

#include "vmm/core/mem.h"

/*
 * What of a region has been touched, without touching it: what the kernel says in /proc/self/pagemap
 * (Documentation/admin-guide/mm/pagemap.rst). To ask costs a small part of what it costs to look at the
 * memory, which is also given pages for that: almost nothing where Linux 6.7 or later has given none
 * (PAGEMAP_SCAN). What userfaultfd keeps back looks untouched, too: nobody is to ask while memory is missing.
 *
 * A bit for each `unit` bytes from the region's start on, the lowest of 64 first: clear where they are
 * zeros, because the host has given no page for any of them. NULL if that is not known, or memory is
 * short: all of it may be something else. The caller frees it. Any thread.
 */
uint64_t *pagemap_touched(const struct guest_ram *ram, uint64_t unit);

#endif
