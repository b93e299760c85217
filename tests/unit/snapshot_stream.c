// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/snapshot_stream.h"

enum { PAGE = 4096, RAM = 16 * PAGE, BASE = 0x40000000 };

static struct guest_mem mem, fresh;
static uint8_t *from, *to;
static uint8_t *bytes; /* what was sent */
static size_t len;

struct value {
	uint32_t v;
};

static void value_state(void *arg, struct state *s)
{
	state_u32(s, "v", &((struct value *)arg)->v);
}

static uint8_t *pages(struct guest_mem *m)
{
	uint8_t *map = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(map, MAP_FAILED);
	memset(m, 0, sizeof(*m));
	ck_assert_int_eq(guest_mem_add(m, BASE, RAM, map), 0);
	guest_mem_set_sparse(m, BASE);
	return map;
}

static void setup(void)
{
	struct value a = { 7 };
	struct fail fail = { 0 };
	struct snapshot snap;
	int fd = memfd_create("stream", MFD_CLOEXEC);
	uint64_t written;

	from = pages(&mem);
	to = pages(&fresh);
	for (unsigned int p = 0; p < RAM / PAGE; p += 3)
		memset(from + p * PAGE, (int)p + 1, PAGE);
	snapshot_init(&snap);
	ck_assert_int_eq(snapshot_add(&snap, "value", 1, value_state, &a, &fail), 0);
	ck_assert_int_eq(snapshot_send(&snap, &mem, fd, -1, NULL, &written, &fail), 0);
	ck_assert_uint_eq(written, 6 * PAGE);
	snapshot_free(&snap);
	len = (size_t)lseek(fd, 0, SEEK_CUR);
	bytes = malloc(len);
	ck_assert_int_eq(pread(fd, bytes, len, 0), (ssize_t)len);
	close(fd);
}

static void teardown(void)
{
	munmap(from, RAM);
	munmap(to, RAM);
	guest_mem_destroy(&mem);
	guest_mem_destroy(&fresh);
	free(bytes);
}

struct told {
	unsigned int times;
	uint64_t done, total;
};

static void tell(void *arg, uint64_t done, uint64_t total)
{
	struct told *told = arg;

	ck_assert_uint_gt(done, told->done);
	*told = (struct told){ told->times + 1, done, total };
}

/* Takes the first `n` of the bytes as a machine is restored from them: 0, or the exit code. */
static int receive(size_t n, uint32_t *v)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);
	struct fail fail = { 0 };
	struct value value = { 0 };
	struct told told = { 0 };
	const struct snapshot_progress progress = { tell, &told };
	struct snapshot snap;
	struct frames f;
	uint64_t got = 0;
	int err;

	ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
	lseek(fd, 0, SEEK_SET);
	snapshot_init(&snap);
	err = frames_open(&f, fd, &fail);
	if (!err)
		err = frames_sections(&f, &snap, &fail);
	if (!err)
		err = frames_rest(&f, &snap, &fresh, &progress, &got, &fail);
	if (!err)
		err = snapshot_get(&snap, "value", 1, value_state, &value, &fail);
	/* Every third page, the last of them is the last of all. */
	if (!err) {
		ck_assert_uint_eq(got, 6 * PAGE);
		ck_assert_uint_eq(told.times, 6);
		ck_assert_uint_eq(told.total, RAM);
		ck_assert_uint_eq(told.done, RAM);
	}
	*v = value.v;
	frames_close(&f);
	snapshot_free(&snap);
	close(fd);
	ck_assert(!err == !fail.text[0]);
	return err ? (int)fail.code : 0;
}

START_TEST(round_trip)
{
	uint32_t v;

	ck_assert_int_eq(receive(len, &v), 0);
	ck_assert_uint_eq(v, 7);
	ck_assert_int_eq(memcmp(from, to, RAM), 0);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	uint32_t v;

	for (size_t cut = 0; cut<len; cut += cut> 400 && cut + 400 < len ? 61 : 1)
		ck_assert_msg(receive(cut, &v) == EXIT_SNAPSHOT, "cut at %zu", cut);
}
END_TEST

/* The heads' bits all, and of each page one. */
START_TEST(every_flipped_bit_is_refused)
{
	uint32_t v;

	for (size_t at = 0; at < len; at += at < 200 || at + 100 > len ? 1 : 509) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			bytes[at] ^= (uint8_t)(1u << bit);
			ck_assert_msg(receive(len, &v) == EXIT_SNAPSHOT, "byte %zu bit %u", at,
				      bit);
			bytes[at] ^= (uint8_t)(1u << bit);
		}
	}
	ck_assert_int_eq(receive(len, &v), 0);
}
END_TEST

