// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/core/mem.h"

/*
 * Every range over a few small regions against a byte-by-byte model. Addresses are an origin plus
 * 0..SPAN-1; for origins near 2^64 regions end there, or go on at 0, and ranges wrap.
 */
enum { SPAN = 24, LENS = SPAN + 4 };

static const struct layout {
	const char *name;
	gpa_t origin;
	struct {
		unsigned int base, size;
	} ram[3];
} layouts[] = {
	{ "one, with room around it", 0x1000, { { 3, 9 } } },
	{ "at zero", 0, { { 0, 8 } } },
	{ "adjacent", 0x40000000, { { 2, 4 }, { 6, 5 }, { 11, 1 } } },
	{ "apart", 0x40000000, { { 2, 4 }, { 7, 5 }, { 20, 3 } } },
	{ "added backwards", 0, { { 16, 4 }, { 8, 8 }, { 1, 2 } } },
	{ "up to 2^64", -(gpa_t)SPAN, { { 4, 6 }, { 10, 14 } } },
	{ "one byte before 2^64", -(gpa_t)SPAN, { { 23, 1 } } },
	{ "on both sides of 2^64", -(gpa_t)(SPAN / 2), { { 6, 6 }, { 12, 5 } } },
};

enum { NLAYOUTS = sizeof(layouts) / sizeof(layouts[0]) };

struct world {
	struct guest_mem mem;
	uint8_t host[SPAN]; /* the host byte of address origin + i is host[i] */
	int region[SPAN]; /* which region owns it, or -1 */
};

static void build(struct world *w, const struct layout *l)
{
	memset(w, 0, sizeof(*w));
	for (int i = 0; i < SPAN; i++) {
		w->host[i] = (uint8_t)(i + 1);
		w->region[i] = -1;
	}
	for (int r = 0; r < 3 && l->ram[r].size; r++) {
		unsigned int base = l->ram[r].base, size = l->ram[r].size;

		ck_assert_int_eq(guest_mem_add(&w->mem, l->origin + base, size, w->host + base), 0);
		for (unsigned int i = 0; i < size; i++)
			w->region[base + i] = r;
	}
}

/* Whether offset `off` (that may lie beyond the span) is RAM. */
static bool is_ram(const struct world *w, unsigned int off)
{
	return off < SPAN && w->region[off] >= 0;
}

static bool all_ram(const struct world *w, const struct layout *l, unsigned int off,
		    unsigned int len)
{
	gpa_t gpa = l->origin + off;

	for (unsigned int i = 0; i < len; i++)
		if (gpa + i < gpa || !is_ram(w, off + i))
			return false; /* what goes on at 0 is no range */
	return true;
}

static int pieces(const struct world *w, unsigned int off, unsigned int len)
{
	int n = len > 0;

	for (unsigned int i = 1; i < len; i++)
		n += w->region[off + i] != w->region[off + i - 1];
	return n;
}

static void check_ptr(struct world *w, const struct layout *l, unsigned int off, unsigned int len)
{
	bool ok = len ? all_ram(w, l, off, len) && pieces(w, off, len) == 1 : is_ram(w, off);
	uint8_t *want = ok ? w->host + off : NULL;

	ck_assert_msg(guest_mem_ptr(&w->mem, l->origin + off, len) == want, "%s: ptr %u+%u",
		      l->name, off, len);
}

static void check_iov(struct world *w, const struct layout *l, unsigned int off, unsigned int len)
{
	bool ok = all_ram(w, l, off, len);

	for (int max = 0; max <= 4; max++) {
		struct iovec iov[4];
		int n = guest_mem_iov(&w->mem, l->origin + off, len, iov, max);
		unsigned int at = off;

		if (!ok) {
			ck_assert_int_eq(n, -EFAULT);
			continue;
		}
		if (pieces(w, off, len) > max) {
			ck_assert_int_eq(n, -ENOBUFS);
			continue;
		}
		ck_assert_int_eq(n, pieces(w, off, len));
		for (int i = 0; i < n; i++) {
			ck_assert_ptr_eq(iov[i].iov_base, w->host + at);
			at += (unsigned int)iov[i].iov_len;
		}
		ck_assert_uint_eq(at, off + len);
	}
}

