// SPDX-License-Identifier: GPL-2.0-only
/*
 * The in-kernel controller as arch/arm64/vgic makes it: before the vCPUs and after, again and again
 * in new VMs, with as many redistributors and SPIs as there can be; and lines that devices drive.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/arm64/cpu.h"
#include "arch/arm64/vgic.h"
#include "tests/kvm/check.h"

enum { CPUS_MAX = 256, GICD_ISPENDR = 0x200, GICD_ICFGR = 0xc00, GICR_TYPER = 0x8 };
#define RAM_END 0x60000000ULL

struct vm {
	struct kvm kvm;
	struct cpu_model model;
	struct gic_host host;
	struct gic_want want;
	struct kvm_vcpu vcpus[CPUS_MAX];
	struct irqchip *chip;
};

/* --- a VM ------------------------------------------------------------------------------------- */

static void open_vm(struct vm *vm)
{
	struct fail fail = { 0 };

	need(kvm_vm_open(&vm->kvm, KVM_VM_TYPE_ARM_IPA_SIZE(32)), &fail, "VM");
	need(cpu_plan(&vm->kvm, false, &vm->model, &fail), &fail, "CPU");
	vm->model.user_psci = true;
}

/* The controller of the given kind, for `cpus`, in no VM yet. */
static void create(struct vm *vm, enum gic_kind kind, unsigned int cpus, unsigned int spis)
{
	struct fail fail = { 0 };

	*vm = (struct vm){ .kvm = { .vm_fd = -1 } };
	need(kvm_open(&vm->kvm), &fail, "/dev/kvm");
	open_vm(vm);
	vm->host = vgic_host(&vm->kvm);
	vm->want = (struct gic_want){ kind, cpus, spis, RAM_END, 32, false };
	need(gic_choose(&vm->host, &vm->want, &fail), &fail, "kind");
	need(vgic_create(&vm->want, &vm->chip, &fail), &fail, "plan");
}

static void make_cpus(struct vm *vm)
{
	struct fail fail = { 0 };

	for (uint32_t i = 0; i < vm->want.cpus; i++) {
		need(kvm_vcpu_open(&vm->kvm, i, &vm->vcpus[i]), &fail, "vCPU");
		need(cpu_init(&vm->vcpus[i], &vm->model, &fail), &fail, "vCPU");
	}
}

static void power_on(struct vm *vm, bool cpus_first)
{
	struct fail fail = { 0 };

	if (cpus_first)
		make_cpus(vm);
	need(vgic_attach(vm->chip, &vm->kvm, &fail), &fail, "attach");
	if (!cpus_first)
		make_cpus(vm);
	need(vgic_start(vm->chip, &fail), &fail, "start");
}

static void power_off(struct vm *vm)
{
	for (uint32_t i = 0; i < vm->want.cpus; i++)
		kvm_vcpu_close(&vm->vcpus[i]);
	vgic_detach(vm->chip);
	kvm_vm_close(&vm->kvm);
}

static void destroy(struct vm *vm)
{
	power_off(vm);
	vm->chip->ops->destroy(vm->chip);
	kvm_close(&vm->kvm);
}

/* --- redistributors --------------------------------------------------------------------------- */

/* What KVM says of each, against what the planner foresees. */
static void check_typers(struct vm *vm, const char *name)
{
	struct gic_layout layout;
	struct fail fail = { 0 };
	unsigned int wrong = 0, lasts = 0;

	need(gic_plan(&vm->want, &layout, &fail), &fail, "plan");
	for (uint32_t id = 0; id < vm->want.cpus; id++) {
		uint32_t want = ~0U, got = 0;

		gic_layout_typer(&layout, id, &want);
		wrong += kvm_attr_get(vgic_device(vm->chip), KVM_DEV_ARM_VGIC_GRP_REDIST_REGS,
				      vgic_redist_attr(id, GICR_TYPER), &got) ||
			 got != want;
		lasts += !!(got & GIC_TYPER_LAST);
	}
	check(!wrong && lasts == layout.nregions, name, "%u of %u differ, %u are Last", wrong,
	      vm->want.cpus, lasts);
}

static void check_redistributors(enum gic_kind kind, unsigned int cpus)
{
	char name[64];
	struct vm vm;

	for (int cpus_first = 0; cpus_first < 2; cpus_first++) {
		create(&vm, kind, cpus, 64);
		power_on(&vm, cpus_first);
		snprintf(name, sizeof(name), "%s, %u CPUs, %s first", gic_kind_words[kind], cpus,
			 cpus_first ? "CPUs" : "GIC");
		check_typers(&vm, name);
		power_off(&vm);
		open_vm(&vm);
		power_on(&vm, cpus_first);
		snprintf(name, sizeof(name), "%s, %u CPUs, once more", gic_kind_words[kind], cpus);
		check_typers(&vm, name);
		destroy(&vm);
	}
}

