// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/user_gic.h"

#include <stdlib.h>

#include "arch/arm64/layout.h"
#include "devices/gicv2.h"
#include "vmm/vcpu_irq.h"
#include "vmm/vm.h"

_Static_assert(LAYOUT_GICC_SIZE == GICV2_CPUIF_SIZE, "GICC");
_Static_assert(GICV2_IRQ == KVM_ARM_IRQ_CPU_IRQ && GICV2_FIQ == KVM_ARM_IRQ_CPU_FIQ, "inputs");

static void drive(void *arg, unsigned int cpu, enum gicv2_input input, bool level)
{
	struct vm *vm = arg;

	if (vm->vcpus)
		vcpu_irq_drive(&vm->vcpus[cpu], input, level);
}

/* For new vCPUs, whose inputs are low. */
static int attach(struct irqchip *chip, const struct kvm *kvm, struct fail *fail)
{
	struct device *dev = gicv2_device(chip);

	(void)kvm, (void)fail;
	pthread_mutex_lock(&dev->lock);
	dev->ops->reset(dev);
	pthread_mutex_unlock(&dev->lock);
	return 0;
}

static int start(struct irqchip *chip, struct fail *fail)
{
	(void)chip, (void)fail;
	return 0;
}

static void detach(struct irqchip *chip)
{
	(void)chip;
}

/* Every address of it is on the bus. */
static bool owns(struct irqchip *chip, uint64_t addr)
{
	(void)chip, (void)addr;
	return false;
}

static const struct gic_half user_gic_half = {
	.attach = attach,
	.start = start,
	.detach = detach,
	.owns = owns,
};

int user_gic_create(struct vm *vm, const struct gic_want *want, struct fail *fail)
{
	const struct device_env env = { .bus = &vm->bus, .log = vm->log, .base = LAYOUT_GICD_BASE };
	const struct gicv2_config cfg = {
		.cpuif = LAYOUT_GICC_BASE,
		.cpus = want->cpus,
		.irqs = gic_plan_irqs(want->spis),
		.drive = drive,
		.arg = vm,
	};
	int err = gicv2_create(&env, &cfg, &vm->chip, fail);

	if (err)
		return err;
	vm->chip->takes_messages = gic_kind_has_v2m(want->kind);
	vm->gic = &user_gic_half;
	return 0;
}
