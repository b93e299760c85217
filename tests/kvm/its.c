// SPDX-License-Identifier: GPL-2.0-only
/*
 * An ITS with mapped events, of which one is pending, is saved and loaded into a new VM with the same
 * memory: its registers are the same, the pending LPI is still pending, and messages still arrive.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "arch/arm64/cpu.h"
#include "arch/arm64/layout.h"
#include "arch/arm64/vgic.h"
#include "tests/kvm/check.h"
#include "vmm/core/state.h"
#include "vmm/core/stream.h"

#define RAM 0x40000000ULL
enum { RAM_SIZE = 1 << 20, DEVICE = 8, EVENTS = 2, LPI = 8192 };
/* Offsets in RAM, each with 64 KiB of its own. */
enum { QUEUE = 0x0, DEVICES = 0x10000, COLLECTIONS = 0x20000, ITT = 0x30000, CONFIG = 0x40000 };
enum { PENDING = 0x50000 };
enum { GITS_CTLR = 0x0, CBASER = 0x80, CWRITER = 0x88, BASER = 0x100 };
enum { GICR_CTLR = 0x0, PROPBASER = 0x70, PENDBASER = 0x78, GICD_CTLR = 0x0 };
#define VALID (1ULL << 63)

struct vm {
	struct kvm kvm;
	struct kvm_vcpu vcpu;
	struct irqchip *chip;
};

static void create(struct vm *vm, void *ram)
{
	const struct gic_want want = { GIC_V3_WITH_ITS, 1, LAYOUT_SPIS, RAM + RAM_SIZE, 32, false };
	struct cpu_model model = { 0 };
	struct fail fail = { 0 };

	*vm = (struct vm){ .kvm = { .vm_fd = -1 }, .vcpu = { .fd = -1 } };
	need_ioctl(kvm_open(&vm->kvm), "/dev/kvm");
	need_ioctl(kvm_vm_open(&vm->kvm, KVM_VM_TYPE_ARM_IPA_SIZE(32)), "VM");
	need_ioctl(kvm_memslot(&vm->kvm, 0, 0, RAM, RAM_SIZE, ram), "memory");
	need_ioctl(cpu_plan(&vm->kvm, false, &model, &fail), fail.text);
	need_ioctl(vgic_create(&want, &vm->chip, &fail), fail.text);
	need_ioctl(kvm_vcpu_open(&vm->kvm, 0, &vm->vcpu), "vCPU");
	need_ioctl(cpu_init(&vm->vcpu, &model, &fail), fail.text);
	need_ioctl(vgic_attach(vm->chip, &vm->kvm, &fail), fail.text);
	need_ioctl(vgic_start(vm->chip, &fail), fail.text);
}

static void destroy(struct vm *vm)
{
	kvm_vcpu_close(&vm->vcpu);
	vgic_detach(vm->chip);
	vm->chip->ops->destroy(vm->chip);
	kvm_close(&vm->kvm);
}

/* --- as a guest sets it up -------------------------------------------------------------------- */

static void set_its(struct vm *vm, uint32_t offset, uint64_t value)
{
	need_ioctl(kvm_attr_set(vgic_its_device(vm->chip), KVM_DEV_ARM_VGIC_GRP_ITS_REGS, offset,
				&value),
		   "ITS register");
}

static uint64_t get_its(struct vm *vm, uint32_t offset)
{
	uint64_t value = 0;

	need_ioctl(kvm_attr_get(vgic_its_device(vm->chip), KVM_DEV_ARM_VGIC_GRP_ITS_REGS, offset,
				&value),
		   "ITS register");
	return value;
}

static void set_redist(struct vm *vm, uint32_t offset, uint32_t value)
{
	need_ioctl(kvm_attr_set(vgic_device(vm->chip), KVM_DEV_ARM_VGIC_GRP_REDIST_REGS,
				vgic_redist_attr(0, offset), &value),
		   "redistributor register");
}

/* IHI 0069, 5.3. */
static void set_commands(uint64_t *queue)
{
	const uint64_t commands[][4] = {
		/* MAPD, MAPC, MAPTI of each event */
		{ 0x08 | (uint64_t)DEVICE << 32, 4, VALID | (RAM + ITT), 0 },
		{ 0x09, 0, VALID, 0 },
		{ 0x0a | (uint64_t)DEVICE << 32, (uint64_t)LPI << 32, 0, 0 },
		{ 0x0a | (uint64_t)DEVICE << 32, 1 | (uint64_t)(LPI + 1) << 32, 0, 0 },
	};

	memcpy(queue, commands, sizeof(commands));
}

