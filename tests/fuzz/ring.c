// SPDX-License-Identifier: GPL-2.0-only
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "virtio/vring.h"

/*
 * The host's side of a ring alone: memory is whatever the input says, and the device pops, copies,
 * gives back and pushes in the order it says.
 */
enum { BASE = 0x40000000, SIZE = 65536, STEPS_MAX = 300, HELD_MAX = 4 };

struct world {
	struct fuzz in; /* only its bytes */
	struct guest_mem mem;
	uint8_t *ram;
	struct virtq vq;
	struct virtq_chain held[HELD_MAX]; /* popped, oldest first */
	struct iovec iov[HELD_MAX][3];
	unsigned int nheld;
	bool dead; /* -EPROTO */
};

static void take(struct world *w)
{
	struct virtq_chain *chain;
	int ret;

	if (w->nheld == HELD_MAX)
		return;
	chain = &w->held[w->nheld];
	virtq_chain_init(chain, w->iov[w->nheld], 3);
	ret = virtq_pop(&w->vq, chain);
	if (ret == 1) {
		w->nheld++;
		return;
	}
	w->dead = ret < 0;
	virtq_chain_free(chain);
}

/* Every buffer is RAM, and the counts are what they say. */
static void look(const struct world *w, const struct virtq_iov *v)
{
	size_t left = 0;

	for (unsigned int i = v->at; i < v->n; i++) {
		const uint8_t *p = v->iov[i].iov_base;

		FUZZ_CHECK(p >= w->ram && v->iov[i].iov_len <= (size_t)(w->ram + SIZE - p));
		left += v->iov[i].iov_len;
	}
	FUZZ_CHECK(left == v->left);
}

static void copy(struct world *w)
{
	struct virtq_chain *chain;
	uint8_t buf[4096];
	size_t len = fuzz_u16(&w->in) % sizeof(buf);

	if (!w->nheld)
		return;
	chain = &w->held[fuzz_u8(&w->in) % w->nheld];
	look(w, &chain->out);
	look(w, &chain->in);
	switch (fuzz_u8(&w->in) % 5) {
	case 0:
		virtq_pull(chain, buf, len);
		break;
	case 1:
		memset(buf, 0x5a, len);
		virtq_put(chain, buf, len);
		break;
	case 2:
		virtq_skip(&chain->in, len);
		break;
	case 3:
		virtq_rewind(&chain->in);
		virtq_rewind(&chain->out);
		break;
	case 4:
		virtq_rewind(&chain->in);
		virtq_cut_tail(chain);
		break;
	}
	look(w, &chain->out);
	look(w, &chain->in);
}

static void give(struct world *w)
{
	struct virtq_chain *chain = &w->held[0];
	size_t wrote;

	if (!w->nheld)
		return;
	virtq_rewind(&chain->in);
	wrote = chain->in.left;
	chain->wrote = wrote;
	virtq_push(&w->vq, chain, wrote);
	virtq_chain_free(chain);
	w->nheld--;
	for (unsigned int i = 0; i < w->nheld; i++) {
		const bool own = w->held[i + 1].iov == w->iov[i + 1];

		w->held[i] = w->held[i + 1];
		if (!own)
			continue;
		/* The array moves with its chain. */
		memcpy(w->iov[i], w->iov[i + 1], sizeof(w->iov[i]));
		w->held[i].iov = w->iov[i];
		w->held[i].out.iov = w->iov[i] + (w->held[i + 1].out.iov - w->iov[i + 1]);
		w->held[i].in.iov = w->iov[i] + (w->held[i + 1].in.iov - w->iov[i + 1]);
	}
}

static void take_back(struct world *w)
{
	if (!w->nheld)
		return;
	virtq_unpop(&w->vq);
	virtq_chain_free(&w->held[--w->nheld]);
}

static void step(struct world *w)
{
	uint8_t data[64];
	size_t at;

	switch (fuzz_u8(&w->in) % 10) {
	case 0:
	case 1:
	case 2:
		take(w);
		break;
	case 3:
		copy(w);
		break;
	case 4:
		give(w);
		break;
	case 5:
		take_back(w);
		break;
	case 6:
		virtq_publish(&w->vq);
		break;
	case 7:
		if (fuzz_u8(&w->in) & 1)
			virtq_mute(&w->vq);
		else
			virtq_listen(&w->vq);
		break;
	default:
		at = fuzz_u16(&w->in) % 4096;
		memcpy(w->ram + at, data, fuzz_bytes(&w->in, data, sizeof(data)));
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct world w;
	uint8_t how;

	memset(&w, 0, sizeof(w));
	w.in.at = data;
	w.in.end = data + len;
	w.ram = aligned_alloc(4096, SIZE);
	memset(w.ram, 0, SIZE);
	FUZZ_CHECK(!guest_mem_add(&w.mem, BASE, SIZE, w.ram));
	virtq_init(&w.vq, &w.mem, 64);
	how = fuzz_u8(&w.in);
	w.vq.mixed_indirect = how & 1;
	w.vq.num = how & 2 ? fuzz_u16(&w.in) : 1u << (how >> 5) % 7;
	w.vq.desc = BASE + (how & 4 ? fuzz_u32(&w.in) : 0);
	w.vq.avail = BASE + (how & 4 ? fuzz_u32(&w.in) : 1024);
	w.vq.used = BASE + (how & 4 ? fuzz_u32(&w.in) : 2048);
	if (!virtq_enable(&w.vq, 1ULL << VIRTIO_F_VERSION_1 | (uint64_t)fuzz_u16(&w.in) << 24)) {
		for (unsigned int i = 0; i < STEPS_MAX && !w.dead && w.in.at < w.in.end; i++)
			step(&w);
		while (w.nheld)
			take_back(&w);
		virtq_disable(&w.vq);
	}
	guest_mem_destroy(&w.mem);
	free(w.ram);
	return 0;
}
