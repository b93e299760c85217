// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/pci.h"
#include "tests/fake/driver.h"
#include "tests/fake/scarce.h"
#include "tests/fake/suite.h"
#include "virtio/balloon.h"
#include "virtio/blk.h"
#include "virtio/console.h"
#include "virtio/mmio.h"
#include "virtio/net.h"
#include "virtio/pci.h"
#include "virtio/rng.h"
#include "vmm/core/chardev.h"

/*
 * Whatever is created, the nth allocation or descriptor fails, for every n until none does: each
 * time there is the right error with a sentence, and nothing is left behind.
 */

static struct fake_guest g;
static struct chardev *chr;
static struct device *bridge;
static char path[] = "/tmp/vmm-alloc-XXXXXX";
static int file, pair[2];
static char programs[] = "/tmp/vmm-bin-XXXXXX", passt[32];

/* A passt that sends back whatever it is sent. */
static void make_passt(void)
{
	FILE *script;

	strcpy(programs, "/tmp/vmm-bin-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(programs));
	snprintf(passt, sizeof(passt), "%s/passt", programs);
	script = fopen(passt, "we");
	ck_assert_ptr_nonnull(script);
	fprintf(script, "#!/bin/sh\nexec /bin/cat <&3 >&3\n");
	fclose(script);
	ck_assert_int_eq(chmod(passt, 0755), 0);
	setenv("PATH", programs, 1);
}

static void setup(void)
{
	const struct pci_config pci = { .window = 0x10000000, .window_size = 0x100000 };
	struct device_env env;

	make_passt();
	fake_guest_init(&g);
	env = g.env;
	strcpy(path, "/tmp/vmm-alloc-XXXXXX");
	file = mkstemp(path);
	ck_assert_int_ge(file, 0);
	ck_assert_int_eq(ftruncate(file, 4096), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(chardev_create(&chr, g.loop, -1, -1), 0);
	env.base = 0x3f000000;
	ck_assert_int_eq(pci_create(&env, &pci, &bridge, NULL), 0);
}

static void teardown(void)
{
	chardev_destroy(chr);
	bridge->ops->destroy(bridge);
	fake_guest_fini(&g);
	close(file);
	unlink(path);
	unlink(passt);
	rmdir(programs);
	close(pair[0]);
	close(pair[1]);
}

static int make_rng(struct device **dev, struct fail *fail)
{
	const struct rng_config cfg = { .transport = &virtio_mmio };

	return rng_create(&g.env, &cfg, dev, fail);
}

static int make_pci(struct device **dev, struct fail *fail)
{
	const struct rng_config cfg = { .transport = &virtio_pci };
	struct device_env env = g.env;

	env.pci = pci_bus(bridge);
	return rng_create(&env, &cfg, dev, fail);
}

static int make_balloon(struct device **dev, struct fail *fail)
{
	const struct balloon_config cfg = {
		.transport = &virtio_mmio,
		.ram_base = FAKE_RAM_BASE,
		.ram_size = FAKE_RAM_SIZE,
		.target = FAKE_RAM_SIZE,
	};

	return balloon_create(&g.env, &cfg, dev, fail);
}

static int make_console(struct device **dev, struct fail *fail)
{
	const struct console_config cfg = { .transport = &virtio_mmio, .chr = chr };

	return console_create(&g.env, &cfg, dev, fail);
}

static int make_blk(struct device **dev, struct fail *fail)
{
	const struct blk_config cfg = { .transport = &virtio_mmio, .disk.path = path };

	return blk_create(&g.env, &cfg, dev, fail);
}

static int make_net(struct device **dev, struct fail *fail)
{
	const struct net_config cfg = { .transport = &virtio_mmio,
					.mode = NET_TAP,
					.queues = 1,
					.fd = pair[1],
					.has_mac = true };

	return net_create(&g.env, &cfg, dev, fail);
}

static int make_user(struct device **dev, struct fail *fail)
{
	const struct net_config cfg = {
		.transport = &virtio_mmio, .mode = NET_USER, .queues = 1, .fd = -1
	};

	return net_create(&g.env, &cfg, dev, fail);
}

static const struct {
	const char *name;
	int (*make)(struct device **dev, struct fail *fail);
	unsigned int allocations, fds; /* at least so many */
} kinds[] = {
	{ "rng", make_rng, 2, 1 },   { "console", make_console, 2, 2 },
	{ "blk", make_blk, 2, 2 },   { "net", make_net, 2, 2 },
	{ "user", make_user, 4, 7 }, { "balloon", make_balloon, 2, 5 },
	{ "pci", make_pci, 4, 1 },
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static int make_once(unsigned int kind, struct fail *fail)
{
	struct device *dev = NULL;
	int err = kinds[kind].make(&dev, fail);

	if (!err)
		dev->ops->destroy(dev);
	return err;
}

#if SCARCE_MEMORY
START_TEST(nth_allocation_fails)
{
	unsigned int n = 0;
	long live;
	int err;

	/* The loop keeps the room that it makes for sources. */
	ck_assert_int_eq(make_once(_i, NULL), 0);
	g.bus.nregions = 0;
	do {
		struct fail fail = { 0 };

		scarce_begin(n);
		err = make_once(_i, &fail);
		live = scarce_end();
		ck_assert(!err || !g.bus.nregions);
		ck_assert_msg(live == 0, "%s, %u: %ld left", kinds[_i].name, n, live);
		ck_assert_msg(!err || (err == -ENOMEM && fail.text[0]), "%s, %u: %d '%s'",
			      kinds[_i].name, n, err, fail.text);
	} while (err && ++n < 100);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_ge(n, kinds[_i].allocations);
}
END_TEST

#endif

START_TEST(nth_descriptor_fails)
{
	const int first = scarce_next_fd();
	struct rlimit before;
	unsigned int n = 0;
	int err;

	do {
		struct fail fail = { 0 };

		before = scarce_fds_begin(n);
		err = make_once(_i, &fail);
		scarce_fds_end(before);
		ck_assert_int_eq(scarce_next_fd(), first);
		ck_assert_msg(!err || (err == -EMFILE && fail.text[0]), "%s, %u: %d '%s'",
			      kinds[_i].name, n, err, fail.text);
	} while (err && ++n < 100);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_ge(n, kinds[_i].fds);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("virtio_alloc");
	TCase *tc = tcase_create("alloc");

	tcase_add_checked_fixture(tc, setup, teardown);
#if SCARCE_MEMORY
	tcase_add_loop_test(tc, nth_allocation_fails, 0, KINDS);
#endif
	tcase_add_loop_test(tc, nth_descriptor_fails, 0, KINDS);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
