// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/core/pagemap.h"
#include "vmm/snapshot.h"

enum { PAGE = 4096, RAM = 4 << 20, EXTRA = 2 * PAGE };

/* Two runs of RAM, a few sections, and the file they were saved to. */
struct world {
	struct guest_mem mem;
	uint8_t *ram[2];
	int fd;
	uint64_t meta_end; /* header and metadata */
};

struct value {
	uint32_t v;
};

static void value_state(void *arg, struct state *s)
{
	state_u32(s, "v", &((struct value *)arg)->v);
}

static void *pages(size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(map, MAP_FAILED);
	return map;
}

static void mem_make(struct world *w)
{
	memset(&w->mem, 0, sizeof(w->mem));
	w->ram[0] = pages(RAM);
	w->ram[1] = pages(EXTRA);
	ck_assert_int_eq(guest_mem_add(&w->mem, 0x40000000, RAM, w->ram[0]), 0);
	ck_assert_int_eq(guest_mem_add(&w->mem, 0x9000000, EXTRA, w->ram[1]), 0);
	guest_mem_set_sparse(&w->mem, 0x40000000);
}

static void mem_drop(struct world *w)
{
	munmap(w->ram[0], RAM);
	munmap(w->ram[1], EXTRA);
	guest_mem_destroy(&w->mem);
}

/* Every third page has something in it; chunk 5 has never been touched. */
static void mem_fill(struct world *w)
{
	for (unsigned int p = 0; p < RAM / PAGE; p += 3)
		if (p / (SNAPSHOT_CHUNK / PAGE) != 5)
			memset(w->ram[0] + p * PAGE + 8, (int)p, 100);
	w->ram[1][PAGE] = 7;
}

static void world_save(struct world *w)
{
	struct value a = { 1 }, b = { 2 };
	struct fail fail = { 0 };
	struct snapshot snap;
	uint64_t written;

	mem_make(w);
	mem_fill(w);
	w->fd = memfd_create("snapshot", MFD_CLOEXEC);
	ck_assert_int_ge(w->fd, 0);
	snapshot_init(&snap);
	ck_assert_int_eq(snapshot_add(&snap, "first", 3, value_state, &a, &fail), 0);
	ck_assert_int_eq(snapshot_add(&snap, "second", 1, value_state, &b, &fail), 0);
	ck_assert_int_eq(snapshot_write(&snap, &w->mem, w->fd, NULL, &written, &fail), 0);
	/* Zero pages cost nothing: only those with something in them were written. */
	ck_assert_uint_lt(written, RAM / 2);
	w->meta_end = 64 + 2 * (52 + 7 + 4) + 2 * 24 + snap.nsums * 4;
	ck_assert_uint_le(w->meta_end, snap.ram[0].offset);
	snapshot_free(&snap);
}

static void world_drop(struct world *w)
{
	mem_drop(w);
	close(w->fd);
}

/* Opens and reads it all, as a restore does: 0, or the exit code. */
static int restore(const struct world *w, bool compare)
{
	struct snapshot snap;
	struct snapshot_load load;
	struct fail fail = { 0 };
	struct world fresh;
	int err = snapshot_open(&snap, w->fd, &fail);

	if (err)
		return (int)fail.code;
	mem_make(&fresh);
	err = snapshot_fits(&snap, &fresh.mem, &fail);
	if (!err)
		err = snapshot_load_start(&load, &snap, &fresh.mem, &fail);
	if (!err)
		err = snapshot_load_wait(&load, &fail);
	if (!err && compare) {
		ck_assert_int_eq(memcmp(fresh.ram[0], w->ram[0], RAM), 0);
		ck_assert_int_eq(memcmp(fresh.ram[1], w->ram[1], EXTRA), 0);
	}
	mem_drop(&fresh);
	snapshot_free(&snap);
	ck_assert(!err == !fail.text[0]);
	return err ? (int)fail.code : 0;
}

