/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_VIRTIO_H
#define VIRTIO_VIRTIO_H

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include "virtio/vring.h"
#include "vmm/core/device.h"
#include "vmm/core/log.h"
#include "vmm/core/loop.h"
#include "vmm/core/state.h"

/*
 * What all virtio devices share (VIRTIO 1.2, sections 2 and 3): status, features, queues, config
 * space. It stands between a device class (virtio_ops) and a transport (virtio_transport), neither
 * of which knows the other. Everything runs under the device's lock: register accesses on vCPU
 * threads, queue work on the loop thread.
 *
 * A guest that breaks a rule gets DEVICE_NEEDS_RESET and a line in the log; the device stands still
 * until the driver resets it.
 */

#define VIRTIO_BIT(n) (1ULL << (n))
/* What every device offers beside its own features. */
#define VIRTIO_COMMON_FEATURES                                                      \
	(VIRTIO_BIT(VIRTIO_F_VERSION_1) | VIRTIO_BIT(VIRTIO_RING_F_INDIRECT_DESC) | \
	 VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX) | VIRTIO_BIT(VIRTIO_F_RING_RESET) |    \
	 VIRTIO_BIT(VIRTIO_F_RING_PACKED))

/* Interrupt status, the same in every transport (4.2.2, 4.1.4.5). */
enum { VIRTIO_ISR_QUEUE = 1, VIRTIO_ISR_CONFIG = 2 };

struct json_out;
struct virtio_dev;

/* One kind of device. Only `notify` is required. */
struct virtio_ops {
	const char *type; /* "virtio-blk" */
	uint32_t id; /* section 5 */
	unsigned int nqueues;
	uint16_t queue_max; /* entries a queue, a power of 2 */
	/* Every queue's chains are pushed in the order of their pops: offers VIRTIO_F_IN_ORDER. */
	bool in_order;
	/* Whether it can work with these, a subset of the offered ones with VERSION_1. */
	bool (*accepts)(struct virtio_dev *vdev, uint64_t features);
	/* FEATURES_OK: features are final. Not after a load. */
	void (*agreed)(struct virtio_dev *vdev);
	/* DRIVER_OK. Also after a load into that state. */
	void (*start)(struct virtio_dev *vdev);
	/* Buffers may be available in queue q, which is open; loop thread. */
	void (*notify)(struct virtio_dev *vdev, unsigned int q);
	/* Returns when no request of queue q is under way and none will touch guest memory: the
	 * queue is about to be closed. Any thread. */
	void (*stop)(struct virtio_dev *vdev, unsigned int q);
	/* All queues are closed; forgets what else the driver set up. */
	void (*reset)(struct virtio_dev *vdev);
	/* The driver writes config space; `off` and `size` lie within it. */
	void (*config_write)(struct virtio_dev *vdev, uint32_t off, unsigned int size,
			     uint64_t val);
	/* The transport's callfd(q) gives another answer now; may be NULL. */
	void (*recall)(struct virtio_dev *vdev, unsigned int q);
	/* State is about to be saved: what others serve is taken back, so that queue positions are
	 * final. The class goes on by itself when the loop does. */
	void (*sync)(struct virtio_dev *vdev);
	/* The class's own part of the state. */
	void (*state)(struct virtio_dev *vdev, struct state *s);
	/* As device_ops.hold. */
	int (*hold)(struct virtio_dev *vdev, bool on, struct fail *fail);
	/* Adds the class's figures to an object, for people. */
	void (*stat)(struct virtio_dev *vdev, struct json_out *out);
	/* Gives the class's resources back, also of a half-built object; all queues are closed. The
	 * common part frees the memory. */
	void (*destroy)(struct virtio_dev *vdev);
};

/* How the guest reaches a device. */
struct virtio_transport {
	bool one_interrupt; /* for all queues: the driver looks at each of them */
	/* Claims the registers. 0 or -errno with `fail` set. */
	int (*attach)(struct virtio_dev *vdev, struct fail *fail);
	/* Undoes that, also what is half done; all queues are closed. The rest of these may be NULL,
	 * but for the interrupts and `doorbell`. */
	void (*detach)(struct virtio_dev *vdev);
	/* The driver has reset the device, or the machine was reset. */
	void (*reset)(struct virtio_dev *vdev, bool machine);
	/* What the driver has set in the transport; loaded before the queues. */
	void (*state)(struct virtio_dev *vdev, struct state *s);
	/* Buffers of queue q have been used; the status bit is set. */
	void (*queue_interrupt)(struct virtio_dev *vdev, unsigned int q);
	void (*config_interrupt)(struct virtio_dev *vdev);
	/* Connects queue q's notification with queues[q].kick.fd, or disconnects it. */
	void (*doorbell)(struct virtio_dev *vdev, unsigned int q, bool on);
	/* What the driver can read has changed, and not by a write of the driver's; under the lock.
	 * NULL for transports that compute what is read. */
	void (*changed)(struct virtio_dev *vdev);
	/* An eventfd whose signal interrupts the driver for queue q without any further step, for
	 * backends in the kernel; the transport's. -ENOTSUP: only queue_interrupt does. Whoever
	 * asked hears of changes by ops->recall() until the queue is closed. */
	int (*callfd)(struct virtio_dev *vdev, unsigned int q);
	void (*describe)(struct virtio_dev *vdev, struct fdt *fdt);
};

