// SPDX-License-Identifier: GPL-2.0-only
/*
 * An ITS with mapped events, of which one is pending, is saved and loaded into a new VM with the same
 * memory: its registers are the same, the pending LPI is still pending, and messages still arrive.
 * The same with the hidden ITS, which forgets its mappings and is told of them again.
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

static void create(struct vm *vm, void *ram, bool hidden)
{
	const struct gic_want want = {
		GIC_V3_WITH_ITS, 1, LAYOUT_SPIS, RAM + RAM_SIZE, 33, hidden
	};
	struct cpu_model model = { 0 };
	struct fail fail = { 0 };

	*vm = (struct vm){ .kvm = { .vm_fd = -1 }, .vcpu = { .fd = -1 } };
	need_ioctl(kvm_open(&vm->kvm), "/dev/kvm");
	need_ioctl(kvm_vm_open(&vm->kvm, KVM_VM_TYPE_ARM_IPA_SIZE(33)), "VM");
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

static void set_up_lpis(struct vm *vm, uint8_t *ram)
{
	uint32_t enable = 0x12;

	memset(ram + CONFIG, 0xa1, EVENTS);
	need_ioctl(kvm_attr_set(vgic_device(vm->chip), KVM_DEV_ARM_VGIC_GRP_DIST_REGS, GICD_CTLR,
				&enable),
		   "GICD_CTLR");
	set_redist(vm, PROPBASER, (uint32_t)(RAM + CONFIG) | 15);
	set_redist(vm, PENDBASER, (uint32_t)(RAM + PENDING));
	set_redist(vm, GICR_CTLR, 1);
}

static void set_up(struct vm *vm, uint8_t *ram)
{
	set_up_lpis(vm, ram);
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

static void kernels(uint8_t *ram)
{
	static const uint32_t registers[] = { GITS_CTLR, 0x4,	CBASER,	  CWRITER,
					      0x90,	 BASER, BASER + 8 };
	enum { N = sizeof(registers) / sizeof(registers[0]) };
	uint64_t before[N];
	struct stream saved;
	struct vm vm;

	create(&vm, ram, false);
	set_up(&vm, ram);
	check(!send(&vm, DEVICE, 0), "a message", "it is refused");
	check(send(&vm, DEVICE, EVENTS) < 0, "an event that is not mapped", "it is taken");
	check(send(&vm, DEVICE + 8, 0) < 0, "a device that is not mapped", "it is taken");
	save(&vm, &saved);
	for (int i = 0; i < N; i++)
		before[i] = get_its(&vm, registers[i]);
	destroy(&vm);
	create(&vm, ram, false);
	load(&vm, &saved);
	for (int i = 0; i < N; i++)
		check(get_its(&vm, registers[i]) == before[i], "a register", "0x%x is 0x%llx",
		      registers[i], (unsigned long long)get_its(&vm, registers[i]));
	check(pending(&vm, ram, 0) && !pending(&vm, ram, 1), "the pending LPI", "it is not");
	check(!send(&vm, DEVICE, 1), "a message after that", "it is refused");
	check(pending(&vm, ram, 1), "its LPI", "it is not pending");
	destroy(&vm);
	stream_close(&saved);
}

static void tell(struct vm *vm)
{
	uint64_t commands[4][4];

	set_commands(&commands[0][0]);
	need_ioctl(vgic_hidden_commands(vm->chip, (const uint64_t(*)[4])commands, 4, true),
		   "commands for the hidden ITS");
}

/* More of them than its queue holds, each of which is carried out before the call returns. */
static bool many(struct vm *vm, uint8_t *ram)
{
	enum { N = 5000 };
	uint64_t(*commands)[4] = calloc(N, sizeof(*commands));
	bool right;

	need_ioctl(commands ? 0 : -ENOMEM, "memory");
	for (int i = 0; i < N; i++) {
		/* INT and CLEAR of event 1, the last of all an INT. */
		commands[i][0] = (i & 1 ? 0x03 : 0x04) | (uint64_t)DEVICE << 32;
		commands[i][1] = 1;
	}
	need_ioctl(vgic_hidden_commands(vm->chip, (const uint64_t(*)[4])commands, N - 1, true),
		   "many");
	right = !pending(vm, ram, 1);
	need_ioctl(vgic_hidden_commands(vm->chip, (const uint64_t(*)[4])commands + N - 1, 1, true),
		   "one more");
	right &= pending(vm, ram, 1);
	free(commands);
	return right;
}

static void hidden(uint8_t *ram)
{
	struct stream saved;
	uint32_t intids = 0;
	struct vm vm;

	memset(ram, 0, RAM_SIZE);
	create(&vm, ram, true);
	set_up_lpis(&vm, ram);
	need_ioctl(vgic_hidden_intids(vm.chip, &intids), "GICR_PROPBASER");
	check(intids == 65536, "INTIDs", "%u", intids);
	check(vgic_hidden_message(vm.chip, DEVICE, 0) < 0, "hidden: nothing is mapped", "it is");
	tell(&vm);
	check(!vgic_hidden_message(vm.chip, DEVICE, 0), "hidden: a message", "it is refused");
	check(send(&vm, DEVICE, 0) < 0, "hidden: a message to the guest's", "it is taken");
	save(&vm, &saved);
	destroy(&vm);
	create(&vm, ram, true);
	load(&vm, &saved);
	tell(&vm);
	check(pending(&vm, ram, 0) && !pending(&vm, ram, 1), "hidden: the pending LPI",
	      "it is not");
	check(many(&vm, ram), "hidden: many commands", "the last ones are not carried out");
	need_ioctl(vgic_hidden_restart(vm.chip), "restart");
	check(vgic_hidden_message(vm.chip, DEVICE, 0) < 0, "hidden: forgotten", "it is not");
	tell(&vm);
	need_ioctl(vgic_hidden_commands(vm.chip, NULL, 0, false), "disabled");
	check(vgic_hidden_message(vm.chip, DEVICE, 1) < 0, "hidden: disabled", "it is not");
	destroy(&vm);
	stream_close(&saved);
}

int main(void)
{
	uint8_t *ram =
		mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need_ioctl(ram == MAP_FAILED ? -errno : 0, "memory");
	kernels(ram);
	hidden(ram);
	puts("done");
	return EXIT_OK;
}
