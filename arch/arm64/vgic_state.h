/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_VGIC_STATE_H
#define ARCH_ARM64_VGIC_STATE_H

#include <stdbool.h>

#include "vmm/core/findings.h"
#include "vmm/core/state.h"

/* An in-kernel controller that is initialised and of which no vCPU runs. */
struct vgic_view {
	int fd;
	bool v3;
	unsigned int cpus, irqs; /* vCPUs; INTIDs, SGIs and PPIs included */
};

/*
 * Saves or loads distributor, redistributors and CPU interfaces through the device's attributes
 * (Documentation/virt/kvm/devices/arm-vgic-v3.rst, arm-vgic.rst). Guest RAM is loaded before: enabled LPIs have their tables there. What this host's controller does not
 * take is added to `refused`, register by register.
 */
void vgic_state(const struct vgic_view *view, struct state *s, struct findings *refused);

#endif
