// SPDX-License-Identifier: GPL-2.0-only
#include "tests/fake/board.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#include "tests/fake/saved.h"
#include "tests/fake/suite.h"

void board_init(struct board *board)
{
	memset(board, 0, sizeof(*board));
	bus_init(&board->bus);
	ck_assert_int_eq(loop_create(&board->loop), 0);
	ck_assert_int_eq(regpage_init(&board->page, BOARD_BASE, BOARD_PAGE), 0);
	board->env = (struct device_env){
		.bus = &board->bus,
		.loop = board->loop,
		.base = BOARD_BASE,
		.page = &board->page,
		.irq = fake_irq(&board->irq),
	};
}

void board_fini(struct board *board, struct device *dev)
{
	if (dev)
		dev->ops->destroy(dev);
	loop_destroy(board->loop);
	bus_fini(&board->bus);
	regpage_fini(&board->page);
}

uint64_t board_read(struct board *board, uint64_t off, unsigned int size)
{
	uint64_t val;

	quick_assert(!bus_read(&board->bus, BOARD_BASE + off, size, &val), "no %u bytes at 0x%llx",
		     size, (unsigned long long)off);
	return val;
}

void board_write(struct board *board, uint64_t off, unsigned int size, uint64_t val)
{
	quick_assert(!bus_write(&board->bus, BOARD_BASE + off, size, val), "no %u bytes at 0x%llx",
		     size, (unsigned long long)off);
}

uint32_t board_get(struct board *board, uint64_t off)
{
	return (uint32_t)board_read(board, off, 4);
}

void board_set(struct board *board, uint64_t off, uint32_t val)
{
	board_write(board, off, 4, val);
}

bool board_wait(struct board *board, bool (*done)(void *arg), void *arg, int timeout_ms)
{
	uint64_t end = loop_now_ns() + (uint64_t)timeout_ms * 1000000;

	while (!done(arg)) {
		uint64_t now = loop_now_ns();

		if (now >= end)
			return false;
		loop_poll(board->loop, (int)((end - now) / 1000000) + 1);
	}
	return true;
}

static void sweep_one(struct board *board, uint64_t off, unsigned int width, uint64_t size)
{
	static const uint64_t values[] = { 0, 1, 0x55555555, 0xaaaaaaaa, UINT64_MAX };
	const gpa_t addr = BOARD_BASE + off;
	const int want = off + width > size ? -ENOENT : 0;
	uint64_t val;

	for (unsigned int i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		ck_assert_int_eq(bus_write(&board->bus, addr, width, values[i]), want);
		ck_assert_int_eq(bus_read(&board->bus, addr, width, &val), want);
		if (want || width == 8 || off & 3)
			ck_assert_uint_eq(val, 0);
	}
}

void board_sweep(struct board *board, uint64_t size)
{
	for (unsigned int width = 1; width <= 8; width *= 2)
		for (uint64_t off = 0; off < size; off++)
			sweep_one(board, off, width, size);
}

void board_same(struct device *a, struct device *b)
{
	struct stream sa = device_saved(a), sb = device_saved(b);

	ck_assert_uint_eq(sa.len, sb.len);
	ck_assert_mem_eq(sa.buf, sb.buf, sa.len);
	stream_close(&sa);
	stream_close(&sb);
}

void board_reset(struct device *dev)
{
	pthread_mutex_lock(&dev->lock);
	dev->ops->reset(dev);
	pthread_mutex_unlock(&dev->lock);
}

void board_truncate(struct device *dev, struct device *into)
{
	struct stream whole = device_saved(dev), initial, after;

	board_reset(into);
	initial = device_saved(into);
	for (size_t len = 0; len < whole.len; len++) {
		ck_assert_int_lt(device_load(into, whole.buf, len), 0);
		after = device_saved(into);
		ck_assert_uint_eq(after.len, initial.len);
		ck_assert_mem_eq(after.buf, initial.buf, after.len);
		stream_close(&after);
	}
	stream_close(&initial);
	stream_close(&whole);
}
