// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/rng.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <sys/random.h>

/* The whole device: a queue of buffers to fill. */
struct rng {
	struct virtio_dev vdev;
	struct loop_timer retry; /* the host, just booted, has no entropy yet */
};

/* 8 requests of at most 64 KiB keep one round of the loop short. */
enum { RNG_QUEUE = 8, RNG_REQUEST_MAX = 64 * 1024, RNG_RETRY_NS = 100000000 };

static int64_t rng_serve(struct virtio_dev *vdev, struct virtq_chain *chain)
{
	struct rng *rng = container_of(vdev, struct rng, vdev);
	struct virtq_iov *in = &chain->in;
	size_t done = 0, want;
	ssize_t got;

	/* 5.4.6.1: buffers to write only, at least one byte. */
	if (chain->out.left || !in->left)
		return -EPROTO;
	while (in->left && done < RNG_REQUEST_MAX) {
		want = in->iov[in->at].iov_len;
		if (want > RNG_REQUEST_MAX - done)
			want = RNG_REQUEST_MAX - done;
		got = getrandom(in->iov[in->at].iov_base, want, GRND_NONBLOCK);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			break;
		done += virtq_skip(in, got);
	}
	chain->wrote = done;
	if (done)
		return done;
	/* 5.4.6.2: at least one byte. The loop must not wait for it. */
	loop_timer_set(vdev->dev.env.loop, &rng->retry, loop_now_ns() + RNG_RETRY_NS);
	return -EAGAIN;
}

static void rng_notify(struct virtio_dev *vdev, unsigned int q)
{
	virtio_serve(vdev, q, rng_serve);
}

static void rng_retry(struct loop_timer *timer)
{
	struct rng *rng = container_of(timer, struct rng, retry);

	if (virtio_running(&rng->vdev, 0))
		rng_notify(&rng->vdev, 0);
}

static void rng_stop(struct virtio_dev *vdev, unsigned int q)
{
	(void)q;
	loop_timer_cancel(vdev->dev.env.loop, &container_of(vdev, struct rng, vdev)->retry);
}

static const struct virtio_ops rng_ops = {
	.type = "virtio-rng",
	.id = VIRTIO_ID_RNG,
	.nqueues = 1,
	.queue_max = RNG_QUEUE,
	.in_order = true,
	.notify = rng_notify,
	.stop = rng_stop,
};

int rng_create(const struct device_env *env, const struct rng_config *cfg, struct device **out,
	       struct fail *fail)
{
	struct rng *rng = calloc(1, sizeof(*rng));
	int err;

	if (!rng)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "virtio-rng: out of memory");
	rng->retry.dev = &rng->vdev.dev;
	rng->retry.fn = rng_retry;
	err = virtio_init(&rng->vdev, &rng_ops, cfg->transport, env, 0, NULL, 0, fail);
	return virtio_finish(&rng->vdev, err, out, fail);
}
