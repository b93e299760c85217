/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DEVICES_GPIO_H
#define DEVICES_GPIO_H

#include "vmm/core/device.h"

/*
 * The PL061 GPIO controller (ARM DDI 0190): 0x1000 bytes at env.base, level-triggered on env.irq.
 * Eight lines; line 3 is the power key, active high, described to the guest as `gpio-keys`.
 */
enum { GPIO_SIZE = 0x1000, GPIO_KEY_LINE = 3, GPIO_KEY_MS = 100 };

/* Makes the device and claims its registers on env->bus. 0, or -errno with `fail` set. */
int gpio_create(const struct device_env *env, struct device **out, struct fail *fail);

/* Presses the power key; the loop releases it GPIO_KEY_MS after the guest has seen it pressed. Any
 * thread that holds no device lock. */
void gpio_power_key(struct device *dev);

#endif
