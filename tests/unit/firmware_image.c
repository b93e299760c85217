// SPDX-License-Identifier: GPL-2.0-only
#include "firmware/image.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fake/held.h"
#include "tests/fake/kernel.h"
#include "tests/fake/suite.h"

enum { LEN = 0x8000, MIB = 1 << 20 };

static uint8_t image[LEN];
static struct boot_image img;
static struct fail fail;

/* Neither descriptors nor children stay behind, whatever the outcome. */
static int try(const char *path, bool flat, uint64_t limit)
{
	unsigned int before = held_fds();
	int err;

	memset(&fail, 0, sizeof(fail));
	err = image_open(path, flat, limit, &img, &fail);
	ck_assert_uint_eq(held_fds(), before + (err ? 0 : 1));
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
	if (err) {
		ck_assert_int_lt(err, 0);
		ck_assert_int_eq(fail.code, EXIT_CONFIG);
		ck_assert_ptr_nonnull(strstr(fail.text, path));
		ck_assert_ptr_null(strchr(fail.text, '\n'));
		ck_assert_int_eq(img.file.fd, -1);
	} else {
		ck_assert_str_eq(fail.text, "");
	}
	return err;
}

static void assert_refused(const char *path, const char *word)
{
	ck_assert_int_lt(try(path, false, 64 * MIB), 0);
	ck_assert_msg(strstr(fail.text, word), "no \"%s\" in: %s", word, fail.text);
}

static void assert_content(const uint8_t *data, size_t len)
{
	uint8_t *buf = malloc(len);

	ck_assert_uint_eq(img.file.size, len);
	for (int twice = 0; twice < 2; twice++) {
		memset(buf, 0, len);
		ck_assert_int_eq(boot_file_read(&img.file, 0, buf, len, NULL), 0);
		ck_assert_mem_eq(buf, data, len);
	}
	free(buf);
}

static const struct kernel_head plain = { 0, 0x20000, 0xa };

START_TEST(test_plain)
{
	kernel_image(image, LEN, plain);
	ck_assert_int_eq(try(kernel_file("Image", image, LEN), false, 64 * MIB), 0);
	ck_assert_int_eq(img.kind, IMAGE_ARM64);
	ck_assert_str_eq(img.format, "Image");
	ck_assert_uint_eq(img.text_offset, 0);
	ck_assert_uint_eq(img.mem_size, 0x20000);
	ck_assert_uint_eq(img.page_size, 4096);
	assert_content(image, LEN);
	boot_file_close(&img.file);
	ck_assert_int_eq(img.file.fd, -1);
}
END_TEST

START_TEST(test_header)
{
	static const uint32_t page_sizes[4] = { 0, 4096, 16384, 65536 };
	const char *path;

	for (unsigned int i = 0; i < 4; i++) {
		kernel_image(image, LEN, (struct kernel_head){ 0x80000, MIB, i << 1 });
		ck_assert_int_eq(try(kernel_file("Image", image, LEN), false, MIB), 0);
		ck_assert_uint_eq(img.page_size, page_sizes[i]);
		ck_assert_uint_eq(img.text_offset, 0x80000);
		boot_file_close(&img.file);
	}
	/* Claims less than there is: the file counts. */
	kernel_image(image, LEN, (struct kernel_head){ 0, 1, 0 });
	ck_assert_int_eq(try(kernel_file("Image", image, LEN), false, MIB), 0);
	ck_assert_uint_eq(img.mem_size, LEN);
	boot_file_close(&img.file);
	/* Before 3.17 the offset is in the kernel's byte order, and there is no size. */
	kernel_image(image, LEN, (struct kernel_head){ htobe64(0x80000), 0, 0 });
	ck_assert_int_eq(try(kernel_file("Image", image, LEN), false, MIB), 0);
	ck_assert_uint_eq(img.text_offset, 0x80000);
	ck_assert_uint_eq(img.mem_size, LEN + IMAGE_OLD_SLACK);
	boot_file_close(&img.file);

	kernel_image(image, LEN, (struct kernel_head){ 0, MIB, 1 });
	path = kernel_file("Image.be", image, LEN);
	assert_refused(path, "big-endian");
	ck_assert_int_lt(try(path, true, MIB), 0);
}
END_TEST

