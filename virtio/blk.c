// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/blk.h"

#include <assert.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/disk.h"
#include "vmm/core/opts.h"

enum {
	BLK_QUEUE = 256,
	/* With header and status a request just fits the queue, for drivers without indirect
	 * descriptors. */
	BLK_SEG_MAX = BLK_QUEUE - 2,
	BLK_IOV_FIRST = 4,
	/* Requests a round of the loop, since each may copy a megabyte. */
	BLK_BATCH = 64,
	SECTOR_SHIFT = 9,
};

struct blk;

/*
 * One request: from the pop to the push, and while a job is under way to its `done`. Its buffers
 * are guest RAM itself: checked once, never copied.
 */
struct request {
	struct loop_job job;
	struct blk *blk;
	struct request *next; /* in `idle` or `finished` */
	struct virtq_chain chain;
	uint8_t *status; /* the chain's last byte */
	uint32_t type;
	off_t off;
	int result; /* 0 or -errno */
	size_t data; /* bytes written for the driver, if it ends well */
	struct iovec iov[BLK_IOV_FIRST];
};

/*
 * What the disk can do without waiting (page cache, tmpfs) is done on the loop thread; the rest by
 * loop_offload. A job's transfer runs without the device's lock and reports to `finished`; whichever
 * `done` comes first pushes all that are there, with one interrupt.
 */
struct blk {
	struct virtio_dev vdev;
	struct disk disk;
	struct virtio_blk_config config;
	char serial[VIRTIO_BLK_ID_BYTES];
	struct request *idle; /* for reuse; under the device's lock */
	unsigned int jobs; /* offloaded, `done` not run; under the device's lock */

	pthread_mutex_t lock; /* after the device's lock; guards the rest */
	pthread_cond_t quiet; /* `working` became 0 */
	unsigned int working; /* offloaded, transfer not over */
	struct request *finished; /* transfer over, not pushed; newest first */
	atomic_bool cancel; /* transfers that have not begun shall not */
};

static struct blk *to_blk(struct virtio_dev *vdev)
{
	return container_of(vdev, struct blk, vdev);
}

/* --- requests ---------------------------------------------------------------------------------- */

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

