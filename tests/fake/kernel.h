/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FAKE_KERNEL_H
#define TESTS_FAKE_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/*
 * Kernel files made for tests, in a scratch folder of the test program's own. A failure inside is a
 * failure of the test.
 */

/* What an arm64 Image's header says; all little-endian. */
struct kernel_head {
	uint64_t text_offset, image_size, flags;
};

enum { KERNEL_PE = 0x40, KERNEL_SECTIONS = 0x148 };

/* The scratch folder comes and goes with these. */
void kernel_setup(void);
void kernel_teardown(void);

/* A path in the scratch folder; good until the next eight calls. */
const char *kernel_path(const char *name);
/* Writes a file there and returns its path. */
const char *kernel_file(const char *name, const void *data, size_t len);

/* Fills buf[0..len) with an Image whose body is pseudo-random but always the same. */
void kernel_image(uint8_t *buf, size_t len, struct kernel_head head);
/* Makes it one with an EFI stub: two sections that end at the end of the file. len >= 0x400. */
void kernel_add_pe(uint8_t *buf, size_t len);

/* Packs a file of the scratch folder with the real program: its new length, content in a malloc'ed
 * *out. */
size_t kernel_pack(const char *program, const void *data, size_t len, uint8_t **out);
/* Puts a packed kernel into an EFI zboot file: its length, content in a malloc'ed *out. */
size_t kernel_zboot(const char *packing, const void *packed, size_t len, uint8_t **out);

#endif
