// SPDX-License-Identifier: GPL-2.0-only
#include <assert.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/console_priv.h"
#include "vmm/core/json.h"

enum { CONSOLE_QUEUE = 64 };

static unsigned int receiveq(const struct port *port)
{
	return port->id ? 2 + 2 * port->id : RECEIVEQ;
}

static unsigned int transmitq(const struct port *port)
{
	return receiveq(port) + 1;
}

/* NULL for the queues of control messages. */
static struct port *port_of(struct console *con, unsigned int q)
{
	if (q <= TRANSMITQ)
		return &con->ports[0];
	return q <= CONTROL_TRANSMITQ ? NULL : &con->ports[q / 2 - 1];
}

int console_take(struct console *con, unsigned int q, struct virtq_chain *chain)
{
	struct virtq *vq = virtio_vq(&con->vdev, q);
	int ret;

	virtq_mute(vq);
	ret = virtq_pop(vq, chain);
	if (!ret && virtq_listen(vq))
		virtio_kick(&con->vdev, q);
	return ret;
}

/* --- guest to host ----------------------------------------------------------------------------- */

static int64_t transmit(struct virtio_dev *vdev, struct virtq_chain *chain)
{
	struct port *port = to_console(vdev)->serving;
	struct virtq_iov *out = &chain->out;
	size_t len, done;

	if (!port->chr)
		return 0;
	virtq_skip(out, port->sent);
	while (out->left) {
		len = out->iov[out->at].iov_len;
		done = chardev_write(port->chr, out->iov[out->at].iov_base, len);
		virtq_skip(out, done);
		port->sent += done;
		if (done < len) {
			port->blocked = true;
			return -EAGAIN;
		}
	}
	port->sent = 0;
	return 0;
}

static void port_transmit(struct port *port)
{
	struct virtio_dev *vdev = &port->con->vdev;

	port->con->serving = port;
	if (!port->blocked && virtio_running(vdev, transmitq(port)))
		virtio_serve(vdev, transmitq(port), transmit);
}

static void port_room(struct chardev_user *user)
{
	struct port *port = container_of(user, struct port, user);

	port->blocked = false;
	port_transmit(port);
}

/* --- host to guest ----------------------------------------------------------------------------- */

/* Fills the driver's buffers: how much it took. What does not fit waits in the host, and the
 * driver's next notification asks for it again. */
static size_t port_input(struct chardev_user *user, const uint8_t *data, size_t len)
{
	struct port *port = container_of(user, struct port, user);
	struct virtio_dev *vdev = &port->con->vdev;
	unsigned int q = receiveq(port);
	struct virtq_chain chain;
	struct iovec iov[4];
	size_t done = 0, part;
	int ret = 0;

	if (!virtio_running(vdev, q) || (port->id && !port->open))
		return 0;
	virtq_chain_init(&chain, iov, sizeof(iov) / sizeof(iov[0]));
	while (done < len) {
		ret = console_take(port->con, q, &chain);
		if (ret <= 0)
			break;
		part = virtq_put(&chain, data + done, len - done);
		if (!part) {
			virtq_unpop(virtio_vq(vdev, q));
			ret = -EPROTO;
			break;
		}
		chain.wrote = part;
		virtq_push(virtio_vq(vdev, q), &chain, part);
		done += part;
	}
	virtq_chain_free(&chain);
	virtio_publish(vdev, q);
	if (ret < 0)
		virtio_broken(vdev, "malformed input buffer");
	return done;
}

static void console_notify(struct virtio_dev *vdev, unsigned int q)
{
	struct console *con = to_console(vdev);
	struct port *port = port_of(con, q);

	if (!port)
		console_control_notify(con, q);
	else if (q == transmitq(port))
		port_transmit(port);
	else if (port->chr)
		chardev_resume(port->chr);
}

/* --- config space ------------------------------------------------------------------------------ */

/* Emergency write: a character without a queue, from a guest that may have no driver yet. */
static void console_config_write(struct virtio_dev *vdev, uint32_t off, unsigned int size,
				 uint64_t val)
{
	const uint8_t byte = val;

	(void)size;
	if (off == offsetof(struct virtio_console_config, emerg_wr) &&
	    vdev->offered & VIRTIO_BIT(VIRTIO_CONSOLE_F_EMERG_WRITE))
		chardev_write(to_console(vdev)->ports[0].chr, &byte, 1);
}

void console_resize(struct device *dev, uint16_t cols, uint16_t rows)
{
	struct console *con = container_of(dev, struct console, vdev.dev);

	pthread_mutex_lock(&dev->lock);
	if (con->config.cols != cols || con->config.rows != rows) {
		con->config.cols = cols;
		con->config.rows = rows;
		virtio_config_changed(&con->vdev);
	}
	pthread_mutex_unlock(&dev->lock);
}

/* --- life -------------------------------------------------------------------------------------- */

