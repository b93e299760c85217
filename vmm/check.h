/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CHECK_H
#define VMM_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/arm64/cpu.h"
#include "arch/arm64/gic_plan.h"
#include "vmm/core/fail.h"
#include "vmm/kvm.h"

/* What `vmm check` asks the host, an item a row; the lists are in the order of their printing. */

struct check_host {
	const struct kvm *kvm; /* with a VM, which nothing runs in */
	struct cpu_model model;
	struct gic_host gic;
	bool forwards; /* firmware calls, to us */
	uint32_t kernel_psci; /* the newest PSCI version of the kernel's own */
};

struct check_result {
	char value[96];
	bool lacks; /* then the item's `lacking` is said, too */
};

struct check_item {
	const char *name;
	void (*ask)(const struct check_host *host, long arg, struct check_result *result);
	long arg;
	const char *lacking; /* the consequence, and what would help; NULL: it is never lacking */
};

/* End with an item without a name. */
extern const struct check_item check_kvm_items[];
extern const struct check_item check_system_items[];

/* "yes" or "no", which lacks. */
void check_yes(struct check_result *result, bool yes);

/* The steps of the vGIC table on this host's KVM, as TAP on stdout. Returns the exit code. */
int check_gic(const struct kvm *kvm, struct fail *fail);

#endif
