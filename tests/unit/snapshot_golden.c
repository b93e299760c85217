// SPDX-License-Identifier: GPL-2.0-only
/*
 * The golden snapshots, without the host that they were made on: the format is read, all of it holds,
 * and the devices take their state. tests/golden/run goes on with them.
 */
#include <check.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/gpio.h"
#include "devices/pl011.h"
#include "devices/pl031.h"
#include "devices/vmgenid.h"
#include "tests/fake/board.h"
#include "tests/fake/suite.h"
#include "vmm/snapshot_stream.h"

enum { RAM = 4 << 20, GOLDEN_MAX = 64 << 10 };

static glob_t found;
static struct guest_mem mem;

/* The file unpacked, at its beginning. */
static int unpack(const char *path)
{
	char command[200], data[4096];
	int fd = memfd_create("golden", MFD_CLOEXEC);
	FILE *in;
	size_t n;

	snprintf(command, sizeof(command), "gzip -dc '%s'", path);
	in = popen(command, "r");
	while ((n = fread(data, 1, sizeof(data), in)))
		ck_assert_int_eq(write(fd, data, n), (ssize_t)n);
	ck_assert_int_eq(pclose(in), 0);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void setup(void)
{
	const struct {
		gpa_t base;
		uint64_t size;
	} runs[] = { { 0x40000000, RAM }, { 0x090a0000, 0x10000 } };

	memset(&mem, 0, sizeof(mem));
	for (unsigned int i = 0; i < 2; i++) {
		void *map = mmap(NULL, runs[i].size, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		ck_assert_ptr_ne(map, MAP_FAILED);
		ck_assert_int_eq(guest_mem_add(&mem, runs[i].base, runs[i].size, map), 0);
	}
}

static void teardown(void)
{
	for (unsigned int i = 0; i < mem.nram; i++)
		munmap(mem.ram[i].host, mem.ram[i].size);
	guest_mem_destroy(&mem);
}

static void read_file(struct snapshot *snap, int fd)
{
	struct snapshot_load load;
	struct fail fail = { 0 };

	ck_assert_msg(!snapshot_open(snap, fd, &fail), "%s", fail.text);
	ck_assert_int_eq(snapshot_load_start(&load, snap, NULL, &fail), 0);
	ck_assert_msg(!snapshot_load_wait(&load, &fail), "%s", fail.text);
}

static void read_stream(struct snapshot *snap, int fd)
{
	struct fail fail = { 0 };
	struct frames f;
	uint64_t bytes;

	snapshot_init(snap);
	ck_assert_msg(!frames_open(&f, fd, &fail), "%s", fail.text);
	ck_assert_msg(!frames_sections(&f, snap, &fail), "%s", fail.text);
	ck_assert_msg(!frames_rest(&f, snap, &mem, NULL, &bytes, &fail), "%s", fail.text);
	frames_close(&f);
}

static void device_state(void *arg, struct state *s)
{
	struct device *dev = arg;

	dev->ops->state(dev, s);
}

static int make_serial(const struct device_env *env, struct device **out, struct fail *fail)
{
	return pl011_create(env, NULL, out, fail);
}

static const struct {
	const char *section;
	int (*make)(const struct device_env *env, struct device **out, struct fail *fail);
} devices[] = {
	{ "device/pl011@9000000", make_serial },
	{ "device/pl031@9010000", pl031_create },
	{ "device/gpio@9030000", gpio_create },
	{ "device/vmgenid@90d0000", vmgenid_create },
};

/* Each on a board of its own, all of which are at the same address. */
static void load_devices(struct snapshot *snap)
{
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		struct fail fail = { 0 };
		struct device *dev;
		struct board b;

		board_init(&b);
		ck_assert_int_eq(devices[i].make(&b.env, &dev, &fail), 0);
		ck_assert_msg(!snapshot_get(snap, devices[i].section, 1, device_state, dev, &fail),
			      "%s: %s", devices[i].section, fail.text);
		board_fini(&b, dev);
	}
}

START_TEST(golden)
{
	static const char *const wanted[] = { "machine", "clock", "vcpu/0", "gic", "psci" };
	const char *path = found.gl_pathv[_i];
	int fd = unpack(path);
	struct snapshot snap;
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_le(st.st_size, GOLDEN_MAX);
	if (strstr(path, ".file."))
		read_file(&snap, fd);
	else
		read_stream(&snap, fd);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		ck_assert_msg(snapshot_find(&snap, wanted[i]), "%s: no %s", path, wanted[i]);
	load_devices(&snap);
	snapshot_free(&snap);
	close(fd);
}
END_TEST

static void value_state(void *arg, struct state *s)
{
	state_u32(s, "v", arg);
}

/* What a later version adds: an optional section is passed over, another one is not. */
START_TEST(sections_of_later_versions)
{
	struct fail fail = { 0 };
	struct snapshot snap;
	unsigned int at = 0;
	uint32_t v = 1;
	uint64_t written;
	int fd = memfd_create("later", MFD_CLOEXEC);

	snapshot_init(&snap);
	ck_assert_int_eq(snapshot_add(&snap, "known", 1, value_state, &v, &fail), 0);
	ck_assert_int_eq(snapshot_add(&snap, "extra", 7, value_state, &v, &fail), 0);
	snap.sections[1].optional = !_i;
	ck_assert_int_eq(snapshot_write(&snap, &mem, fd, NULL, &written, &fail), 0);
	snapshot_free(&snap);
	ck_assert_int_eq(snapshot_open(&snap, fd, &fail), 0);
	ck_assert_int_eq(snapshot_get(&snap, "known", 1, value_state, &v, &fail), 0);
	if (_i)
		ck_assert_str_eq(snapshot_left(&snap, &at), "extra");
	else
		ck_assert_ptr_null(snapshot_left(&snap, &at));
	snapshot_free(&snap);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("snapshot_golden");
	TCase *tc = tcase_create("snapshot_golden");
	int failed;

	if (glob("tests/golden/*.gz", 0, NULL, &found) || found.gl_pathc < 4)
		return EXIT_FAILURE;
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, golden, 0, (int)found.gl_pathc);
	tcase_add_loop_test(tc, sections_of_later_versions, 0, 2);
	suite_add_tcase(suite, tc);
	failed = run_suite(suite);
	globfree(&found);
	return failed;
}
