// SPDX-License-Identifier: GPL-2.0-only
#include "tests/fake/vring.h"

#include <check.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/fake/suite.h"

void box_init(struct box *box)
{
	memset(box, 0, sizeof(*box));
	box->ram = mmap(NULL, BOX_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(box->ram, MAP_FAILED);
	ck_assert_int_eq(guest_mem_add(&box->mem, BOX_BASE, BOX_SIZE, box->ram), 0);
	for (unsigned int i = 0; i < BOX_CHAINS; i++)
		virtq_chain_init(&box->chains[i], box->iov[i], BOX_IOV);
	virtq_init(&box->vq, &box->mem, BOX_MAX);
}

void box_fini(struct box *box)
{
	virtq_disable(&box->vq);
	for (unsigned int i = 0; i < BOX_CHAINS; i++)
		virtq_chain_free(&box->chains[i]);
	guest_mem_destroy(&box->mem);
	munmap(box->ram, BOX_SIZE);
}

void box_open(struct box *box, unsigned int num, uint64_t features)
{
	fake_ring_init_for(&box->ring, &box->mem, BOX_BASE, num, features);
	virtq_disable(&box->vq);
	box->vq.num = num;
	box->vq.desc = box->ring.desc;
	box->vq.avail = box->ring.avail;
	box->vq.used = box->ring.used;
	ck_assert_int_eq(virtq_enable(&box->vq, features), 0);
}

void *box_ptr(struct box *box, gpa_t gpa)
{
	void *p = guest_mem_ptr(&box->mem, gpa, 1);

	quick_assert(p, "0x%llx is no memory", (unsigned long long)gpa);
	return p;
}

uint16_t box_add(struct box *box, gpa_t addr, uint32_t len, bool in)
{
	const struct fake_buf buf = { addr, len, in };

	return fake_ring_add(&box->ring, &buf, 1);
}
