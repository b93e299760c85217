/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_RNG_H
#define VIRTIO_RNG_H

#include "virtio/virtio.h"

/* Entropy from the host's getrandom(2) (VIRTIO 1.2, section 5.4), at most 64 KiB a request; requests
 * wait while the host, just booted, has none. */
struct rng_config {
	const struct virtio_transport *transport; /* &virtio_mmio */
};

/* The machine owns *out and calls only its device_ops. 0 or -errno with `fail` set. */
int rng_create(const struct device_env *env, const struct rng_config *cfg, struct device **out,
	       struct fail *fail);

#endif
