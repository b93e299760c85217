// SPDX-License-Identifier: GPL-2.0-only
#include "firmware/dtb.h"

#include <check.h>
#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/gpio.h"
#include "devices/pl011.h"
#include "devices/pl031.h"
#include "tests/fake/board.h"
#include "tests/fake/kernel.h"
#include "tests/fake/suite.h"
#include "vmm/core/fdt.h"

static struct board board;
static struct device *devices[3];

static void describe_gic(void *arg, struct fdt *fdt)
{
	++*(int *)arg;
	dt_node(fdt, "interrupt-controller@8000000");
	dt_str(fdt, "compatible", "arm,gic-v3");
	dt_empty(fdt, "interrupt-controller");
	dt_u32(fdt, "#interrupt-cells", 3);
	dt_u32(fdt, "#address-cells", 0);
	dt_cells(fdt, "reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0xf60000);
	dt_u32(fdt, "phandle", FDT_PHANDLE_GIC);
	dt_end(fdt);
}

static int arch_calls;
static struct dtb_config config;
static void *blob;
static uint32_t size;

static void setup(void)
{
	struct device_env env;

	kernel_setup();
	board_init(&board);
	env = board.env;
	env.irq = (struct irq){ .spi = 1 };
	ck_assert_int_eq(pl011_create(&env, NULL, &devices[0], NULL), 0);
	env.base = 0x9010000;
	env.irq.spi = 2;
	ck_assert_int_eq(pl031_create(&env, &devices[1], NULL), 0);
	env.base = 0x9030000;
	env.irq.spi = 7;
	ck_assert_int_eq(gpio_create(&env, &devices[2], NULL), 0);
	arch_calls = 0;
	config = (struct dtb_config){
		.ram_base = 0x40000000,
		.ram_size = 5ULL << 30,
		.bootargs = "console=ttyAMA0 a=\"b c\"  d",
		.initrd_start = 0x142600000,
		.initrd_end = 0x142600123,
		.stdout_path = "/serial@9000000",
		.devices = devices,
		.ndevices = 3,
		.arch = describe_gic,
		.arg = &arch_calls,
		.psci = &psci_1_0,
		.seeds = true,
	};
	blob = NULL;
}

static void teardown(void)
{
	free(blob);
	for (unsigned int i = 0; i < 3; i++)
		devices[i]->ops->destroy(devices[i]);
	board_fini(&board, NULL);
	kernel_teardown();
}

static void build(void)
{
	free(blob);
	ck_assert_int_eq(dtb_build(&config, &blob, &size, NULL), 0);
	ck_assert_int_eq(fdt_check_full(blob, size), 0);
	ck_assert_uint_eq(fdt_totalsize(blob), size);
}

static const void *prop(const char *path, const char *name, int want)
{
	int len, node = fdt_path_offset(blob, path);
	const void *val;

	ck_assert_msg(node >= 0, "no node %s", path);
	val = fdt_getprop(blob, node, name, &len);
	ck_assert_msg(val, "no %s in %s", name, path);
	if (want >= 0)
		ck_assert_int_eq(len, want);
	return val;
}

static bool has(const char *path, const char *name)
{
	int node = fdt_path_offset(blob, path);

	return node >= 0 && (!name || fdt_getprop(blob, node, name, NULL));
}

static uint32_t u32(const char *path, const char *name, unsigned int i)
{
	return fdt32_to_cpu(((const fdt32_t *)prop(path, name, -1))[i]);
}

static uint64_t u64(const char *path, const char *name, unsigned int i)
{
	return (uint64_t)u32(path, name, 2 * i) << 32 | u32(path, name, 2 * i + 1);
}

START_TEST(test_root)
{
	build();
	ck_assert_int_eq(arch_calls, 1);
	ck_assert_str_eq(prop("/", "compatible", -1), "linux,dummy-virt");
	ck_assert_str_eq(prop("/", "model", -1), "vmm");
	ck_assert_uint_eq(u32("/", "#address-cells", 0), 2);
	ck_assert_uint_eq(u32("/", "#size-cells", 0), 2);
	ck_assert_uint_eq(u32("/", "interrupt-parent", 0), FDT_PHANDLE_GIC);
	prop("/", "dma-coherent", 0);
	ck_assert_str_eq(prop("/memory@40000000", "device_type", -1), "memory");
	ck_assert_uint_eq(u64("/memory@40000000", "reg", 0), 0x40000000);
	ck_assert_uint_eq(u64("/memory@40000000", "reg", 1), 5ULL << 30);
}
END_TEST

START_TEST(test_chosen)
{
	build();
	ck_assert_str_eq(prop("/chosen", "bootargs", -1), config.bootargs);
	ck_assert_str_eq(prop("/chosen", "stdout-path", -1), "/serial@9000000");
	ck_assert_int_ge(fdt_path_offset(blob, prop("/chosen", "stdout-path", -1)), 0);
	prop("/chosen", "linux,initrd-start", 8);
	ck_assert_uint_eq(u64("/chosen", "linux,initrd-start", 0), 0x142600000);
	ck_assert_uint_eq(u64("/chosen", "linux,initrd-end", 0), 0x142600123);

	config.initrd_start = 0xfff00000;
	config.initrd_end = 0xffffffff;
	build();
	prop("/chosen", "linux,initrd-start", 4);
	prop("/chosen", "linux,initrd-end", 4);
	ck_assert_uint_eq(u32("/chosen", "linux,initrd-start", 0), 0xfff00000);
	ck_assert_uint_eq(u32("/chosen", "linux,initrd-end", 0), 0xffffffff);
	config.initrd_end = 0x100000000;
	build();
	ck_assert_uint_eq(u64("/chosen", "linux,initrd-start", 0), 0xfff00000);
	ck_assert_uint_eq(u64("/chosen", "linux,initrd-end", 0), 0x100000000);

	config.bootargs = "";
	config.initrd_start = config.initrd_end = 0;
	config.stdout_path = NULL;
	config.seeds = false;
	build();
	ck_assert_str_eq(prop("/chosen", "bootargs", 1), "");
	ck_assert(!has("/chosen", "linux,initrd-start"));
	ck_assert(!has("/chosen", "linux,initrd-end"));
	ck_assert(!has("/chosen", "stdout-path"));
	ck_assert(!has("/chosen", "kaslr-seed"));
	ck_assert(!has("/chosen", "rng-seed"));
	config.bootargs = NULL;
	build();
	ck_assert(!has("/chosen", "bootargs"));
}
END_TEST

/* New ones each time, and not all zero. */
START_TEST(test_seeds)
{
	static const uint8_t zero[64];
	uint8_t kaslr[8], rng[64];

	build();
	memcpy(kaslr, prop("/chosen", "kaslr-seed", 8), 8);
	memcpy(rng, prop("/chosen", "rng-seed", 64), 64);
	ck_assert_mem_ne(kaslr, zero, 8);
	ck_assert_mem_ne(rng, zero, 32);
	ck_assert_mem_ne(rng + 32, zero, 32);
	build();
	ck_assert_mem_ne(kaslr, prop("/chosen", "kaslr-seed", 8), 8);
	ck_assert_mem_ne(rng, prop("/chosen", "rng-seed", 64), 64);
}
END_TEST

static void assert_primecell(const char *path, const char *compatible, uint64_t base, uint32_t spi)
{
	int node = fdt_path_offset(blob, path);

	ck_assert_msg(node >= 0, "no node %s", path);
	ck_assert_int_eq(fdt_node_check_compatible(blob, node, compatible), 0);
	ck_assert_int_eq(fdt_node_check_compatible(blob, node, "arm,primecell"), 0);
	prop(path, "reg", 16);
	ck_assert_uint_eq(u64(path, "reg", 0), base);
	ck_assert_uint_eq(u64(path, "reg", 1), 0x1000);
	prop(path, "interrupts", 12);
	ck_assert_uint_eq(u32(path, "interrupts", 0), 0);
	ck_assert_uint_eq(u32(path, "interrupts", 1), spi);
	ck_assert_uint_eq(u32(path, "interrupts", 2), 4);
	ck_assert_uint_eq(u32(path, "clocks", 0), FDT_PHANDLE_CLOCK);
}

START_TEST(test_devices)
{
	int clock, gpio;

	build();
	assert_primecell("/serial@9000000", "arm,pl011", 0x9000000, 1);
	ck_assert_mem_eq(prop("/serial@9000000", "clock-names", 17), "uartclk\0apb_pclk", 17);
	prop("/serial@9000000", "clocks", 8);
	assert_primecell("/rtc@9010000", "arm,pl031", 0x9010000, 2);
	assert_primecell("/gpio@9030000", "arm,pl061", 0x9030000, 7);
	ck_assert_uint_eq(u32("/gpio@9030000", "#gpio-cells", 0), 2);
	prop("/gpio@9030000", "gpio-controller", 0);
	clock = fdt_node_offset_by_phandle(blob, FDT_PHANDLE_CLOCK);
	ck_assert_int_eq(fdt_node_check_compatible(blob, clock, "fixed-clock"), 0);
	ck_assert_uint_eq(u32("/clock-24000000", "clock-frequency", 0), 24000000);
	ck_assert_str_eq(prop("/gpio-keys", "compatible", -1), "gpio-keys");
	ck_assert_uint_eq(u32("/gpio-keys/key-power", "linux,code", 0), 116);
	prop("/gpio-keys/key-power", "gpios", 12);
	gpio = fdt_node_offset_by_phandle(blob, u32("/gpio-keys/key-power", "gpios", 0));
	ck_assert_int_eq(gpio, fdt_path_offset(blob, "/gpio@9030000"));
	ck_assert_uint_eq(u32("/gpio-keys/key-power", "gpios", 1), GPIO_KEY_LINE);
	ck_assert_uint_eq(u32("/gpio-keys/key-power", "gpios", 2), 0);
}
END_TEST

START_TEST(test_psci)
{
	static const char *const old[] = { "arm,psci" };
	const struct psci_desc psci_0_1 = { .compatible = old,
					    .ncompatible = 1,
					    .method = "smc",
					    .cpu_suspend = 0x95c1ba5e,
					    .cpu_off = 0x95c1ba5f,
					    .cpu_on = 0x95c1ba60,
					    .migrate = 0x95c1ba61 };

	build();
	ck_assert_mem_eq(prop("/psci", "compatible", 26), "arm,psci-1.0\0arm,psci-0.2", 26);
	ck_assert_str_eq(prop("/psci", "method", -1), "hvc");
	ck_assert(!has("/psci", "cpu_on"));
	config.psci = &psci_0_2;
	build();
	ck_assert_mem_eq(prop("/psci", "compatible", 13), "arm,psci-0.2", 13);
	config.psci = &psci_0_1;
	build();
	ck_assert_str_eq(prop("/psci", "compatible", -1), "arm,psci");
	ck_assert_str_eq(prop("/psci", "method", -1), "smc");
	ck_assert_uint_eq(u32("/psci", "cpu_suspend", 0), 0x95c1ba5e);
	ck_assert_uint_eq(u32("/psci", "cpu_off", 0), 0x95c1ba5f);
	ck_assert_uint_eq(u32("/psci", "cpu_on", 0), 0x95c1ba60);
	ck_assert_uint_eq(u32("/psci", "migrate", 0), 0x95c1ba61);
	config.psci = NULL;
	build();
	ck_assert(!has("/psci", NULL));
}
END_TEST

/* The compiler's own checks, all of them, find nothing. */
START_TEST(test_dtc)
{
	const char *path, *warnings = kernel_path("warnings");
	char command[256], text[2048];
	size_t len;
	FILE *f;

	build();
	path = kernel_file("dtb", blob, size);
	snprintf(command, sizeof(command), "dtc -I dtb -O dts -o %s %s 2>%s", kernel_path("dts"),
		 path, warnings);
	ck_assert_int_eq(system(command), 0);
	f = fopen(warnings, "re");
	ck_assert_ptr_nonnull(f);
	len = fread(text, 1, sizeof(text) - 1, f);
	text[len] = '\0';
	fclose(f);
	ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(test_too_large)
{
	static char args[3 << 20];
	struct fail fail = { 0 };

	memset(args, 'x', sizeof(args) - 1);
	config.bootargs = args;
	ck_assert_int_lt(dtb_build(&config, &blob, &size, &fail), 0);
	ck_assert_ptr_null(blob);
	ck_assert_str_ne(fail.text, "");
	args[1 << 20] = '\0';
	build();
	ck_assert_str_eq(prop("/chosen", "bootargs", -1), args);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("firmware_dtb");
	TCase *tc = tcase_create("dtb");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_root);
	tcase_add_test(tc, test_chosen);
	tcase_add_test(tc, test_seeds);
	tcase_add_test(tc, test_devices);
	tcase_add_test(tc, test_psci);
	tcase_add_test(tc, test_dtc);
	tcase_add_test(tc, test_too_large);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
