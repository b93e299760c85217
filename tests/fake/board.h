/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FAKE_BOARD_H
#define TESTS_FAKE_BOARD_H

#include "tests/fake/irq.h"
#include "vmm/core/bus.h"
#include "vmm/core/loop.h"
#include "vmm/core/regpage.h"
#include "vmm/core/stream.h"

/* What one device under test needs around it: a real bus and loop, and an interrupt line that
 * records. Failures inside are failures of the test. */
struct board {
	struct bus bus;
	struct loop *loop;
	struct fake_irq irq;
	struct regpage page; /* never shown, unless the test does */
	struct device_env env;
};

enum { BOARD_BASE = 0x9000000, BOARD_PAGE = 0x1000 };

void board_init(struct board *board);
/* Destroys `dev` (or NULL) and what is around it. */
void board_fini(struct board *board, struct device *dev);

/* One access at BOARD_BASE + off, which must be claimed. */
uint64_t board_read(struct board *board, uint64_t off, unsigned int size);
void board_write(struct board *board, uint64_t off, unsigned int size, uint64_t val);
/* The same with 32 bits. */
uint32_t board_get(struct board *board, uint64_t off);
void board_set(struct board *board, uint64_t off, uint32_t val);

/* Runs the loop until done(arg), at most timeout_ms: whether it came to that. */
bool board_wait(struct board *board, bool (*done)(void *arg), void *arg, int timeout_ms);

/* Every offset of a page of registers with every width and many values, aligned or not. What is
 * refused must read as zero. */
void board_sweep(struct board *board, uint64_t size);

/* Both have the same state. */
void board_same(struct device *a, struct device *b);
/* Each proper prefix of dev's state is refused by `into`, which is then as after a reset. */
void board_truncate(struct device *dev, struct device *into);
void board_reset(struct device *dev);

#endif
