// SPDX-License-Identifier: GPL-2.0-only
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/driver.h"
#include "virtio/vring.h"

/*
 * A ring whose driver does anything, and a device that uses it in any order the header allows. The
 * input is a program: features, size, then a byte an operation with its operands. Whatever it is,
 * buffers are RAM, and no more is in flight than the ring holds.
 */

enum {
	BASE = 0x40000000,
	SIZE = 1 << 16,
	NEXT_SIZE = 4096, /* a second region, adjacent in the guest alone */
	DATA = BASE + 0x8000,
	TABLE = BASE + 0xc000,
	MAX = 64,
	CHAINS = 8,
	IOV = 3,
};

struct input {
	const uint8_t *data;
	size_t left;
};

struct flight {
	struct virtq_chain chain;
	struct iovec iov[IOV];
	unsigned int seq; /* of its pop */
};

struct fuzz {
	struct input in;
	uint8_t *ram[2];
	struct guest_mem mem;
	struct fake_ring ring;
	struct virtq vq;
	uint64_t features;
	unsigned int num;
	/* In flight, in the order of their pops; `popped` counts those not given back. */
	struct flight *flight[CHAINS];
	unsigned int nflight, popped;
};

/* 0 when there is no more. */
static uint64_t get(struct input *in, unsigned int bytes)
{
	uint64_t val = 0;

	for (; bytes && in->left; bytes--, in->left--)
		val = val << 8 | *in->data++;
	return val;
}

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_buffers(struct fuzz *f, const struct virtq_iov *v)
{
	static const size_t sizes[2] = { SIZE, NEXT_SIZE };
	size_t sum = 0;

	for (unsigned int i = 0; i < v->n; i++) {
		const uint8_t *p = v->iov[i].iov_base;
		size_t len = v->iov[i].iov_len;
		bool inside = false;

		for (unsigned int r = 0; r < 2; r++)
			inside |= p >= f->ram[r] && p < f->ram[r] + sizes[r] &&
				  len <= (size_t)(f->ram[r] + sizes[r] - p);
		require(inside && len);
		sum += len;
	}
	require(sum == v->left && sum <= UINT32_MAX);
}

/* --- the device -------------------------------------------------------------------------------- */

static struct flight *flight_new(unsigned int seq)
{
	struct flight *flight = malloc(sizeof(*flight));

	require(flight);
	virtq_chain_init(&flight->chain, flight->iov, IOV);
	flight->seq = seq;
	return flight;
}

static void flight_free(struct flight *flight)
{
	virtq_chain_free(&flight->chain);
	free(flight);
}

static void drop(struct fuzz *f, unsigned int i)
{
	flight_free(f->flight[i]);
	f->nflight--;
	memmove(&f->flight[i], &f->flight[i + 1], (f->nflight - i) * sizeof(f->flight[0]));
}

static void pop(struct fuzz *f)
{
	struct flight *flight;
	int ret;

	if (f->nflight == CHAINS)
		return;
	flight = flight_new(f->popped);
	ret = virtq_pop(&f->vq, &flight->chain);
	require(virtq_inflight(&f->vq) <= f->num);
	if (ret <= 0) {
		flight_free(flight);
		return;
	}
	check_buffers(f, &flight->chain.out);
	check_buffers(f, &flight->chain.in);
	f->flight[f->nflight++] = flight;
	f->popped++;
}

static void push(struct fuzz *f, uint8_t which, uint32_t len)
{
	bool in_order = f->features >> VIRTIO_F_IN_ORDER & 1;
	unsigned int i;

	if (!f->nflight)
		return;
	i = in_order ? 0 : which % f->nflight;
	virtq_put(&f->flight[i]->chain, &len, sizeof(len));
	virtq_push(&f->vq, &f->flight[i]->chain, len);
	drop(f, i);
}

/* Only what was popped last can go back. */
static void unpop(struct fuzz *f)
{
	if (!f->nflight || f->flight[f->nflight - 1]->seq != f->popped - 1)
		return;
	virtq_unpop(&f->vq);
	f->popped--;
	drop(f, f->nflight - 1);
}

