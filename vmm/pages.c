// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/pages.h"

#include <errno.h>
#include <unistd.h>

void pages_init(struct pages *pages, struct kvm *kvm)
{
	pages->kvm = kvm;
	pages->n = 0;
}

void pages_fini(struct pages *pages)
{
	while (pages->n)
		regpage_fini(&pages->page[--pages->n]);
}

bool pages_possible(const struct kvm *kvm, uint64_t size)
{
	return kvm_cap(kvm, KVM_CAP_READONLY_MEM) > 0 &&
	       size % (uint64_t)sysconf(_SC_PAGESIZE) == 0;
}

/* A slot's flags cannot change, so it is made and deleted: about a millisecond each while vCPUs
 * run. Deleting waits until they are out of it. */
static int map(struct regpage *page, bool on)
{
	const struct kvm *kvm = page->map_arg;

	if (kvm->vm_fd < 0)
		return -ENODEV;
	return kvm_memslot(kvm, page->slot, KVM_MEM_READONLY, page->base, on ? page->size : 0,
			   page->host);
}

int pages_add(struct pages *pages, gpa_t base, uint64_t size, bool show, struct regpage **out)
{
	struct regpage *page = &pages->page[pages->n];
	int err = pages->n == PAGES_MAX ? -ENOSPC : regpage_init(page, base, size);

	if (err)
		return err;
	page->slot = GUEST_RAM_MAX + pages->n++;
	page->map = show ? map : NULL;
	page->map_arg = pages->kvm;
	*out = page;
	return 0;
}

void pages_on(struct pages *pages, void (*clean)(const void *p))
{
	for (unsigned int i = 0; i < pages->n; i++) {
		pages->page[i].clean = clean;
		regpage_show(&pages->page[i]);
	}
}

void pages_off(struct pages *pages)
{
	for (unsigned int i = 0; i < pages->n; i++)
		regpage_hide(&pages->page[i]);
}
