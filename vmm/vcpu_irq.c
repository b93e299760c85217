// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/vcpu_irq.h"

#include <errno.h>

#include "arch/arm64/layout.h"
#include "vmm/vm.h"

/* The thread is kicked only when there is something to take. An input that falls while the guest runs
 * is at most a spurious interrupt (IHI 0048B, 3.2.3), and that is an exit. */
void vcpu_irq_drive(struct vcpu *vcpu, unsigned int input, bool level)
{
	unsigned int bit = 1u << input;

	if (level)
		atomic_fetch_or(&vcpu->inputs, bit);
	else
		atomic_fetch_and(&vcpu->inputs, ~bit);
	if (level && vcpu->started && !pthread_equal(vcpu->thread, pthread_self()))
		vcpu_kick(vcpu);
}

void vcpu_irq_enter(struct vcpu *vcpu)
{
	const unsigned int inputs = atomic_load(&vcpu->inputs);

	if (inputs == vcpu->driven)
		return;
	for (unsigned int input = KVM_ARM_IRQ_CPU_IRQ; input <= KVM_ARM_IRQ_CPU_FIQ; input++)
		if ((inputs ^ vcpu->driven) >> input & 1)
			kvm_irq_line(&vcpu->vm->kvm,
				     KVM_ARM_IRQ_TYPE_CPU << KVM_ARM_IRQ_TYPE_SHIFT |
					     vcpu->kvm.id << KVM_ARM_IRQ_VCPU_SHIFT |
					     input << KVM_ARM_IRQ_NUM_SHIFT,
				     inputs >> input & 1);
	vcpu->driven = inputs;
}

static void drive_lines(struct vcpu *vcpu, uint64_t lines)
{
	static const struct {
		uint64_t line;
		unsigned int intid;
	} devices[] = {
		{ KVM_ARM_DEV_EL1_VTIMER, LAYOUT_PPI_VIRT_TIMER },
		{ KVM_ARM_DEV_EL1_PTIMER, LAYOUT_PPI_PHYS_TIMER },
		{ KVM_ARM_DEV_PMU, LAYOUT_PPI_PMU },
	};
	struct irqchip *chip = vcpu->vm->chip;

	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		if ((lines ^ vcpu->lines) & devices[i].line)
			chip->ops->private_line(chip, vcpu->kvm.id, devices[i].intid,
						lines & devices[i].line);
	vcpu->lines = lines;
}

int vcpu_irq_exit(struct vcpu *vcpu, int err)
{
	const struct kvm_run *run = vcpu->kvm.run;

	if (run->s.regs.device_irq_level == vcpu->lines)
		return err;
	drive_lines(vcpu, run->s.regs.device_irq_level);
	return err == -EINTR && !__atomic_load_n(&run->immediate_exit, __ATOMIC_SEQ_CST) ? 0 : err;
}

void vcpu_irq_reset(struct vcpu *vcpu)
{
	vcpu->driven = 0;
}
