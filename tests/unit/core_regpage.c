// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "tests/fake/kvm.h"
#include "tests/fake/suite.h"
#include "vmm/core/regpage.h"
#include "vmm/pages.h"

/* Windows of registers, and the read-only slots that show them. */

enum { BASE = 0xa000000, SIZE = 0x4000 };

/* --- the window -------------------------------------------------------------------------------- */

struct view {
	unsigned int on, off;
	int err;
};

static int map(struct regpage *page, bool on)
{
	struct view *view = page->map_arg;

	*(on ? &view->on : &view->off) += 1;
	return on ? view->err : 0;
}

START_TEST(bytes)
{
	struct regpage page;

	ck_assert_int_eq(regpage_init(&page, BASE, SIZE), 0);
	for (unsigned int off = 0; off < SIZE; off += 512)
		ck_assert_uint_eq(regpage_get(&page, BASE + off, 8), 0);
	regpage_put(&page, BASE + SIZE - 4, 0x04030201);
	regpage_put(&page, BASE + SIZE - 8, 0x80000000);
	ck_assert_uint_eq(regpage_get(&page, BASE + SIZE - 4, 1), 1);
	ck_assert_uint_eq(regpage_get(&page, BASE + SIZE - 3, 2), 0x0302);
	ck_assert_uint_eq(regpage_get(&page, BASE + SIZE - 5, 4), 0x03020180);
	ck_assert_uint_eq(regpage_get(&page, BASE + SIZE - 8, 8), 0x0403020180000000);
	ck_assert_uint_eq(regpage_get(&page, BASE + SIZE - 12, 8), 0x8000000000000000);
	page.sink = eventfd(0, EFD_CLOEXEC);
	regpage_fini(&page);
	ck_assert_int_lt(eventfd_write(page.sink, 1), 0);
}
END_TEST

START_TEST(hiding_nests)
{
	struct view view = { 0 };
	struct regpage page;

	ck_assert_int_eq(regpage_init(&page, BASE, SIZE), 0);
	page.map = map;
	page.map_arg = &view;
	/* Before the VM is there, nothing is shown. */
	regpage_hide(&page);
	regpage_show(&page);
	ck_assert_uint_eq(view.on + view.off, 0);
	regpage_show(&page);
	ck_assert_uint_eq(view.on, 1);
	regpage_hide(&page);
	regpage_hide(&page);
	ck_assert_uint_eq(view.off, 1);
	regpage_show(&page);
	ck_assert_uint_eq(view.on, 1);
	regpage_show(&page);
	ck_assert_uint_eq(view.on, 2);
	regpage_fini(&page);
}
END_TEST

/* Once the host refuses to show it, it is not taken away either; later it may come back. */
START_TEST(showing_fails)
{
	struct view view = { .err = -ENOMEM };
	struct regpage page;

	ck_assert_int_eq(regpage_init(&page, BASE, SIZE), 0);
	page.map = map;
	page.map_arg = &view;
	regpage_show(&page);
	ck_assert(!page.shown);
	regpage_hide(&page);
	ck_assert_uint_eq(view.off, 0);
	view.err = 0;
	regpage_show(&page);
	ck_assert(page.shown);
	regpage_fini(&page);
}
END_TEST

/* clean() has nothing but the address: the test's words count for it. */
static void count_clean(const void *p)
{
	uint32_t *word = (uint32_t *)p;

	word[1]++;
}

START_TEST(clean_after_each_change)
{
	struct regpage page;

	ck_assert_int_eq(regpage_init(&page, BASE, SIZE), 0);
	page.clean = count_clean;
	regpage_put(&page, BASE, 1);
	regpage_put(&page, BASE, 1);
	regpage_put(&page, BASE, 2);
	ck_assert_uint_eq(regpage_get(&page, BASE + 4, 4), 2);
	regpage_fini(&page);
}
END_TEST

/* --- the slots --------------------------------------------------------------------------------- */

