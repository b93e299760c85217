// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/virtio_blk.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/fake/disk.h"
#include "tests/fake/driver.h"
#include "tests/fake/suite.h"
#include "virtio/blk.h"
#include "virtio/mmio.h"

/* io_uring itself, and kernels that give none. */

enum { ENTRIES = 8 };

static struct uring ring;
static int pipes[2];

static void setup(void)
{
	ck_assert_int_eq(uring_create(&ring, ENTRIES), 0);
	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
}

static void teardown(void)
{
	close(pipes[0]);
	close(pipes[1]);
	uring_destroy(&ring);
}

static void nop(uint64_t user_data)
{
	struct io_uring_sqe *sqe = uring_get(&ring);

	ck_assert_ptr_nonnull(sqe);
	sqe->opcode = IORING_OP_NOP;
	sqe->user_data = user_data;
}

static void read_byte(void *to, uint64_t user_data)
{
	struct io_uring_sqe *sqe = uring_get(&ring);

	ck_assert_ptr_nonnull(sqe);
	sqe->opcode = IORING_OP_READ;
	sqe->fd = pipes[0];
	sqe->addr = (uintptr_t)to;
	sqe->len = 1;
	sqe->user_data = user_data;
}

/* Often enough for every index to wrap round its ring. */
START_TEST(batches)
{
	uint64_t data, sum = 0, next = 0;
	int32_t res;

	for (unsigned int round = 0; round < 1000; round++) {
		for (unsigned int i = 0; i <= round % ENTRIES; i++)
			nop(next++);
		ck_assert_uint_eq(uring_submit(&ring), 0);
		while (ring.inflight) {
			uring_wait(&ring);
			while (uring_reap(&ring, &data, &res)) {
				ck_assert_int_eq(res, 0);
				sum += data;
			}
		}
	}
	ck_assert_uint_eq(sum, next * (next - 1) / 2);
	ck_assert_uint_eq(uring_submit(&ring), 0);
	ck_assert(!uring_reap(&ring, &data, &res));
}
END_TEST

START_TEST(full)
{
	uint8_t bytes[ENTRIES];
	uint64_t data;
	int32_t res;

	for (unsigned int i = 0; i < ENTRIES; i++)
		read_byte(&bytes[i], i);
	ck_assert_ptr_null(uring_get(&ring));
	ck_assert_uint_eq(uring_submit(&ring), 0);
	ck_assert_ptr_null(uring_get(&ring));
	ck_assert(!uring_reap(&ring, &data, &res));
	ck_assert_int_eq(write(pipes[1], "a", 1), 1);
	uring_wait(&ring);
	ck_assert(uring_reap(&ring, &data, &res));
	ck_assert_int_eq(res, 1);
	ck_assert_uint_eq(bytes[data], 'a');
	nop(0);
	uring_drop(&ring);
	/* The rest ends when the ring does, which waits for it. */
	ck_assert_int_eq(write(pipes[1], "bcdefgh", 7), 7);
}
END_TEST

START_TEST(signalled)
{
	struct pollfd pfd = { .fd = ring.event_fd, .events = POLLIN };
	uint8_t byte;
	uint64_t data;
	int32_t res;

	read_byte(&byte, 7);
	uring_submit(&ring);
	ck_assert_int_eq(poll(&pfd, 1, 0), 0);
	ck_assert_int_eq(write(pipes[1], "x", 1), 1);
	ck_assert_int_eq(poll(&pfd, 1, 10000), 1);
	ck_assert(uring_reap(&ring, &data, &res));
	ck_assert_uint_eq(data, 7);
	ck_assert_uint_eq(byte, 'x');
}
END_TEST

/* --- the kernel says no ------------------------------------------------------------------------ */

/* From now on system call `nr` ends in `err`. */
static void forbid(long nr, int err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), 0);
}

static const struct {
	long nr;
	int err;
} refusals[] = {
	{ __NR_io_uring_setup, ENOSYS },
	{ __NR_io_uring_setup, EPERM },
	{ __NR_io_uring_setup, ENOMEM },
	{ __NR_io_uring_register, EINVAL },
};

