/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_MMIO_H
#define VIRTIO_MMIO_H

#include "virtio/virtio.h"

/*
 * virtio-mmio version 2 (VIRTIO 1.2, section 4.2): 0x200 bytes of registers at env.base, in
 * env.page; interrupt by edges on env.irq. Writes are of 32 bits, in config space (from 0x100) of 1,
 * 2, 4 or 8 bytes; any other is ignored. A write of a queue's number to QueueNotify is a doorbell.
 *
 * Reads have no side effects, so the registers are bytes in memory: a load of any width, anywhere,
 * gives what is there, zero between registers. The page follows the device: it changes when the
 * operation that a write asked for has ended, before the writer goes on.
 *
 * With a sink in the page, InterruptStatus is lazy: bit 0 is set from DRIVER_OK to reset, and its
 * acknowledgement costs the driver no exit. Drivers that poll InterruptStatus cannot have that.
 */
enum { VIRTIO_MMIO_SIZE = 0x200 };

extern const struct virtio_transport virtio_mmio;

#endif
