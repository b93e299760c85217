/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_PAGES_H
#define VMM_PAGES_H

#include "vmm/core/regpage.h"
#include "vmm/kvm.h"

/*
 * The windows of registers that the guest reads without an exit (vmm/core/regpage.h), as KVM knows
 * them: read-only memory slots after those of RAM, in no table of RAM. Stores to such a slot exit,
 * or ring their ioeventfd, as where nothing is.
 */
enum { PAGES_MAX = 3 };

struct pages {
	struct kvm *kvm; /* the VM in it comes and goes */
	struct regpage page[PAGES_MAX];
	unsigned int n;
};

void pages_init(struct pages *pages, struct kvm *kvm);
void pages_fini(struct pages *pages);

/* Whether this host can show windows of `size` bytes. */
bool pages_possible(const struct kvm *kvm, uint64_t size);

/* Makes a window, which lives until pages_fini(); `show`: the guest sees it while the VM is on.
 * 0 or -errno. */
int pages_add(struct pages *pages, gpa_t base, uint64_t size, bool show, struct regpage **out);

/* The VM exists and runs its first vCPU soon; its CPUs' loads need `clean` (or NULL). */
void pages_on(struct pages *pages, void (*clean)(const void *p));
/* The VM has been closed. */
void pages_off(struct pages *pages);

#endif