START_TEST(round_trip)
{
	struct fail fail = { 0 };
	struct value v = { 0 };
	struct snapshot snap;
	struct world w;

	world_save(&w);
	ck_assert_int_eq(restore(&w, true), 0);
	ck_assert_int_eq(snapshot_open(&snap, w.fd, &fail), 0);
	ck_assert_int_eq(snapshot_get(&snap, "first", 3, value_state, &v, &fail), 0);
	ck_assert_uint_eq(v.v, 1);
	ck_assert_int_eq(snapshot_get(&snap, "second", 1, value_state, &v, &fail), 0);
	ck_assert_uint_eq(v.v, 2);
	ck_assert_int_eq(snapshot_get(&snap, "first", 2, value_state, &v, &fail), -ENOTSUP);
	ck_assert_int_eq(fail.code, EXIT_SNAPSHOT);
	ck_assert_ptr_nonnull(strstr(fail.text, "first"));
	fail = (struct fail){ 0 };
	ck_assert_int_eq(snapshot_get(&snap, "third", 1, value_state, &v, &fail), -ENOENT);
	ck_assert_ptr_nonnull(strstr(fail.text, "third"));
	snapshot_free(&snap);
	world_drop(&w);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	struct world w;
	struct stat st;
	off_t len;

	world_save(&w);
	ck_assert_int_eq(fstat(w.fd, &st), 0);
	len = st.st_size;
	for (off_t cut = len - PAGE; cut >= 0;
	     cut -= cut > (off_t)w.meta_end ? PAGE < cut ? PAGE : cut : 1) {
		ck_assert_int_eq(ftruncate(w.fd, cut), 0);
		ck_assert_int_eq(restore(&w, false), EXIT_SNAPSHOT);
	}
	world_drop(&w);
}
END_TEST

static void flip(const struct world *w, off_t at, unsigned int bit)
{
	uint8_t byte;

	ck_assert_int_eq(pread(w->fd, &byte, 1, at), 1);
	byte ^= (uint8_t)(1u << bit);
	ck_assert_int_eq(pwrite(w->fd, &byte, 1, at), 1);
}

START_TEST(every_flipped_bit_of_metadata_is_refused)
{
	struct world w;

	world_save(&w);
	for (off_t at = 0; at < (off_t)w.meta_end; at++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			flip(&w, at, bit);
			ck_assert_int_eq(restore(&w, false), EXIT_SNAPSHOT);
			flip(&w, at, bit);
		}
	}
	ck_assert_int_eq(restore(&w, true), 0);
	world_drop(&w);
}
END_TEST

START_TEST(a_flipped_bit_in_every_page_is_refused)
{
	struct fail fail = { 0 };
	struct snapshot snap;
	struct world w;

	world_save(&w);
	ck_assert_int_eq(snapshot_open(&snap, w.fd, &fail), 0);
	for (unsigned int run = 0; run < snap.nram; run++) {
		for (uint64_t at = 0; at < snap.ram[run].size; at += PAGE) {
			off_t off = (off_t)(snap.ram[run].offset + at + at / PAGE % PAGE);

			flip(&w, off, at / PAGE % 8);
			ck_assert_int_eq(restore(&w, false), EXIT_SNAPSHOT);
			flip(&w, off, at / PAGE % 8);
		}
	}
	snapshot_free(&snap);
	world_drop(&w);
}
END_TEST

/* Nor is it, when it is saved. */
START_TEST(what_is_untouched_stays_so)
{
	uint64_t *touched;
	struct world w;

	world_save(&w);
	/* Region 1: the other one lies below. */
	touched = pagemap_touched(&w.mem.ram[1], SNAPSHOT_CHUNK);
	ck_assert_ptr_nonnull(touched);
	ck_assert_uint_eq(*touched >> 4 & 3, 1);
	free(touched);
	ck_assert_int_eq(restore(&w, true), 0);
	world_drop(&w);
}
END_TEST