/* --- lines ------------------------------------------------------------------------------------ */

static uint32_t dist(struct vm *vm, uint32_t offset, const uint32_t *set)
{
	uint32_t value = set ? *set : 0;
	struct fail fail = { 0 };
	int fd = vgic_device(vm->chip);

	need(set ? kvm_attr_set(fd, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, offset, &value)
		 : kvm_attr_get(fd, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, offset, &value),
	     &fail, "distributor");
	return value;
}

static bool pending(struct vm *vm, uint32_t spi)
{
	uint32_t intid = spi + 32;

	return dist(vm, GICD_ISPENDR + intid / 32 * 4, NULL) >> intid % 32 & 1;
}

/* KVM does not tell the level of a GICv2's line by itself, a GICv3's latch is not its level. */
static bool high(struct vm *vm, uint32_t spi)
{
	uint32_t intid = spi + 32, word = 0;
	uint64_t attr = VGIC_LEVEL_INFO_LINE_LEVEL << KVM_DEV_ARM_VGIC_LINE_LEVEL_INFO_SHIFT |
			intid / 32 * 32;
	struct fail fail = { 0 };

	if (!vm->host.v3)
		return pending(vm, spi);
	need(kvm_attr_get(vgic_device(vm->chip), KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO, attr, &word),
	     &fail, "line levels");
	return word >> intid % 32 & 1;
}

/* A pending edge stays, unless the machine is a new one; a level goes as it came. */
static void check_line(struct vm *vm, uint32_t spi, const char *name)
{
	const uint32_t all_edges = 0xaaaaaaaa, config = GICD_ICFGR + (spi + 32) / 16 * 4;
	const uint32_t one_level = all_edges & ~(3U << (spi + 31) % 16 * 2);
	struct irq edge = { .spi = spi, .edge = true }, level = { .spi = spi - 1 };
	bool seen[6];

	need(vm->chip->ops->connect(vm->chip, &edge), &(struct fail){ 0 }, "connect");
	need(vm->chip->ops->connect(vm->chip, &level), &(struct fail){ 0 }, "connect");
	dist(vm, config, &one_level);
	seen[0] = pending(vm, spi) || high(vm, spi - 1);
	irq_pulse(&edge);
	seen[1] = pending(vm, spi);
	irq_set(&level, true);
	seen[2] = high(vm, spi - 1);
	irq_set(&level, false);
	seen[3] = high(vm, spi - 1);
	power_off(vm);
	open_vm(vm);
	power_on(vm, true);
	dist(vm, config, &one_level);
	seen[4] = pending(vm, spi);
	irq_pulse(&edge);
	seen[5] = pending(vm, spi);
	check(!seen[0] && seen[1] && seen[2] && !seen[3] && !seen[4] && seen[5], name,
	      "pending at first %d, pulsed %d, high %d, low %d; in a new VM %d, pulsed %d", seen[0],
	      seen[1], seen[2], seen[3], seen[4], seen[5]);
	check(irq_eventfd(&edge) >= 0 && irq_eventfd(&level) == -ENOTSUP, "eventfds",
	      "an edge has %d, a level %d", irq_eventfd(&edge), irq_eventfd(&level));
}

static void check_lines(enum gic_kind kind)
{
	struct irq beyond = { .spi = GIC_SPIS_MAX, .edge = true };
	struct vm vm;

	create(&vm, kind, 1, GIC_SPIS_MAX);
	power_on(&vm, false);
	check_line(&vm, 17, "low lines");
	check_line(&vm, GIC_SPIS_MAX - 1, "the highest lines");
	check(vm.chip->ops->connect(vm.chip, &beyond) == -ERANGE, "no line beyond", "there is one");
	destroy(&vm);
}

int main(void)
{
	struct vm vm;
	bool v3;

	create(&vm, GIC_AUTO, 1, 64);
	v3 = vm.host.v3;
	destroy(&vm);
	if (v3) {
		check_redistributors(GIC_V3, 4);
		check_redistributors(GIC_V3, 123);
		check_redistributors(GIC_V3, 124);
		check_redistributors(GIC_V3_WITH_ITS, 256);
	}
	check_lines(v3 ? GIC_V3 : GIC_V2);
	puts("done");
	return EXIT_OK;
}
