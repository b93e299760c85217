// SPDX-License-Identifier: GPL-2.0-only
#include "tests/fuzz/fuzz.h"
#include "virtio/mmio.h"
#include "virtio/rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct rng_config cfg = { .transport = &virtio_mmio };
	static struct fuzz f;

	fuzz_init(&f, data, len, 1);
	FUZZ_CHECK(!rng_create(&f.g.env, &cfg, &f.g.dev, NULL));
	fuzz_run(&f);
	fuzz_fini(&f);
	return 0;
}
