// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/virtio.h"

#include "vmm/core/json.h"

static void queue_debug(const struct virtio_queue *queue, struct json_out *out)
{
	const struct virtq *vq = &queue->vq;

	json_open(out, NULL, '{');
	json_bool(out, "ready", vq->ready);
	json_uint(out, "size", vq->num);
	json_uint(out, "max", vq->max);
	if (vq->ready) {
		json_str(out, "layout", vq->packed ? "packed" : "split");
		json_hex(out, "desc", vq->desc);
		json_hex(out, "avail", vq->avail);
		json_hex(out, "used", vq->used);
		json_uint(out, "next_avail", vq->next_avail);
		json_uint(out, "next_used", vq->next_used);
		json_uint(out, "in_flight", virtq_inflight(vq));
		json_uint(out, "requests", vq->requests);
	}
	json_close(out, '}');
}

void virtio_debug(struct device *dev, struct json_out *out)
{
	const struct virtio_dev *vdev = container_of(dev, struct virtio_dev, dev);

	json_hex(out, "status", vdev->status);
	json_hex(out, "offered", vdev->offered);
	json_hex(out, "features", vdev->features);
	json_hex(out, "isr", vdev->isr);
	json_uint(out, "generation", vdev->generation);
	json_open(out, "queues", '[');
	for (unsigned int q = 0; q < vdev->nqueues; q++)
		queue_debug(&vdev->queues[q], out);
	json_close(out, ']');
}
