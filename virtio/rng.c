// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/rng.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <sys/random.h>

/* The whole device: a queue of buffers to fill. */
struct rng {
	struct virtio_dev vdev;
};

/* 8 requests of at most 64 KiB keep one round of the loop short. */
enum { RNG_QUEUE = 8, RNG_REQUEST_MAX = 64 * 1024 };

static int64_t rng_serve(struct virtio_dev *vdev, struct virtq_chain *chain)
{
	struct virtq_iov *in = &chain->in;
	size_t done = 0, want;
	ssize_t got;

	(void)vdev;
	/* 5.4.6.1: buffers to write only, at least one byte. */
	if (chain->out.left || !in->left)
		return -EPROTO;
	while (in->left && done < RNG_REQUEST_MAX) {
		want = in->iov[in->at].iov_len;
		if (want > RNG_REQUEST_MAX - done)
			want = RNG_REQUEST_MAX - done;
		got = getrandom(in->iov[in->at].iov_base, want, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			break;
		done += virtq_skip(in, got);
	}
	chain->wrote = done;
	return done;
}

static void rng_notify(struct virtio_dev *vdev, unsigned int q)
{
	virtio_serve(vdev, q, rng_serve);
}

static const struct virtio_ops rng_ops = {
	.type = "virtio-rng",
	.id = VIRTIO_ID_RNG,
	.nqueues = 1,
	.queue_max = RNG_QUEUE,
	.in_order = true,
	.notify = rng_notify,
};

int rng_create(const struct device_env *env, const struct rng_config *cfg, struct device **out,
	       struct fail *fail)
{
	struct rng *rng = calloc(1, sizeof(*rng));
	int err;

	if (!rng)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "virtio-rng: out of memory");
	err = virtio_init(&rng->vdev, &rng_ops, cfg->transport, env, 0, NULL, 0, fail);
	return virtio_finish(&rng->vdev, err, out, fail);
}
