// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/balloon.h"

#include <errno.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/json.h"

/* 5.5.2. Queue 3, for free page hints, is another name for REPORTQ while hints are not offered:
 * drivers exist that number the queues without gaps. */
enum { INFLATEQ, DEFLATEQ, STATSQ, REPORTQ_PACKED, REPORTQ, BALLOON_QUEUES };
enum { BALLOON_QUEUE = 128 };
enum { PAGE = 1 << VIRTIO_BALLOON_PFN_SHIFT };

/* Work for one round of the loop: page numbers, and bytes of reported pages. */
enum { PFNS = 256, ROUND_PFNS = 16 * PFNS };
#define ROUND_BYTES (1ULL << 30)

#define FEATURES                                                                               \
	(VIRTIO_BIT(VIRTIO_BALLOON_F_STATS_VQ) | VIRTIO_BIT(VIRTIO_BALLOON_F_DEFLATE_ON_OOM) | \
	 VIRTIO_BIT(VIRTIO_BALLOON_F_PAGE_POISON) | VIRTIO_BIT(VIRTIO_BALLOON_F_REPORTING))

struct balloon {
	struct virtio_dev vdev;
	struct virtio_balloon_config config; /* little-endian */
	gpa_t base;
	uint64_t size;
	uint64_t budget; /* what is left of this round */
	uint64_t inflated, reported; /* bytes given back since the machine was made */
	/* The guest's statistics (5.5.6.3), those with a bit in `known`. The driver's buffer stays
	 * in the ring until new ones are asked for. */
	uint64_t stats[VIRTIO_BALLOON_S_NR];
	uint32_t known;
	uint64_t stats_ns;
	bool ask;
};

static struct balloon *to_balloon(struct virtio_dev *vdev)
{
	return container_of(vdev, struct balloon, vdev);
}

/* --- pages to the host ------------------------------------------------------------------------- */

/* Contents are the driver's business only until it gives the pages away, so a range given back
 * twice, or while other requests use it, harms nobody else. */
