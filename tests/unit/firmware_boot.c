// SPDX-License-Identifier: GPL-2.0-only
#include "firmware/boot.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fake/kernel.h"
#include "tests/fake/suite.h"

static const uint64_t MIB = 1ULL << 20, GIB = 1ULL << 30, RAM = 0x40000000;

static uint64_t random64(void)
{
	return (uint64_t)rand() << 62 ^ (uint64_t)rand() << 31 ^ (uint64_t)rand();
}

/* A size of any magnitude up to 2^max bits. */
static uint64_t random_size(unsigned int max)
{
	return random64() >> (64 - max) >> (unsigned int)rand() % max;
}

struct range {
	uint64_t base, len;
};

static void assert_apart(struct range a, struct range b)
{
	quick_assert(a.len == 0 || b.len == 0 || a.base + a.len <= b.base ||
			     b.base + b.len <= a.base,
		     "0x%llx and 0x%llx overlap", (unsigned long long)a.base,
		     (unsigned long long)b.base);
}

/* All that the boot protocol asks for. */
static void assert_rules(const struct boot_image *img, uint64_t initrd_size, uint64_t ram_base,
			 uint64_t ram_size, const struct boot_place *p)
{
	const struct range kernel = { p->kernel, img->mem_size };
	const struct range dtb = { p->dtb, BOOT_DTB_MAX };
	const struct range initrd = { p->initrd, initrd_size };
	const struct range all[] = { kernel, dtb, initrd };

	for (unsigned int i = 0; i < 3; i++) {
		if (!all[i].len)
			continue;
		quick_assert(all[i].base >= ram_base && all[i].base - ram_base <= ram_size &&
				     all[i].len <= ram_size - (all[i].base - ram_base),
			     "0x%llx is outside", (unsigned long long)all[i].base);
	}
	assert_apart(kernel, dtb);
	assert_apart(kernel, initrd);
	assert_apart(dtb, initrd);
	ck_assert_uint_eq((p->kernel - img->text_offset) % (2 * MIB), 0);
	ck_assert_uint_lt(p->kernel - img->text_offset - ram_base, 2 * MIB);
	ck_assert_uint_eq(p->entry, p->kernel);
	ck_assert_uint_eq(p->dtb % 8, 0);
	ck_assert_uint_eq(p->dtb / (2 * MIB), (p->dtb + BOOT_DTB_MAX - 1) / (2 * MIB));
	/* Before 4.2, if the kernel itself is not larger than that. */
	if (img->text_offset + img->mem_size <= 508 * MIB)
		ck_assert_uint_lt(p->dtb + BOOT_DTB_MAX - (p->kernel - img->text_offset),
				  512 * MIB);
	ck_assert_uint_eq(p->initrd == 0, initrd_size == 0);
	if (initrd_size) {
		ck_assert_uint_eq(p->initrd % 4096, 0);
		ck_assert_uint_le(p->initrd + initrd_size - p->kernel / GIB * GIB, 32 * GIB);
	}
}

START_TEST(test_typical)
{
	const struct boot_image img = { .mem_size = 36 * MIB };
	struct boot_place p;

	ck_assert_int_eq(boot_place(&img, 300 * MIB, RAM, 512 * MIB, &p, NULL), 0);
	ck_assert_uint_eq(p.kernel, RAM);
	ck_assert_uint_eq(p.entry, RAM);
	ck_assert_uint_eq(p.dtb, RAM + 36 * MIB);
	ck_assert_uint_eq(p.initrd, RAM + 38 * MIB);
	assert_rules(&img, 300 * MIB, RAM, 512 * MIB, &p);
}
END_TEST

