/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DEVICES_PL031_H
#define DEVICES_PL031_H

#include "vmm/core/device.h"

/*
 * The PL031 real time clock (ARM DDI 0224): 0x1000 bytes at env.base, level-triggered on env.irq.
 * Seconds since 1970 by the host's clock, plus what the guest has set it ahead or behind; restored
 * from saved state it shows the time of the host that restores it.
 */
enum { PL031_SIZE = 0x1000 };

/* Makes the device and claims its registers on env->bus. 0, or -errno with `fail` set. */
int pl031_create(const struct device_env *env, struct device **out, struct fail *fail);

#endif
