// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/virtio.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/core/json.h"

/* What a driver may add to the status; DEVICE_NEEDS_RESET is ours. */
enum {
	DRIVER_STATUS = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
			VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK |
			VIRTIO_CONFIG_S_FAILED,
};

static struct virtio_dev *to_virtio(struct device *dev)
{
	return container_of(dev, struct virtio_dev, dev);
}

/* --- queues ------------------------------------------------------------------------------------ */

bool virtio_running(const struct virtio_dev *vdev, unsigned int q)
{
	return vdev->status & VIRTIO_CONFIG_S_DRIVER_OK &&
	       !(vdev->status & VIRTIO_CONFIG_S_NEEDS_RESET) && vdev->queues[q].vq.ready;
}

static void queue_kicked(struct loop_fd *src, uint32_t events)
{
	struct virtio_queue *queue = container_of(src, struct virtio_queue, kick);
	struct virtio_dev *vdev = queue->vdev;

	(void)events;
	queue->notified += !__atomic_exchange_n(&queue->own_kick, false, __ATOMIC_RELAXED);
	if (virtio_running(vdev, queue->index))
		vdev->ops->notify(vdev, queue->index);
}

void virtio_kick(struct virtio_dev *vdev, unsigned int q)
{
	__atomic_store_n(&vdev->queues[q].own_kick, true, __ATOMIC_RELAXED);
	eventfd_write(vdev->queues[q].kick.fd, 1);
}

static void kick_all(struct virtio_dev *vdev)
{
	for (unsigned int q = 0; q < vdev->nqueues; q++)
		if (virtio_running(vdev, q))
			virtio_kick(vdev, q);
}

static void queue_close(struct virtio_queue *queue)
{
	struct virtio_dev *vdev = queue->vdev;

	if (queue->vq.ready) {
		vdev->transport->doorbell(vdev, queue->index, false);
		if (vdev->ops->stop)
			vdev->ops->stop(vdev, queue->index);
	}
	virtq_disable(&queue->vq);
}

/* Opens a queue with the addresses in it: 0, -EPROTO, -ENOMEM. */
static int queue_open(struct virtio_queue *queue)
{
	struct virtio_dev *vdev = queue->vdev;
	int err = virtq_enable(&queue->vq, vdev->features);

	if (!err)
		vdev->transport->doorbell(vdev, queue->index, true);
	return err;
}