/* Without its magic number no part of the header is a kernel. */
START_TEST(test_truncated_header)
{
	kernel_image(image, LEN, plain);
	for (size_t len = 1; len < 60; len++)
		assert_refused(kernel_file("Image", image, len), "not a kernel");
	kernel_add_pe(image, LEN);
	for (size_t len = 1; len < 64; len++)
		assert_refused(kernel_file("Image", image, len), len < 2 ? "truncated" : "Image");
}
END_TEST

/* With an EFI stub the file's length is known: every shorter one is refused. */
START_TEST(test_truncated_body)
{
	const char *path;

	kernel_image(image, LEN, plain);
	kernel_add_pe(image, LEN);
	path = kernel_file("Image", image, LEN);
	ck_assert_int_eq(try(path, false, 64 * MIB), 0);
	assert_content(image, LEN);
	boot_file_close(&img.file);
	for (size_t len = LEN - 1; len >= 64; len -= len > 0x400 ? 61 : 1) {
		ck_assert_int_eq(truncate(path, (off_t)len), 0);
		assert_refused(path, "truncated");
		ck_assert_int_lt(try(path, true, 64 * MIB), 0);
	}
}
END_TEST

static void put(size_t off, uint64_t val, size_t size)
{
	val = htole64(val);
	memcpy(image + off, &val, size);
}

START_TEST(test_hostile_pe)
{
	static const struct {
		size_t off, size;
		uint64_t val;
	} changes[] = {
		{ 0x3c, 4, 0xffffffff },
		{ 0x3c, 4, LEN - 23 },
		{ 0x3c, 4, LEN },
		{ 0x3c, 4, 0 },
		{ KERNEL_PE, 4, 0x4550 + 1 },
		{ KERNEL_PE + 4, 2, 0x8664 },
		{ KERNEL_PE + 6, 2, 0xffff },
		{ KERNEL_PE + 6, 2, 97 },
		{ KERNEL_PE + 20, 2, 0xffff },
		{ KERNEL_SECTIONS + 16, 4, 0xffffffff },
		{ KERNEL_SECTIONS + 20, 4, 0xffffffff },
		{ KERNEL_SECTIONS + 20, 4, LEN },
		{ KERNEL_SECTIONS + 56, 8, UINT64_MAX },
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		kernel_image(image, LEN, plain);
		kernel_add_pe(image, LEN);
		put(changes[i].off, changes[i].val, changes[i].size);
		ck_assert_msg(try(kernel_file("Image", image, LEN), false, 64 * MIB) < 0,
			      "change %zu is taken", i);
	}
	/* The table itself beyond the end, while the sections it would have are inside. */
	kernel_image(image, LEN, plain);
	kernel_add_pe(image, LEN);
	put(0x3c, LEN - 24, 4);
	memcpy(image + LEN - 24, image + KERNEL_PE, 24);
	assert_refused(kernel_file("Image", image, LEN), "truncated");
	/* A section without data may point anywhere. */
	kernel_add_pe(image, LEN);
	put(KERNEL_SECTIONS + 16, 0xffffffff00000000, 8);
	ck_assert_int_eq(try(kernel_file("Image", image, LEN), false, 64 * MIB), 0);
	boot_file_close(&img.file);
}
END_TEST

/* Random changes to the PE header never do more than refuse. */
START_TEST(test_random_pe)
{
	srand(1);
	for (int i = 0; i < 2000; i++) {
		kernel_image(image, 0x800, plain);
		kernel_add_pe(image, 0x800);
		for (int n = rand() % 4; n >= 0; n--)
			image[0x3c + rand() % (KERNEL_SECTIONS + 80 - 0x3c)] = (uint8_t)rand();
		memcpy(image + 56, "ARM\x64", 4);
		if (try(kernel_file("Image", image, 0x800), false, MIB) == 0)
			boot_file_close(&img.file);
	}
}
END_TEST