/* Writes the status and gives the chain back; virtio_publish() follows once a batch. */
static void request_push(struct request *req)
{
	size_t len = req->result ? 0 : req->data;

	switch (req->result) {
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
	virtq_push(virtio_vq(&req->blk->vdev, 0), &req->chain, len);
}

/* The transfer itself, waiting as long as it takes: any thread. */
static int request_transfer(struct request *req)
{
	struct blk *blk = req->blk;
	struct virtq_iov *v = req->type == VIRTIO_BLK_T_IN ? &req->chain.in : &req->chain.out;
	struct iovec *iov = v->iov + v->at;
	unsigned int n = v->n - v->at;

	switch (req->type) {
	case VIRTIO_BLK_T_IN:
		return disk_read(&blk->disk, iov, n, v->left, req->off);
	case VIRTIO_BLK_T_OUT:
		/* 5.2.6.2: a driver that cannot flush expects a write-through cache. */
		return disk_write(&blk->disk, iov, n, v->left, req->off,
				  !virtio_has(&blk->vdev, VIRTIO_BLK_F_FLUSH));
	default:
		return disk_flush(&blk->disk);
	}
}

/* The same if it is over at once: whether req->result tells. */
static bool request_try(struct request *req)
{
	struct blk *blk = req->blk;
	struct virtq_iov *v = req->type == VIRTIO_BLK_T_IN ? &req->chain.in : &req->chain.out;
	struct iovec *iov = v->iov + v->at;
	unsigned int n = v->n - v->at;

	req->result = -EAGAIN;
	if (req->type == VIRTIO_BLK_T_IN)
		req->result = disk_try_read(&blk->disk, iov, n, v->left, req->off);
	else if (req->type == VIRTIO_BLK_T_OUT && virtio_has(&blk->vdev, VIRTIO_BLK_F_FLUSH))
		req->result = disk_try_write(&blk->disk, iov, n, v->left, req->off);
	return req->result != -EAGAIN;
}

/* --- offloading -------------------------------------------------------------------------------- */

static void job_work(struct loop_job *job)
{
	struct request *req = container_of(job, struct request, job);
	struct blk *blk = req->blk;

	req->result = atomic_load(&blk->cancel) ? -ECANCELED : request_transfer(req);
	pthread_mutex_lock(&blk->lock);
	req->next = blk->finished;
	blk->finished = req;
	if (!--blk->working)
		pthread_cond_broadcast(&blk->quiet);
	pthread_mutex_unlock(&blk->lock);
}

static struct request *take_finished(struct blk *blk)
{
	struct request *list;

	pthread_mutex_lock(&blk->lock);
	list = blk->finished;
	blk->finished = NULL;
	pthread_mutex_unlock(&blk->lock);
	return list;
}

static void job_done(struct loop_job *job)
{
	struct request *own = container_of(job, struct request, job);
	struct blk *blk = own->blk;

	/* Those of a queue that was stopped meanwhile are no longer in the list. */
	for (struct request *req = take_finished(blk); req; req = req->next)
		request_push(req);
	virtio_publish(&blk->vdev, 0);
	blk->jobs--;
	request_put(own);
}

/* Returns whether job_done() will end it; otherwise req->result tells. */
static bool offload(struct request *req)
{
	struct blk *blk = req->blk;

	req->job = (struct loop_job){ .dev = &blk->vdev.dev, .work = job_work, .done = job_done };
	pthread_mutex_lock(&blk->lock);
	blk->working++;
	pthread_mutex_unlock(&blk->lock);
	if (!loop_offload(blk->vdev.dev.env.loop, &req->job)) {
		blk->jobs++;
		return true;
	}
	/* No thread to be had: slow, but right. */
	pthread_mutex_lock(&blk->lock);
	blk->working--;
	pthread_mutex_unlock(&blk->lock);
	req->result = request_transfer(req);
	return false;
}

/*
 * A transfer under way reads or writes guest memory, so the queue's end waits for it; those that
 * wait in line are told not to begin. Their `done` comes later and finds nothing to push.
 */
static void blk_stop(struct virtio_dev *vdev, unsigned int q)
{
	struct blk *blk = to_blk(vdev);

	(void)q;
	atomic_store(&blk->cancel, true);
	pthread_mutex_lock(&blk->lock);
	while (blk->working)
		pthread_cond_wait(&blk->quiet, &blk->lock);
	blk->finished = NULL;
	pthread_mutex_unlock(&blk->lock);
	atomic_store(&blk->cancel, false);
}

/* --- starting requests ------------------------------------------------------------------------- */

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
	/* A sector too large for an offset is caught by the check against the capacity. */
	req->off =
		hdr.sector > req->blk->config.capacity ? -1 : (off_t)(hdr.sector << SECTOR_SHIFT);
	return 0;
}

static bool within(const struct request *req, size_t len)
{
	uint64_t size = req->blk->disk.size;

	return req->off >= 0 && len % (1 << SECTOR_SHIFT) == 0 && len <= size - req->off;
}

static void get_id(struct request *req)
{
	req->data = virtq_put(&req->chain, req->blk->serial, VIRTIO_BLK_ID_BYTES);
	req->result = 0;
}

/* Decides what needs no disk: whether req->result tells. */
static bool request_check(struct request *req)
{
	const struct blk *blk = req->blk;

	req->data = 0;
	/* 5.2.6.2: errors end in a status, and a read-only disk is never written. */
	switch (req->type) {
	case VIRTIO_BLK_T_IN:
		req->result = within(req, req->chain.in.left) ? 0 : -EIO;
		req->data = req->chain.in.left;
		return req->result || !req->chain.in.left;
	case VIRTIO_BLK_T_OUT:
		req->result = !blk->disk.ro && within(req, req->chain.out.left) ? 0 : -EIO;
		return req->result || !req->chain.out.left;
	case VIRTIO_BLK_T_FLUSH:
		req->result = 0;
		return blk->disk.ro;
	case VIRTIO_BLK_T_GET_ID:
		get_id(req);
		return true;
	default:
		req->result = -EOPNOTSUPP;
		return true;
	}
}

/* 1, 0 (none), or -EPROTO, -ENOMEM. */
static int blk_next(struct blk *blk)
{
	struct virtq *vq = virtio_vq(&blk->vdev, 0);
	struct request *req = request_get(blk);
	int ret = req ? virtq_pop(vq, &req->chain) : -ENOMEM;

	if (ret > 0) {
		ret = parse(req) ?: 1;
		if (ret < 0)
			virtq_unpop(vq);
	}
	if (ret > 0 && !request_check(req) && !request_try(req) && offload(req))
		return 1;
	if (ret > 0)
		request_push(req);
	if (req)
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
		while (budget && (ret = blk_next(blk)) > 0)
			budget--;
	} while (budget && !ret && virtq_listen(vq) && --budget);
	virtio_publish(vdev, q);
	if (ret < 0)
		virtio_broken(vdev, ret == -EPROTO ? "malformed request" : strerror(-ret));
	else if (!budget)
		virtio_kick(vdev, q);
}

