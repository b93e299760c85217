// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/vgic_hidden.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/mman.h>

#include "arch/arm64/gic_layout.h"
#include "arch/arm64/gic_plan.h"

/* Behind the frame: the queue, then tables for 64 Ki devices and collections of 8 bytes each. */
enum { QUEUE_SIZE = 0x10000, TABLE_SIZE = 0x80000, COMMAND_SIZE = 32 };
_Static_assert(QUEUE_SIZE + 2 * TABLE_SIZE == GIC_HIDDEN_MEM, "what the layout leaves room for");

enum { GITS_CTLR = 0x0, GITS_CBASER = 0x80, GITS_CWRITER = 0x88, GITS_BASER = 0x100 };
#define VALID (1ULL << 63)

static uint64_t mem_base(const struct hidden_its *its)
{
	return its->base + gic_frame_size(GIC_V3_ITS);
}

int hidden_its_init(struct hidden_its *its, uint64_t base)
{
	void *mem = mmap(NULL, GIC_HIDDEN_MEM, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (mem == MAP_FAILED)
		return -ENOMEM;
	*its = (struct hidden_its){ .fd = -1, .base = base, .mem = mem };
	return 0;
}

void hidden_its_fini(struct hidden_its *its)
{
	if (its->mem)
		munmap(its->mem, GIC_HIDDEN_MEM);
	its->mem = NULL;
}

static int set(struct hidden_its *its, uint64_t offset, uint64_t value)
{
	return kvm_attr_set(its->fd, KVM_DEV_ARM_VGIC_GRP_ITS_REGS, offset, &value);
}

int hidden_its_enable(struct hidden_its *its, bool enable)
{
	int err = its->enabled == enable ? 0 : set(its, GITS_CTLR, enable);

	if (!err)
		its->enabled = enable;
	return err;
}

/* A table that is not valid holds nothing: the kernel frees what it has. */
int hidden_its_restart(struct hidden_its *its)
{
	uint64_t table = mem_base(its) + QUEUE_SIZE;
	int err;

	its->enabled = true;
	err = hidden_its_enable(its, false);
	for (uint64_t i = 0; !err && i < 2; i++) {
		err = set(its, GITS_BASER + 8 * i, 0);
		if (!err)
			err = set(its, GITS_BASER + 8 * i,
				  VALID | (table + i * TABLE_SIZE) | (TABLE_SIZE / 0x10000 - 1));
	}
	its->at = 0;
	return err ? err : set(its, GITS_CBASER, VALID | mem_base(its) | (QUEUE_SIZE / 4096 - 1));
}

int hidden_its_start(struct hidden_its *its, const struct kvm *kvm, int fd)
{
	int err = kvm_memslot(kvm, HIDDEN_SLOT, KVM_MEM_READONLY, mem_base(its), GIC_HIDDEN_MEM,
			      its->mem);

	its->kvm = kvm;
	its->fd = fd;
	return err ? err : hidden_its_restart(its);
}

void hidden_its_stop(struct hidden_its *its)
{
	its->fd = -1;
	its->kvm = NULL;
}

/* As many as fit between the next one's place and the queue's end, or all but one of the queue. */
static size_t room(const struct hidden_its *its)
{
	return (QUEUE_SIZE - its->at) / COMMAND_SIZE - (its->at == 0);
}

int hidden_its_run(struct hidden_its *its, const uint64_t (*commands)[4], size_t n)
{
	bool enabled = its->enabled;
	int err = n ? hidden_its_enable(its, true) : 0;

	while (!err && n) {
		size_t now = n < room(its) ? n : room(its);

		memcpy(its->mem + its->at, commands, now * COMMAND_SIZE);
		its->at = (its->at + now * COMMAND_SIZE) % QUEUE_SIZE;
		err = set(its, GITS_CWRITER, its->at);
		commands += now;
		n -= now;
	}
	return err ? err : hidden_its_enable(its, enabled);
}
