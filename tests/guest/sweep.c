// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nonsense for every device: each offset of each page, all widths, aligned or not, reads and
 * writes of patterns. Whatever comes back, the machine must survive and its devices answer after.
 * step=N takes every Nth unit of the pages that have one register file repeated.
 */
#include "tests/guest/lib/lib.h"

enum { WRITE = 1, UNALIGNED = 2, ALL = WRITE | UNALIGNED, PAGE = 0x1000, BUSY_SLOTS = 8 };

static const struct area {
	const char *name;
	u64 base, size;
	unsigned int step; /* in bytes, between offsets; 1 is every offset */
	unsigned int flags;
} areas[] = {
	{ "uart", UART + 8, PAGE - 8, 1, ALL }, /* the data register would print */
	{ "rtc", RTC, PAGE, 1, ALL },
	{ "gpio", GPIO, PAGE, 1, ALL },
	{ "vmgenid", VMGENID, PAGE, 1, ALL },
	{ "virtio", VIRTIO, BUSY_SLOTS *VIRTIO_STRIDE, 1, ALL },
	{ "virtio, empty slots", VIRTIO + BUSY_SLOTS *VIRTIO_STRIDE,
	  (VIRTIO_SLOTS - BUSY_SLOTS) * VIRTIO_STRIDE, 16, ALL },
	{ "virtio end", VIRTIO + VIRTIO_SLOTS *VIRTIO_STRIDE - 16, 32, 1, ALL },
	{ "gicd", GICD, 0x10000, 16, ALL },
	{ "gicc", GICC, 0x2000, 16, ALL },
	{ "gicr", GICR, 0x20000, 32, ALL },
	{ "its", 0x08080000, 0x20000, 128, ALL },
	{ "v2m", 0x08020000, PAGE, 16, ALL },
	{ "flash 0", 0, PAGE, 64, ALL },
	{ "flash 1", 0x04000000, PAGE, 64, ALL },
	{ "between", 0x0b000000, PAGE, 64, ALL },
	{ "pci mmio", 0x10000000, PAGE, 64, ALL },
	{ "pci pio", 0x3eff0000, PAGE, 64, ALL },
	{ "pci ecam", 0x3f000000, PAGE, 64, ALL },
	{ "below ram", RAM - PAGE, PAGE, 64, ALL },
};

static const u64 patterns[] = { 0,	    ~0UL, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa, 1,
				0x80000000, RAM,  0x0123456789abcdef };
static unsigned long accesses;

static void poke(u64 addr, unsigned int size, unsigned int flags)
{
	u64 v = patterns[accesses % (sizeof(patterns) / sizeof(*patterns))];

	mmio_read(addr, size);
	if (flags & WRITE)
		mmio_write(addr, size, v);
	accesses++;
}

static void sweep(const struct area *a, unsigned int factor)
{
	u64 end = a->base + a->size;
	unsigned int step = a->step * factor;

	for (unsigned int size = 1; size <= 8; size *= 2)
		for (u64 at = a->base; at + size <= end; at += step > size ? step : size)
			poke(at, size, a->flags);
	if (!(a->flags & UNALIGNED))
		return;
	for (unsigned int size = 2; size <= 8; size *= 2)
		for (u64 at = a->base + 1; at + size <= end; at += step > 16 ? step : 17)
			if (at % size)
				poke(at + ALIAS, size, a->flags);
}

/* The UART must print again before anything can be reported. */
static void uart_sane(void)
{
	w32(UART + 0x38, 0); /* IMSC */
	uart_open();
}

static void check_virtio(void)
{
	unsigned int present = 0, stuck = 0;

	for (unsigned int i = 0; i < VIRTIO_SLOTS; i++) {
		u64 base = VIRTIO + i * VIRTIO_STRIDE;

		if (r32(base) != 0x74726976 || !r32(base + 8))
			continue;
		present++;
		w32(base + 0x70, 0);
		stuck += !wait_for(r32(base + 0x70) == 0, 1000);
	}
	check(!stuck, "virtio devices reset", "%u of %u did not", stuck, present);
}

void guest(void)
{
	u64 after_ram = RAM + machine.ram_size;
	struct area last = { "after ram", after_ram, PAGE, 64, WRITE };
	unsigned int step = arg_number("step", 1);
	u32 now;

	faults.expected = true;
	for (unsigned int i = 0; i < sizeof(areas) / sizeof(*areas); i++) {
		accesses = faults.count = 0;
		sweep(&areas[i], step);
		uart_sane();
		print("\nok %s: %lu accesses, %u faults\n", areas[i].name, accesses, faults.count);
	}
	sweep(&last, step);
	ok(last.name);
	for (unsigned int size = 1; size <= 8; size *= 2)
		mmio_write(UART, size, '\n');
	faults.count = 0;
	now = r32(RTC);
	check(wait_for(r32(RTC) != now, 5000), "rtc runs", "%u still", now);
	check_virtio();
	check(!faults.count, "no fault after", "%u", faults.count);
}
