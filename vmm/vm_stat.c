// SPDX-License-Identifier: GPL-2.0-only
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/vm.h"

static uint64_t exits_of(const struct vcpu *vcpu, int kind)
{
	return __atomic_load_n(&vcpu->exits[kind], __ATOMIC_RELAXED);
}

/* One array a kind, one number a vCPU; kinds that nobody had are left out. */
static void stat_exits(const struct vm *vm, struct json_out *out)
{
	/* None before the first start, which is when a client may be there already. */
	unsigned int ncpus = vm->vcpus ? vm->ncpus : 0;

	json_open(out, "exits", '{');
	for (int kind = 0; kind < VCPU_EXIT_KINDS; kind++) {
		uint64_t all = 0;

		for (unsigned int i = 0; i < ncpus; i++)
			all += exits_of(&vm->vcpus[i], kind);
		if (!all)
			continue;
		json_open(out, vcpu_exit_name(kind), '[');
		for (unsigned int i = 0; i < ncpus; i++)
			json_uint(out, NULL, exits_of(&vm->vcpus[i], kind));
		json_close(out, ']');
	}
	json_close(out, '}');
}

/* Bytes of guest RAM that the host has given a page for. */
static uint64_t resident(const struct guest_ram *ram)
{
	enum { CHUNK = 16384 };
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), pages = 0;
	unsigned char present[CHUNK];

	for (uint64_t at = 0; at < ram->size; at += CHUNK * page) {
		uint64_t left = ram->size - at, len = left < CHUNK * page ? left : CHUNK * page;

		if (mincore((char *)ram->host + at, len, present))
			return 0;
		for (uint64_t i = 0; i < len / page; i++)
			pages += present[i] & 1;
	}
	return pages * page;
}

static void stat_device(struct device *dev, struct json_out *out)
{
	json_open(out, NULL, '{');
	json_str(out, "name", dev->name);
	pthread_mutex_lock(&dev->lock);
	json_uint(out, "interrupts", dev->env.irq.raised);
	if (dev->ops->stat)
		dev->ops->stat(dev, out);
	pthread_mutex_unlock(&dev->lock);
	json_close(out, '}');
}

void vm_stat(struct vm *vm, struct json_out *out)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < vm->mem.nram; i++)
		bytes += resident(&vm->mem.ram[i]);
	json_uint(out, "resident", bytes);
	stat_exits(vm, out);
	json_open(out, "devices", '[');
	for (unsigned int i = 0; i < vm->ndevices; i++)
		stat_device(vm->devices[i], out);
	json_close(out, ']');
}
