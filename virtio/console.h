/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_CONSOLE_H
#define VIRTIO_CONSOLE_H

#include "virtio/virtio.h"

struct chardev;

/*
 * A console (VIRTIO 1.2, section 5.3). A slow reader holds the guest's output back in the ring; a
 * guest that posts no input buffers, or has not opened the port, holds input back in the host.
 *
 * Either it is one console, port 0: hvc0 in Linux. Or it has named ports (VIRTIO_CONSOLE_F_MULTIPORT)
 * from number 1 on: /dev/virtio-ports/NAME, and a further hvcN for those that are consoles.
 */
enum { CONSOLE_PORTS_MAX = 15, CONSOLE_NAME_MAX = 63 };

struct console_port {
	const char *name; /* borrowed; up to CONSOLE_NAME_MAX characters */
	bool console;
	struct chardev *chr; /* borrowed; the console connects itself */
};

struct console_config {
	const struct virtio_transport *transport; /* &virtio_mmio */
	struct chardev *chr; /* borrowed: of port 0, when there are no ports */
	const struct console_port *ports; /* borrowed during the call */
	unsigned int nports; /* up to CONSOLE_PORTS_MAX */
};

/* The machine owns *out and calls only its device_ops, and what is below. 0 or -errno with `fail`
 * set. */
int console_create(const struct device_env *env, const struct console_config *cfg,
		   struct device **out, struct fail *fail);

/* The terminal behind port 0 has this size now. Any thread that holds no device lock. */
void console_resize(struct device *dev, uint16_t cols, uint16_t rows);

#endif
