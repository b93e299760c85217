/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FIRMWARE_BOOT_H
#define FIRMWARE_BOOT_H

#include "firmware/image.h"
#include "vmm/core/mem.h"

/*
 * What goes where in RAM. Upward from the bottom: kernel, a slot of 2 MiB for the device tree,
 * initrd; so the smallest RAM that works is just the sum.
 *
 * Rules (Documentation/arch/arm64/booting.rst, with its notes on older kernels): the kernel
 * text_offset bytes above a 2 MiB boundary, as low as possible; the device tree 8-byte aligned, not
 * across a 2 MiB boundary, within 512 MiB of the kernel's base before 4.2; the initrd with the
 * kernel in one window of 32 GiB that starts at a multiple of 1 GiB.
 */
#define BOOT_DTB_MAX (2ULL << 20)
#define BOOT_WINDOW  (32ULL << 30)

struct boot_place {
	gpa_t kernel; /* where its first byte goes */
	gpa_t entry; /* where the first CPU starts, with x0 = dtb */
	gpa_t dtb; /* BOOT_DTB_MAX bytes, aligned to that */
	gpa_t initrd; /* 2 MiB aligned; 0: none */
};

/* The pure function: addresses for RAM [ram_base, ram_base + ram_size). 0, or -ENOSPC with `fail`
 * set: how much memory would do. */
int boot_place(const struct boot_image *img, uint64_t initrd_size, gpa_t ram_base,
	       uint64_t ram_size, struct boot_place *place, struct fail *fail);

/* The boot files of a machine. All zero is closed. */
struct boot {
	bool opened; /* private */
	struct boot_image image;
	struct boot_file initrd; /* fd -1: none */
	uint64_t initrd_size; /* 0: none */
	const char *kind_name; /* image.format */
	struct boot_place place;
};

/* Opens kernel and initrd (NULL: none), as image_open() does, and places them. The paths are
 * borrowed until boot_close(). 0, or -errno with `fail` set; boot_close() is due either way. */
int boot_open(struct boot *boot, const char *kernel, bool flat, const char *initrd, gpa_t ram_base,
	      uint64_t ram_size, struct fail *fail);

/* Reads the files straight into RAM and writes the device tree. Again for each reset; RAM is the
 * range given to boot_open(). 0, or -errno with `fail` set. */
int boot_load(const struct boot *boot, struct guest_mem *mem, const void *dtb, uint32_t dtb_size,
	      struct fail *fail);

void boot_close(struct boot *boot);

#endif
