// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/fake/scarce.h"
#include "tests/fake/suite.h"
#include "vmm/core/chardev.h"
#include "vmm/core/fdt.h"
#include "vmm/core/loop.h"
#include "vmm/core/mem.h"
#include "vmm/core/stream.h"

/*
 * Whatever is created, the nth allocation or descriptor fails, for every n until none does: each
 * time there is the right error, and nothing is left behind.
 */

/* --- what is created: 0 or -errno, with everything taken down again --------------------------- */

static int make_loop(void)
{
	struct loop *loop;
	int err = loop_create(&loop);

	if (!err)
		loop_destroy(loop);
	return err;
}

static void on_fd(struct loop_fd *src, uint32_t events)
{
	(void)src, (void)events;
}

/* More sources than the first table of slots holds. */
static int make_loop_with_fds(void)
{
	enum { N = 20 };
	struct loop_fd src[N];
	struct loop *loop;
	int made = 0, err = loop_create(&loop);

	if (err)
		return err;
	for (; made < N && !err; made++) {
		src[made] = (struct loop_fd){ .events = EPOLLIN, .fn = on_fd };
		src[made].fd = eventfd(0, 0);
		err = src[made].fd < 0 ? -errno : loop_fd_add(loop, &src[made]);
	}
	while (made-- > 0) {
		loop_fd_del(loop, &src[made]);
		if (src[made].fd >= 0)
			close(src[made].fd);
	}
	loop_destroy(loop);
	return err;
}

static int make_chardev(void)
{
	struct chardev *chr;
	struct loop *loop;
	int fds[2], err = loop_create(&loop);

	if (err)
		return err;
	err = pipe(fds) ? -errno : 0;
	if (!err) {
		err = chardev_create(&chr, loop, fds[0], fds[1]);
		if (!err)
			chardev_destroy(chr);
		close(fds[0]);
		close(fds[1]);
	}
	loop_destroy(loop);
	return err;
}

static int make_stream(void)
{
	static const uint8_t data[50000];
	struct stream s;

	stream_open_buf(&s);
	for (int i = 0; i < 5; i++)
		stream_write(&s, data, sizeof(data));
	return stream_close(&s);
}

static int make_file_stream(void)
{
	int fd = open("/dev/null", O_WRONLY), err;
	struct stream s;

	if (fd < 0)
		return -errno;
	stream_open_fd(&s, fd, true);
	stream_write(&s, "x", 1);
	err = stream_close(&s);
	close(fd);
	return err;
}

static int make_tree(void)
{
	static const uint8_t data[10000];
	struct fdt fdt;
	uint32_t size;
	void *blob;
	int err;

	dt_create(&fdt);
	for (int i = 0; i < 5; i++) {
		dt_node(&fdt, "node@%d", i);
		dt_bytes(&fdt, "data", data, sizeof(data));
		dt_end(&fdt);
	}
	err = dt_finish(&fdt, &blob, &size);
	free(blob);
	return err;
}

static int make_dirty_log(void)
{
	struct guest_mem m = { .nram = 0 };
	int err;

	for (gpa_t i = 0; i < 4; i++)
		guest_mem_add(&m, i << 30, 1 << 24, NULL);
	err = guest_mem_track(&m, true);
	guest_mem_destroy(&m);
	return err;
}

static const struct {
	const char *name;
	int (*make)(void);
	unsigned int allocs, fds; /* at least so many can fail */
} kinds[] = {
	{ "loop", make_loop, 1, 2 },
	{ "loop with descriptors", make_loop_with_fds, 3, 22 },
	{ "chardev", make_chardev, 2, 5 },
	{ "stream", make_stream, 3, 0 },
	{ "file stream", make_file_stream, 1, 1 },
	{ "device tree", make_tree, 3, 0 },
	{ "dirty log", make_dirty_log, 4, 0 },
};

enum { NKINDS = sizeof(kinds) / sizeof(kinds[0]) };

#if SCARCE_MEMORY
START_TEST(nth_allocation_fails)
{
	unsigned int n = 0;
	long live;
	int err;

	do {
		scarce_begin(n);
		err = kinds[_i].make();
		live = scarce_end();
		ck_assert_msg(live == 0, "%s, %u: %ld left", kinds[_i].name, n, live);
		ck_assert_msg(!err || err == -ENOMEM, "%s, %u: %d", kinds[_i].name, n, err);
	} while (err && ++n < 100);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_ge(n, kinds[_i].allocs);
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
		before = scarce_fds_begin(n);
		err = kinds[_i].make();
		scarce_fds_end(before);
		ck_assert_int_eq(scarce_next_fd(), first);
		ck_assert_msg(!err || err == -EMFILE, "%s, %u: %d", kinds[_i].name, n, err);
	} while (err && ++n < 100);
	ck_assert_int_eq(err, 0);
	ck_assert_uint_ge(n, kinds[_i].fds);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_alloc");
	TCase *tc = tcase_create("failing creation");

	tcase_set_timeout(tc, 60);
#if SCARCE_MEMORY
	tcase_add_loop_test(tc, nth_allocation_fails, 0, NKINDS);
#endif
	tcase_add_loop_test(tc, nth_descriptor_fails, 0, NKINDS);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
