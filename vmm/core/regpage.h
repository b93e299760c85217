/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_REGPAGE_H
#define VMM_CORE_REGPAGE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/mem.h"

/*
 * Registers that a guest reads without an exit. Their values are the words of a mapping, which the
 * guest sees as read-only memory: a load is a load, a store exits as before. While the mapping is
 * hidden, and where it cannot be shown at all, loads exit too and the device answers them from the
 * same words, so the guest cannot tell. Only for registers whose reads have no side effect.
 *
 * Each device in the window keeps its own words, under its lock. A word changes in one piece, but
 * a guest may load between the changes of two: hide the window around changes that belong
 * together. The words are derived state: never saved, never in the dirty log, no address for DMA.
 */
struct regpage {
	gpa_t base;
	uint64_t size; /* whole pages of the host, if it is to be shown */
	uint8_t *host; /* owned */
	int sink; /* owned: an eventfd that nobody reads, for stores that may vanish; -1: none may */
	/* Set by the VM before it shows the window; NULL: it never does. Lets the guest see it, or
	 * takes it away, which waits until no load is under way: 0 or -errno. */
	int (*map)(struct regpage *page, bool on);
	void *map_arg;
	uint32_t slot; /* the VM's */
	/* Set by the VM where the guest's loads may bypass this CPU's cache: writes back the line. */
	void (*clean)(const void *p);
	pthread_mutex_t lock; /* the rest; taken after a device's */
	unsigned int hidden; /* how many hide it now; the VM is the first */
	bool shown;
};

/* Makes a zeroed window, hidden: 0 or -errno. */
int regpage_init(struct regpage *page, gpa_t base, uint64_t size);
/* Nobody sees it any more. */
void regpage_fini(struct regpage *page);

/* Calls nest; loads exit in between. Where showing fails, they exit from then on. Any thread. */
void regpage_hide(struct regpage *page);
void regpage_show(struct regpage *page);

/* Where the bytes of the guest address are. */
static inline uint8_t *regpage_at(const struct regpage *page, gpa_t addr)
{
	return page->host + (addr - page->base);
}

/* Changes the word at `addr`, aligned to 4; earlier stores are seen before it. */
static inline void regpage_put(const struct regpage *page, gpa_t addr, uint32_t val)
{
	uint32_t *word = (uint32_t *)regpage_at(page, addr);

	if (__atomic_load_n(word, __ATOMIC_RELAXED) == val)
		return;
	__atomic_store_n(word, val, __ATOMIC_RELEASE);
	if (page->clean)
		page->clean(word);
}

/* What a load of 1, 2, 4 or 8 bytes gives, at any address in the window with room for it. */
uint64_t regpage_get(const struct regpage *page, gpa_t addr, unsigned int size);

#endif