static void give_back(struct balloon *b, gpa_t gpa, uint64_t len, uint64_t *count)
{
	struct virtio_dev *vdev = &b->vdev;
	int64_t given = -EFAULT;

	if (gpa >= b->base && gpa - b->base < b->size && len <= b->size - (gpa - b->base))
		given = guest_mem_discard(vdev->dev.env.mem, gpa, len);
	if (given < 0)
		log_guest(vdev->dev.env.log, &vdev->limit,
			  "%s: memory at 0x%llx cannot be given back: %s", vdev->dev.name,
			  (unsigned long long)gpa, strerror((int)-given));
	else
		*count += given;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Neighbours in one call: it is cheaper, and small pages may make a whole one of the host. */
static void give_back_pages(struct balloon *b, uint32_t *pfns, size_t n)
{
	size_t run;

	qsort(pfns, n, sizeof(*pfns), compare);
	for (size_t i = 0; i < n; i += run) {
		uint64_t pages = 1;

		for (run = 1; i + run < n && pfns[i + run] - pfns[i] <= pages; run++)
			pages = pfns[i + run] - pfns[i] + 1ULL;
		give_back(b, (gpa_t)pfns[i] * PAGE, pages * PAGE, &b->inflated);
	}
}

/* 5.5.6.1: an array of page numbers. What is more than a round's work is left with the guest. */
static int64_t inflate(struct virtio_dev *vdev, struct virtq_chain *chain)
{
	struct balloon *b = to_balloon(vdev);
	uint32_t pfns[PFNS];
	size_t n;

	if (!b->budget)
		return -EAGAIN;
	if (chain->in.left)
		return -EPROTO;
	while (b->budget && (n = virtq_pull(chain, pfns, sizeof(pfns)) / sizeof(pfns[0]))) {
		give_back_pages(b, pfns, n);
		b->budget -= n < b->budget ? n : b->budget;
	}
	return 0;
}

/* The host finds a page again when the guest touches it. */
static int64_t deflate(struct virtio_dev *vdev, struct virtq_chain *chain)
{
	(void)vdev;
	return chain->in.left ? -EPROTO : 0;
}

/* 5.5.6.7: buffers that are free pages. They must read as the poison, if there is one, or as they
 * were: zero is what the host can give. Reports are hints: the rest of a huge one may be dropped. */
static int64_t report(struct virtio_dev *vdev, struct virtq_chain *chain)
{
	struct balloon *b = to_balloon(vdev);
	struct guest_mem *mem = vdev->dev.env.mem;

	if (!b->budget)
		return -EAGAIN;
	if (chain->out.left)
		return -EPROTO;
	chain->wrote = 0;
	if (virtio_has(vdev, VIRTIO_BALLOON_F_PAGE_POISON) && b->config.poison_val)
		return 0;
	for (unsigned int i = 0; b->budget && i < chain->in.n; i++) {
		const struct iovec *iov = &chain->in.iov[i];

		give_back(b, guest_mem_gpa(mem, iov->iov_base), iov->iov_len, &b->reported);
		b->budget -= iov->iov_len < b->budget ? iov->iov_len : b->budget;
	}
	return 0;
}

/* --- statistics -------------------------------------------------------------------------------- */

/* The driver leaves one buffer; returning it asks for the next. */
static int64_t stats(struct virtio_dev *vdev, struct virtq_chain *chain)
{
	struct balloon *b = to_balloon(vdev);
	struct virtio_balloon_stat stat;

	if (b->ask) {
		b->ask = false;
		return 0;
	}
	if (chain->in.left)
		return -EPROTO;
	for (int i = 0; i < 2 * VIRTIO_BALLOON_S_NR; i++) {
		if (virtq_pull(chain, &stat, sizeof(stat)) < sizeof(stat))
			break;
		if (stat.tag >= VIRTIO_BALLOON_S_NR)
			continue;
		b->stats[stat.tag] = stat.val;
		b->known |= 1u << stat.tag;
	}
	b->stats_ns = loop_now_ns();
	return -EAGAIN;
}

static uint64_t left_with(const struct balloon *b, uint32_t pages)
{
	uint64_t taken = (uint64_t)pages * PAGE;

	return taken < b->size ? b->size - taken : 0;
}

static void balloon_stat(struct virtio_dev *vdev, struct json_out *out)
{
	static const char *const names[VIRTIO_BALLOON_S_NR] = VIRTIO_BALLOON_S_NAMES;
	struct balloon *b = to_balloon(vdev);

	json_uint(out, "target", left_with(b, b->config.num_pages));
	json_uint(out, "actual", left_with(b, b->config.actual));
	json_uint(out, "inflated", b->inflated);
	json_uint(out, "reported", b->reported);
	if (b->known) {
		json_open(out, "guest", '{');
		json_uint(out, "age-ms", (loop_now_ns() - b->stats_ns) / 1000000);
		for (unsigned int i = 0; i < VIRTIO_BALLOON_S_NR; i++)
			if (b->known >> i & 1)
				json_uint(out, names[i], b->stats[i]);
		json_close(out, '}');
	}
	/* For the next time. */
	b->ask = virtio_running(vdev, STATSQ);
	if (b->ask)
		virtio_kick(vdev, STATSQ);
}

/* --- life -------------------------------------------------------------------------------------- */

static int64_t (*const serve[BALLOON_QUEUES])(struct virtio_dev *vdev,
					      struct virtq_chain *chain) = {
	[INFLATEQ] = inflate,	   [DEFLATEQ] = deflate, [STATSQ] = stats,
	[REPORTQ_PACKED] = report, [REPORTQ] = report,
};

static void balloon_notify(struct virtio_dev *vdev, unsigned int q)
{
	struct balloon *b = to_balloon(vdev);

	b->budget = q == INFLATEQ ? ROUND_PFNS : ROUND_BYTES;
	virtio_serve(vdev, q, serve[q]);
	if (!b->budget && virtio_running(vdev, q))
		virtio_kick(vdev, q);
}

static void balloon_config_write(struct virtio_dev *vdev, uint32_t off, unsigned int size,
				 uint64_t val)
{
	struct balloon *b = to_balloon(vdev);

	if (size != 4)
		return;
	if (off == offsetof(struct virtio_balloon_config, actual))
		b->config.actual = val;
	else if (off == offsetof(struct virtio_balloon_config, poison_val))
		b->config.poison_val = val;
}

static void balloon_reset(struct virtio_dev *vdev)
{
	struct balloon *b = to_balloon(vdev);

	b->config.actual = 0;
	b->config.poison_val = 0;
	b->known = 0;
	b->ask = false;
}

/* Statistics are read from the ring again. */
static void balloon_state(struct virtio_dev *vdev, struct state *s)
{
	struct balloon *b = to_balloon(vdev);
	uint32_t pages = b->config.num_pages;

	state_u32(s, "num_pages", &pages);
	state_u32(s, "actual", &b->config.actual);
	state_u32(s, "poison_val", &b->config.poison_val);
	/* No reset takes it back. */
	if (state_check(s, pages <= b->size / PAGE, "num_pages"))
		b->config.num_pages = pages;
}

static const struct virtio_ops balloon_ops = {
	.type = "virtio-balloon",
	.id = VIRTIO_ID_BALLOON,
	.nqueues = BALLOON_QUEUES,
	.queue_max = BALLOON_QUEUE,
	.notify = balloon_notify,
	.reset = balloon_reset,
	.config_write = balloon_config_write,
	.state = balloon_state,
	.stat = balloon_stat,
};

/* Page numbers have 32 bits, so 16 TiB are the most that a balloon can hold. */
static int set_target(struct balloon *b, uint64_t target, struct fail *fail)
{
	uint64_t pages;

	if (!target || target > b->size)
		return fail_set(fail, EXIT_CONFIG, -ERANGE,
				"the guest cannot be left with %llu bytes; it has 1 to %llu MiB",
				(unsigned long long)target, (unsigned long long)(b->size >> 20));
	pages = (b->size - target) / PAGE;
	b->config.num_pages = pages < UINT32_MAX ? pages : UINT32_MAX;
	return 0;
}

int balloon_set(struct device *dev, uint64_t target, struct fail *fail)
{
	struct balloon *b = container_of(dev, struct balloon, vdev.dev);
	uint32_t before;
	int err;

	pthread_mutex_lock(&dev->lock);
	before = b->config.num_pages;
	err = set_target(b, target, fail);
	if (!err && b->config.num_pages != before)
		virtio_config_changed(&b->vdev);
	pthread_mutex_unlock(&dev->lock);
	return err;
}

int balloon_create(const struct device_env *env, const struct balloon_config *cfg,
		   struct device **out, struct fail *fail)
{
	struct balloon *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "virtio-balloon: out of memory");
	b->base = cfg->ram_base;
	b->size = cfg->ram_size;
	err = virtio_init(&b->vdev, &balloon_ops, cfg->transport, env, FEATURES, &b->config,
			  sizeof(b->config), fail);
	if (!err)
		err = set_target(b, cfg->target, fail);
	return virtio_finish(&b->vdev, err, out, fail);
}
