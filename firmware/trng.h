/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FIRMWARE_TRNG_H
#define FIRMWARE_TRNG_H

#include <stddef.h>
#include <stdint.h>

/*
 * True Random Number Generator firmware interface 1.0 (Arm DEN0098): TRNG_VERSION, TRNG_FEATURES,
 * TRNG_GET_UUID, TRNG_RND32 (1 to 96 bits), TRNG_RND64 (1 to 192 bits). It has no state of its own.
 * Linux looks for it from PSCI 1.0 and SMCCC 1.1 on.
 */
enum trng_result {
	TRNG_SUCCESS = 0,
	TRNG_NOT_SUPPORTED = -1,
	TRNG_INVALID_PARAMETERS = -2,
	TRNG_NO_ENTROPY = -3, /* for now: the caller may try again */
};

struct trng {
	/* Fills buf[0..len) with conditioned entropy: 0, or -errno, which gives NO_ENTROPY. Any
	 * vCPU's thread. */
	int (*entropy)(void *arg, void *buf, size_t len);
	void *arg;
};

/* From the host's getrandom(2), without waiting for its pool to be ready. `arg` is ignored. */
int trng_host_entropy(void *arg, void *buf, size_t len);

#endif
