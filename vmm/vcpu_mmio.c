// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/vcpu_mmio.h"

#include <errno.h>
#include <string.h>

#include "arch/arm64/cpu.h"
#include "arch/arm64/layout.h"
#include "arch/arm64/mmio_insn.h"
#include "vmm/vcpu_irq.h"
#include "vmm/vm.h"

#define ESR_WNR (1ULL << 6)

/* The architecture's answer to an access that cannot be served: a synchronous external abort at
 * the instruction, which has not advanced. */
static int abort_access(struct vcpu *vcpu)
{
	struct kvm_vcpu_events events = { .exception.ext_dabt_pending = 1 };

	return kvm_vcpu_events_set(&vcpu->kvm, &events);
}

/* Nobody claims the address: what --unmapped says. Out of line, as each access would pay for its
 * frame otherwise. */
static __attribute__((noinline)) int unclaimed(struct vcpu *vcpu, gpa_t addr, unsigned int size,
					       bool write, uint64_t val)
{
	struct log *log = vcpu->vm->log;
	char what[96];

	if (write)
		snprintf(what, sizeof(what), "write of %u bytes at 0x%llx (0x%llx)", size,
			 (unsigned long long)addr, (unsigned long long)val);
	else
		snprintf(what, sizeof(what), "read of %u bytes at 0x%llx", size,
			 (unsigned long long)addr);
	switch (vcpu->vm->unmapped) {
	case VM_UNMAPPED_STOP:
		log_line(log, LOG_ERROR, "vCPU %u: %s, where nothing is: stopped (--unmapped stop)",
			 vcpu->kvm.id, what);
		return -ECANCELED;
	case VM_UNMAPPED_ABORT:
		log_guest(log, &vcpu->unclaimed, "vCPU %u: %s, where nothing is: external abort",
			  vcpu->kvm.id, what);
		return -ENXIO;
	default:
		log_guest(log, &vcpu->unclaimed, "vCPU %u: %s, where nothing is: %s", vcpu->kvm.id,
			  what, write ? "ignored" : "reads as zero");
		return 0;
	}
}

/* 0, -ENXIO for an abort, or -ECANCELED. */
static int access_bus(void *arg, gpa_t addr, unsigned int size, bool write, uint64_t *val)
{
	struct vcpu *vcpu = arg;
	struct bus *bus = &vcpu->vm->bus;
	int err = write ? bus_write_by(bus, &vcpu->accesses, addr, size, *val)
			: bus_read_by(bus, &vcpu->accesses, addr, size, val);

	/* An empty virtio-mmio slot is where drivers look for devices: it reads as zero. */
	if (!err || addr - LAYOUT_VIRTIO_BASE < LAYOUT_VIRTIO_SLOTS * LAYOUT_VIRTIO_STRIDE)
		return 0;
	return unclaimed(vcpu, addr, size, write, *val);
}

static struct mmio_guest mmio_guest(struct vcpu *vcpu)
{
	return (struct mmio_guest){
		.vcpu = &vcpu->kvm,
		.mem = &vcpu->vm->mem,
		.sve = vcpu->vm->model.sve,
		.access = access_bus,
		.arg = vcpu,
	};
}

/*
 * Linux up to 6.12 does not sign-extend what LDRSB, LDRSH and LDRSW read. Only a value with its sign
 * bit set can tell: then the instruction is looked at, the access completed, and the register set
 * if it is wrong. A kernel that did it right is not looked after again.
 */
static __attribute__((noinline)) int extend(struct vcpu *vcpu, uint64_t val)
{
	struct mmio_guest guest = mmio_guest(vcpu);
	struct mmio_insn insn;
	uint64_t want, got = 0;
	int err = mmio_insn_fetch(&guest, &insn);

	if (err || !insn.sign || insn.count != 1 || insn.rt[0] == MMIO_ZR ||
	    insn.size != vcpu->kvm.run->mmio.len)
		return err == -EFAULT ? 0 : err;
	want = mmio_extend_value(&insn, val);
	__atomic_store_n(&vcpu->kvm.run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	err = vcpu_irq_exit(vcpu, kvm_vcpu_run(&vcpu->kvm));
	if (err != -EINTR)
		return err ? err : -EPROTO;
	err = kvm_reg_get(&vcpu->kvm, cpu_xreg(insn.rt[0]), &got);
	vcpu->kernel_extends = got == want;
	if (!err && got != want)
		err = kvm_reg_set(&vcpu->kvm, cpu_xreg(insn.rt[0]), &want);
	return err ? err : -EINTR;
}

int vcpu_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->kvm.run;
	/* The kernel says 1, 2, 4 or 8; data is in the host's byte order, which is little. All of
	 * it is copied, then cut: a copy of variable length is a call of memcpy(),
	 * and one that uses SVE costs a trap at every exit, 800 instructions. */
	unsigned int len = run->mmio.len;
	uint64_t mask = UINT64_MAX >> (64 - 8 * len), val = 0;
	int err;

	vcpu->exits[run->mmio.is_write ? VCPU_EXIT_MMIO_WRITE : VCPU_EXIT_MMIO_READ]++;
	if (run->mmio.is_write)
		memcpy(&val, run->mmio.data, sizeof(val));
	val &= mask;
	err = access_bus(vcpu, run->mmio.phys_addr, len, run->mmio.is_write, &val);
	if (err)
		return err == -ENXIO ? abort_access(vcpu) : err;
	if (run->mmio.is_write)
		return 0;
	memcpy(run->mmio.data, &val, sizeof(val));
	if ((val & mask) >> (8 * len - 1) && len < 8 && !vcpu->kernel_extends)
		return extend(vcpu, val & mask);
	return 0;
}

int vcpu_nisv(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->kvm.run;
	struct mmio_guest guest = mmio_guest(vcpu);
	gpa_t ipa = run->arm_nisv.fault_ipa;
	int err = -EFAULT;

	vcpu->exits[VCPU_EXIT_NISV]++;
	/* The kernel's interrupt controller cannot be reached from here. */
	if (!vcpu->vm->gic->owns(vcpu->vm->chip, ipa))
		err = mmio_insn_emulate(&guest, ipa, run->arm_nisv.esr_iss & ESR_WNR);
	if (err == -EFAULT)
		log_guest(
			vcpu->vm->log, &vcpu->unclaimed,
			"vCPU %u: an access at 0x%llx (ESR 0x%llx) that is not emulated: external "
			"abort",
			vcpu->kvm.id, (unsigned long long)ipa,
			(unsigned long long)run->arm_nisv.esr_iss);
	return err == -EFAULT || err == -ENXIO ? abort_access(vcpu) : err;
}
