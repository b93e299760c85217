// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/suite.h"
#include "vmm/core/fdt.h"
#include "vmm/core/irq.h"

static void *finish(struct fdt *fdt)
{
	uint32_t size;
	void *blob;

	ck_assert_int_eq(dt_finish(fdt, &blob, &size), 0);
	ck_assert_ptr_nonnull(blob);
	ck_assert_uint_eq(size, fdt_totalsize(blob));
	ck_assert_int_eq(fdt_check_full(blob, size), 0);
	return blob;
}

static void check_prop(const void *blob, const char *path, const char *name, const void *want,
		       int len)
{
	int node = fdt_path_offset(blob, path), got;
	const void *value;

	ck_assert_msg(node >= 0, "%s is missing", path);
	value = fdt_getprop(blob, node, name, &got);
	ck_assert_msg(value && got == len, "%s %s: %d bytes", path, name, got);
	ck_assert_mem_eq(value, want, (size_t)len);
}

START_TEST(every_kind_of_property)
{
	static const uint8_t bytes[] = { 1, 2, 3 };
	struct irq level = { .spi = 33 }, edge = { .spi = 16, .edge = true };
	struct fdt fdt;
	void *blob;

	ck_assert_int_eq(dt_create(&fdt), 0);
	dt_str(&fdt, "model", "test");
	dt_node(&fdt, "dev@%x", 0x9000000);
	dt_empty(&fdt, "dma-coherent");
	dt_u32(&fdt, "u32", 0x01020304);
	dt_u64(&fdt, "u64", 0x0102030405060708);
	dt_bytes(&fdt, "bytes", bytes, sizeof(bytes));
	dt_cells(&fdt, "cells", 1, 0xffffffff, 3);
	dt_strs(&fdt, "compatible", "arm,pl011", "arm,primecell");
	dt_reg(&fdt, 0x109000000, 0x1000);
	dt_interrupt(&fdt, &level);
	dt_node(&fdt, "child");
	dt_interrupt(&fdt, &edge);
	dt_end(&fdt);
	dt_end(&fdt);
	blob = finish(&fdt);

	check_prop(blob, "/", "#address-cells", "\0\0\0\2", 4);
	check_prop(blob, "/", "#size-cells", "\0\0\0\2", 4);
	check_prop(blob, "/", "model", "test", 5);
	check_prop(blob, "/dev@9000000", "dma-coherent", "", 0);
	check_prop(blob, "/dev@9000000", "u32", "\1\2\3\4", 4);
	check_prop(blob, "/dev@9000000", "u64", "\1\2\3\4\5\6\7\10", 8);
	check_prop(blob, "/dev@9000000", "bytes", bytes, 3);
	check_prop(blob, "/dev@9000000", "cells", "\0\0\0\1\xff\xff\xff\xff\0\0\0\3", 12);
	check_prop(blob, "/dev@9000000", "compatible", "arm,pl011\0arm,primecell", 24);
	check_prop(blob, "/dev@9000000", "reg", "\0\0\0\1\x09\0\0\0\0\0\0\0\0\0\x10\0", 16);
	check_prop(blob, "/dev@9000000", "interrupts", "\0\0\0\0\0\0\0\x21\0\0\0\4", 12);
	check_prop(blob, "/dev@9000000/child", "interrupts", "\0\0\0\0\0\0\0\x10\0\0\0\1", 12);
	free(blob);
}
END_TEST

START_TEST(phandles)
{
	struct fdt fdt;

	ck_assert_int_eq(dt_create(&fdt), 0);
	ck_assert_uint_eq(dt_phandle(&fdt), FDT_PHANDLE_FREE);
	ck_assert_uint_eq(dt_phandle(&fdt), FDT_PHANDLE_FREE + 1);
	dt_abandon(&fdt);
}
END_TEST

/* Far more than the first buffer, with growth hit inside every kind of call. */
START_TEST(grows)
{
	enum { NODES = 300 };
	struct fdt fdt;
	char path[32];
	void *blob;

	ck_assert_int_eq(dt_create(&fdt), 0);
	for (uint32_t i = 0; i < NODES; i++) {
		uint8_t filler[512];

		memset(filler, (int)i, sizeof(filler));
		dt_node(&fdt, "node@%x", i);
		dt_u32(&fdt, "number", i);
		snprintf(path, sizeof(path), "name-%u", i); /* grows the strings, too */
		dt_bytes(&fdt, path, filler, i % sizeof(filler));
		dt_strs(&fdt, "compatible", "one", "two");
		dt_end(&fdt);
	}
	blob = finish(&fdt);
	for (uint32_t i = 0; i < NODES; i++) {
		fdt32_t be = cpu_to_fdt32(i);

		snprintf(path, sizeof(path), "/node@%x", i);
		check_prop(blob, path, "number", &be, 4);
		check_prop(blob, path, "compatible", "one\0two", 8);
	}
	free(blob);
}
END_TEST

static void check_fails(struct fdt *fdt, int err)
{
	void *blob = fdt;
	uint32_t size;

	ck_assert_int_eq(fdt->err, err);
	dt_u32(fdt, "later", 1);
	dt_node(fdt, "later");
	dt_end(fdt);
	ck_assert_int_eq(dt_finish(fdt, &blob, &size), err);
	ck_assert_ptr_null(blob);
}

START_TEST(errors_stick)
{
	static const uint8_t large[1024 * 1024];
	struct fdt fdt;
	uint32_t size;
	void *blob;

	ck_assert_int_eq(dt_create(&fdt), 0);
	dt_node(&fdt, "%0100d", 1); /* a name that does not fit */
	check_fails(&fdt, -EINVAL);

	ck_assert_int_eq(dt_create(&fdt), 0);
	dt_bytes(&fdt, "a", large, sizeof(large));
	dt_bytes(&fdt, "b", large, sizeof(large)); /* no tree is that large */
	check_fails(&fdt, -ENOMEM);

	ck_assert_int_eq(dt_create(&fdt), 0);
	dt_node(&fdt, "open");
	ck_assert_int_eq(dt_finish(&fdt, &blob, &size), -EINVAL);

	ck_assert_int_eq(dt_create(&fdt), 0);
	dt_end(&fdt);
	ck_assert_int_lt(dt_finish(&fdt, &blob, &size), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_fdt");
	TCase *tc = tcase_create("fdt");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, every_kind_of_property);
	tcase_add_test(tc, phandles);
	tcase_add_test(tc, grows);
	tcase_add_test(tc, errors_stick);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