enum { REFUSALS = sizeof(refusals) / sizeof(refusals[0]) };

START_TEST(no_ring)
{
	struct uring none;
	int fd = dup(0);

	forbid(refusals[_i].nr, refusals[_i].err);
	ck_assert_int_eq(uring_create(&none, ENTRIES), -refusals[_i].err);
	ck_assert_int_eq(none.fd, -1);
	ck_assert_ptr_null(uring_get(&none));
	ck_assert_uint_eq(uring_submit(&none), 0);
	uring_destroy(&none);
	close(fd);
	ck_assert_int_eq(dup(0), fd);
}
END_TEST

static struct fake_guest g;
static struct fake_disk fake;

static void one_read(void)
{
	const struct fake_buf bufs[] = {
		{ FAKE_DATA, 16, false },
		{ FAKE_DATA + 4096, 512, true },
		{ FAKE_DATA + 64, 1, true },
	};
	uint32_t id, len;

	memset(fake_ptr(&g, FAKE_DATA), 0, 128);
	ck_assert(fake_guest_start(&g, 0, 1, 16));
	fake_ring_add(&g.rings[0], bufs, 3);
	fake_guest_kick(&g, 0);
	ck_assert(fake_guest_wait(&g, 0, &id, &len));
	ck_assert_uint_eq(len, 513);
	ck_assert_uint_eq(*(uint8_t *)fake_ptr(&g, FAKE_DATA + 4096), FAKE_DISK_BYTE);
}

START_TEST(device_without_ring)
{
	struct blk_config cfg = { .transport = &virtio_mmio, .aio = AIO_URING };
	struct fail fail = { 0 };

	fake_guest_init(&g);
	fake_disk_init(&fake);
	forbid(refusals[_i].nr, refusals[_i].err);
	ck_assert_int_eq(blk_create_on(&g.env, &cfg, &fake.disk, &g.dev, &fail), -refusals[_i].err);
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
	ck_assert_msg(strstr(fail.text, "io_uring") && strstr(fail.text, "aio=threads"), "%s",
		      fail.text);
	ck_assert(fake.closed);
	fake.closed = false;
	fake.ring = true;
	cfg.aio = AIO_AUTO;
	ck_assert_int_eq(blk_create_on(&g.env, &cfg, &fake.disk, &g.dev, &fail), 0);
	one_read();
	ck_assert_uint_eq(fake.begun, 1);
	fake_guest_fini(&g);
	fake_disk_fini(&fake);
}
END_TEST

/* A ring that breaks afterwards: what it does not take, helpers do. */
START_TEST(ring_breaks)
{
	const struct blk_config cfg = { .transport = &virtio_mmio, .aio = AIO_URING };
	struct fail fail = { 0 };

	fake_guest_init(&g);
	fake_disk_init(&fake);
	fake.ring = true;
	ck_assert_int_eq(blk_create_on(&g.env, &cfg, &fake.disk, &g.dev, &fail), 0);
	forbid(__NR_io_uring_enter, _i ? EAGAIN : EPERM);
	one_read();
	ck_assert_uint_eq(fake.begun, 1);
	one_read();
	ck_assert_uint_eq(fake.begun, 2);
	fake_guest_fini(&g);
	fake_disk_fini(&fake);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("virtio_uring");
	TCase *tc = tcase_create("ring"), *no = tcase_create("refused");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, batches);
	tcase_add_test(tc, full);
	tcase_add_test(tc, signalled);
	if (fake_disk_has_ring()) {
		suite_add_tcase(suite, tc);
		tcase_add_loop_test(no, ring_breaks, 0, 2);
	}
	tcase_add_loop_test(no, no_ring, 0, REFUSALS);
	tcase_add_loop_test(no, device_without_ring, 0, REFUSALS);
	suite_add_tcase(suite, no);
	return run_suite(suite);
}
