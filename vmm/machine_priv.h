/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_MACHINE_PRIV_H
#define VMM_MACHINE_PRIV_H

#include "arch/arm64/gic_plan.h"
#include "firmware/boot.h"
#include "firmware/psci.h"
#include "firmware/trace.h"
#include "firmware/trng.h"
#include "vmm/machine.h"
#include "vmm/ports.h"
#include "vmm/vm.h"

/* Private part of the machine: machine_plan.c (what KVM and firmware are to be), machine.c (boot),
 * machine_devices.c (what is on it). */
struct machine {
	const struct config *cfg;
	const struct machine_like *like; /* NULL: a new one; borrowed while it is made */
	bool partial;
	uint64_t left_out[CONFIG_DISKS_MAX + CONFIG_NETS_MAX + 3]; /* addresses of devices */
	unsigned int nleft_out;
	struct log *log;
	struct vm *vm;
	struct chardev *console;
	struct device *gpio, *vmgenid;
	struct device *balloon, *hvc; /* or NULL */
	struct device *disks[CONFIG_DISKS_MAX]; /* as --disk named them */
	struct ports ports;
	struct device *pci; /* the bus that virtio devices are on; NULL: they are on virtio-mmio */
	const struct virtio_transport *transport; /* of every virtio device */
	struct gic_want gic;
	unsigned int slots; /* virtio-mmio or PCI slots in use */
	struct regpage *regs; /* of all virtio-mmio slots; NULL until there is one */
	enum config_pages pages; /* as this host can */
	const char *bootargs;
	struct boot boot;
	bool boot_opened;
	/* Firmware that vmm serves itself; `smccc` is handed to the VM only then. */
	bool user_psci;
	uint32_t psci_version;
	struct psci psci;
	struct trng trng;
	struct trace trace;
	struct inject inject;
	struct smccc smccc;
};

/* Where lines of --trace go; `arg` is the machine. Any thread. */
void machine_trace_line(void *arg, const char *text);

/* What this host's KVM and firmware must be able to do, asked before anything is made (machine_plan.c).
 * What it lacks of m->like is a finding, and the next best is taken: then the machine is partial. */
int machine_plan_kvm(struct machine *m, struct fail *fail);
int machine_plan_firmware(struct machine *m, struct fail *fail);

/* Makes every device, in the order of their slots; what leaves traces on the host comes last. */
int machine_add_devices(struct machine *m, struct fail *fail);

#endif