static void is_slot(const struct fake_slot *slot, uint32_t number, const struct regpage *page,
		    uint64_t size)
{
	ck_assert_uint_eq(slot->slot, number);
	ck_assert_uint_eq(slot->flags, KVM_MEM_READONLY);
	ck_assert_uint_eq(slot->gpa, page->base);
	ck_assert_uint_eq(slot->size, size);
	ck_assert_ptr_eq(slot->host, page->host);
}

START_TEST(slots)
{
	struct fake_kvm f = { .kvm.vm_fd = -1 };
	struct pages pages;
	struct regpage *first, *second, *third;

	pages_init(&pages, &f.kvm);
	ck_assert_int_eq(pages_add(&pages, BASE, SIZE, true, &first), 0);
	ck_assert_int_eq(pages_add(&pages, BASE + SIZE, SIZE, true, &second), 0);
	while (pages.n < PAGES_MAX)
		ck_assert_int_eq(pages_add(&pages, BASE + pages.n * SIZE, SIZE, false, &third), 0);
	ck_assert_int_eq(pages_add(&pages, BASE + PAGES_MAX * SIZE, SIZE, true, &third), -ENOSPC);
	for (unsigned int boot = 0; boot < 2; boot++) {
		f.nslots = 0;
		/* A reset of devices while there is no VM. */
		regpage_hide(first);
		regpage_show(first);
		ck_assert_uint_eq(f.nslots, 0);
		f.kvm.vm_fd = 0;
		pages_on(&pages, count_clean);
		ck_assert_ptr_eq(first->clean, count_clean);
		ck_assert_uint_eq(f.nslots, 2);
		is_slot(&f.slots[0], GUEST_RAM_MAX, first, SIZE);
		is_slot(&f.slots[1], GUEST_RAM_MAX + 1, second, SIZE);
		regpage_hide(first);
		is_slot(&f.slots[2], GUEST_RAM_MAX, first, 0);
		regpage_show(first);
		is_slot(&f.slots[3], GUEST_RAM_MAX, first, SIZE);
		f.kvm.vm_fd = -1;
		pages_off(&pages);
		ck_assert_uint_eq(f.nslots, 4);
	}
	pages_fini(&pages);
}
END_TEST

START_TEST(never_shown)
{
	struct fake_kvm f = { .kvm.vm_fd = 0 };
	struct pages pages;
	struct regpage *page;

	pages_init(&pages, &f.kvm);
	ck_assert_int_eq(pages_add(&pages, BASE, SIZE, false, &page), 0);
	pages_on(&pages, NULL);
	regpage_hide(page);
	regpage_show(page);
	pages_off(&pages);
	ck_assert_uint_eq(f.nslots, 0);
	pages_fini(&pages);
}
END_TEST

START_TEST(kernel_refuses)
{
	struct fake_kvm f = { .kvm.vm_fd = 0, .err = -EINVAL };
	struct pages pages;
	struct regpage *page;

	pages_init(&pages, &f.kvm);
	ck_assert_int_eq(pages_add(&pages, BASE, SIZE, true, &page), 0);
	pages_on(&pages, NULL);
	ck_assert(!page->shown);
	regpage_hide(page);
	ck_assert_uint_eq(f.nslots, 1);
	pages_fini(&pages);
}
END_TEST

START_TEST(hosts_without)
{
	struct fake_kvm f = { .cap = 1 };

	ck_assert(pages_possible(&f.kvm, SIZE));
	ck_assert(!pages_possible(&f.kvm, SIZE + 0x200));
	f.cap = 0;
	ck_assert(!pages_possible(&f.kvm, SIZE));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_regpage");
	TCase *tc = tcase_create("windows");

	tcase_add_test(tc, bytes);
	tcase_add_test(tc, hiding_nests);
	tcase_add_test(tc, showing_fails);
	tcase_add_test(tc, clean_after_each_change);
	tcase_add_test(tc, slots);
	tcase_add_test(tc, never_shown);
	tcase_add_test(tc, kernel_refuses);
	tcase_add_test(tc, hosts_without);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
