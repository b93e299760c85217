// SPDX-License-Identifier: GPL-2.0-only
#include "tests/fuzz/fuzz.h"
#include "virtio/balloon.h"
#include "virtio/mmio.h"
#include "vmm/core/json.h"

/* Beside the RAM that the balloon may take from; never to be touched. */
enum { OTHER_BASE = 0x9000000, OTHER_SIZE = 65536 };

static void event(struct fuzz *f)
{
	struct json_out out;
	char text[4096];

	if (fuzz_u8(f) & 1) {
		balloon_set(f->g.dev, (uint64_t)fuzz_u16(f) << 8, NULL);
		return;
	}
	json_out_init(&out, text, sizeof(text));
	json_open(&out, NULL, '{');
	pthread_mutex_lock(&f->g.dev->lock);
	f->g.dev->ops->stat(f->g.dev, &out);
	pthread_mutex_unlock(&f->g.dev->lock);
	json_close(&out, '}');
	FUZZ_CHECK(!out.full);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct balloon_config cfg = {
		.transport = &virtio_mmio,
		.ram_base = FAKE_RAM_BASE,
		.ram_size = FAKE_RAM_SIZE,
		.target = FAKE_RAM_SIZE,
	};
	static uint8_t other[OTHER_SIZE] __attribute__((aligned(65536)));
	static struct fuzz f;

	fuzz_init(&f, data, len, 5);
	other[0] = other[OTHER_SIZE - 1] = 0x77;
	FUZZ_CHECK(!guest_mem_add(&f.g.mem, OTHER_BASE, OTHER_SIZE, other));
	f.event = event;
	FUZZ_CHECK(!balloon_create(&f.g.env, &cfg, &f.g.dev, NULL));
	fuzz_run(&f);
	fuzz_fini(&f);
	return 0;
}
