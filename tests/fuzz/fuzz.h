/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "tests/fake/driver.h"

/*
 * A hostile driver. The input is a program for it: bytes that choose actions on the registers, the
 * rings and the memory of a fake guest, mostly legal ones so that they lead deep into a device, and
 * every kind of nonsense in between. Reading beyond the end gives zeros.
 */
struct fuzz {
	const uint8_t *at, *end;
	struct fake_guest g;
	unsigned int nqueues;
	/* What can happen on the host's side; NULL for nothing. */
	void (*event)(struct fuzz *f);
	/* The device tells its driver that it has moved, so that its state is another one then. */
	bool announces;
	gpa_t next_table; /* for indirect descriptors */
	struct {
		uint16_t next; /* descriptor of a split ring, position in a packed one */
		bool wrap;
	} queues[FAKE_QUEUES];
};

uint8_t fuzz_u8(struct fuzz *f);
uint16_t fuzz_u16(struct fuzz *f);
uint32_t fuzz_u32(struct fuzz *f);
/* Up to `max` bytes of the input, counted by a byte of it: how many. */
size_t fuzz_bytes(struct fuzz *f, void *buf, size_t max);

/* The guest, to which the target adds its device ... */
void fuzz_init(struct fuzz *f, const uint8_t *data, size_t len, unsigned int nqueues);
/* ... until the input is used up. */
void fuzz_run(struct fuzz *f);
/* Destroys the device, unless that is done and `g.dev` NULL, and the guest. */
void fuzz_fini(struct fuzz *f);

/* A rule that no input may break. */
#define FUZZ_CHECK(cond) fuzz_check(cond, #cond, __FILE__, __LINE__)
void fuzz_check(bool holds, const char *what, const char *file, int line);

/* The target. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
