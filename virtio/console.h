/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_CONSOLE_H
#define VIRTIO_CONSOLE_H

#include "virtio/virtio.h"

struct chardev;

/* A console with one port (VIRTIO 1.2, section 5.3). A slow reader holds the guest's output back in
 * the ring; a guest that posts no input buffers holds input back in the host. */
struct console_config {
	const struct virtio_transport *transport; /* &virtio_mmio */
	struct chardev *chr; /* borrowed; the console connects itself */
};

/* The machine owns *out and calls only its device_ops. 0 or -errno with `fail` set. */
int console_create(const struct device_env *env, const struct console_config *cfg,
		   struct device **out, struct fail *fail);

#endif