static const char *const programs[] = { "gzip", "zstd" };
static const char *const file_formats[] = { "Image.gz", "Image.zst" };
static const char *const zboot_formats[] = { "EFI zboot (gzip)", "EFI zboot (zstd)" };

START_TEST(test_packed)
{
	const char *path;
	uint8_t *packed;
	size_t len;

	kernel_image(image, LEN, plain);
	kernel_add_pe(image, LEN);
	len = kernel_pack(programs[_i], image, LEN, &packed);
	path = kernel_file("vmlinuz", packed, len);
	ck_assert_int_eq(try(path, false, LEN), 0);
	ck_assert_int_eq(img.kind, IMAGE_ARM64);
	ck_assert_str_eq(img.format, file_formats[_i]);
	ck_assert_uint_eq(img.mem_size, 0x20000);
	/* It does not need the file any more. */
	ck_assert_int_eq(unlink(path), 0);
	assert_content(image, LEN);
	boot_file_close(&img.file);
	free(packed);
}
END_TEST

START_TEST(test_packed_truncated)
{
	const char *path, *word;
	uint8_t *packed;
	size_t len;

	kernel_image(image, LEN, plain);
	len = kernel_pack(programs[_i], image, LEN, &packed);
	path = kernel_file("vmlinuz", packed, len);
	/* Around both ends byte by byte, some points between. */
	for (size_t cut = len - 1; cut > 4; cut -= cut > 2000 && cut < len - 20 ? 1000 : 1) {
		if (cut > 60 && cut < 2000)
			cut = 60;
		ck_assert_int_eq(truncate(path, (off_t)cut), 0);
		assert_refused(path, "truncated or damaged");
		ck_assert_ptr_nonnull(strstr(fail.text, programs[_i]));
		word = strstr(fail.text, "says \"");
		ck_assert(word && word[6] != '"');
	}
	/* Damaged in the middle, with the right length. */
	packed[len / 2] ^= 0x40;
	packed[len / 2 + 1] ^= 0x40;
	assert_refused(kernel_file("vmlinuz", packed, len), "truncated or damaged");
	free(packed);
}
END_TEST

/* 64 MiB of zeros in some KiB: the child is stopped at the limit. */
START_TEST(test_bomb)
{
	uint8_t *zeros = calloc(64, MIB), *packed;
	size_t len = kernel_pack(programs[_i], zeros, 64 * MIB, &packed);
	const char *path = kernel_file("bomb", packed, len);

	ck_assert_int_eq(try(path, false, 16 * MIB), -EFBIG);
	ck_assert_ptr_nonnull(strstr(fail.text, "16 MiB"));
	ck_assert_int_eq(access("core", F_OK), -1);
	ck_assert_int_lt(try(path, false, 64 * MIB), 0);
	ck_assert_ptr_nonnull(strstr(fail.text, "not an arm64 Image"));
	free(zeros);
	free(packed);
}
END_TEST

START_TEST(test_packed_exact_limit)
{
	uint8_t *packed;
	size_t len;
	const char *path;

	kernel_image(image, LEN, plain);
	len = kernel_pack(programs[_i], image, LEN, &packed);
	path = kernel_file("vmlinuz", packed, len);
	ck_assert_int_eq(try(path, false, LEN - 1), -EFBIG);
	ck_assert_int_eq(try(path, false, LEN), 0);
	boot_file_close(&img.file);
	free(packed);
}
END_TEST

START_TEST(test_zboot)
{
	uint8_t *packed, *zboot;
	const char *path;
	size_t len;

	kernel_image(image, LEN, plain);
	len = kernel_pack(programs[_i], image, LEN, &packed);
	len = kernel_zboot(programs[_i], packed, len, &zboot);
	path = kernel_file("vmlinuz.efi", zboot, len);
	ck_assert_int_eq(try(path, false, 64 * MIB), 0);
	ck_assert_str_eq(img.format, zboot_formats[_i]);
	assert_content(image, LEN);
	boot_file_close(&img.file);
	for (size_t cut = len - 1; cut > 0; cut -= cut > 0x400 ? 499 : 1) {
		ck_assert_int_eq(truncate(path, (off_t)cut), 0);
		assert_refused(path, "truncated");
	}
	free(packed);
	free(zboot);
}
END_TEST

