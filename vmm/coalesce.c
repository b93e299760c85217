// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/coalesce.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static struct coalesce *to_coalesce(struct stores *stores)
{
	return container_of(stores, struct coalesce, stores);
}

static int watch(struct stores *stores, gpa_t addr, uint32_t size, bool on)
{
	struct coalesce *c = to_coalesce(stores);

	return c->ring ? kvm_coalesce(c->kvm, addr, size, on) : -ENODEV;
}

static bool take(struct stores *stores, gpa_t *addr, uint64_t *val)
{
	struct coalesce *c = to_coalesce(stores);
	const struct kvm_coalesced_mmio *entry;

	/* Pairs with the kernel's barrier between an entry and `last`. */
	if (!c->ring || c->next == __atomic_load_n(&c->ring->last, __ATOMIC_ACQUIRE))
		return false;
	entry = &c->ring->coalesced_mmio[c->next];
	*addr = entry->phys_addr;
	memcpy(val, entry->data, sizeof(*val));
	c->next = c->next + 1 == c->max ? 0 : c->next + 1;
	return true;
}

static void give_back(struct stores *stores)
{
	struct coalesce *c = to_coalesce(stores);

	if (c->ring)
		__atomic_store_n(&c->ring->first, c->next, __ATOMIC_RELEASE);
}

void coalesce_init(struct coalesce *c, const struct kvm *kvm)
{
	*c = (struct coalesce){
		.stores = { .watch = watch, .take = take, .give_back = give_back },
		.kvm = kvm,
	};
}

void coalesce_on(struct coalesce *c, const struct kvm_vcpu *vcpu)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t at = (size_t)kvm_cap(c->kvm, KVM_CAP_COALESCED_MMIO) * page;

	if (!at || at + page > vcpu->run_size)
		return;
	c->ring = (void *)((uint8_t *)vcpu->run + at);
	c->max = (uint32_t)((page - sizeof(*c->ring)) / sizeof(c->ring->coalesced_mmio[0]));
	c->next = c->ring->first;
	c->stores.room = c->max;
}

void coalesce_off(struct coalesce *c)
{
	stores_flush(&c->stores);
	c->ring = NULL;
	c->stores.room = 0;
}