static void check_copy(struct world *w, const struct layout *l, unsigned int off, unsigned int len)
{
	bool ok = all_ram(w, l, off, len);
	uint8_t before[SPAN], want[SPAN], got[LENS], fill[LENS];

	memcpy(before, w->host, SPAN);
	memcpy(want, w->host, SPAN);
	memset(got, 0xee, sizeof(got));
	memset(fill, 0x55, sizeof(fill));

	ck_assert_int_eq(guest_mem_read(&w->mem, l->origin + off, got, len), ok ? 0 : -EFAULT);
	for (unsigned int i = 0; i < LENS; i++)
		ck_assert_uint_eq(got[i], ok && i < len ? before[off + i] : 0xee);

	if (ok && len)
		memset(want + off, 0x55, len);
	ck_assert_int_eq(guest_mem_write(&w->mem, l->origin + off, fill, len), ok ? 0 : -EFAULT);
	ck_assert_mem_eq(w->host, want, SPAN);
	memcpy(w->host, before, SPAN);
}

START_TEST(ranges_match_the_model)
{
	const struct layout *l = &layouts[_i];
	struct world w;

	build(&w, l);
	for (unsigned int off = 0; off < SPAN; off++) {
		for (unsigned int len = 0; len < LENS; len++) {
			check_ptr(&w, l, off, len);
			check_iov(&w, l, off, len);
			check_copy(&w, l, off, len);
		}
	}
	guest_mem_destroy(&w.mem);
}
END_TEST

START_TEST(huge_lengths_are_refused)
{
	const struct layout *l = &layouts[_i];
	struct iovec iov[4];
	struct world w;
	uint8_t byte;

	build(&w, l);
	for (unsigned int off = 0; off < SPAN; off++) {
		for (uint64_t len = UINT64_MAX; len > UINT64_MAX - 64; len--) {
			gpa_t gpa = l->origin + off;

			ck_assert_ptr_null(guest_mem_ptr(&w.mem, gpa, len));
			ck_assert_int_eq(guest_mem_iov(&w.mem, gpa, len, iov, 4), -EFAULT);
			ck_assert_int_eq(guest_mem_read(&w.mem, gpa, &byte, len), -EFAULT);
			ck_assert_int_eq(guest_mem_write(&w.mem, gpa, &byte, len), -EFAULT);
		}
	}
}
END_TEST

/* A second region at every place and size beside one that is there. */
START_TEST(overlaps_are_refused)
{
	enum { BASE = 8, SIZE = 4 };
	uint8_t host[32];

	for (unsigned int base = 0; base < 20; base++) {
		for (unsigned int size = 1; size < 12; size++) {
			struct guest_mem m = { .nram = 0 };
			bool apart = base + size <= BASE || base >= BASE + SIZE;

			ck_assert_int_eq(guest_mem_add(&m, BASE, SIZE, host), 0);
			ck_assert_int_eq(guest_mem_add(&m, base, size, host), apart ? 0 : -EEXIST);
			ck_assert_uint_eq(m.nram, apart ? 2 : 1);
			if (apart)
				ck_assert(m.ram[0].base < m.ram[1].base);
		}
	}
}
END_TEST

START_TEST(bad_regions_are_refused)
{
	struct guest_mem m = { .nram = 0 };
	uint8_t byte;

	ck_assert_int_eq(guest_mem_add(&m, 0, 0, &byte), -EINVAL);
	ck_assert_int_eq(guest_mem_add(&m, UINT64_MAX, 2, &byte), -EINVAL);
	ck_assert_int_eq(guest_mem_add(&m, 2, UINT64_MAX, &byte), -EINVAL);
	ck_assert_int_eq(guest_mem_add(&m, UINT64_MAX, 1, &byte), 0);
	for (gpa_t i = 1; i < GUEST_RAM_MAX; i++)
		ck_assert_int_eq(guest_mem_add(&m, i * 2, 1, &byte), 0);
	ck_assert_int_eq(guest_mem_add(&m, 0, 1, &byte), -ENOSPC);
	ck_assert_ptr_null(guest_mem_ptr(&m, 3, 0));
}
END_TEST

/* --- dirty pages ------------------------------------------------------------------------------ */

enum { PAGE = 1 << GUEST_PAGE_SHIFT, PAGES = 70, BASE_A = 16 * PAGE };

static bool page_dirty(const struct guest_ram *r, unsigned int page)
{
	return atomic_load(&r->dirty[page / 64]) >> (page % 64) & 1;
}