START_TEST(test_hostile_zboot)
{
	static const struct {
		size_t off;
		uint32_t val;
		const char *word;
	} changes[] = {
		{ 8, 0xffffffff, "truncated" }, { 12, 0xffffffff, "truncated" },
		{ 12, 0, "truncated" },		{ 8, 0, "damaged" },
		{ 12, 100, "damaged" },		{ 24, 0x616d7a6c, "\"lzma\"" },
		{ 24, 0x0a010203, "\"\"" },
	};
	uint8_t *packed, *zboot;
	size_t len;

	kernel_image(image, LEN, plain);
	len = kernel_pack("gzip", image, LEN, &packed);
	len = kernel_zboot("gzip", packed, len, &zboot);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		uint32_t before, val = htole32(changes[i].val);

		memcpy(&before, zboot + changes[i].off, 4);
		memcpy(zboot + changes[i].off, &val, 4);
		if (changes[i].off == 24)
			zboot[28] = 0;
		if (val == htole32(0x616d7a6c))
			memcpy(zboot + 24, "lzma", 4);
		assert_refused(kernel_file("vmlinuz.efi", zboot, len), changes[i].word);
		memcpy(zboot + changes[i].off, &before, 4);
	}
	free(packed);
	free(zboot);
}
END_TEST

/* The parent's odd signal settings do not matter, and are as before afterwards. */
START_TEST(test_signals)
{
	struct sigaction sa = { .sa_handler = SIG_IGN };
	sigset_t all;
	uint8_t *packed;
	size_t len;
	const char *path;

	kernel_image(image, LEN, plain);
	len = kernel_pack("gzip", image, LEN, &packed);
	path = kernel_file("vmlinuz", packed, len);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigaction(SIGCHLD, &sa, NULL);
	sigaction(SIGXFSZ, &sa, NULL);
	ck_assert_int_eq(image_open(path, false, LEN - 1, &img, NULL), -EFBIG);
	ck_assert_int_eq(image_open(path, false, LEN, &img, NULL), 0);
	assert_content(image, LEN);
	boot_file_close(&img.file);
	sigaction(SIGCHLD, NULL, &sa);
	ck_assert(sa.sa_handler == SIG_IGN);
	sa.sa_handler = SIG_DFL;
	sigaction(SIGCHLD, &sa, NULL);
	free(packed);
}
END_TEST

START_TEST(test_no_decompressor)
{
	uint8_t *packed;
	const char *path;
	size_t len;

	kernel_image(image, LEN, plain);
	len = kernel_pack(programs[_i], image, LEN, &packed);
	path = kernel_file("vmlinuz", packed, len);
	ck_assert_int_eq(setenv("PATH", "/nonexistent", 1), 0);
	ck_assert_int_eq(try(path, false, LEN), -ENOENT);
	ck_assert_ptr_nonnull(strstr(fail.text, programs[_i]));
	ck_assert_ptr_nonnull(strstr(fail.text, "install"));
	ck_assert_int_eq(setenv("PATH", "/usr/bin:/bin", 1), 0);
	free(packed);
}
END_TEST

START_TEST(test_flat)
{
	static const char code[] = "\x01\x02\x03";

	assert_refused(kernel_file("prog", code, 3), "--flat");
	assert_refused(kernel_file("flat", code, 3), "--flat");
	assert_refused(kernel_file("x.bin.old", code, 3), "--flat");
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "prog", "x.flat", "x.bin" };

		ck_assert_int_eq(try(kernel_file(names[i], code, 3), i == 0, MIB), 0);
		ck_assert_int_eq(img.kind, IMAGE_FLAT);
		ck_assert_str_eq(img.format, "flat");
		ck_assert_uint_eq(img.text_offset, 0x80000);
		ck_assert_uint_ge(img.mem_size, 3 + 65536);
		assert_content((const uint8_t *)code, 3);
		boot_file_close(&img.file);
	}
	/* A name does not make an Image flat. */
	kernel_image(image, LEN, plain);
	ck_assert_int_eq(try(kernel_file("Image.bin", image, LEN), true, MIB), 0);
	ck_assert_int_eq(img.kind, IMAGE_ARM64);
	boot_file_close(&img.file);
}
END_TEST

