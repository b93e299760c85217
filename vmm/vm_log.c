// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/vm.h"

/* What vCPUs write to RAM, by KVM's dirty log: a bit a page of the host. */

/* A clear holds KVM's lock on the VM's page tables, which vCPUs want: so many pages at a time. */
enum { CLEAR_PAGES = 64 << 10 };

static int set_logged(struct vm *vm, bool on)
{
	int err = 0;

	for (unsigned int i = 0; i < vm->mem.nram; i++) {
		const struct guest_ram *ram = &vm->mem.ram[i];
		int ret = kvm_memslot(&vm->kvm, i, on ? KVM_MEM_LOG_DIRTY_PAGES : 0, ram->base,
				      ram->size, ram->host);

		err = err ? err : ret;
	}
	return err;
}

int vm_log_writes(struct vm *vm, bool on)
{
	const struct kvm *kvm = &vm->kvm;
	int modes = kvm_cap(kvm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2), err;

	if (!on)
		return set_logged(vm, false);
	/* Pages are protected as they are asked for, not all at once when the log begins. */
	vm->log_manual = modes && !kvm_enable_cap(kvm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, modes);
	err = set_logged(vm, true);
	if (err)
		set_logged(vm, false);
	return err;
}

static int clear(const struct vm *vm, unsigned int slot, uint64_t *bits, uint64_t pages)
{
	int err = 0;

	for (uint64_t at = 0; !err && at < pages; at += CLEAR_PAGES)
		err = kvm_log_clear(&vm->kvm, slot, at,
				    pages - at < CLEAR_PAGES ? pages - at : CLEAR_PAGES,
				    bits + at / 64);
	return err;
}

/* A page of the host is `k` of the guest's memory, as the bits have it. */
static void add_bits(uint64_t *bits, const uint64_t *host, uint64_t pages, unsigned int k)
{
	for (uint64_t p = 0; p < pages; p++)
		if (host[p / 64] >> p % 64 & 1)
			for (uint64_t i = p * k; i < (p + 1) * k; i++)
				bits[i / 64] |= UINT64_C(1) << i % 64;
}

int vm_log_take(struct vm *vm, unsigned int ram, uint64_t *bits)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t pages = vm->mem.ram[ram].size / page, words = (pages + 63) / 64;
	uint64_t *host = calloc(words, sizeof(*host));
	int err = host ? kvm_log_get(&vm->kvm, ram, host) : -ENOMEM;

	if (!err && vm->log_manual)
		err = clear(vm, ram, host, pages);
	if (!err && page == 1 << GUEST_PAGE_SHIFT)
		for (uint64_t i = 0; i < words; i++)
			bits[i] |= host[i];
	else if (!err)
		add_bits(bits, host, pages, (unsigned int)(page >> GUEST_PAGE_SHIFT));
	free(host);
	return err;
}
