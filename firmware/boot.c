// SPDX-License-Identifier: GPL-2.0-only
#include "firmware/boot.h"

#include <errno.h>
#include <string.h>

static const uint64_t MIB = 1ULL << 20;
static const uint64_t KERNEL_ALIGN = 2ULL << 20;
static const uint64_t WINDOW_ALIGN = 1ULL << 30;

/* Sums of what files claim end at the top instead of wrapping. */
static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t align_up(uint64_t v, uint64_t align)
{
	return add(v, align - 1) / align * align;
}

static unsigned long long to_mib(uint64_t bytes)
{
	return bytes / MIB + (bytes % MIB != 0);
}

int boot_place(const struct boot_image *img, uint64_t initrd_size, gpa_t ram_base,
	       uint64_t ram_size, struct boot_place *place, struct fail *fail)
{
	gpa_t kernel = add(align_up(ram_base, KERNEL_ALIGN), img->text_offset);
	gpa_t dtb = align_up(add(kernel, img->mem_size), BOOT_DTB_MAX);
	gpa_t initrd = add(dtb, BOOT_DTB_MAX);
	gpa_t end = add(initrd, initrd_size);

	if (end - ram_base > ram_size)
		return fail_set(
			fail, EXIT_CONFIG, -ENOSPC,
			"memory of %llu MiB is too small: the kernel (%llu MiB), the device "
			"tree (%llu MiB) and the initrd (%llu MiB) need --mem %llu or more",
			(unsigned long long)(ram_size / MIB),
			to_mib(add(img->text_offset, img->mem_size)), to_mib(BOOT_DTB_MAX),
			to_mib(initrd_size), to_mib(end - ram_base));
	if (initrd_size && end - kernel / WINDOW_ALIGN * WINDOW_ALIGN > BOOT_WINDOW)
		return fail_set(fail, EXIT_CONFIG, -ENOSPC,
				"the initrd of %llu MiB is too large: kernel and initrd must lie "
				"within %llu GiB",
				to_mib(initrd_size), BOOT_WINDOW >> 30);
	*place = (struct boot_place){
		.kernel = kernel,
		.entry = kernel,
		.dtb = dtb,
		.initrd = initrd_size ? initrd : 0,
	};
	return 0;
}

int boot_open(struct boot *boot, const char *kernel, bool flat, const char *initrd, gpa_t ram_base,
	      uint64_t ram_size, struct fail *fail)
{
	int err;

	*boot = (struct boot){ .opened = true, .image.file.fd = -1, .initrd.fd = -1 };
	err = image_open(kernel, flat, ram_size, &boot->image, fail);
	if (!err && initrd)
		err = boot_file_open("initrd", initrd, &boot->initrd, fail);
	if (err)
		return err;
	boot->kind_name = boot->image.format;
	boot->initrd_size = boot->initrd.size;
	return boot_place(&boot->image, boot->initrd_size, ram_base, ram_size, &boot->place, fail);
}

static void *ram(struct guest_mem *mem, gpa_t gpa, uint64_t len, struct fail *fail)
{
	void *host = guest_mem_ptr(mem, gpa, len);

	if (!host)
		fail_set(fail, EXIT_HOST, -EFAULT,
			 "no memory at 0x%llx for %llu bytes to boot from", (unsigned long long)gpa,
			 (unsigned long long)len);
	return host;
}

static int load_file(const struct boot_file *file, struct guest_mem *mem, gpa_t gpa,
		     struct fail *fail)
{
	void *host = ram(mem, gpa, file->size, fail);
	int err = host ? boot_file_read(file, 0, host, file->size, fail) : -EFAULT;

	if (!err)
		guest_mem_dirty(mem, gpa, file->size);
	return err;
}

int boot_load(const struct boot *boot, struct guest_mem *mem, const void *dtb, uint32_t dtb_size,
	      struct fail *fail)
{
	int err = load_file(&boot->image.file, mem, boot->place.kernel, fail);

	if (!err && boot->initrd_size)
		err = load_file(&boot->initrd, mem, boot->place.initrd, fail);
	if (err)
		return err;
	if (dtb_size > BOOT_DTB_MAX)
		return fail_set(fail, EXIT_CONFIG, -E2BIG, "the device tree is larger than 2 MiB");
	err = guest_mem_write(mem, boot->place.dtb, dtb, dtb_size);
	return err ? fail_set(fail, EXIT_HOST, err, "no memory for the device tree") : 0;
}

void boot_close(struct boot *boot)
{
	if (boot->opened) {
		boot_file_close(&boot->image.file);
		boot_file_close(&boot->initrd);
	}
	boot->opened = false;
}