START_TEST(test_random)
{
	unsigned int placed = 0;

	srand(7);
	for (int i = 0; i < 200000; i++) {
		const struct boot_image img = { .text_offset = random_size(24),
						.mem_size = 1 + random_size(36) };
		const uint64_t initrd_size = i % 3 ? random_size(36) : 0;
		const uint64_t ram_base = random64() >> 24, ram_size = random_size(40);
		struct boot_place p = { .entry = 1 };
		struct fail fail = { 0 };

		if (boot_place(&img, initrd_size, ram_base, ram_size, &p, &fail)) {
			quick_assert(fail.code == EXIT_CONFIG && p.entry == 1, "%s", fail.text);
			continue;
		}
		placed++;
		assert_rules(&img, initrd_size, ram_base, ram_size, &p);
	}
	ck_assert_uint_gt(placed, 10000);
}
END_TEST

/* --mem as the sentence says is enough, one MiB less is not. */
START_TEST(test_smallest_memory)
{
	unsigned long need;
	struct boot_place p;
	struct fail fail;

	srand(11);
	for (int i = 0; i < 2000; i++) {
		const struct boot_image img = { .text_offset = i % 2 ? 0x80000 : 0,
						.mem_size = 1 + random_size(28) };
		const uint64_t initrd_size = random_size(31);

		memset(&fail, 0, sizeof(fail));
		ck_assert_int_eq(boot_place(&img, initrd_size, RAM, MIB, &p, &fail), -ENOSPC);
		ck_assert_ptr_nonnull(strstr(fail.text, "memory of 1 MiB is too small"));
		need = strtoul(strstr(fail.text, "--mem ") + 6, NULL, 10);
		ck_assert_int_eq(boot_place(&img, initrd_size, RAM, need * MIB, &p, NULL), 0);
		ck_assert_int_lt(boot_place(&img, initrd_size, RAM, need * MIB - MIB, &p, NULL), 0);
		ck_assert_uint_le(need * MIB, img.mem_size + initrd_size + 6 * MIB);
	}
}
END_TEST

START_TEST(test_hostile_sizes)
{
	static const uint64_t sizes[] = { 0, 1, 1ULL << 63, UINT64_MAX - 1, UINT64_MAX };
	struct boot_place p;
	struct fail fail = { 0 };

	for (int i = 0; i < 125; i++) {
		const struct boot_image img = { .text_offset = sizes[i % 5],
						.mem_size = sizes[i / 5 % 5] };
		const uint64_t initrd_size = sizes[i / 25];
		bool sane = img.text_offset < 2 && img.mem_size < 2 && initrd_size < 2;

		ck_assert(boot_place(&img, initrd_size, RAM, GIB, &p, &fail) ==
			  (sane ? 0 : -ENOSPC));
	}
}
END_TEST

START_TEST(test_window)
{
	const struct boot_image img = { .mem_size = 30 * MIB };
	const uint64_t most = 32 * GIB - 32 * MIB;
	struct boot_place p;
	struct fail fail = { 0 };

	ck_assert_int_eq(boot_place(&img, most, RAM, 100 * GIB, &p, NULL), 0);
	ck_assert_int_eq(boot_place(&img, most + 1, RAM, 100 * GIB, &p, &fail), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(fail.text, "32 GiB"));
}
END_TEST

/* --- files in memory --------------------------------------------------------------------------- */

enum { LEN = 0x9001, INITRD = 0x12345 };

static uint8_t image[LEN], initrd[INITRD];
static struct guest_mem mem;
static uint8_t *ram;
static const uint64_t ram_size = 16 << 20;

