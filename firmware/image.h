/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FIRMWARE_IMAGE_H
#define FIRMWARE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/fail.h"

/*
 * Boot files, opened and checked before any of the machine is made, and read into guest RAM later,
 * any number of times and without the path. The files are hostile: every number in them is bounded
 * before use, and a file that shrinks meanwhile is an error.
 */
struct boot_file {
	const char *path; /* borrowed, for messages */
	int fd; /* the file, or a memfd with what a decompressor made of it; -1: none */
	uint64_t size; /* bytes */
};

enum image_kind {
	IMAGE_ARM64, /* has the 64-byte header of Documentation/arch/arm64/booting.rst */
	IMAGE_FLAT, /* bare code, entered at its first byte */
};

/*
 * A flat binary is loaded IMAGE_FLAT_OFFSET above the start of RAM. Neither it nor a kernel before
 * 3.17 says how much memory it needs behind its end (.bss, early page tables): they get this much.
 */
#define IMAGE_FLAT_OFFSET 0x80000ULL
#define IMAGE_FLAT_SLACK  (1ULL << 20)
#define IMAGE_OLD_SLACK	  (16ULL << 20)

struct boot_image {
	struct boot_file file; /* the plain program, unpacked */
	enum image_kind kind;
	const char *format; /* what the file was: "Image", "Image.gz", "EFI zboot (zstd)", "flat" */
	uint64_t text_offset; /* bytes from a 2 MiB boundary to the first byte */
	uint64_t mem_size; /* bytes it wants from there on: its own, at least file.size */
	uint32_t page_size; /* of the kernel: 4096, 16384, 65536, or 0: does not say */
};

/*
 * Opens a kernel: arm64 Image, Image.gz or .zst, EFI zboot (gzip, zstd), or a flat binary, for
 * which a file of no known format is taken if `flat` is set or its name ends in .flat or .bin.
 * A compressed kernel is unpacked by the program gzip or zstd, a child that has ended at return;
 * more than `limit` bytes out of it are refused. 0, or -errno with `fail` set; then nothing stays
 * open.
 */
int image_open(const char *path, bool flat, uint64_t limit, struct boot_image *img,
	       struct fail *fail);

/* Opens a regular file that is not empty; `what` names it in messages: "kernel", "initrd".
 * 0, or -errno with `fail` set (EXIT_CONFIG). */
int boot_file_open(const char *what, const char *path, struct boot_file *file, struct fail *fail);

/* Reads `len` bytes at `off`: 0, or -errno with `fail` set; -ENODATA: the file has become
 * shorter. Bytes of `dst` may have been written even so. */
int boot_file_read(const struct boot_file *file, uint64_t off, void *dst, uint64_t len,
		   struct fail *fail);

/* Closes what is open. */
void boot_file_close(struct boot_file *file);

#endif
