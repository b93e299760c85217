// SPDX-License-Identifier: GPL-2.0-only
/* The virtio console both ways: what is typed comes back as "echo: ..." until the line "quit". */
#include "tests/guest/lib/virtio.h"

static struct queue rx, tx;
static struct virtio dev;

static void say(const char *text, u32 len)
{
	const struct buffer b = { text, len, false };

	virtio_request(&dev, &tx, &b, 1);
}

/* One buffer at a time: the device has to hold back what does not fit. */
static u8 next_byte(void)
{
	static u8 chunk[16];
	static long have, at;

	while (at >= have) {
		const struct buffer b = { chunk, sizeof(chunk), true };

		have = virtio_request(&dev, &rx, &b, 1);
		at = 0;
	}
	return chunk[at++];
}

void guest(void)
{
	static char line[4096];
	u32 n, prefix = 6;

	if (!virtio_find(&dev, ID_CONSOLE, 0)) {
		print("FAIL hvc: no virtio console\n");
		return;
	}
	virtio_start(&dev, F_VERSION_1);
	virtio_queue(&dev, &rx, 0);
	virtio_queue(&dev, &tx, 1);
	virtio_driver_ok(&dev);
	say("ready\n", 6);
	memcpy(line, "echo: ", prefix);
	do {
		n = prefix;
		do {
			line[n++] = next_byte();
		} while (line[n - 1] != '\n' && n < sizeof(line));
		say(line, n);
	} while (n != prefix + 5 || memcmp(line + prefix, "quit\n", 5));
	say("done\n", 5);
	power_off();
}
