// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fake/kvm.h"
#include "tests/fake/suite.h"
#include "vmm/coalesce.h"

/* KVM's ring of stores, with the kernel's side played here. */

static struct fake_kvm f;
static struct coalesce c;
static struct kvm_vcpu vcpu;
static struct kvm_coalesced_mmio_ring *ring;
static struct device dev;
static unsigned int max, drained;

static void drain(struct device *d)
{
	ck_assert_ptr_eq(d, &dev);
	ck_assert_int_eq(pthread_mutex_trylock(&d->lock), EBUSY);
	drained++;
}

static void setup(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	f = (struct fake_kvm){ .cap = 1 };
	vcpu = (struct kvm_vcpu){ .run_size = 2 * page, .run = calloc(2, page) };
	ring = (void *)((uint8_t *)vcpu.run + page);
	max = (page - sizeof(*ring)) / sizeof(ring->coalesced_mmio[0]);
	pthread_mutex_init(&dev.lock, NULL);
	drained = 0;
	coalesce_init(&c, &f.kvm);
	c.stores.dev = &dev;
	c.stores.drain = drain;
}

static void teardown(void)
{
	pthread_mutex_destroy(&dev.lock);
	free(vcpu.run);
}

/* As the kernel does it: false when there is no room. */
static bool push(uint64_t addr, uint64_t val, unsigned int len)
{
	struct kvm_coalesced_mmio *entry = &ring->coalesced_mmio[ring->last];

	if ((ring->last + 1) % max == ring->first)
		return false;
	entry->phys_addr = addr;
	entry->len = len;
	memcpy(entry->data, &val, len);
	ring->last = (ring->last + 1) % max;
	return true;
}

START_TEST(ring_goes_round)
{
	uint64_t addr, val, in = 0, next = 0;

	coalesce_on(&c, &vcpu);
	ck_assert_uint_eq(c.stores.room, max);
	ck_assert(!c.stores.take(&c.stores, &addr, &val));
	for (unsigned int round = 0; round < 5; round++) {
		while (push(0x9000000, in, 1))
			in++;
		ck_assert_uint_eq(in - next, max - 1);
		while (c.stores.take(&c.stores, &addr, &val)) {
			ck_assert_uint_eq(addr, 0x9000000);
			ck_assert_uint_eq((uint8_t)val, (uint8_t)next);
			next++;
		}
		ck_assert_uint_eq(next, in);
		/* Taken is not given back. */
		ck_assert(!push(0x9000000, 0, 1));
		c.stores.give_back(&c.stores);
		ck_assert_uint_eq(ring->first, ring->last);
	}
}
END_TEST

START_TEST(watching)
{
	ck_assert_int_eq(c.stores.watch(&c.stores, 0x9000000, 4, true), -ENODEV);
	coalesce_on(&c, &vcpu);
	ck_assert_int_eq(c.stores.watch(&c.stores, 0x9000000, 4, true), 0);
	ck_assert_int_eq(c.stores.watch(&c.stores, 0x9000000, 4, false), 0);
	ck_assert_uint_eq(f.nzones, 2);
	ck_assert(f.zones[0].on && !f.zones[1].on);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_uint_eq(f.zones[i].addr, 0x9000000);
		ck_assert_uint_eq(f.zones[i].size, 4);
	}
	f.err = -ENOMEM;
	ck_assert_int_eq(c.stores.watch(&c.stores, 0x9000000, 4, true), -ENOMEM);
}
END_TEST

/* The VM goes and another comes, as in a reset. */
START_TEST(vm_goes)
{
	uint64_t addr, val;

	coalesce_on(&c, &vcpu);
	push(0x9000000, 1, 1);
	coalesce_off(&c);
	ck_assert_uint_eq(drained, 1);
	ck_assert_uint_eq(c.stores.room, 0);
	ck_assert(!c.stores.take(&c.stores, &addr, &val));
	c.stores.give_back(&c.stores);
	ck_assert_int_eq(c.stores.watch(&c.stores, 0x9000000, 4, false), -ENODEV);
	ck_assert_uint_eq(f.nzones, 0);
	ring->first = ring->last = 7;
	coalesce_on(&c, &vcpu);
	push(0x9000000, 42, 4);
	ck_assert(c.stores.take(&c.stores, &addr, &val));
	ck_assert_uint_eq(val, 42);
}
END_TEST

START_TEST(hosts_without)
{
	f.cap = 0;
	coalesce_on(&c, &vcpu);
	ck_assert_uint_eq(c.stores.room, 0);
	/* A page that the shared area does not have. */
	f.cap = 2;
	coalesce_on(&c, &vcpu);
	ck_assert_uint_eq(c.stores.room, 0);
	/* No device took the queue. */
	c.stores.dev = NULL;
	coalesce_off(&c);
	ck_assert_uint_eq(drained, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("coalesce");
	TCase *tc = tcase_create("ring");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, ring_goes_round);
	tcase_add_test(tc, watching);
	tcase_add_test(tc, vm_goes);
	tcase_add_test(tc, hosts_without);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
