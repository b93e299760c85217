/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DEVICES_VMGENID_H
#define DEVICES_VMGENID_H

#include "vmm/core/device.h"

/*
 * The VM generation id (Microsoft, "Virtual Machine Generation ID"; binding rng/microsoft,vmgenid):
 * 16 random bytes at env.base, in env.page, that stay while the guest's life is one line, also over
 * a reset, and are others when it goes on from a state that may go on elsewhere, too. Then env.irq,
 * an edge, tells the guest, which takes new random numbers. What is stored there is ignored.
 */
enum { VMGENID_SIZE = 0x1000, VMGENID_BYTES = 16 };

/* Makes the device with a new id and claims its registers on env->bus. 0, or -errno with `fail`
 * set. */
int vmgenid_create(const struct device_env *env, struct device **out, struct fail *fail);

/* Gives the guest a new id and tells it. Any thread that holds no device lock; no vCPU runs. */
void vmgenid_renew(struct device *dev);

#endif