START_TEST(test_other_formats)
{
	static const struct {
		size_t off, len;
		const char *bytes, *word;
	} formats[] = {
		{ 0, 4, "\177ELF", "ELF" },
		{ 0x24, 4, "\x18\x28\x6f\x01", "32-bit" },
		{ 0, 6,
		  "\xfd"
		  "7zXZ\0",
		  "xz -d" },
		{ 0, 3, "BZh", "bzip2 -d" },
		{ 0, 4, "\x02\x21\x4c\x18", "lz4 -d" },
		{ 0, 4, "\x27\x05\x19\x56", "uImage" },
		{ 0, 4, "\xd0\x0d\xfe\xed", "FIT" },
		{ 0, 2, "MZ", "EFI" },
	};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		memset(image, 0x5a, 4096);
		memcpy(image + formats[i].off, formats[i].bytes, formats[i].len);
		assert_refused(kernel_file("other", image, 4096), formats[i].word);
		assert_refused(kernel_file("other.bin", image, 4096), formats[i].word);
	}
}
END_TEST

START_TEST(test_bad_files)
{
	const char *path = kernel_path("folder");

	ck_assert_int_eq(mkdir(path, 0700), 0);
	assert_refused(path, "directory");
	path = kernel_path("fifo");
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	assert_refused(path, "regular");
	assert_refused(kernel_file("empty", "", 0), "empty");
	assert_refused(kernel_path("nothing"), "No such file");
	assert_refused("", "No such file");
	path = kernel_file("secret", "x", 1);
	ck_assert_int_eq(chmod(path, 0), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	assert_refused(path, "Permission denied");
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(test_shrinking_file)
{
	static uint8_t buf[LEN];
	const char *path;

	kernel_image(image, LEN, plain);
	path = kernel_file("Image", image, LEN);
	ck_assert_int_eq(try(path, false, MIB), 0);
	ck_assert_int_eq(truncate(path, LEN / 2), 0);
	ck_assert_int_eq(boot_file_read(&img.file, 0, buf, img.file.size, &fail), -ENODATA);
	ck_assert_ptr_nonnull(strstr(fail.text, "shorter"));
	/* Longer again: only what was there before is read. */
	ck_assert_int_eq(truncate(path, 4 * LEN), 0);
	ck_assert_int_eq(boot_file_read(&img.file, 0, buf, img.file.size, NULL), 0);
	ck_assert_mem_eq(buf, image, LEN / 2);
	boot_file_close(&img.file);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("firmware_image");
	TCase *tc = tcase_create("image");

	tcase_add_checked_fixture(tc, kernel_setup, kernel_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_plain);
	tcase_add_test(tc, test_header);
	tcase_add_test(tc, test_truncated_header);
	tcase_add_test(tc, test_truncated_body);
	tcase_add_test(tc, test_hostile_pe);
	tcase_add_test(tc, test_random_pe);
	tcase_add_loop_test(tc, test_packed, 0, 2);
	tcase_add_loop_test(tc, test_packed_truncated, 0, 2);
	tcase_add_loop_test(tc, test_bomb, 0, 2);
	tcase_add_loop_test(tc, test_packed_exact_limit, 0, 2);
	tcase_add_loop_test(tc, test_zboot, 0, 2);
	tcase_add_test(tc, test_hostile_zboot);
	tcase_add_test(tc, test_signals);
	tcase_add_loop_test(tc, test_no_decompressor, 0, 2);
	tcase_add_test(tc, test_flat);
	tcase_add_test(tc, test_other_formats);
	tcase_add_test(tc, test_bad_files);
	tcase_add_test(tc, test_shrinking_file);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
