/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_CONSOLE_PRIV_H
#define VIRTIO_CONSOLE_PRIV_H

#include <linux/virtio_console.h>

#include "virtio/console.h"
#include "vmm/core/chardev.h"

/* 5.3.2: of port 0; then those of control messages, then two for each further port. */
enum { RECEIVEQ, TRANSMITQ, CONTROL_RECEIVEQ, CONTROL_TRANSMITQ };

struct console;

struct port {
	struct console *con;
	unsigned int id;
	struct chardev *chr; /* NULL: a port 0 that is not there */
	struct chardev_user user;
	char name[CONSOLE_NAME_MAX + 1];
	bool is_console;
	bool blocked; /* waiting for room() */
	/* Saved. Bytes of the next chain to transmit that are out already: the reader was slow. Such
	 * a chain stays in the ring, so that no pointer into guest memory outlives a callback. */
	uint32_t sent;
	bool ready, open; /* as the driver says */
	uint32_t pending; /* control messages that it has to be sent, a bit each */
	uint32_t told; /* what of our end: enum port_told */
};
enum port_told { TOLD_NOTHING, TOLD_CLOSED, TOLD_OPEN, TOLD_END };
enum { CONSOLE_PENDING_END = 1 << 4 };

struct console {
	struct virtio_dev vdev;
	struct virtio_console_config config;
	struct port ports[1 + CONSOLE_PORTS_MAX];
	unsigned int nports; /* with port 0 */
	struct port *serving;
};

static inline struct console *to_console(struct virtio_dev *vdev)
{
	return container_of(vdev, struct console, vdev);
}

/* Whether ports are there, and a driver that knows of them. */
static inline bool console_multiport(const struct console *con)
{
	return virtio_has(&con->vdev, VIRTIO_CONSOLE_F_MULTIPORT);
}

/* Takes the next chain of a queue that the driver fills with buffers, muting it as long as there
 * are any: as virtq_pop(). */
int console_take(struct console *con, unsigned int q, struct virtq_chain *chain);

/* --- control messages (5.3.6.2) ---------------------------------------------------------------- */

/* The driver has buffers for messages, or has sent some. */
void console_control_notify(struct console *con, unsigned int q);
/* Somebody is at the other end now, or no longer: the driver hears of it. Under the device's lock. */
void console_control_attached(struct port *port);
/* Everything that it may not know after a move. */
void console_control_loaded(struct console *con);

#endif
