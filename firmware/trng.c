// SPDX-License-Identifier: GPL-2.0-only
#include "firmware/trng.h"

#include <errno.h>
#include <sys/random.h>

#include "firmware/smccc_priv.h"

enum { TRNG_1_0 = 0x10000, RND_WORDS = SMCCC_REGS - 1 };

int trng_host_entropy(void *arg, void *buf, size_t len)
{
	ssize_t n = getrandom(buf, len, GRND_NONBLOCK);

	(void)arg;
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EAGAIN;
}

int64_t trng_version(const struct smccc *fw, struct smccc_call *call)
{
	(void)fw;
	(void)call;
	return TRNG_1_0;
}

int64_t trng_features(const struct smccc *fw, struct smccc_call *call)
{
	const struct smccc_fn *fn = smccc_find(fw, (uint32_t)call->arg[0]);

	return fn && fn->service == SMCCC_TRNG && fn->handler ? TRNG_SUCCESS : TRNG_NOT_SUPPORTED;
}

/* 5d03bea1-3b1f-4a6c-9c2e-7f4be0d81a96, its bytes in order from bits 7:0 of w0. */
int64_t trng_get_uuid(const struct smccc *fw, struct smccc_call *call)
{
	(void)fw;
	call->x[1] = 0x6c4a1f3b;
	call->x[2] = 0x4b7f2e9c;
	call->x[3] = 0x961ad8e0;
	return 0xa1be035d;
}

static int64_t no_bits(struct smccc_call *call, enum trng_result why)
{
	for (unsigned int i = 1; i < SMCCC_REGS; i++)
		call->x[i] = 0;
	return why;
}

/*
 * The bits fill the registers from the low end of x3 upwards: x3, x2, x1 hold the least to the most
 * significant word, and bits from `nbits` on are zero (DEN0098, TRNG_RND).
 */
int64_t trng_rnd(const struct smccc *fw, struct smccc_call *call)
{
	unsigned int width = call->x[0] & SMCCC_FN_64 ? 64 : 32;
	uint64_t nbits = call->arg[0];
	uint64_t words[RND_WORDS];

	if (nbits == 0 || nbits > RND_WORDS * width)
		return no_bits(call, TRNG_INVALID_PARAMETERS);
	if (fw->trng->entropy(fw->trng->arg, words, sizeof(words)))
		return no_bits(call, TRNG_NO_ENTROPY);
	for (unsigned int i = 0; i < RND_WORDS; i++) {
		uint64_t left = nbits > i * width ? nbits - i * width : 0;
		unsigned int keep = left < width ? (unsigned int)left : width;

		call->x[RND_WORDS - i] = keep == 64 ? words[i] : words[i] & ((1ull << keep) - 1);
	}
	return TRNG_SUCCESS;
}
