/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_PCI_H
#define VIRTIO_PCI_H

#include "virtio/virtio.h"

/*
 * virtio over PCI (VIRTIO 1.2, section 4.1, no legacy interface): a function of env.pci. BAR 0 holds
 * the common configuration, the ISR status, the device's configuration and a notification word for
 * each queue; BAR 1 holds MSI-X, a vector for each queue and one for changes of configuration.
 */
extern const struct virtio_transport virtio_pci;

#endif
