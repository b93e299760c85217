// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/blk_config.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/blk.h"

enum {
	BLK_IOV_FIRST = 4,
	/* Requests a round of the loop, since each may copy a megabyte. */
	BLK_BATCH = 64,
};

struct blk;

/*
 * One request: from the pop to the push. Its buffers are guest RAM itself: checked once, never
 * copied.
 */
struct request {
	struct aio_op op;
	struct blk *blk;
	struct request *next; /* in `idle` */
	struct virtq_chain chain;
	uint8_t *status; /* the chain's last byte */
	uint32_t type;
	uint64_t sector;
	size_t data; /* bytes written for the driver, if it ends well */
	struct iovec iov[BLK_IOV_FIRST];
};

/* What the disk can do without waiting is done in place; the rest goes to `aio`. */
struct blk {
	struct virtio_dev vdev;
	struct disk *disk;
	struct aio aio;
	struct virtio_blk_config config;
	char serial[VIRTIO_BLK_ID_BYTES];
	struct request *idle; /* for reuse */
	uint32_t pushed; /* queues with something to publish */
};

static struct blk *to_blk(struct virtio_dev *vdev)
{
	return container_of(vdev, struct blk, vdev);
}

/* 5.2.6.2: a driver that cannot flush, or has said so, expects a write-through cache. */
static bool write_through(const struct blk *blk)
{
	if (!virtio_has(&blk->vdev, VIRTIO_BLK_F_FLUSH))
		return true;
	return virtio_has(&blk->vdev, VIRTIO_BLK_F_CONFIG_WCE) && !blk->config.wce;
}

/* --- the life of a request --------------------------------------------------------------------- */

static struct request *request_get(struct blk *blk)
{
	struct request *req = blk->idle;

	if (req) {
		blk->idle = req->next;
		return req;
	}
	req = calloc(1, sizeof(*req));
	if (req) {
		req->blk = blk;
		virtq_chain_init(&req->chain, req->iov, BLK_IOV_FIRST);
	}
	return req;
}

static void request_put(struct request *req)
{
	req->next = req->blk->idle;
	req->blk->idle = req;
}

/* Writes the status and gives the chain back; publish() follows once a batch. */
static void request_push(struct request *req, int result)
{
	struct blk *blk = req->blk;
	size_t len = result ? 0 : req->data;

	switch (result) {
	case 0:
		*req->status = VIRTIO_BLK_S_OK;
		break;
	case -EOPNOTSUPP:
		*req->status = VIRTIO_BLK_S_UNSUPP;
		break;
	default:
		*req->status = VIRTIO_BLK_S_IOERR;
	}
	/* `len` counts from the start (2.7.8.2): the status at the end only if nothing before it
	 * was left out. */
	if (len + 1 == req->chain.wrote)
		len++;
	virtq_push(virtio_vq(&blk->vdev, req->op.queue), &req->chain, len);
	blk->pushed |= 1u << req->op.queue;
}

static void publish(struct blk *blk)
{
	uint32_t pushed = blk->pushed;

	blk->pushed = 0;
	for (unsigned int q = 0; pushed; q++, pushed >>= 1)
		if (pushed & 1)
			virtio_publish(&blk->vdev, q);
}

static void aio_done(struct aio_op *op)
{
	/* The ring of a queue that was stopped is the driver's again. */
	if (!op->stale)
		request_push(container_of(op, struct request, op), op->result);
}

static void aio_release(struct aio_op *op)
{
	request_put(container_of(op, struct request, op));
}

static void aio_batch(struct aio *aio)
{
	publish(container_of(aio, struct blk, aio));
}

static const struct aio_ops blk_aio_ops = {
	.done = aio_done,
	.release = aio_release,
	.batch = aio_batch,
};

static void blk_stop(struct virtio_dev *vdev, unsigned int q)
{
	aio_stop(&to_blk(vdev)->aio, q);
}

/* --- what is asked for ------------------------------------------------------------------------- */

/* Takes the header and the status byte off the chain, whatever descriptors they lie in (2.7.4). */
static int parse(struct request *req)
{
	struct virtio_blk_outhdr hdr;

	if (virtq_pull(&req->chain, &hdr, sizeof(hdr)) != sizeof(hdr))
		return -EPROTO;
	req->status = virtq_cut_tail(&req->chain);
	if (!req->status)
		return -EPROTO;
	req->type = hdr.type;
	req->sector = hdr.sector;
	req->data = 0;
	return 0;
}

/* Sets the range of the transfer: 0, or -EIO when it is not all on the disk. */
static int set_range(struct request *req, uint64_t sector, uint64_t len)
{
	uint64_t size = req->blk->disk->size;

	if (len % (1 << SECTOR_SHIFT) || sector > size >> SECTOR_SHIFT ||
	    len > size - (sector << SECTOR_SHIFT))
		return -EIO;
	req->op.io.off = sector << SECTOR_SHIFT;
	req->op.io.len = len;
	return 0;
}

static int set_buffers(struct request *req, enum disk_op op, struct virtq_iov *v)
{
	struct disk_io *io = &req->op.io;

	io->op = op;
	io->iov = v->iov + v->at;
	io->n = v->n - v->at;
	return set_range(req, req->sector, v->left);
}

