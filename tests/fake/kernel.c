// SPDX-License-Identifier: GPL-2.0-only
#include "tests/fake/kernel.h"

#include <check.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/vmm-kernel.XXXXXX";

void kernel_setup(void)
{
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

void kernel_teardown(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
}

const char *kernel_path(const char *name)
{
	static char paths[8][64];
	static unsigned int next;
	char *path = paths[next++ % 8];

	ck_assert_int_lt(snprintf(path, sizeof(paths[0]), "%s/%s", folder, name),
			 (int)sizeof(paths[0]));
	return path;
}

const char *kernel_file(const char *name, const void *data, size_t len)
{
	const char *path = kernel_path(name);
	FILE *f = fopen(path, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(data, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
	return path;
}

static void put16(uint8_t *buf, size_t off, uint16_t v)
{
	v = htole16(v);
	memcpy(buf + off, &v, sizeof(v));
}

static void put32(uint8_t *buf, size_t off, uint32_t v)
{
	v = htole32(v);
	memcpy(buf + off, &v, sizeof(v));
}

static void put64(uint8_t *buf, size_t off, uint64_t v)
{
	v = htole64(v);
	memcpy(buf + off, &v, sizeof(v));
}

void kernel_image(uint8_t *buf, size_t len, struct kernel_head head)
{
	uint32_t x = 12345;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		buf[i] = (uint8_t)(x >> 24);
	}
	memset(buf, 0, 64);
	put32(buf, 0, 0x14000010); /* b . + 64 */
	put64(buf, 8, head.text_offset);
	put64(buf, 16, head.image_size);
	put64(buf, 24, head.flags);
	memcpy(buf + 56, "ARM\x64", 4);
}

static void add_section(uint8_t *at, const char *name, uint32_t off, uint32_t size)
{
	memset(at, 0, 40);
	strncpy((char *)at, name, 8);
	put32(at, 8, size);
	put32(at, 12, off);
	put32(at, 16, size);
	put32(at, 20, off);
}

void kernel_add_pe(uint8_t *buf, size_t len)
{
	const uint32_t middle = (uint32_t)(0x300 + (len - 0x300) / 2);

	memcpy(buf, "MZ\0\x91", 4);
	put32(buf, 0x3c, KERNEL_PE);
	memset(buf + KERNEL_PE, 0, KERNEL_SECTIONS - KERNEL_PE);
	memcpy(buf + KERNEL_PE, "PE\0\0", 4);
	put16(buf, KERNEL_PE + 4, 0xaa64);
	put16(buf, KERNEL_PE + 6, 2);
	put16(buf, KERNEL_PE + 20, KERNEL_SECTIONS - KERNEL_PE - 24);
	add_section(buf + KERNEL_SECTIONS, ".text", 0x300, middle - 0x300);
	add_section(buf + KERNEL_SECTIONS + 40, ".data", middle, (uint32_t)len - middle);
}

size_t kernel_pack(const char *program, const void *data, size_t len, uint8_t **out)
{
	const char *path = kernel_file("to-pack", data, len), *packed = kernel_path("packed");
	char command[256];
	struct stat st;
	FILE *f;

	snprintf(command, sizeof(command), "%s -c <%s >%s 2>/dev/null", program, path, packed);
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(stat(packed, &st), 0);
	*out = malloc((size_t)st.st_size);
	f = fopen(packed, "re");
	ck_assert(f && *out);
	ck_assert_uint_eq(fread(*out, 1, (size_t)st.st_size, f), (size_t)st.st_size);
	fclose(f);
	return (size_t)st.st_size;
}

/* As drivers/firmware/efi/libstub/zboot-header.S and zboot.lds lay it out: header, payload, the
 * unpacked size in four bytes, code. */
size_t kernel_zboot(const char *packing, const void *packed, size_t len, uint8_t **out)
{
	const size_t total = (0x400 + len + 4 + 0x200 + 7) / 8 * 8;

	*out = calloc(1, total);
	ck_assert_ptr_nonnull(*out);
	memcpy(*out + 0x400, packed, len);
	kernel_add_pe(*out, total);
	memcpy(*out + 4, "zimg", 4);
	put32(*out, 8, 0x400);
	put32(*out, 12, (uint32_t)len);
	strncpy((char *)*out + 24, packing, 31);
	return total;
}