struct virtio_queue {
	struct virtq vq;
	struct virtio_dev *vdev;
	unsigned int index;
	struct loop_fd kick; /* an eventfd: the driver's notifications */
	/* For statistics, since the device's reset: wake-ups by the driver; completed batches that
	 * interrupted it, and those for which it wanted none. */
	uint64_t notified, interrupts, suppressed;
	uint64_t published; /* vq.requests that a batch has shown */
	/* Set by the class: called instead of virtio_interrupt() where that may come later. */
	void (*defer)(struct virtio_dev *vdev, unsigned int q);
	bool own_kick; /* atomic: the next wake-up may be our own */
};

/* First in its class's struct, which is one calloc'ed block. */
struct virtio_dev {
	struct device dev;
	const struct virtio_ops *ops;
	const struct virtio_transport *transport;
	void *link; /* the transport's own */
	struct virtio_queue *queues;
	/* Constant; a class that has another number than ops->nqueues sets it before virtio_init(). */
	unsigned int nqueues;
	struct log_limit limit;

	uint64_t offered; /* features; constant once the machine runs */
	/* Config space as the driver reads it, little-endian; the class's. Changes in reset and
	 * config_write, or before virtio_config_changed() and virtio_config_updated(). */
	void *config;
	uint32_t config_size;

	/* Saved. */
	uint64_t features; /* what the driver accepts; final with FEATURES_OK */
	uint32_t status; /* VIRTIO_CONFIG_S_* */
	uint32_t isr; /* VIRTIO_ISR_* */
	uint32_t generation; /* of config space */
	/* Selectors, the same in every transport. */
	uint32_t device_feature_sel, driver_feature_sel, queue_sel;
};

/* --- for device classes ------------------------------------------------------------------------ */

/*
 * Makes the common part of a zeroed object: `features` beside the common ones, config space of
 * `config_size` bytes at `config` (inside the object). 0 or -errno with `fail` set.
 */
int virtio_init(struct virtio_dev *vdev, const struct virtio_ops *ops,
		const struct virtio_transport *transport, const struct device_env *env,
		uint64_t features, void *config, uint32_t config_size, struct fail *fail);

/* The end of a class's create function: connects the transport if `err` is 0, and on any error
 * destroys the device. Returns the first error; *out is set on success. */
int virtio_finish(struct virtio_dev *vdev, int err, struct device **out, struct fail *fail);

static inline bool virtio_has(const struct virtio_dev *vdev, unsigned int feature)
{
	return vdev->features >> feature & 1;
}

/* Whether queue q may be used now: DRIVER_OK, not broken, open. */
bool virtio_running(const struct virtio_dev *vdev, unsigned int q);

static inline struct virtq *virtio_vq(struct virtio_dev *vdev, unsigned int q)
{
	return &vdev->queues[q].vq;
}

/* Shows what was pushed to queue q and interrupts if the driver wants it: once a batch. */
void virtio_publish(struct virtio_dev *vdev, unsigned int q);

/* Interrupts the driver for queue q, for buffers that somebody else has shown it. */
void virtio_interrupt(struct virtio_dev *vdev, unsigned int q);

/* Calls ops->notify(q) again on the loop thread, after others had their turn. Any thread. */
void virtio_kick(struct virtio_dev *vdev, unsigned int q);

/*
 * The usual body of `notify`: pops chains, hands each to `serve`, and pushes it with what that
 * returns (bytes written). -EAGAIN gives the chain back and stops: the class calls again when it
 * can go on, and hears no notifications until then. -EPROTO breaks the device.
 * Publishes once; a driver that keeps the queue full is continued by virtio_kick().
 */
void virtio_serve(struct virtio_dev *vdev, unsigned int q,
		  int64_t (*serve)(struct virtio_dev *vdev, struct virtq_chain *chain));

/* The guest broke the protocol: DEVICE_NEEDS_RESET, and `why` in the log. */
void virtio_broken(struct virtio_dev *vdev, const char *why);

/* Config space was changed, in one piece under the lock. */
void virtio_config_changed(struct virtio_dev *vdev);
/* The same at the driver's own request: it need not be told. */
void virtio_config_updated(struct virtio_dev *vdev);

/* The `debug` of every device: negotiation and rings. */
void virtio_debug(struct device *dev, struct json_out *out);

/* --- for transports ---------------------------------------------------------------------------- */

/* The selected queue, or NULL. */
struct virtio_queue *virtio_selected(struct virtio_dev *vdev);
/* 32 feature bits by the selector; 0 beyond the second. */
uint32_t virtio_device_features(const struct virtio_dev *vdev);
void virtio_driver_features(struct virtio_dev *vdev, uint32_t bits);
/* 0 resets; otherwise bits are added, as the state machine of 3.1.1 allows. */
void virtio_set_status(struct virtio_dev *vdev, uint32_t status);
/* Opens (bad addresses break the device) or closes a queue. */
void virtio_queue_ready(struct virtio_queue *q, bool ready);
/* Config space; bytes beyond its end read as zero and swallow writes. */
uint64_t virtio_config_read(const struct virtio_dev *vdev, uint64_t off, unsigned int size);
void virtio_config_write(struct virtio_dev *vdev, uint64_t off, unsigned int size, uint64_t val);

#endif
