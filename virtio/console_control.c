// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "virtio/console_priv.h"

/*
 * Messages to the driver are made when it has a buffer for them, from what is true then. Until then
 * each is a bit of its port, so that nothing queues up, whatever a driver asks for.
 */
enum message { ADD, CONSOLE, NAME, OPEN, MESSAGES };
_Static_assert(1 << MESSAGES == CONSOLE_PENDING_END, "bits of port.pending");

struct text {
	struct virtio_console_control head;
	char name[CONSOLE_NAME_MAX];
} __attribute__((packed));

/* The message, and its length. */
static size_t compose(const struct port *port, enum message what, struct text *text)
{
	static const uint16_t events[MESSAGES] = {
		[ADD] = VIRTIO_CONSOLE_PORT_ADD,
		[CONSOLE] = VIRTIO_CONSOLE_CONSOLE_PORT,
		[NAME] = VIRTIO_CONSOLE_PORT_NAME,
		[OPEN] = VIRTIO_CONSOLE_PORT_OPEN,
	};
	size_t len = sizeof(text->head);

	text->head = (struct virtio_console_control){
		.id = port->id,
		.event = events[what],
		.value = what == OPEN ? chardev_attached(port->chr) : 1,
	};
	if (what == NAME) {
		len += strlen(port->name);
		memcpy(text->name, port->name, strlen(port->name));
	}
	return len;
}

/* The next message for which it is time, in the order that the driver needs. */
static struct port *next_message(struct console *con, enum message *what)
{
	for (unsigned int i = 0; i < con->nports; i++) {
		struct port *port = &con->ports[i];

		if (!port->chr || !port->pending)
			continue;
		*what = __builtin_ctz(port->pending);
		return port;
	}
	return NULL;
}

static void send_messages(struct console *con)
{
	struct virtio_dev *vdev = &con->vdev;
	struct virtq_chain chain;
	struct iovec iov[4];
	enum message what;
	struct port *port;
	struct text text;
	size_t len;
	int ret = 0;

	virtq_chain_init(&chain, iov, sizeof(iov) / sizeof(iov[0]));
	while ((port = next_message(con, &what))) {
		ret = console_take(con, CONTROL_RECEIVEQ, &chain);
		if (ret <= 0)
			break;
		len = compose(port, what, &text);
		if (chain.in.left < len) {
			virtq_unpop(virtio_vq(vdev, CONTROL_RECEIVEQ));
			ret = -EPROTO;
			break;
		}
		virtq_put(&chain, &text, len);
		chain.wrote = len;
		virtq_push(virtio_vq(vdev, CONTROL_RECEIVEQ), &chain, len);
		port->pending &= ~(1u << what);
		if (what == OPEN)
			port->told = text.head.value ? TOLD_OPEN : TOLD_CLOSED;
	}
	virtq_chain_free(&chain);
	virtio_publish(vdev, CONTROL_RECEIVEQ);
	if (ret < 0)
		virtio_broken(vdev, "malformed buffer for control messages");
}

static void announce(struct port *port, uint32_t messages)
{
	struct virtio_dev *vdev = &port->con->vdev;

	port->pending |= messages;
	if (port->pending && virtio_running(vdev, CONTROL_RECEIVEQ))
		virtio_kick(vdev, CONTROL_RECEIVEQ);
}

static void device_ready(struct console *con, bool ready)
{
	for (unsigned int i = 1; i < con->nports; i++) {
		struct port *port = &con->ports[i];

		port->ready = port->open = false;
		port->pending = 0;
		port->told = TOLD_NOTHING;
		announce(port, ready ? 1u << ADD : 0);
	}
}

static void port_ready(struct port *port, bool ready)
{
	uint32_t messages = 1u << NAME;

	if (port->is_console)
		messages |= 1u << CONSOLE;
	if (chardev_attached(port->chr))
		messages |= 1u << OPEN;
	port->ready = ready;
	/* Until it is told otherwise it takes our end for closed. */
	port->told = TOLD_CLOSED;
	if (ready)
		announce(port, messages);
	else
		port->pending = 0;
}

static void port_open(struct port *port, bool open)
{
	port->open = open;
	if (open)
		chardev_resume(port->chr);
}

static int64_t receive(struct virtio_dev *vdev, struct virtq_chain *chain)
{
	struct console *con = to_console(vdev);
	struct virtio_console_control msg;
	struct port *port;

	if (chain->in.left || virtq_pull(chain, &msg, sizeof(msg)) < sizeof(msg))
		return -EPROTO;
	if (msg.event == VIRTIO_CONSOLE_DEVICE_READY) {
		device_ready(con, msg.value);
		return 0;
	}
	port = msg.id < con->nports ? &con->ports[msg.id] : NULL;
	if (port && port->chr && msg.event == VIRTIO_CONSOLE_PORT_READY)
		port_ready(port, msg.value);
	else if (port && port->chr && msg.event == VIRTIO_CONSOLE_PORT_OPEN)
		port_open(port, msg.value);
	else
		log_guest(vdev->dev.env.log, &vdev->limit, "%s: message %u for port %u is none",
			  vdev->dev.name, msg.event, msg.id);
	return 0;
}

void console_control_notify(struct console *con, unsigned int q)
{
	if (!console_multiport(con))
		return;
	if (q == CONTROL_RECEIVEQ)
		send_messages(con);
	else
		virtio_serve(&con->vdev, q, receive);
}

void console_control_attached(struct port *port)
{
	uint32_t is = chardev_attached(port->chr) ? TOLD_OPEN : TOLD_CLOSED;

	/* Of one that was restored it may be as it was: then nothing changes for the guest. */
	if (port->ready && port->told != is)
		announce(port, 1u << OPEN);
}

void console_control_loaded(struct console *con)
{
	for (unsigned int i = 1; i < con->nports; i++)
		console_control_attached(&con->ports[i]);
}