static void setup(void)
{
	kernel_setup();
	ram = mmap(NULL, ram_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(ram, MAP_FAILED);
	memset(&mem, 0, sizeof(mem));
	ck_assert_int_eq(guest_mem_add(&mem, RAM, ram_size, ram), 0);
	kernel_image(image, LEN, (struct kernel_head){ 0x80000, 5 << 20, 2 });
	for (unsigned int i = 0; i < INITRD; i++)
		initrd[i] = (uint8_t)(i * 7 + i / 256);
}

static void teardown(void)
{
	guest_mem_destroy(&mem);
	munmap(ram, ram_size);
	kernel_teardown();
}

static void assert_loaded(const struct boot *boot, const void *dtb, size_t dtb_size)
{
	const struct boot_place *p = &boot->place;
	const uint64_t end = p->initrd ? p->initrd + INITRD : p->dtb + dtb_size;

	ck_assert_mem_eq(ram + (p->kernel - RAM), image, LEN);
	ck_assert_mem_eq(ram + (p->dtb - RAM), dtb, dtb_size);
	if (p->initrd)
		ck_assert_mem_eq(ram + (p->initrd - RAM), initrd, INITRD);
	/* And nothing else: bytes around each piece are as they were. */
	ck_assert_uint_eq(ram[p->kernel - RAM - 1], 0);
	ck_assert_uint_eq(ram[p->kernel - RAM + LEN], 0);
	ck_assert_uint_eq(ram[p->dtb - RAM + dtb_size], 0);
	ck_assert_uint_eq(ram[end - RAM], 0);
}

START_TEST(test_load_and_reload)
{
	static const char dtb[] = "a device tree";
	const bool with_initrd = _i & 1, packed = _i & 2;
	const char *kernel = kernel_file("Image", image, LEN), *initrd_path = NULL;
	struct boot boot = { 0 };
	uint8_t *buf;
	size_t len;

	if (with_initrd)
		initrd_path = kernel_file("initrd", initrd, INITRD);
	if (packed) {
		len = kernel_pack("gzip", image, LEN, &buf);
		kernel = kernel_file("Image.gz", buf, len);
		free(buf);
	}
	ck_assert_int_eq(boot_open(&boot, kernel, false, initrd_path, RAM, ram_size, NULL), 0);
	ck_assert_str_eq(boot.kind_name, packed ? "Image.gz" : "Image");
	ck_assert_uint_eq(boot.initrd_size, with_initrd ? INITRD : 0);
	ck_assert_int_eq(unlink(kernel), 0);
	if (initrd_path)
		ck_assert_int_eq(unlink(initrd_path), 0);
	for (int i = 0; i < 3; i++) {
		memset(ram, 0, ram_size);
		ck_assert_int_eq(boot_load(&boot, &mem, dtb, sizeof(dtb), NULL), 0);
		assert_loaded(&boot, dtb, sizeof(dtb));
	}
	boot_close(&boot);
	boot_close(&boot);
}
END_TEST

START_TEST(test_flat)
{
	struct boot boot = { 0 };

	memset(image, 0x11, LEN);
	ck_assert_int_eq(boot_open(&boot, kernel_file("x.flat", image, LEN), false, NULL, RAM,
				   ram_size, NULL),
			 0);
	ck_assert_uint_eq(boot.place.entry, RAM + 0x80000);
	ck_assert_uint_ge(boot.place.dtb, boot.place.kernel + LEN + 65536);
	ck_assert_int_eq(boot_load(&boot, &mem, "d", 1, NULL), 0);
	assert_loaded(&boot, "d", 1);
	boot_close(&boot);
}
END_TEST

START_TEST(test_dirty)
{
	struct boot boot = { 0 };
	uint64_t first, last;

	ck_assert_int_eq(boot_open(&boot, kernel_file("Image", image, LEN), false,
				   kernel_file("initrd", initrd, INITRD), RAM, ram_size, NULL),
			 0);
	ck_assert_int_eq(guest_mem_track(&mem, true), 0);
	ck_assert_int_eq(boot_load(&boot, &mem, "d", 1, NULL), 0);
	first = (boot.place.initrd - RAM) >> GUEST_PAGE_SHIFT;
	last = (boot.place.initrd - RAM + INITRD - 1) >> GUEST_PAGE_SHIFT;
	for (uint64_t page = first; page <= last; page++)
		ck_assert(mem.ram[0].dirty[page / 64] >> page % 64 & 1);
	boot_close(&boot);
}
END_TEST

START_TEST(test_changing_files)
{
	const char *kernel = kernel_file("Image", image, LEN);
	const char *initrd_path = kernel_file("initrd", initrd, INITRD);
	struct boot boot = { 0 };
	struct fail fail = { 0 };

	ck_assert_int_eq(boot_open(&boot, kernel, false, initrd_path, RAM, ram_size, NULL), 0);
	ck_assert_int_eq(truncate(initrd_path, INITRD * 50), 0);
	ck_assert_int_eq(truncate(kernel, 10 << 20), 0);
	ck_assert_int_eq(boot_load(&boot, &mem, "d", 1, NULL), 0);
	assert_loaded(&boot, "d", 1);
	ck_assert_int_eq(truncate(initrd_path, INITRD - 1), 0);
	ck_assert_int_eq(boot_load(&boot, &mem, "d", 1, &fail), -ENODATA);
	ck_assert_ptr_nonnull(strstr(fail.text, initrd_path));
	boot_close(&boot);
}
END_TEST

START_TEST(test_refusals)
{
	const char *kernel = kernel_file("Image", image, LEN);
	static uint8_t large[BOOT_DTB_MAX + 1];
	struct boot boot = { 0 };
	struct fail fail = { 0 };

	ck_assert_int_lt(boot_open(&boot, kernel, false, kernel_path("none"), RAM, ram_size, &fail),
			 0);
	ck_assert_ptr_nonnull(strstr(fail.text, "--initrd"));
	boot_close(&boot);
	memset(&fail, 0, sizeof(fail));
	ck_assert_int_lt(boot_open(&boot, kernel_path("none"), false, NULL, RAM, ram_size, &fail),
			 0);
	ck_assert_ptr_nonnull(strstr(fail.text, "--kernel"));
	boot_close(&boot);
	memset(&fail, 0, sizeof(fail));
	ck_assert_int_eq(boot_open(&boot, kernel, false, NULL, RAM, 4 << 20, &fail), -ENOSPC);
	ck_assert_str_eq(fail.text, "memory of 4 MiB is too small: the kernel (6 MiB), the device "
				    "tree (2 MiB) and the initrd (0 MiB) need --mem 8 or more");
	boot_close(&boot);

	ck_assert_int_eq(boot_open(&boot, kernel, false, NULL, RAM, ram_size, NULL), 0);
	memset(&fail, 0, sizeof(fail));
	ck_assert_int_eq(boot_load(&boot, &mem, large, sizeof(large), &fail), -E2BIG);
	ck_assert_int_eq(boot_load(&boot, &mem, large, sizeof(large) - 1, NULL), 0);
	/* RAM other than what it was placed for. */
	mem.ram[0].size = 4 << 20;
	ck_assert_int_lt(boot_load(&boot, &mem, "d", 1, NULL), 0);
	mem.ram[0].size = 0x80000 + LEN - 1;
	ck_assert_int_lt(boot_load(&boot, &mem, "d", 1, NULL), 0);
	mem.ram[0].size = ram_size;
	boot_close(&boot);
}
END_TEST

/* All zero, as in a machine that came to nothing, closes nothing: descriptor 0 least of all. */
START_TEST(test_close_unopened)
{
	struct boot boot = { 0 };

	boot_close(&boot);
	ck_assert_int_ge(dup2(1, 0), 0);
	boot_close(&boot);
	ck_assert_int_eq(dup2(0, 0), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("firmware_boot");
	TCase *tc = tcase_create("boot");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_typical);
	tcase_add_test(tc, test_random);
	tcase_add_test(tc, test_smallest_memory);
	tcase_add_test(tc, test_hostile_sizes);
	tcase_add_test(tc, test_window);
	tcase_add_loop_test(tc, test_load_and_reload, 0, 4);
	tcase_add_test(tc, test_flat);
	tcase_add_test(tc, test_dirty);
	tcase_add_test(tc, test_changing_files);
	tcase_add_test(tc, test_refusals);
	tcase_add_test(tc, test_close_unopened);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
