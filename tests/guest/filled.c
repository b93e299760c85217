// SPDX-License-Identifier: GPL-2.0-only
/*
 * Has its entropy device write to page after page of its memory, which it does not touch itself: where
 * one is missing, it is the device that waits. It says `filled N` each 64 pages; `q` ends it.
 */
#include "tests/guest/lib/virtio.h"

enum { PAGE = 4096, PAGES = 2048, EACH = 64, UART_FR = UART + 0x18, FR_RXFE = 0x10 };

static struct queue queue;

static u8 *page(u64 n)
{
	return (u8 *)(RAM + machine.ram_size / 2 + n % PAGES * PAGE);
}

static bool empty(const u8 *data)
{
	for (unsigned int i = 0; i < EACH; i++)
		if (data[i])
			return false;
	return true;
}

static long fill(const struct virtio *dev, u64 n)
{
	const struct buffer want = { page(n), EACH, true };
	long len = virtio_request(dev, &queue, &want, 1);

	/* It may wait for as long as it likes. */
	while (len < 0)
		len = queue_wait(&queue);
	return len;
}

void guest(void)
{
	unsigned int wrong = 0;
	struct virtio dev;
	u64 n = 0;
	int key = 0;

	uart_open();
	check(virtio_find(&dev, ID_RNG, 0) && virtio_start(&dev, F_VERSION_1), "rng", "none");
	virtio_queue(&dev, &queue, 0);
	virtio_driver_ok(&dev);
	while (key != 'q') {
		wrong += fill(&dev, n++) <= 0;
		if (n % EACH)
			continue;
		print("filled %lu\n", n);
		key = r32(UART_FR) & FR_RXFE ? 0 : getc();
	}
	for (u64 i = 0; i < PAGES && i < n; i++)
		wrong += empty(page(i));
	print("ends after %lu, %u wrong\n", n, wrong);
}