/* Two adjacent regions, the second without a gap after the first, and a range over them. */
static void check_dirty(struct guest_mem *m, gpa_t gpa, uint64_t len)
{
	ck_assert_int_eq(guest_mem_track(m, true), 0);
	guest_mem_dirty(m, gpa, len);
	for (unsigned int r = 0; r < m->nram; r++) {
		for (unsigned int page = 0; page < m->ram[r].size / PAGE; page++) {
			gpa_t from = m->ram[r].base + (gpa_t)page * PAGE;
			bool want = len && gpa < from + PAGE && gpa + len > from;

			ck_assert_msg(page_dirty(&m->ram[r], page) == want,
				      "%#llx+%#llx: region %u page %u", (unsigned long long)gpa,
				      (unsigned long long)len, r, page);
		}
	}
}

START_TEST(dirty_marks_exactly_the_touched_pages)
{
	static const uint64_t near[] = { 0, 1, 2, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE };
	struct guest_mem m = { .nram = 0 };
	static uint8_t host[2][PAGES * PAGE];

	guest_mem_add(&m, BASE_A, sizeof(host[0]), host[0]);
	guest_mem_add(&m, BASE_A + sizeof(host[0]), sizeof(host[1]), host[1]);
	for (size_t i = 0; i < 7; i++) {
		for (size_t j = 0; j < 7; j++) {
			check_dirty(&m, BASE_A - PAGE + near[i], near[j]);
			check_dirty(&m, BASE_A + 62 * PAGE + near[i], near[j]);
			check_dirty(&m, BASE_A + (PAGES - 1) * PAGE + near[i], near[j]);
			check_dirty(&m, BASE_A + (2 * PAGES - 1) * PAGE + near[i], near[j]);
		}
	}
	check_dirty(&m, 0, BASE_A + 3 * sizeof(host[0]));
	guest_mem_destroy(&m);
}
END_TEST

START_TEST(what_is_dirty_is_taken_once)
{
	static uint8_t host[130 * PAGE];
	struct guest_mem m = { .nram = 0 };
	uint64_t bits[3] = { 1, 0, 0 };

	guest_mem_add(&m, BASE_A, sizeof(host), host);
	ck_assert_uint_eq(guest_ram_pages(&m.ram[0]), 130);
	ck_assert(!guest_mem_tracked(&m));
	guest_mem_take_dirty(&m, 0, bits);
	ck_assert_int_eq(guest_mem_track(&m, true), 0);
	ck_assert(guest_mem_tracked(&m));
	guest_mem_dirty(&m, BASE_A + 63 * PAGE, PAGE + 1);
	guest_mem_dirty(&m, BASE_A + 129 * PAGE, 1);
	guest_mem_take_dirty(&m, 0, bits);
	ck_assert(bits[0] == (1 | UINT64_C(1) << 63) && bits[1] == 1 && bits[2] == 2);
	memset(bits, 0, sizeof(bits));
	guest_mem_take_dirty(&m, 0, bits);
	ck_assert(!bits[0] && !bits[1] && !bits[2]);
	guest_mem_destroy(&m);
}
END_TEST

START_TEST(writes_mark_and_reads_do_not)
{
	static uint8_t host[2 * PAGE];
	struct guest_mem m = { .nram = 0 };
	uint32_t v = 5;

	guest_mem_add(&m, BASE_A, sizeof(host), host);
	ck_assert_int_eq(guest_mem_write(&m, BASE_A, &v, 4), 0); /* not tracked: no bitmap */
	ck_assert_int_eq(guest_mem_track(&m, true), 0);
	ck_assert_int_eq(guest_mem_read(&m, BASE_A, &v, 4), 0);
	ck_assert(!page_dirty(m.ram, 0) && !page_dirty(m.ram, 1));
	ck_assert_int_eq(guest_mem_write(&m, BASE_A + PAGE, &v, 4), 0);
	ck_assert(!page_dirty(m.ram, 0) && page_dirty(m.ram, 1));
	ck_assert_int_eq(guest_mem_write(&m, BASE_A + 2 * PAGE - 1, &v, 4), -EFAULT);
	ck_assert_int_eq(guest_mem_track(&m, true), 0);
	ck_assert(!page_dirty(m.ram, 1));
	ck_assert_int_eq(guest_mem_track(&m, false), 0);
	ck_assert_ptr_null((void *)m.ram[0].dirty);
	guest_mem_destroy(&m);
}
END_TEST