/* Discard and write zeroes: one range, since we say that one is the most (5.2.6). */
static int set_zeroed(struct request *req, enum disk_op op, uint32_t max)
{
	struct virtio_blk_discard_write_zeroes range;
	struct disk_io *io = &req->op.io;

	if (req->chain.out.left != sizeof(range))
		return -EIO;
	virtq_pull(&req->chain, &range, sizeof(range));
	/* 5.2.6.2: unmap is for zeroes alone, and there are no other flags. */
	if (range.flags & ~(op == DISK_ZEROES ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0))
		return -EOPNOTSUPP;
	io->op = op;
	io->unmap = range.flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	return range.num_sectors > max
		       ? -EIO
		       : set_range(req, range.sector, (uint64_t)range.num_sectors << SECTOR_SHIFT);
}

static int get_id(struct request *req)
{
	req->data = virtq_put(&req->chain, req->blk->serial, VIRTIO_BLK_ID_BYTES);
	return 0;
}

/* Says what is to be done in req->op.io: 1, or what needs no disk has ended, with 0 or -errno. */
static int understand(struct request *req)
{
	const struct blk *blk = req->blk;
	bool writes = req->type == VIRTIO_BLK_T_OUT;
	int err;

	req->op.io = (struct disk_io){ .sync = write_through(blk) };
	switch (req->type) {
	case VIRTIO_BLK_T_IN:
		req->op.io.sync = false;
		req->data = req->chain.in.left;
		err = set_buffers(req, DISK_READ, &req->chain.in);
		break;
	case VIRTIO_BLK_T_OUT:
		err = set_buffers(req, DISK_WRITE, &req->chain.out);
		break;
	case VIRTIO_BLK_T_FLUSH:
		req->op.io.op = DISK_FLUSH;
		return !blk->disk->ro;
	case VIRTIO_BLK_T_GET_ID:
		return get_id(req);
	case VIRTIO_BLK_T_DISCARD:
		if (!virtio_has(&blk->vdev, VIRTIO_BLK_F_DISCARD))
			return -EOPNOTSUPP;
		err = set_zeroed(req, DISK_DISCARD, BLK_DISCARD_MAX);
		break;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		if (!virtio_has(&blk->vdev, VIRTIO_BLK_F_WRITE_ZEROES))
			return -EOPNOTSUPP;
		err = set_zeroed(req, DISK_ZEROES, BLK_ZEROES_MAX);
		break;
	default:
		return -EOPNOTSUPP;
	}
	/* A read-only disk offers neither discard nor zeroes; a write is an error (5.2.6.2). */
	if (writes && blk->disk->ro)
		err = -EIO;
	return err ? err : req->op.io.len != 0;
}

/* Ends it, or leaves it to aio_done(). */
static void request_begin(struct request *req)
{
	struct blk *blk = req->blk;
	int ret = understand(req);

	if (ret > 0)
		ret = blk->disk->ops->attempt(blk->disk, &req->op.io);
	if (ret == -EAGAIN) {
		aio_start(&blk->aio, &req->op);
		return;
	}
	request_push(req, ret);
	request_put(req);
}

/* 1, 0 (none), or -EPROTO, -ENOMEM. */
static int blk_next(struct blk *blk, unsigned int q)
{
	struct virtq *vq = virtio_vq(&blk->vdev, q);
	struct request *req = request_get(blk);
	int ret = req ? virtq_pop(vq, &req->chain) : -ENOMEM;

	if (ret > 0) {
		req->op.queue = q;
		ret = parse(req) ?: 1;
		if (ret < 0)
			virtq_unpop(vq);
	}
	if (ret > 0)
		request_begin(req);
	else if (req)
		request_put(req);
	return ret;
}

static void blk_notify(struct virtio_dev *vdev, unsigned int q)
{
	struct blk *blk = to_blk(vdev);
	struct virtq *vq = virtio_vq(vdev, q);
	unsigned int budget = BLK_BATCH;
	int ret = 1;

	do {
		virtq_mute(vq);
		while (budget && (ret = blk_next(blk, q)) > 0)
			budget--;
	} while (budget && !ret && virtq_listen(vq) && --budget);
	aio_submit(&blk->aio);
	publish(blk);
	if (ret < 0)
		virtio_broken(vdev, ret == -EPROTO ? "malformed request" : strerror(-ret));
	else if (!budget)
		virtio_kick(vdev, q);
}

/* --- what the driver sets ---------------------------------------------------------------------- */

/* 5.2.5.2: who cannot flush begins with a write-through cache. */
static void blk_agreed(struct virtio_dev *vdev)
{
	to_blk(vdev)->config.wce = virtio_has(vdev, VIRTIO_BLK_F_FLUSH);
}

/* `writeback` is the one field that the driver may write. */
static void blk_config_write(struct virtio_dev *vdev, uint32_t off, unsigned int size, uint64_t val)
{
	if (off == offsetof(struct virtio_blk_config, wce) && size == 1 && val <= 1)
		to_blk(vdev)->config.wce = val;
}

