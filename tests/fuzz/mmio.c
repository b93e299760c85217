// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/mmio.h"

#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

/* A class that looks at everything that transport and common part tell it: an echo. */
enum { QUEUES = 3 };

struct echo {
	struct virtio_dev vdev;
	uint8_t config[24];
	bool started, stopped[QUEUES];
};

static struct echo *to_echo(struct virtio_dev *vdev)
{
	return container_of(vdev, struct echo, vdev);
}

static bool accepts(struct virtio_dev *vdev, uint64_t features)
{
	FUZZ_CHECK(!(features & ~vdev->offered));
	return !(features & 2);
}

static void begin(struct virtio_dev *vdev)
{
	FUZZ_CHECK(vdev->status & VIRTIO_CONFIG_S_FEATURES_OK);
	to_echo(vdev)->started = true;
}

static int64_t serve(struct virtio_dev *vdev, struct virtq_chain *chain)
{
	uint8_t buf[300];
	size_t n, all = 0;

	(void)vdev;
	while (all < sizeof(buf) * 8 && (n = virtq_pull(chain, buf, sizeof(buf))))
		all += virtq_put(chain, buf, n);
	chain->wrote = all;
	return all;
}

static void notify(struct virtio_dev *vdev, unsigned int q)
{
	FUZZ_CHECK(q < QUEUES && to_echo(vdev)->started && virtio_running(vdev, q));
	virtio_serve(vdev, q, serve);
}

static void stop(struct virtio_dev *vdev, unsigned int q)
{
	FUZZ_CHECK(q < QUEUES && !virtq_inflight(virtio_vq(vdev, q)));
}

static void forget(struct virtio_dev *vdev)
{
	for (unsigned int q = 0; q < QUEUES; q++)
		FUZZ_CHECK(!virtio_vq(vdev, q)->ready);
	to_echo(vdev)->started = false;
}

static void config_write(struct virtio_dev *vdev, uint32_t off, unsigned int size, uint64_t val)
{
	struct echo *e = to_echo(vdev);

	FUZZ_CHECK(size <= 8 && off <= sizeof(e->config) - size);
	memcpy(e->config + off, &val, size);
}

static void state(struct virtio_dev *vdev, struct state *s)
{
	state_bytes(s, "config", to_echo(vdev)->config, sizeof(to_echo(vdev)->config));
}

static const struct virtio_ops echo_ops = {
	.type = "virtio-echo",
	.id = VIRTIO_ID_RNG,
	.nqueues = QUEUES,
	.queue_max = 64,
	.in_order = true,
	.accepts = accepts,
	.start = begin,
	.notify = notify,
	.stop = stop,
	.reset = forget,
	.config_write = config_write,
	.state = state,
};

static void event(struct fuzz *f)
{
	struct echo *e = container_of(f->g.dev, struct echo, vdev.dev);

	pthread_mutex_lock(&f->g.dev->lock);
	e->config[fuzz_u8(f) % sizeof(e->config)] = fuzz_u8(f);
	virtio_config_changed(&e->vdev);
	pthread_mutex_unlock(&f->g.dev->lock);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct echo *e = calloc(1, sizeof(*e));
	static struct fuzz f;
	int err;

	fuzz_init(&f, data, len, QUEUES);
	f.event = event;
	err = virtio_init(&e->vdev, &echo_ops, &virtio_mmio, &f.g.env, 3, e->config,
			  sizeof(e->config), NULL);
	FUZZ_CHECK(!virtio_finish(&e->vdev, err, &f.g.dev, NULL));
	fuzz_run(&f);
	fuzz_fini(&f);
	return 0;
}