/* Frames that hold, and mean something that must not be. */
static int receive_made(void (*make)(struct stream *out))
{
	struct stream out;
	uint32_t v;

	stream_open_buf(&out);
	frames_begin(&out);
	make(&out);
	frames_commit(&out);
	free(bytes);
	bytes = out.buf;
	len = out.len;
	return receive(len, &v);
}

static void pages_then_zeros(struct stream *out)
{
	frames_pages(out, BASE, from, 4);
	frames_zeros(out, BASE, 2);
}

START_TEST(zeros_overwrite)
{
	static const uint8_t zeros[2 * PAGE];

	/* There is no section for the machine, but memory has come. */
	ck_assert_int_eq(receive_made(pages_then_zeros), EXIT_SNAPSHOT);
	ck_assert_int_eq(memcmp(to, zeros, sizeof(zeros)), 0);
	ck_assert_int_eq(memcmp(to + 2 * PAGE, from + 2 * PAGE, 2 * PAGE), 0);
}
END_TEST

static void pages_outside(struct stream *out)
{
	frames_pages(out, BASE + RAM, from, 1);
}

static void pages_across_the_end(struct stream *out)
{
	frames_pages(out, BASE + RAM - PAGE, from, 2);
}

static void pages_that_wrap(struct stream *out)
{
	frames_pages(out, -(gpa_t)PAGE, from, 2);
}

static void pages_not_aligned(struct stream *out)
{
	frames_pages(out, BASE + 8, from, 1);
}

static void no_pages(struct stream *out)
{
	frames_pages(out, BASE, from, 0);
}

static void zeros_outside(struct stream *out)
{
	frames_zeros(out, BASE + RAM - PAGE, 2);
}

static void zeros_that_wrap(struct stream *out)
{
	frames_zeros(out, BASE, UINT64_MAX / PAGE);
}

static void zeros_not_aligned(struct stream *out)
{
	frames_zeros(out, BASE + 8, 1);
}

static void no_zeros(struct stream *out)
{
	frames_zeros(out, BASE, 0);
}

static void zeros_cut_short(struct stream *out)
{
	frames_word(out, "=zeros", "x", 1);
}

static void a_word(struct stream *out)
{
	frames_word(out, "=what", NULL, 0);
}

static void a_section_twice(struct stream *out)
{
	struct section s = { .name = "twice" };

	frames_section(out, &s);
	frames_section(out, &s);
}

static void a_name_without_end(struct stream *out)
{
	struct section s = { .version = 1 };

	memset(s.name, 'x', sizeof(s.name));
	frames_section(out, &s);
}

static void nothing(struct stream *out)
{
	(void)out;
}

START_TEST(frames_that_must_not_be)
{
	ck_assert_int_eq(receive_made(pages_outside), EXIT_SNAPSHOT);
	ck_assert_int_eq(receive_made(pages_across_the_end), EXIT_SNAPSHOT);
	ck_assert_int_eq(receive_made(pages_that_wrap), EXIT_SNAPSHOT);
	ck_assert_int_eq(receive_made(pages_not_aligned), EXIT_SNAPSHOT);
	ck_assert_int_eq(receive_made(no_pages), EXIT_SNAPSHOT);
	ck_assert_int_eq(receive_made(zeros_outside), EXIT_SNAPSHOT);
	ck_assert_int_eq(receive_made(zeros_that_wrap), EXIT_SNAPSHOT);
	ck_assert_int_eq(receive_made(zeros_not_aligned), EXIT_SNAPSHOT);
	ck_assert_int_eq(receive_made(no_zeros), EXIT_SNAPSHOT);
	ck_assert_int_eq(receive_made(zeros_cut_short), EXIT_SNAPSHOT);
	ck_assert_int_eq(receive_made(a_word), EXIT_SNAPSHOT);
	ck_assert_int_eq(receive_made(a_section_twice), EXIT_SNAPSHOT);
	ck_assert_int_eq(receive_made(a_name_without_end), EXIT_SNAPSHOT);
	ck_assert_int_eq(receive_made(nothing), EXIT_SNAPSHOT); /* no section "value" */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("snapshot_stream");
	TCase *tc = tcase_create("snapshot_stream");

	tcase_set_timeout(tc, 300);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, every_truncation_is_refused);
	tcase_add_test(tc, every_flipped_bit_is_refused);
	tcase_add_test(tc, zeros_overwrite);
	tcase_add_test(tc, frames_that_must_not_be);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
