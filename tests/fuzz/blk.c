// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "virtio/blk.h"
#include "virtio/mmio.h"

enum { DISK_SIZE = 64 * 1024, DISK_MAX = 1 << 20 };

static void event(struct fuzz *f)
{
	uint64_t size = fuzz_u8(f) * 8192ULL;

	loop_drain(f->g.loop);
	blk_resize(f->g.dev, size < DISK_MAX ? size : 0, NULL);
}

/* Read-only or not, as the first byte says. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct blk_config cfg = { .transport = &virtio_mmio, .serial = "fuzz" };
	static struct fuzz f;
	char path[32];
	int fd;

	if (!len)
		return 0;
	fd = memfd_create("disk", MFD_CLOEXEC);
	FUZZ_CHECK(fd >= 0 && !ftruncate(fd, DISK_SIZE));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fuzz_init(&f, data + 1, len - 1, 1);
	f.event = event;
	cfg.disk.path = path;
	cfg.disk.ro = data[0] & 1;
	FUZZ_CHECK(!blk_create(&f.g.env, &cfg, &f.g.dev, NULL));
	fuzz_run(&f);
	fuzz_fini(&f);
	close(fd);
	return 0;
}
