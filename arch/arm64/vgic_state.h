/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_VGIC_STATE_H
#define ARCH_ARM64_VGIC_STATE_H

#include <stdbool.h>

#include "vmm/core/findings.h"
#include "vmm/core/json.h"
#include "vmm/core/state.h"

/* An in-kernel controller that is initialised and of which no vCPU runs. */
struct vgic_view {
	int fd, its_fd; /* its_fd: -1 without an ITS */
	bool hidden_its; /* it is not the guest's: of its state there are only pending LPIs */
	bool v3;
	bool check; /* loading only compares what says which controller it is */
	unsigned int cpus, irqs; /* vCPUs; INTIDs, SGIs and PPIs included */
};

/*
 * Saves or loads distributor, redistributors, CPU interfaces and ITS through the devices' attributes
 * (Documentation/virt/kvm/devices/arm-vgic-v3.rst, arm-vgic.rst, arm-vgic-its.rst). Pending LPIs and
 * the ITS's mappings are in guest RAM: KVM writes them there while saving, so RAM is saved after,
 * and loaded before. What this host's controller does not take is added to `refused`, register by
 * register. With view->check, which needs no RAM, the identity alone is written (GICD_IIDR, GITS_IIDR, the
 * CPU interface's ICC_CTLR_EL1), and all can be loaded after it.
 */
void vgic_state(const struct vgic_view *view, struct state *s, struct findings *refused);

/* The same registers for people, those that are not zero: a section "gic", and "its" where there is
 * one, each an object of an array. Nothing is changed. */
void vgic_debug(const struct vgic_view *view, struct json_out *out);

#endif