/* --- life -------------------------------------------------------------------------------------- */

static void blk_state(struct virtio_dev *vdev, struct state *s)
{
	uint64_t capacity = to_blk(vdev)->config.capacity;

	/* A guest does not expect its disk to change size while it sleeps. */
	state_u64(s, "capacity", &capacity);
	state_check(s, capacity == to_blk(vdev)->config.capacity, "capacity");
}

static void blk_destroy(struct virtio_dev *vdev)
{
	struct blk *blk = to_blk(vdev);
	struct request *req;

	if (blk->jobs)
		loop_drain(vdev->dev.env.loop);
	while ((req = blk->idle)) {
		blk->idle = req->next;
		virtq_chain_free(&req->chain);
		free(req);
	}
	disk_close(&blk->disk);
	pthread_cond_destroy(&blk->quiet);
	pthread_mutex_destroy(&blk->lock);
}

static const struct virtio_ops blk_ops = {
	.type = "virtio-blk",
	.id = VIRTIO_ID_BLOCK,
	.nqueues = 1,
	.queue_max = BLK_QUEUE,
	.notify = blk_notify,
	.stop = blk_stop,
	.state = blk_state,
	.destroy = blk_destroy,
};

static void fill_config(struct blk *blk, const char *serial)
{
	blk->config.capacity = blk->disk.size >> SECTOR_SHIFT;
	blk->config.seg_max = BLK_SEG_MAX;
	blk->config.blk_size = blk->disk.block_size;
	if (serial)
		memcpy(blk->serial, serial, strnlen(serial, VIRTIO_BLK_ID_BYTES));
}

int blk_create(const struct device_env *env, const struct blk_config *cfg, struct device **out,
	       struct fail *fail)
{
	struct blk *blk = calloc(1, sizeof(*blk));
	uint64_t features = VIRTIO_BIT(VIRTIO_BLK_F_SEG_MAX) | VIRTIO_BIT(VIRTIO_BLK_F_BLK_SIZE) |
			    VIRTIO_BIT(VIRTIO_BLK_F_FLUSH);
	int err;

	if (!blk)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "virtio-blk: out of memory");
	pthread_mutex_init(&blk->lock, NULL);
	pthread_cond_init(&blk->quiet, NULL);
	blk->disk.fd = -1;
	if (cfg->ro)
		features |= VIRTIO_BIT(VIRTIO_BLK_F_RO);
	err = virtio_init(&blk->vdev, &blk_ops, cfg->transport, env, features, &blk->config,
			  sizeof(blk->config), fail);
	if (!err)
		err = disk_open(&blk->disk, cfg->path, cfg->ro, fail);
	if (!err)
		fill_config(blk, cfg->serial);
	return virtio_finish(&blk->vdev, err, out, fail);
}

int blk_resize(struct device *dev, uint64_t size, struct fail *fail)
{
	struct blk *blk = container_of(dev, struct blk, vdev.dev);
	int err;

	pthread_mutex_lock(&dev->lock);
	err = disk_resize(&blk->disk, size, fail);
	if (!err && blk->config.capacity != blk->disk.size >> SECTOR_SHIFT) {
		blk->config.capacity = blk->disk.size >> SECTOR_SHIFT;
		virtio_config_changed(&blk->vdev);
	}
	pthread_mutex_unlock(&dev->lock);
	return err;
}

int blk_parse(struct blk_config *cfg, char *arg, struct fail *fail)
{
	char *rest = strchr(arg, ','), *key, *value;

	*cfg = (struct blk_config){ .transport = cfg->transport, .path = arg };
	if (rest)
		*rest++ = '\0';
	if (!*arg)
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "--disk needs a file name");
	while (opts_part(&rest, &key, &value)) {
		if (!strcmp(key, "ro") && !value)
			cfg->ro = true;
		else if (!strcmp(key, "serial") && value)
			cfg->serial = value;
		else
			return fail_set(
				fail, EXIT_CONFIG, -EINVAL,
				"--disk %s: unknown part '%s'; known are ro and serial=NAME",
				cfg->path, key);
	}
	return 0;
}