static void set_up(struct vm *vm, uint8_t *ram)
{
	uint32_t enable = 0x12;

	memset(ram + CONFIG, 0xa1, EVENTS);
	need_ioctl(kvm_attr_set(vgic_device(vm->chip), KVM_DEV_ARM_VGIC_GRP_DIST_REGS, GICD_CTLR,
				&enable),
		   "GICD_CTLR");
	set_redist(vm, PROPBASER, (uint32_t)(RAM + CONFIG) | 15);
	set_redist(vm, PENDBASER, (uint32_t)(RAM + PENDING));
	set_redist(vm, GICR_CTLR, 1);
	set_its(vm, CBASER, VALID | (RAM + QUEUE));
	set_its(vm, BASER, VALID | get_its(vm, BASER) | (RAM + DEVICES));
	set_its(vm, BASER + 8, VALID | get_its(vm, BASER + 8) | (RAM + COLLECTIONS));
	set_its(vm, GITS_CTLR, 1);
	set_commands((uint64_t *)(void *)(ram + QUEUE));
	set_its(vm, CWRITER, 4 * 32);
}

static int send(struct vm *vm, uint32_t device, uint32_t event)
{
	const struct msi msi = { LAYOUT_ITS_BASE + 0x10040, event, device };

	return vm->chip->ops->message(vm->chip, &msi);
}

static bool pending(struct vm *vm, const uint8_t *ram, unsigned int event)
{
	need_ioctl(kvm_attr_set(vgic_device(vm->chip), KVM_DEV_ARM_VGIC_GRP_CTRL,
				KVM_DEV_ARM_VGIC_SAVE_PENDING_TABLES, NULL),
		   "pending tables");
	return ram[PENDING + LPI / 8] >> event & 1;
}

/* --- there and back --------------------------------------------------------------------------- */

static void save(struct vm *vm, struct stream *out)
{
	struct findings refused = { 0 };
	struct state s;

	stream_open_buf(out);
	state_init_save(&s, out);
	vm->chip->ops->state(vm->chip, &s, &refused);
	check(!s.err && !refused.n, "saved", "%s: %s", s.where, strerror(-s.err));
}

static void load(struct vm *vm, const struct stream *in)
{
	struct findings refused = { 0 };
	struct stream stream;
	struct state s;

	stream_open_data(&stream, in->buf, in->len);
	state_init_load(&s, &stream);
	vm->chip->ops->state(vm->chip, &s, &refused);
	check(!state_end(&s) && !refused.n, "loaded", "%s: %s", s.where, strerror(-s.err));
	stream_close(&stream);
}

int main(void)
{
	static const uint32_t registers[] = { GITS_CTLR, 0x4,	CBASER,	  CWRITER,
					      0x90,	 BASER, BASER + 8 };
	uint8_t *ram =
		mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	enum { N = sizeof(registers) / sizeof(registers[0]) };
	uint64_t before[N];
	struct stream saved;
	struct vm vm;

	need_ioctl(ram == MAP_FAILED ? -errno : 0, "memory");
	create(&vm, ram);
	set_up(&vm, ram);
	check(!send(&vm, DEVICE, 0), "a message", "it is refused");
	check(send(&vm, DEVICE, EVENTS) < 0, "an event that is not mapped", "it is taken");
	check(send(&vm, DEVICE + 8, 0) < 0, "a device that is not mapped", "it is taken");
	save(&vm, &saved);
	for (int i = 0; i < N; i++)
		before[i] = get_its(&vm, registers[i]);
	destroy(&vm);
	create(&vm, ram);
	load(&vm, &saved);
	for (int i = 0; i < N; i++)
		check(get_its(&vm, registers[i]) == before[i], "a register", "0x%x is 0x%llx",
		      registers[i], (unsigned long long)get_its(&vm, registers[i]));
	check(pending(&vm, ram, 0) && !pending(&vm, ram, 1), "the pending LPI", "it is not");
	check(!send(&vm, DEVICE, 1), "a message after that", "it is refused");
	check(pending(&vm, ram, 1), "its LPI", "it is not pending");
	destroy(&vm);
	stream_close(&saved);
	puts("done");
	return EXIT_OK;
}