static void blk_reset(struct virtio_dev *vdev)
{
	to_blk(vdev)->config.wce = 1;
}

/* --- life -------------------------------------------------------------------------------------- */

static void blk_state(struct virtio_dev *vdev, struct state *s)
{
	struct blk *blk = to_blk(vdev);
	uint64_t capacity = blk->config.capacity;

	/* A guest does not expect its disk to change size while it sleeps. */
	state_u64(s, "capacity", &capacity);
	state_check(s, capacity == blk->config.capacity, "capacity");
	state_u8(s, "writeback", &blk->config.wce);
	state_check(s, blk->config.wce <= 1, "writeback");
}

static int blk_hold(struct virtio_dev *vdev, bool on, struct fail *fail)
{
	return disk_lock(to_blk(vdev)->disk, on, fail);
}

static void blk_destroy(struct virtio_dev *vdev)
{
	struct blk *blk = to_blk(vdev);
	struct request *req;

	aio_fini(&blk->aio);
	while ((req = blk->idle)) {
		blk->idle = req->next;
		virtq_chain_free(&req->chain);
		free(req);
	}
	disk_close(blk->disk);
}

static const struct virtio_ops blk_ops = {
	.type = "virtio-blk",
	.id = VIRTIO_ID_BLOCK,
	.nqueues = 1,
	.queue_max = BLK_QUEUE,
	.agreed = blk_agreed,
	.notify = blk_notify,
	.stop = blk_stop,
	.reset = blk_reset,
	.config_write = blk_config_write,
	.state = blk_state,
	.hold = blk_hold,
	.destroy = blk_destroy,
};

int blk_create_on(const struct device_env *env, const struct blk_config *cfg, struct disk *disk,
		  struct device **out, struct fail *fail)
{
	struct blk *blk = calloc(1, sizeof(*blk));
	int err;

	if (!blk) {
		disk_close(disk);
		return fail_set(fail, EXIT_HOST, -ENOMEM, "virtio-blk: out of memory");
	}
	blk->disk = disk;
	blk->vdev.nqueues = cfg->queues;
	err = virtio_init(&blk->vdev, &blk_ops, cfg->transport, env,
			  blk_features(disk, cfg->queues), &blk->config, sizeof(blk->config), fail);
	if (!err)
		err = aio_init(&blk->aio, &blk_aio_ops, &blk->vdev.dev, disk, cfg->aio, fail);
	if (!err)
		blk_fill_config(&blk->config, disk, blk->vdev.nqueues);
	if (cfg->serial)
		memcpy(blk->serial, cfg->serial, strnlen(cfg->serial, VIRTIO_BLK_ID_BYTES));
	return virtio_finish(&blk->vdev, err, out, fail);
}

int blk_create(const struct device_env *env, const struct blk_config *cfg, struct device **out,
	       struct fail *fail)
{
	struct disk_config image = cfg->disk;
	struct disk *disk;
	int err;

	image.unlocked = env->held_elsewhere;
	err = disk_open(&image, &disk, fail);
	return err ? err : blk_create_on(env, cfg, disk, out, fail);
}

int blk_resize(struct device *dev, uint64_t size, struct fail *fail)
{
	struct blk *blk = container_of(dev, struct blk, vdev.dev);
	int err;

	pthread_mutex_lock(&dev->lock);
	err = disk_resize(blk->disk, size, fail);
	if (!err && blk->config.capacity != blk->disk->size >> SECTOR_SHIFT) {
		blk->config.capacity = blk->disk->size >> SECTOR_SHIFT;
		virtio_config_changed(&blk->vdev);
	}
	pthread_mutex_unlock(&dev->lock);
	return err;
}

bool blk_is_overlay(const struct device *dev)
{
	return container_of(dev, struct blk, vdev.dev)->disk->ops->state;
}

void blk_written_state(struct device *dev, struct state *s)
{
	struct blk *blk = container_of(dev, struct blk, vdev.dev);

	pthread_mutex_lock(&dev->lock);
	blk->disk->ops->state(blk->disk, s);
	blk->config.capacity = blk->disk->size >> SECTOR_SHIFT;
	pthread_mutex_unlock(&dev->lock);
}

/* No transfer is under way. */
static void use_disk(struct blk *blk, struct disk *disk)
{
	blk->disk = blk->aio.disk = disk;
}

int blk_freeze(struct device *dev, const struct disk_config *cfg, struct fail *fail)
{
	struct blk *blk = container_of(dev, struct blk, vdev.dev);
	struct disk *overlay;
	int err;

	pthread_mutex_lock(&dev->lock);
	err = disk_overlay_over(blk->disk, cfg, &overlay, fail);
	if (!err)
		use_disk(blk, overlay);
	pthread_mutex_unlock(&dev->lock);
	return err;
}

int blk_thaw(struct device *dev, struct fail *fail)
{
	struct blk *blk = container_of(dev, struct blk, vdev.dev);
	struct disk *base;
	int err;

	pthread_mutex_lock(&dev->lock);
	err = disk_overlay_undo(blk->disk, &base, fail);
	if (!err)
		use_disk(blk, base);
	pthread_mutex_unlock(&dev->lock);
	return err;
}