void virtio_queue_ready(struct virtio_queue *queue, bool ready)
{
	struct virtio_dev *vdev = queue->vdev;
	int err;

	if (!ready) {
		queue_close(queue);
		return;
	}
	/* The ring's layout depends on features, so they come first (3.1.1). */
	if (queue->vq.ready || !(vdev->status & VIRTIO_CONFIG_S_FEATURES_OK) ||
	    vdev->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	err = queue_open(queue);
	if (err)
		virtio_broken(vdev,
			      err == -ENOMEM ? strerror(ENOMEM) : "bad queue size or address");
	else if (virtio_running(vdev, queue->index))
		virtio_kick(vdev, queue->index);
}

struct virtio_queue *virtio_selected(struct virtio_dev *vdev)
{
	return vdev->queue_sel < vdev->nqueues ? &vdev->queues[vdev->queue_sel] : NULL;
}

/* --- queue work -------------------------------------------------------------------------------- */

void virtio_interrupt(struct virtio_dev *vdev, unsigned int q)
{
	vdev->isr |= VIRTIO_ISR_QUEUE;
	vdev->transport->queue_interrupt(vdev, q);
}

void virtio_publish(struct virtio_dev *vdev, unsigned int q)
{
	struct virtio_queue *queue = &vdev->queues[q];
	bool wanted = virtq_publish(&queue->vq);

	queue->interrupts += wanted;
	queue->suppressed += !wanted && queue->published != queue->vq.requests;
	queue->published = queue->vq.requests;
	if (wanted && queue->defer)
		queue->defer(vdev, q);
	else if (wanted)
		virtio_interrupt(vdev, q);
}

void virtio_serve(struct virtio_dev *vdev, unsigned int q,
		  int64_t (*serve)(struct virtio_dev *vdev, struct virtq_chain *chain))
{
	struct virtq *vq = &vdev->queues[q].vq;
	unsigned int budget = vq->num;
	struct virtq_chain chain;
	struct iovec iov[20];
	int64_t ret = 1;

	virtq_chain_init(&chain, iov, sizeof(iov) / sizeof(iov[0]));
	do {
		virtq_mute(vq);
		while (budget && (ret = virtq_pop(vq, &chain)) > 0) {
			ret = serve(vdev, &chain);
			if (ret < 0) {
				virtq_unpop(vq);
				break;
			}
			virtq_push(vq, &chain, ret);
			budget--;
		}
		/* Counted too: a driver could make the index flicker for ever. */
	} while (budget && !ret && virtq_listen(vq) && --budget);
	virtq_chain_free(&chain);
	virtio_publish(vdev, q);
	if (ret < 0 && ret != -EAGAIN)
		virtio_broken(vdev, ret == -EPROTO ? "malformed request" : strerror(-ret));
	else if (!budget)
		virtio_kick(vdev, q);
}

/* --- status and features ----------------------------------------------------------------------- */

static void changed(struct virtio_dev *vdev)
{
	if (vdev->transport->changed)
		vdev->transport->changed(vdev);
}

static void raise_config_interrupt(struct virtio_dev *vdev)
{
	vdev->isr |= VIRTIO_ISR_CONFIG;
	vdev->transport->config_interrupt(vdev);
}

void virtio_broken(struct virtio_dev *vdev, const char *why)
{
	log_guest(vdev->dev.env.log, &vdev->limit, "%s: %s; the device needs a reset",
		  vdev->dev.name, why);
	if (vdev->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	vdev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	/* 2.1.2: tells the driver, but only one that is ready to hear it. Who sees the status sees
	 * the interrupt. */
	if (vdev->status & VIRTIO_CONFIG_S_DRIVER_OK) {
		vdev->isr |= VIRTIO_ISR_CONFIG;
		changed(vdev);
		raise_config_interrupt(vdev);
	} else {
		changed(vdev);
	}
}

void virtio_config_updated(struct virtio_dev *vdev)
{
	vdev->generation++;
	changed(vdev);
}

void virtio_config_changed(struct virtio_dev *vdev)
{
	virtio_config_updated(vdev);
	if (vdev->status & VIRTIO_CONFIG_S_DRIVER_OK)
		raise_config_interrupt(vdev);
}

static void driver_reset(struct virtio_dev *vdev, bool machine)
{
	/* First, so that requests which end now go nowhere. */
	vdev->status = 0;
	for (unsigned int q = 0; q < vdev->nqueues; q++)
		queue_close(&vdev->queues[q]);
	vdev->features = 0;
	vdev->isr = 0;
	vdev->device_feature_sel = vdev->driver_feature_sel = vdev->queue_sel = 0;
	if (vdev->transport->reset)
		vdev->transport->reset(vdev, machine);
	if (vdev->ops->reset)
		vdev->ops->reset(vdev);
}

static bool acceptable(struct virtio_dev *vdev)
{
	/* No legacy interface: without VERSION_1 there is no agreement (6.1). */
	if (vdev->features & ~vdev->offered || !virtio_has(vdev, VIRTIO_F_VERSION_1))
		return false;
	return !vdev->ops->accepts || vdev->ops->accepts(vdev, vdev->features);
}

static void driver_ok(struct virtio_dev *vdev)
{
	if (vdev->ops->start)
		vdev->ops->start(vdev);
	/* Drivers may have filled queues before. */
	kick_all(vdev);
}

void virtio_set_status(struct virtio_dev *vdev, uint32_t status)
{
	uint32_t added = status & ~vdev->status & DRIVER_STATUS;

	if (!status) {
		driver_reset(vdev, false);
		return;
	}
	if (added & VIRTIO_CONFIG_S_FEATURES_OK && !acceptable(vdev))
		added &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	if (!((vdev->status | added) & VIRTIO_CONFIG_S_FEATURES_OK))
		added &= ~VIRTIO_CONFIG_S_DRIVER_OK;
	vdev->status |= added;
	if (added & VIRTIO_CONFIG_S_FEATURES_OK && vdev->ops->agreed)
		vdev->ops->agreed(vdev);
	if (added & VIRTIO_CONFIG_S_DRIVER_OK)
		driver_ok(vdev);
}

uint32_t virtio_device_features(const struct virtio_dev *vdev)
{
	return vdev->device_feature_sel < 2 ? vdev->offered >> 32 * vdev->device_feature_sel : 0;
}

void virtio_driver_features(struct virtio_dev *vdev, uint32_t bits)
{
	unsigned int shift = 32 * vdev->driver_feature_sel;

	if (vdev->driver_feature_sel >= 2 || vdev->status & VIRTIO_CONFIG_S_FEATURES_OK)
		return;
	vdev->features &= ~((uint64_t)UINT32_MAX << shift);
	vdev->features |= (uint64_t)bits << shift;
}

/* --- config space ------------------------------------------------------------------------------ */

uint64_t virtio_config_read(const struct virtio_dev *vdev, uint64_t off, unsigned int size)
{
	uint64_t val = 0;

	if (off >= vdev->config_size)
		return 0;
	if (size > vdev->config_size - off)
		size = vdev->config_size - off;
	memcpy(&val, (const uint8_t *)vdev->config + off, size);
	return val;
}

void virtio_config_write(struct virtio_dev *vdev, uint64_t off, unsigned int size, uint64_t val)
{
	if (vdev->ops->config_write && off < vdev->config_size && size <= vdev->config_size - off)
		vdev->ops->config_write(vdev, off, size, val);
}

/* --- what every device can do ------------------------------------------------------------------ */

static void device_reset(struct device *dev)
{
	struct virtio_dev *vdev = to_virtio(dev);

	driver_reset(vdev, true);
	vdev->generation = 0;
	for (unsigned int q = 0; q < vdev->nqueues; q++) {
		struct virtio_queue *queue = &vdev->queues[q];

		queue->notified = queue->interrupts = queue->suppressed = queue->published = 0;
		queue->vq.requests = queue->vq.bytes = 0;
	}
	changed(vdev);
}

static void device_stat(struct device *dev, struct json_out *out)
{
	struct virtio_dev *vdev = to_virtio(dev);

	json_open(out, "queues", '[');
	for (unsigned int q = 0; q < vdev->nqueues; q++) {
		const struct virtio_queue *queue = &vdev->queues[q];

		json_open(out, NULL, '{');
		json_uint(out, "notifications", queue->notified);
		json_uint(out, "requests", queue->vq.requests);
		json_uint(out, "bytes", queue->vq.bytes);
		json_uint(out, "interrupts", queue->interrupts);
		json_uint(out, "suppressed", queue->suppressed);
		json_close(out, '}');
	}
	json_close(out, ']');
	if (vdev->ops->stat)
		vdev->ops->stat(vdev, out);
}

static void queue_state(struct virtio_queue *queue, struct state *s)
{
	struct virtq *vq = &queue->vq;
	bool ready = vq->ready;

	state_u32(s, "num", &vq->num);
	state_u64(s, "desc", &vq->desc);
	state_u64(s, "avail", &vq->avail);
	state_u64(s, "used", &vq->used);
	state_bool(s, "ready", &ready);
	state_u16(s, "next_avail", &vq->next_avail);
	state_u16(s, "next_used", &vq->next_used);
	/* Offloaded work is drained, and batches end with a publication. */
	state_check(s, !virtq_inflight(vq), "next_used");
	if (s->loading && ready && !s->err)
		state_check(s, !queue_open(queue), "ready");
}

static void device_state(struct device *dev, struct state *s)
{
	struct virtio_dev *vdev = to_virtio(dev);

	if (s->loading)
		device_reset(dev);
	else if (vdev->ops->sync)
		vdev->ops->sync(vdev);
	state_u64(s, "features", &vdev->features);
	state_u32(s, "status", &vdev->status);
	state_u32(s, "isr", &vdev->isr);
	state_u32(s, "generation", &vdev->generation);
	state_u32(s, "device_feature_sel", &vdev->device_feature_sel);
	state_u32(s, "driver_feature_sel", &vdev->driver_feature_sel);
	state_u32(s, "queue_sel", &vdev->queue_sel);
	state_check(s, !(vdev->status & ~(DRIVER_STATUS | VIRTIO_CONFIG_S_NEEDS_RESET)), "status");
	state_check(s, !(vdev->isr & ~(VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG)), "isr");
	if (vdev->status & (VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK)) {
		state_check(s, vdev->status & VIRTIO_CONFIG_S_FEATURES_OK, "status");
		state_check(s, acceptable(vdev), "features");
	}
	if (vdev->transport->state)
		vdev->transport->state(vdev, s);
	for (unsigned int q = 0; q < vdev->nqueues; q++)
		queue_state(&vdev->queues[q], s);
	if (vdev->ops->state)
		vdev->ops->state(vdev, s);
	if (!s->loading)
		return;
	if (s->err) {
		device_reset(dev);
		return;
	}
	if (vdev->status & VIRTIO_CONFIG_S_DRIVER_OK)
		driver_ok(vdev);
	changed(vdev);
	/* The edge may have been on its way when the state was saved; one too many is harmless. */
	if (vdev->isr & VIRTIO_ISR_CONFIG)
		vdev->transport->config_interrupt(vdev);
	else if (vdev->isr)
		vdev->transport->queue_interrupt(vdev, 0);
}

static int device_hold(struct device *dev, bool on, struct fail *fail)
{
	struct virtio_dev *vdev = to_virtio(dev);

	return vdev->ops->hold ? vdev->ops->hold(vdev, on, fail) : 0;
}

static void device_describe(struct device *dev, struct fdt *fdt)
{
	struct virtio_dev *vdev = to_virtio(dev);

	if (vdev->transport->describe)
		vdev->transport->describe(vdev, fdt);
}

static void device_destroy(struct device *dev)
{
	struct virtio_dev *vdev = to_virtio(dev);

	for (unsigned int q = 0; vdev->queues && q < vdev->nqueues; q++) {
		struct virtio_queue *queue = &vdev->queues[q];

		if (!queue->vdev)
			continue;
		queue_close(queue);
		if (queue->kick.fd >= 0) {
			loop_fd_del(dev->env.loop, &queue->kick);
			close(queue->kick.fd);
		}
	}
	if (vdev->transport && vdev->transport->detach)
		vdev->transport->detach(vdev);
	if (vdev->ops->destroy)
		vdev->ops->destroy(vdev);
	free(vdev->queues);
	device_fini(dev);
	free(vdev);
}

static const struct device_ops device_ops = {
	.reset = device_reset,
	.state = device_state,
	.describe = device_describe,
	.hold = device_hold,
	.stat = device_stat,
	.debug = virtio_debug,
	.destroy = device_destroy,
};

static int queue_init(struct virtio_dev *vdev, unsigned int q)
{
	struct virtio_queue *queue = &vdev->queues[q];

	virtq_init(&queue->vq, vdev->dev.env.mem, vdev->ops->queue_max);
	queue->vdev = vdev;
	queue->index = q;
	/* Never read: each signal is an edge, and the counter does not fill in a lifetime. */
	queue->kick = (struct loop_fd){
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.events = EPOLLIN | EPOLLET,
		.dev = &vdev->dev,
		.fn = queue_kicked,
	};
	if (queue->kick.fd < 0)
		return -errno;
	return loop_fd_add(vdev->dev.env.loop, &queue->kick);
}

int virtio_init(struct virtio_dev *vdev, const struct virtio_ops *ops,
		const struct virtio_transport *transport, const struct device_env *env,
		uint64_t features, void *config, uint32_t config_size, struct fail *fail)
{
	int err = 0;

	device_init(&vdev->dev, &device_ops, ops->type, env);
	vdev->ops = ops;
	vdev->transport = transport;
	vdev->offered = features | VIRTIO_COMMON_FEATURES;
	if (ops->in_order)
		vdev->offered |= VIRTIO_BIT(VIRTIO_F_IN_ORDER);
	vdev->config = config;
	vdev->config_size = config_size;
	if (!vdev->nqueues)
		vdev->nqueues = ops->nqueues;
	vdev->queues = calloc(vdev->nqueues, sizeof(*vdev->queues));
	if (!vdev->queues)
		err = -ENOMEM;
	for (unsigned int q = 0; !err && q < vdev->nqueues; q++)
		err = queue_init(vdev, q);
	if (err)
		return fail_set(fail, EXIT_HOST, err, "%s: cannot create its queues: %s",
				vdev->dev.name, strerror(-err));
	return 0;
}

int virtio_finish(struct virtio_dev *vdev, int err, struct device **out, struct fail *fail)
{
	if (!err)
		err = vdev->transport->attach(vdev, fail);
	if (err) {
		device_destroy(&vdev->dev);
		return err;
	}
	*out = &vdev->dev;
	return 0;
}
