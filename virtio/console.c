// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/console.h"

#include <errno.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>

#include "vmm/core/chardev.h"

/* 5.3.2: of port 0. */
enum { RECEIVEQ, TRANSMITQ, CONSOLE_QUEUES };
enum { CONSOLE_QUEUE = 64 };

struct console {
	struct virtio_dev vdev;
	struct chardev *chr;
	struct chardev_user user;
	struct virtio_console_config config;
	/* Bytes of the next chain to transmit that are out already: the reader was slow. Such a
	 * chain stays in the ring, so that no pointer into guest memory outlives a callback. */
	uint32_t sent;
	bool blocked; /* waiting for room() */
};

static struct console *to_console(struct virtio_dev *vdev)
{
	return container_of(vdev, struct console, vdev);
}

/* --- guest to host ----------------------------------------------------------------------------- */

static int64_t transmit(struct virtio_dev *vdev, struct virtq_chain *chain)
{
	struct console *con = to_console(vdev);
	struct virtq_iov *out = &chain->out;
	size_t len, done;

	virtq_skip(out, con->sent);
	while (out->left) {
		len = out->iov[out->at].iov_len;
		done = chardev_write(con->chr, out->iov[out->at].iov_base, len);
		virtq_skip(out, done);
		con->sent += done;
		if (done < len) {
			con->blocked = true;
			return -EAGAIN;
		}
	}
	con->sent = 0;
	return 0;
}

static void console_room(struct chardev_user *user)
{
	struct console *con = container_of(user, struct console, user);

	con->blocked = false;
	if (virtio_running(&con->vdev, TRANSMITQ))
		virtio_serve(&con->vdev, TRANSMITQ, transmit);
}

/* --- host to guest ----------------------------------------------------------------------------- */

/* Fills the driver's buffers: how much it took. What does not fit waits in the host, and the
 * driver's next notification asks for it again. */
static size_t console_input(struct chardev_user *user, const uint8_t *data, size_t len)
{
	struct console *con = container_of(user, struct console, user);
	struct virtq *vq = virtio_vq(&con->vdev, RECEIVEQ);
	struct virtq_chain chain;
	struct iovec iov[4];
	size_t done = 0, part;
	int ret = 0;

	if (!virtio_running(&con->vdev, RECEIVEQ))
		return 0;
	virtq_chain_init(&chain, iov, sizeof(iov) / sizeof(iov[0]));
	virtq_mute(vq);
	while (done < len) {
		ret = virtq_pop(vq, &chain);
		if (!ret && virtq_listen(vq))
			virtio_kick(&con->vdev, RECEIVEQ);
		if (ret <= 0)
			break;
		part = virtq_put(&chain, data + done, len - done);
		if (!part) {
			virtq_unpop(vq);
			ret = -EPROTO;
			break;
		}
		chain.wrote = part;
		virtq_push(vq, &chain, part);
		done += part;
	}
	virtq_chain_free(&chain);
	virtio_publish(&con->vdev, RECEIVEQ);
	if (ret < 0)
		virtio_broken(&con->vdev, "malformed input buffer");
	return done;
}

static void console_notify(struct virtio_dev *vdev, unsigned int q)
{
	struct console *con = to_console(vdev);

	if (q == RECEIVEQ)
		chardev_resume(con->chr);
	else if (!con->blocked)
		virtio_serve(vdev, TRANSMITQ, transmit);
}

/* --- life -------------------------------------------------------------------------------------- */

static void console_stop(struct virtio_dev *vdev, unsigned int q)
{
	if (q == TRANSMITQ)
		to_console(vdev)->sent = 0;
}

static void console_state(struct virtio_dev *vdev, struct state *s)
{
	state_u32(s, "sent", &to_console(vdev)->sent);
}

static void console_destroy(struct virtio_dev *vdev)
{
	struct console *con = to_console(vdev);

	if (con->chr)
		chardev_connect(con->chr, NULL);
}

static const struct virtio_ops console_ops = {
	.type = "virtio-console",
	.id = VIRTIO_ID_CONSOLE,
	.nqueues = CONSOLE_QUEUES,
	.queue_max = CONSOLE_QUEUE,
	.in_order = true,
	.notify = console_notify,
	.stop = console_stop,
	.state = console_state,
	.destroy = console_destroy,
};

int console_create(const struct device_env *env, const struct console_config *cfg,
		   struct device **out, struct fail *fail)
{
	struct console *con = calloc(1, sizeof(*con));
	int err;

	if (!con)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "virtio-console: out of memory");
	err = virtio_init(&con->vdev, &console_ops, cfg->transport, env, 0, &con->config,
			  sizeof(con->config), fail);
	err = virtio_finish(&con->vdev, err, out, fail);
	if (err)
		return err;
	con->user = (struct chardev_user){
		.dev = *out,
		.input = console_input,
		.room = console_room,
	};
	con->chr = cfg->chr;
	chardev_connect(con->chr, &con->user);
	return 0;
}