static void reopen(struct fuzz *f)
{
	while (f->nflight)
		drop(f, 0);
	f->popped = 0;
	virtq_disable(&f->vq);
	f->vq.mixed_indirect = f->features & 1;
	fake_ring_init_for(&f->ring, &f->mem, BASE, f->num, f->features);
	f->vq.num = f->num;
	f->vq.desc = f->ring.desc;
	f->vq.avail = f->ring.avail;
	f->vq.used = f->ring.used;
	require(!virtq_enable(&f->vq, f->features));
}

/* --- the driver -------------------------------------------------------------------------------- */

static void poke(struct fuzz *f)
{
	uint32_t at = get(&f->in, 2), len = get(&f->in, 1) % 17;

	for (; len && f->in.left; len--, at++)
		f->ram[0][at % SIZE] = get(&f->in, 1);
}

/* A list that is mostly good, so that the walk gets somewhere. */
static void add(struct fuzz *f, bool indirect)
{
	uint8_t shape = get(&f->in, 1);
	unsigned int n = 1 + shape % 4;
	struct fake_buf bufs[4];

	for (unsigned int i = 0; i < n; i++)
		bufs[i] = (struct fake_buf){
			.addr = shape & 0x80 ? get(&f->in, 5) : DATA + get(&f->in, 2),
			.len = get(&f->in, shape & 0x40 ? 4 : 2),
			.in = i >= (shape >> 2 & 3U),
		};
	if (indirect)
		fake_ring_add_indirect(&f->ring, TABLE + (shape >> 4 & 3), bufs, n);
	else if (n <= f->num)
		fake_ring_add(&f->ring, bufs, n);
}

static void step(struct fuzz *f)
{
	uint8_t op = get(&f->in, 1);

	switch (op & 15) {
	case 0:
	case 1:
		poke(f);
		break;
	case 2:
	case 3:
	case 4:
		add(f, (op & 15) == 4);
		break;
	case 5:
	case 6:
	case 7:
	case 8:
		pop(f);
		break;
	case 9:
	case 10:
		push(f, op >> 4, get(&f->in, 1));
		break;
	case 11:
		virtq_publish(&f->vq);
		break;
	case 12:
		virtq_mute(&f->vq);
		break;
	case 13:
		virtq_listen(&f->vq);
		break;
	case 14:
		unpop(f);
		break;
	case 15:
		reopen(f);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned int bits[] = { VIRTIO_RING_F_INDIRECT_DESC, VIRTIO_RING_F_EVENT_IDX,
					     VIRTIO_F_IN_ORDER, VIRTIO_F_RING_PACKED };
	struct fuzz f = { .in = { data, size } };
	uint8_t chosen = get(&f.in, 1);

	f.ram[0] = calloc(1, SIZE);
	f.ram[1] = calloc(1, NEXT_SIZE);
	require(f.ram[0] && f.ram[1]);
	guest_mem_add(&f.mem, BASE, SIZE, f.ram[0]);
	guest_mem_add(&f.mem, BASE + SIZE, NEXT_SIZE, f.ram[1]);
	if (chosen & 0x20)
		require(!guest_mem_track(&f.mem, true));
	for (unsigned int i = 0; i < 4; i++)
		f.features |= (uint64_t)(chosen >> i & 1) << bits[i];
	f.features |= chosen >> 4 & 1; /* mixed tables */
	f.num = 1 + get(&f.in, 1) % MAX;
	if (!(f.features >> VIRTIO_F_RING_PACKED & 1))
		while (f.num & (f.num - 1))
			f.num &= f.num - 1;
	virtq_init(&f.vq, &f.mem, MAX);
	reopen(&f);
	while (f.in.left)
		step(&f);
	while (f.nflight)
		drop(&f, 0);
	virtq_disable(&f.vq);
	guest_mem_destroy(&f.mem);
	free(f.ram[0]);
	free(f.ram[1]);
	return 0;
}