START_TEST(mapped_ram_is_the_same_and_verified)
{
	struct snapshot_load load;
	struct fail fail = { 0 };
	struct snapshot snap;
	struct world w, fresh;

	world_save(&w);
	mem_make(&fresh);
	ck_assert_int_eq(snapshot_open(&snap, w.fd, &fail), 0);
	ck_assert_int_eq(snapshot_map(&snap, &fresh.mem, &fail), 0);
	ck_assert_int_eq(memcmp(fresh.ram[0], w.ram[0], RAM), 0);
	/* The guest writes, the file stays. */
	ck_assert(!fresh.mem.ram[1].sparse);
	memset(fresh.ram[0], 0xff, RAM);
	ck_assert_int_eq(snapshot_load_start(&load, &snap, NULL, &fail), 0);
	ck_assert_int_eq(snapshot_load_wait(&load, &fail), 0);
	ck_assert_uint_eq(fresh.ram[0][RAM - 1], 0xff);
	flip(&w, (off_t)snap.ram[0].offset + 8, 0);
	ck_assert_int_eq(snapshot_load_start(&load, &snap, NULL, &fail), 0);
	ck_assert_int_eq(snapshot_load_wait(&load, &fail), -EBADMSG);
	ck_assert_int_eq(fail.code, EXIT_SNAPSHOT);
	ck_assert_ptr_nonnull(strstr(fail.text, "chunk 0"));
	snapshot_free(&snap);
	mem_drop(&fresh);
	world_drop(&w);
}
END_TEST

START_TEST(other_memory_is_refused)
{
	struct fail fail = { 0 };
	struct snapshot snap;
	struct world w;

	world_save(&w);
	ck_assert_int_eq(snapshot_open(&snap, w.fd, &fail), 0);
	w.mem.ram[1].size -= PAGE;
	ck_assert_int_eq(snapshot_fits(&snap, &w.mem, &fail), -EPROTO);
	ck_assert_int_eq(fail.code, EXIT_SNAPSHOT);
	w.mem.ram[1].size += PAGE;
	ck_assert_int_eq(snapshot_fits(&snap, &w.mem, &fail), 0);
	snapshot_free(&snap);
	world_drop(&w);
}
END_TEST

/* At each 4 KiB that a full disk may stop at, what is there is no snapshot. */
START_TEST(a_full_disk_leaves_no_snapshot)
{
	struct rlimit limit, old;
	struct snapshot snap;
	struct world w;
	struct stat st;

	world_save(&w);
	ck_assert_int_eq(fstat(w.fd, &st), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	for (off_t full = 0; full < st.st_size; full += PAGE) {
		FILE *tmp = tmpfile();
		struct world small = { .fd = fileno(tmp) };
		struct fail fail = { 0 };
		uint64_t written;
		int err;

		limit = (struct rlimit){ (rlim_t)full, old.rlim_max };
		snapshot_init(&snap);
		ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
		err = snapshot_write(&snap, &w.mem, small.fd, NULL, &written, &fail);
		ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
		ck_assert_int_eq(err, -EFBIG);
		ck_assert_int_eq(fail.code, EXIT_HOST);
		ck_assert_int_eq(restore(&small, false), EXIT_SNAPSHOT);
		snapshot_free(&snap);
		fclose(tmp);
	}
	world_drop(&w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("snapshot_file");
	TCase *tc = tcase_create("snapshot_file");

	signal(SIGXFSZ, SIG_IGN);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, every_truncation_is_refused);
	tcase_add_test(tc, every_flipped_bit_of_metadata_is_refused);
	tcase_add_test(tc, a_flipped_bit_in_every_page_is_refused);
	tcase_add_test(tc, what_is_untouched_stays_so);
	tcase_add_test(tc, mapped_ram_is_the_same_and_verified);
	tcase_add_test(tc, other_memory_is_refused);
	tcase_add_test(tc, a_full_disk_leaves_no_snapshot);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