/* A region at the very end, whose last page ends at 2^64. */
START_TEST(dirty_reaches_the_last_byte)
{
	static uint8_t host[2 * PAGE];
	struct guest_mem m = { .nram = 0 };

	guest_mem_add(&m, -(gpa_t)sizeof(host), sizeof(host), host);
	ck_assert_int_eq(guest_mem_track(&m, true), 0);
	guest_mem_dirty(&m, UINT64_MAX, 1);
	ck_assert(!page_dirty(m.ram, 0) && page_dirty(m.ram, 1));
	guest_mem_dirty(&m, UINT64_MAX - PAGE, UINT64_MAX);
	ck_assert(page_dirty(m.ram, 0));
	guest_mem_destroy(&m);
}
END_TEST

/* --- back to the host -------------------------------------------------------------------------- */

/* Whole pages of the host, in every cut of a range over two regions; what is beside them stays. */
START_TEST(discard_gives_back_whole_pages)
{
	const size_t page = sysconf(_SC_PAGESIZE), size = 4 * page;
	uint8_t *host =
		mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const size_t cuts[] = { 0,    1,	page - 1,	 page,	       page + 1, size - 1,
				size, size + 1, 2 * size - page, 2 * size - 1, 2 * size };
	const size_t n = sizeof(cuts) / sizeof(cuts[0]);
	struct guest_mem m = { 0 };

	ck_assert_ptr_ne(host, MAP_FAILED);
	ck_assert_int_eq(guest_mem_add(&m, 0x40000000, size, host), 0);
	ck_assert_int_eq(guest_mem_add(&m, 0x40000000 + size, size, host + size), 0);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i; j < n; j++) {
			int64_t given = 0;

			memset(host, 0x55, 2 * size);
			given = guest_mem_discard(&m, 0x40000000 + cuts[i], cuts[j] - cuts[i]);
			for (size_t at = 0; at < 2 * size; at += page) {
				bool whole = at >= cuts[i] && at + page <= cuts[j];

				ck_assert_uint_eq(host[at], whole ? 0 : 0x55);
				ck_assert_uint_eq(host[at + page - 1], whole ? 0 : 0x55);
				given -= whole ? page : 0;
			}
			ck_assert_int_eq(given, 0);
		}
	}
	munmap(host, 2 * size);
}
END_TEST

START_TEST(discard_is_all_or_nothing)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	uint8_t *host =
		mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct guest_mem m = { 0 };

	ck_assert_ptr_ne(host, MAP_FAILED);
	ck_assert_int_eq(guest_mem_add(&m, 0x40000000, page, host), 0);
	ck_assert_int_eq(guest_mem_track(&m, true), 0);
	memset(host, 0x55, page);
	ck_assert_int_eq(guest_mem_discard(&m, 0x40000000, page + 1), -EFAULT);
	ck_assert_int_eq(guest_mem_discard(&m, 0x40000000 - 1, page + 1), -EFAULT);
	ck_assert_int_eq(guest_mem_discard(&m, 0x40000000, UINT64_MAX), -EFAULT);
	ck_assert_uint_eq(host[0], 0x55);
	ck_assert_uint_eq(m.ram[0].dirty[0], 0);
	ck_assert_int_eq(guest_mem_discard(&m, 0x40000000, page), page);
	ck_assert_uint_ne(m.ram[0].dirty[0], 0);
	guest_mem_destroy(&m);
	munmap(host, page);
}
END_TEST

START_TEST(addresses_of_pointers)
{
	struct world w;

	build(&w, &layouts[_i]);
	for (unsigned int i = 0; i < SPAN; i++)
		if (is_ram(&w, i))
			ck_assert_uint_eq(guest_mem_gpa(&w.mem, w.host + i),
					  layouts[_i].origin + i);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_mem");
	TCase *tc = tcase_create("mem");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, ranges_match_the_model, 0, NLAYOUTS);
	tcase_add_loop_test(tc, huge_lengths_are_refused, 0, NLAYOUTS);
	tcase_add_test(tc, discard_gives_back_whole_pages);
	tcase_add_test(tc, discard_is_all_or_nothing);
	tcase_add_loop_test(tc, addresses_of_pointers, 0, NLAYOUTS);
	tcase_add_test(tc, overlaps_are_refused);
	tcase_add_test(tc, bad_regions_are_refused);
	tcase_add_test(tc, dirty_marks_exactly_the_touched_pages);
	tcase_add_test(tc, what_is_dirty_is_taken_once);
	tcase_add_test(tc, writes_mark_and_reads_do_not);
	tcase_add_test(tc, dirty_reaches_the_last_byte);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
