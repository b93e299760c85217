// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/regpage.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int regpage_init(struct regpage *page, gpa_t base, uint64_t size)
{
	void *host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (host == MAP_FAILED)
		return -errno;
	*page = (struct regpage){
		.base = base,
		.size = size,
		.host = host,
		.sink = -1,
		.hidden = 1,
	};
	pthread_mutex_init(&page->lock, NULL);
	return 0;
}

void regpage_fini(struct regpage *page)
{
	pthread_mutex_destroy(&page->lock);
	munmap(page->host, page->size);
	if (page->sink >= 0)
		close(page->sink);
}

void regpage_hide(struct regpage *page)
{
	pthread_mutex_lock(&page->lock);
	if (!page->hidden++ && page->shown) {
		page->map(page, false);
		page->shown = false;
	}
	pthread_mutex_unlock(&page->lock);
}

void regpage_show(struct regpage *page)
{
	pthread_mutex_lock(&page->lock);
	if (!--page->hidden && page->map)
		page->shown = page->map(page, true) == 0;
	pthread_mutex_unlock(&page->lock);
}

uint64_t regpage_get(const struct regpage *page, gpa_t addr, unsigned int size)
{
	const uint8_t *p = regpage_at(page, addr);
	uint64_t val = 0;

	/* Copies of constant length are loads, not calls. */
	switch (size) {
	case 1:
		return *p;
	case 2:
		memcpy(&val, p, 2);
		return val;
	case 4:
		memcpy(&val, p, 4);
		return val;
	default:
		memcpy(&val, p, 8);
		return val;
	}
}
