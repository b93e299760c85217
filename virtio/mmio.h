/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_MMIO_H
#define VIRTIO_MMIO_H

#include "virtio/virtio.h"

/*
 * virtio-mmio version 2 (VIRTIO 1.2, section 4.2): 0x200 bytes of registers at env.base, interrupt
 * by edges on env.irq. Registers are 32 bits wide, config space (from 0x100) takes 1, 2, 4 and 8;
 * any other access reads as zero and is ignored. A write of a queue's number to QueueNotify is a
 * doorbell.
 */
enum { VIRTIO_MMIO_SIZE = 0x200 };

extern const struct virtio_transport virtio_mmio;

#endif
