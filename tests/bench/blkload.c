// SPDX-License-Identifier: GPL-2.0-only
/*
 * blkload DEVICE OP DEPTH COUNT: runs in the guest; does COUNT operations past the page cache and prints
 * how many nanoseconds each took. OP: read or write (4 KiB at random offsets, DEPTH at a time), seqread
 * or seqwrite (1 MiB), flush.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, MIB = 1 << 20, DEPTH_MAX = 64 };

struct load {
	int fd;
	uint64_t blocks; /* of the device */
	unsigned int depth, seed;
	uint8_t *mem;
	aio_context_t ctx;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static off_t random_offset(struct load *l)
{
	l->seed = l->seed * 1103515245 + 12345;
	return (off_t)((l->seed >> 8) % l->blocks) * BLOCK;
}

static void one(struct load *l, bool write, size_t size, off_t off)
{
	ssize_t got = write ? pwrite(l->fd, l->mem, size, off) : pread(l->fd, l->mem, size, off);

	if (got != (ssize_t)size)
		die("transfer");
}

/* A full queue, then all of it back. */
static void many(struct load *l, bool write)
{
	struct iocb cbs[DEPTH_MAX], *list[DEPTH_MAX];
	struct io_event events[DEPTH_MAX];

	for (unsigned int i = 0; i < l->depth; i++) {
		cbs[i] = (struct iocb){
			.aio_lio_opcode = write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
			.aio_fildes = (uint32_t)l->fd,
			.aio_buf = (uintptr_t)(l->mem + i * BLOCK),
			.aio_nbytes = BLOCK,
			.aio_offset = random_offset(l),
		};
		list[i] = &cbs[i];
	}
	if (syscall(__NR_io_submit, l->ctx, (long)l->depth, list) != (long)l->depth)
		die("io_submit");
	if (syscall(__NR_io_getevents, l->ctx, (long)l->depth, (long)l->depth, events, NULL) !=
	    (long)l->depth)
		die("io_getevents");
	for (unsigned int i = 0; i < l->depth; i++)
		if (events[i].res != BLOCK)
			die("transfer");
}

static void run(struct load *l, const char *op, unsigned int count)
{
	bool write = strstr(op, "write");

	for (unsigned int i = 0; i < count;) {
		if (!strcmp(op, "flush")) {
			if (fsync(l->fd))
				die("fsync");
		} else if (!strncmp(op, "seq", 3)) {
			one(l, write, MIB, (off_t)(i % (l->blocks / (MIB / BLOCK))) * MIB);
		} else if (l->depth > 1) {
			many(l, write);
			i += l->depth;
			continue;
		} else {
			one(l, write, BLOCK, random_offset(l));
		}
		i++;
	}
}

int main(int argc, char **argv)
{
	struct load l = { .seed = 1 };
	uint64_t size, begin;
	unsigned int count;

	if (argc != 5) {
		fprintf(stderr, "usage: blkload DEVICE OP DEPTH COUNT\n");
		return 2;
	}
	l.depth = (unsigned int)atoi(argv[3]);
	count = (unsigned int)atoi(argv[4]);
	l.fd = open(argv[1], O_RDWR | O_DIRECT);
	if (l.fd < 0 || ioctl(l.fd, BLKGETSIZE64, &size))
		die(argv[1]);
	l.blocks = size / BLOCK;
	l.mem = aligned_alloc(BLOCK, MIB);
	if (!l.mem || !l.depth || l.depth > DEPTH_MAX || !count ||
	    syscall(__NR_io_setup, DEPTH_MAX, &l.ctx))
		die("set-up");
	memset(l.mem, 0x5a, MIB);
	/* The first ones warm everything up. */
	run(&l, argv[2], count / 4 + 1);
	begin = now_ns();
	run(&l, argv[2], count);
	printf("load: %s %u %llu\n", argv[2], l.depth,
	       (unsigned long long)((now_ns() - begin) / count));
	return 0;
}
