// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes to its disk, a sector more for each byte that it is given, `q` ends it: before it looks that
 * all that it wrote is there, and nothing that it did not.
 */
#include "tests/guest/lib/virtio.h"

enum { BLK_IN = 0, BLK_OUT = 1, SECTOR = 512, SECTORS_MAX = 64, STEP = 8 };

static struct queue queue;
static u8 data[SECTOR], want[SECTOR];

/* The status: 0 is well. */
static unsigned int transfer(const struct virtio *dev, u32 type, u64 sector)
{
	static struct {
		u32 type, reserved;
		u64 sector;
	} header;
	static u8 status;
	const struct buffer chain[] = {
		{ &header, sizeof(header), false },
		{ data, SECTOR, type == BLK_IN },
		{ &status, 1, true },
	};

	header.type = type;
	header.sector = sector;
	status = 255;
	virtio_request(dev, &queue, chain, 3);
	return *(volatile u8 *)&status;
}

/* Sector `n` of ours, each in a page of its own, holds `value` all over. */
static bool holds(const struct virtio *dev, unsigned int n, unsigned int value)
{
	memset(want, (int)value, SECTOR);
	return !transfer(dev, BLK_IN, (u64)n * STEP) && !memcmp(data, want, SECTOR);
}

void guest(void)
{
	struct virtio dev;

	uart_open();
	if (!check(virtio_find(&dev, ID_BLK, 0) && virtio_start(&dev, F_VERSION_1), "disk",
		   "there is none"))
		return;
	virtio_queue(&dev, &queue, 0);
	virtio_driver_ok(&dev);
	for (unsigned int n = 1; n < SECTORS_MAX; n++) {
		for (unsigned int i = 1; i < n; i++)
			check(holds(&dev, i, i), "written", "sector %u at %u", i, n);
		check(holds(&dev, n, 0), "fresh", "sector %u is not", n);
		memset(data, (int)n, SECTOR);
		check(!transfer(&dev, BLK_OUT, (u64)n * STEP), "write", "sector %u", n);
		print("wrote %u\n", n);
		if (getc() == 'q')
			return;
	}
}