static void console_stop(struct virtio_dev *vdev, unsigned int q)
{
	struct port *port = port_of(to_console(vdev), q);

	if (port && q == transmitq(port))
		port->sent = 0;
}

static void console_reset(struct virtio_dev *vdev)
{
	struct console *con = to_console(vdev);

	for (unsigned int i = 0; i < con->nports; i++) {
		con->ports[i].ready = con->ports[i].open = false;
		con->ports[i].pending = con->ports[i].sent = 0;
		con->ports[i].told = TOLD_NOTHING;
	}
}

/* The terminal's size is the host's. */
static void console_state(struct virtio_dev *vdev, struct state *s)
{
	struct console *con = to_console(vdev);

	for (unsigned int i = 0; i < con->nports; i++) {
		struct port *port = &con->ports[i];

		if (!port->chr)
			continue;
		state_u32(s, "sent", &port->sent);
		state_bool(s, "ready", &port->ready);
		state_bool(s, "open", &port->open);
		state_u32(s, "pending", &port->pending);
		state_check(s, port->pending < CONSOLE_PENDING_END, "pending");
		state_optional_u32(s, "told", &port->told);
		state_check(s, port->told < TOLD_END, "told");
	}
	if (s->loading && !s->err)
		console_control_loaded(con);
}

static void console_stat(struct virtio_dev *vdev, struct json_out *out)
{
	const struct console *con = to_console(vdev);

	if (con->nports == 1)
		return;
	json_open(out, "ports", '[');
	for (unsigned int i = 1; i < con->nports; i++) {
		json_open(out, NULL, '{');
		json_str(out, "name", con->ports[i].name);
		json_bool(out, "open", con->ports[i].open);
		json_bool(out, "attached", chardev_attached(con->ports[i].chr));
		json_close(out, '}');
	}
	json_close(out, ']');
}

static void console_destroy(struct virtio_dev *vdev)
{
	struct console *con = to_console(vdev);

	for (unsigned int i = 0; i < con->nports; i++)
		if (con->ports[i].user.dev)
			chardev_connect(con->ports[i].chr, NULL);
}

static const struct virtio_ops console_ops = {
	.type = "virtio-console",
	.id = VIRTIO_ID_CONSOLE,
	.nqueues = CONTROL_RECEIVEQ,
	.queue_max = CONSOLE_QUEUE,
	.in_order = true,
	.notify = console_notify,
	.stop = console_stop,
	.reset = console_reset,
	.config_write = console_config_write,
	.state = console_state,
	.stat = console_stat,
	.destroy = console_destroy,
};

static void port_attached(struct chardev_user *user)
{
	console_control_attached(container_of(user, struct port, user));
}

/* Input may flow from now on, so this comes last. */
static void port_connect(struct port *port)
{
	port->user = (struct chardev_user){
		.dev = &port->con->vdev.dev,
		.input = port_input,
		.room = port_room,
		.attached = port->id ? port_attached : NULL,
	};
	chardev_connect(port->chr, &port->user);
}

static void add_ports(struct console *con, const struct console_config *cfg)
{
	assert(cfg->nports <= CONSOLE_PORTS_MAX);
	con->nports = 1 + cfg->nports;
	for (unsigned int i = 0; i < con->nports; i++) {
		con->ports[i].con = con;
		con->ports[i].id = i;
		if (!i)
			continue;
		con->ports[i].chr = cfg->ports[i - 1].chr;
		con->ports[i].is_console = cfg->ports[i - 1].console;
		assert(strlen(cfg->ports[i - 1].name) <= CONSOLE_NAME_MAX);
		strcpy(con->ports[i].name, cfg->ports[i - 1].name);
	}
	if (!cfg->nports)
		con->ports[0].chr = cfg->chr;
	else
		con->vdev.nqueues = 2 + 2 * con->nports;
	con->config.max_nr_ports = con->nports;
}

int console_create(const struct device_env *env, const struct console_config *cfg,
		   struct device **out, struct fail *fail)
{
	const uint64_t features = cfg->nports ? VIRTIO_BIT(VIRTIO_CONSOLE_F_MULTIPORT)
					      : VIRTIO_BIT(VIRTIO_CONSOLE_F_SIZE) |
							VIRTIO_BIT(VIRTIO_CONSOLE_F_EMERG_WRITE);
	struct console *con = calloc(1, sizeof(*con));
	int err;

	if (!con)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "virtio-console: out of memory");
	add_ports(con, cfg);
	err = virtio_init(&con->vdev, &console_ops, cfg->transport, env, features, &con->config,
			  sizeof(con->config), fail);
	err = virtio_finish(&con->vdev, err, out, fail);
	for (unsigned int i = 0; !err && i < con->nports; i++)
		if (con->ports[i].chr)
			port_connect(&con->ports[i]);
	return err;
}
