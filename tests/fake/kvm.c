// SPDX-License-Identifier: GPL-2.0-only
#include "tests/fake/kvm.h"

#include <assert.h>

#include "vmm/core/device.h"

static struct fake_kvm *fake(const struct kvm *kvm)
{
	return container_of((struct kvm *)kvm, struct fake_kvm, kvm);
}

int kvm_cap(const struct kvm *kvm, unsigned int cap)
{
	(void)cap;
	return fake(kvm)->cap;
}

int kvm_memslot(const struct kvm *kvm, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size,
		void *host)
{
	struct fake_kvm *f = fake(kvm);

	assert(f->nslots < FAKE_KVM_CALLS);
	f->slots[f->nslots++] = (struct fake_slot){ slot, flags, gpa, size, host };
	return f->err;
}

int kvm_coalesce(const struct kvm *kvm, uint64_t addr, uint32_t size, bool on)
{
	struct fake_kvm *f = fake(kvm);

	assert(f->nzones < FAKE_KVM_CALLS);
	f->zones[f->nzones++] = (struct fake_zone){ addr, size, on };
	return f->err;
}
