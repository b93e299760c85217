/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef DEVICES_PL011_H
#define DEVICES_PL011_H

#include "vmm/core/device.h"

struct chardev;

/*
 * The PL011 UART (ARM DDI 0183): 0x1000 bytes at env.base, level-triggered on env.irq.
 *
 * Output never blocks a vCPU: what the console cannot take waits in the transmit FIFO, and FR.TXFF
 * tells the guest. Input is taken only while there is room for it and the guest has set CR.UARTEN
 * and CR.RXE, so the receiver never overruns. Baud rate, parity, breaks, DMA and loopback have
 * registers and no effect; the far end is always present (CTS, DSR and DCD are set).
 */
enum { PL011_SIZE = 0x1000 };

/*
 * Makes the device and claims its registers on env->bus. `chr` is borrowed and outlives the device;
 * NULL: output is dropped and no input comes. 0, or -errno with `fail` set.
 */
int pl011_create(const struct device_env *env, struct chardev *chr, struct device **out,
		 struct fail *fail);

#endif
