// SPDX-License-Identifier: GPL-2.0-only
#include "tests/fake/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "virtio/uring.h"
#include "vmm/core/device.h"

static struct fake_disk *to_fake(const struct disk *disk)
{
	return container_of(disk, struct fake_disk, disk);
}

/* Under the lock. */
static void note(struct fake_disk *fake, const struct disk_io *io)
{
	if (fake->nseen < FAKE_DISK_SEEN)
		fake->seen[fake->nseen++] = *io;
}

static void fill(const struct disk_io *io)
{
	for (unsigned int i = 0; io->op == DISK_READ && i < io->n; i++)
		memset(io->iov[i].iov_base, FAKE_DISK_BYTE, io->iov[i].iov_len);
}

static int fake_transfer(struct disk *disk, struct disk_io *io)
{
	struct fake_disk *fake = to_fake(disk);

	pthread_mutex_lock(&fake->lock);
	note(fake, io);
	fake->begun++;
	fake->running++;
	pthread_cond_broadcast(&fake->changed);
	while (fake->held)
		pthread_cond_wait(&fake->changed, &fake->lock);
	fill(io);
	fake->running--;
	pthread_mutex_unlock(&fake->lock);
	return fake->result;
}

static int fake_attempt(struct disk *disk, const struct disk_io *io)
{
	struct fake_disk *fake = to_fake(disk);

	if (!fake->instant)
		return -EAGAIN;
	pthread_mutex_lock(&fake->lock);
	note(fake, io);
	pthread_mutex_unlock(&fake->lock);
	fill(io);
	return fake->result;
}

static bool fake_prepare(struct disk *disk, const struct disk_io *io, struct io_uring_sqe *sqe)
{
	const struct fake_disk *fake = to_fake(disk);

	if (!fake->ring || io->op != DISK_READ)
		return false;
	sqe->opcode = IORING_OP_READV;
	sqe->fd = fake->pipe[0];
	sqe->addr = (uintptr_t)io->iov;
	sqe->len = io->n;
	sqe->off = (uint64_t)-1;
	return true;
}

static int fake_measure(const struct disk *disk, uint64_t *size)
{
	*size = disk->size;
	return 0;
}

static int fake_extend(struct disk *disk, uint64_t size, struct fail *fail)
{
	(void)disk;
	(void)size;
	(void)fail;
	return 0;
}

static void fake_close(struct disk *disk)
{
	to_fake(disk)->closed = true;
}

static const struct disk_ops fake_ops = {
	.transfer = fake_transfer,
	.attempt = fake_attempt,
	.prepare = fake_prepare,
	.measure = fake_measure,
	.extend = fake_extend,
	.close = fake_close,
};

void fake_disk_init(struct fake_disk *fake)
{
	*fake = (struct fake_disk){
		.disk = {
			.ops = &fake_ops,
			.path = "fake",
			.size = 16 << 20,
			.discards = true,
			.block_size = 512,
			.granule = 512,
			.physical = 4096,
		},
	};
	pthread_mutex_init(&fake->lock, NULL);
	pthread_cond_init(&fake->changed, NULL);
	if (pipe2(fake->pipe, O_CLOEXEC)) {
		perror("pipe");
		abort();
	}
}

void fake_disk_fini(struct fake_disk *fake)
{
	close(fake->pipe[0]);
	close(fake->pipe[1]);
	pthread_cond_destroy(&fake->changed);
	pthread_mutex_destroy(&fake->lock);
}

static void set_held(struct fake_disk *fake, bool held)
{
	pthread_mutex_lock(&fake->lock);
	fake->held = held;
	pthread_cond_broadcast(&fake->changed);
	pthread_mutex_unlock(&fake->lock);
}

void fake_disk_hold(struct fake_disk *fake)
{
	set_held(fake, true);
}

void fake_disk_release(struct fake_disk *fake)
{
	set_held(fake, false);
}

void fake_disk_await(struct fake_disk *fake, unsigned int n)
{
	pthread_mutex_lock(&fake->lock);
	while (fake->begun < n)
		pthread_cond_wait(&fake->changed, &fake->lock);
	pthread_mutex_unlock(&fake->lock);
}

unsigned int fake_disk_running(struct fake_disk *fake)
{
	unsigned int n;

	pthread_mutex_lock(&fake->lock);
	n = fake->running;
	pthread_mutex_unlock(&fake->lock);
	return n;
}

void fake_disk_feed(struct fake_disk *fake, size_t len)
{
	static const uint8_t piece[512] = { [0 ... 511] = FAKE_DISK_BYTE };

	for (size_t part; len; len -= part) {
		part = len < sizeof(piece) ? len : sizeof(piece);
		if (write(fake->pipe[1], piece, part) != (ssize_t)part) {
			perror("pipe");
			abort();
		}
	}
}

bool fake_disk_has_ring(void)
{
	struct uring ring;
	int err = uring_create(&ring, 1);

	if (err)
		fprintf(stderr, "no io_uring here (%s): its tests are left out\n", strerror(-err));
	else
		uring_destroy(&ring);
	return !err;
}
