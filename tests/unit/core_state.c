// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/suite.h"
#include "vmm/core/state.h"

struct thing {
	bool on;
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;
	uint8_t bytes[5];
	uint8_t blob[16];
	uint32_t blob_len;
	uint32_t extra32; /* optional */
	uint64_t extra64;
};

static const struct thing sample = {
	.on = true,
	.u8 = 0xa5,
	.u16 = 0x1234,
	.u32 = 0xdeadbeef,
	.u64 = 0x0123456789abcdef,
	.bytes = { 1, 2, 3, 4, 5 },
	.blob = { 9, 8, 7 },
	.blob_len = 3,
	.extra32 = 32,
	.extra64 = 64,
};

/* What different versions of a program know of a thing. */
enum { KNOWS_EXTRA32 = 1, KNOWS_EXTRA64 = 2, KNOWS_ALL = 3 };

static void thing_state(struct thing *t, struct state *s, int knows)
{
	state_bool(s, "on", &t->on);
	state_u8(s, "u8", &t->u8);
	state_u16(s, "u16", &t->u16);
	if (knows & KNOWS_EXTRA32)
		state_optional_u32(s, "extra32", &t->extra32);
	if (knows & KNOWS_EXTRA64)
		state_optional_u64(s, "extra64", &t->extra64);
	state_u32(s, "u32", &t->u32);
	state_u64(s, "u64", &t->u64);
	state_bytes(s, "bytes", t->bytes, sizeof(t->bytes));
	state_blob(s, "blob", t->blob, &t->blob_len, sizeof(t->blob));
	state_check(s, t->u8 >= 1, "u8 range");
}

static void save(struct stream *out, const struct thing *from, int knows)
{
	struct thing t = *from;
	struct state s;

	stream_open_buf(out);
	state_init_save(&s, out);
	thing_state(&t, &s, knows);
	ck_assert_int_eq(state_end(&s), 0);
}

static int load(const void *data, size_t len, struct thing *t, int knows, struct state *s)
{
	struct stream in;
	int err;

	stream_open_data(&in, data, len);
	state_init_load(s, &in);
	thing_state(t, s, knows);
	err = state_end(s);
	ck_assert_uint_le(in.pos, in.len);
	stream_close(&in);
	return err;
}

static bool same(const struct thing *a, const struct thing *b)
{
	return a->on == b->on && a->u8 == b->u8 && a->u16 == b->u16 && a->u32 == b->u32 &&
	       a->u64 == b->u64 && !memcmp(a->bytes, b->bytes, sizeof(a->bytes)) &&
	       a->blob_len == b->blob_len && !memcmp(a->blob, b->blob, a->blob_len);
}

START_TEST(round_trip)
{
	struct thing t = { .u8 = 1 };
	struct stream out;
	struct state s;

	save(&out, &sample, KNOWS_ALL);
	ck_assert_int_eq(load(out.buf, out.len, &t, KNOWS_ALL, &s), 0);
	ck_assert(same(&t, &sample));
	ck_assert_uint_eq(t.extra32, 32);
	ck_assert_uint_eq(t.extra64, 64);
	stream_close(&out);
}
END_TEST

/* The format is a promise: these bytes have to load for ever. */
START_TEST(format_is_pinned)
{
	static const uint8_t want[] = "\x00\x03"
				      "lcr\x04\x00\x00\x00\x78\x56\x34\x12\x01\x01"
				      "x\x08\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00";
	uint32_t lcr = 0x12345678;
	uint64_t x = 2;
	struct stream out;
	struct state s;

	stream_open_buf(&out);
	state_init_save(&s, &out);
	state_u32(&s, "lcr", &lcr);
	state_optional_u64(&s, "x", &x);
	ck_assert_uint_eq(out.len, sizeof(want));
	ck_assert_mem_eq(out.buf, want, sizeof(want));
	stream_close(&out);
}
END_TEST

/* Any two versions: what the reader does not know it skips, what is missing it keeps. */
START_TEST(versions)
{
	for (int writer = 0; writer <= KNOWS_ALL; writer++) {
		for (int reader = 0; reader <= KNOWS_ALL; reader++) {
			struct thing t = { .u8 = 1, .extra32 = 7, .extra64 = 8 };
			int both = writer & reader;
			struct stream out;
			struct state s;

			save(&out, &sample, writer);
			ck_assert_int_eq(load(out.buf, out.len, &t, reader, &s), 0);
			ck_assert(same(&t, &sample));
			ck_assert_uint_eq(t.extra32, both & KNOWS_EXTRA32 ? 32 : 7);
			ck_assert_uint_eq(t.extra64, both & KNOWS_EXTRA64 ? 64 : 8);
			stream_close(&out);
		}
	}
}
END_TEST

START_TEST(optional_records_at_the_end)
{
	uint32_t a = 1, b = 2, got = 9, missing = 5;
	struct stream out;
	struct state s;

	stream_open_buf(&out);
	state_init_save(&s, &out);
	state_u32(&s, "a", &a);
	state_optional_u32(&s, "unknown", &b);
	state_optional_u32(&s, "b", &b);
	stream_rewind(&out);
	state_init_load(&s, &out);
	state_u32(&s, "a", &got);
	state_optional_u32(&s, "missing", &missing);
	ck_assert_uint_eq(missing, 5);
	state_optional_u32(&s, "b", &got);
	ck_assert_uint_eq(got, 2);
	state_optional_u32(&s, "missing", &missing);
	ck_assert_int_eq(state_end(&s), 0);
	ck_assert_uint_eq(missing, 5);
	stream_close(&out);

	stream_open_data(&out, "", 0);
	state_init_load(&s, &out);
	state_optional_u32(&s, "missing", &missing);
	ck_assert_int_eq(state_end(&s), 0);
	state_u32(&s, "a", &got);
	ck_assert_int_eq(s.err, -EPROTO);
	ck_assert_str_eq(s.where, "a");
	ck_assert_uint_eq(got, 2);
	stream_close(&out);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	struct stream out;
	struct state s;

	save(&out, &sample, KNOWS_ALL);
	for (size_t len = 0; len < out.len; len++) {
		struct thing t = { .u8 = 1 };
		uint8_t *exact = malloc(len ? len : 1);

		memcpy(exact, out.buf, len); /* no byte beyond, for the address sanitizer */
		ck_assert_int_lt(load(exact, len, &t, KNOWS_ALL, &s), 0);
		ck_assert_str_ne(s.where, "");
		free(exact);
	}
	stream_close(&out);
}
END_TEST

/* A flipped bit is either refused or gives a thing that could have been saved. */
START_TEST(every_flipped_bit_is_refused_or_valid)
{
	unsigned int refused = 0, taken = 0;
	struct stream out;
	struct state s;

	save(&out, &sample, KNOWS_ALL);
	for (size_t bit = 0; bit < out.len * 8; bit++) {
		struct thing t = { .u8 = 1 };

		out.buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (load(out.buf, out.len, &t, KNOWS_ALL, &s)) {
			ck_assert(s.err == -EPROTO || s.err == -ERANGE);
			refused++;
		} else {
			ck_assert(*(uint8_t *)&t.on <= 1);
			ck_assert_uint_ge(t.u8, 1);
			ck_assert_uint_le(t.blob_len, sizeof(t.blob));
			taken++;
		}
		out.buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_uint_gt(refused, 0);
	ck_assert_uint_gt(taken, 0); /* there is no checksum at this level */
	stream_close(&out);
}
END_TEST

/* --- single records --------------------------------------------------------------------------- */

struct wrong {
	const char *what;
	size_t len;
	const char *record;
	int err;
};

#define RECORD(text) sizeof(text) - 1, text

static const struct wrong wrongs[] = {
	{ "another name", RECORD("\x00\x01y\x04\x00\x00\x00\x01\x00\x00\x00"), -EPROTO },
	{ "a longer name", RECORD("\x00\x02xx\x04\x00\x00\x00\x01\x00\x00\x00"), -EPROTO },
	{ "a size too small", RECORD("\x00\x01x\x03\x00\x00\x00\x01\x00\x00"), -EPROTO },
	{ "a size too large", RECORD("\x00\x01x\x05\x00\x00\x00\x01\x00\x00\x00\x00"), -EPROTO },
	{ "a huge size", RECORD("\x00\x01x\xff\xff\xff\xff\x01\x00\x00\x00"), -EPROTO },
	{ "a huge optional", RECORD("\x01\x01y\xff\xff\xff\xff\x01\x00\x00\x00"), -EPROTO },
	{ "an unknown flag", RECORD("\x02\x01x\x04\x00\x00\x00\x01\x00\x00\x00"), -EPROTO },
	{ "no name", RECORD("\x00\x00\x04\x00\x00\x00\x01\x00\x00\x00"), -EPROTO },
	{ "an unprintable name", RECORD("\x00\x02x\x1b\x04\x00\x00\x00\x01\x00\x00\x00"), -EPROTO },
	{ "a name with an end inside", RECORD("\x00\x02x\x00\x04\x00\x00\x00\x01\x00\x00\x00"),
	  -EPROTO },
	{ "a name of 32",
	  RECORD("\x00\x20xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\x04\x00\x00\x00\x01\x00\x00\x00"),
	  -EPROTO },
	{ "nothing", RECORD(""), -EPROTO },
};

enum { NWRONGS = sizeof(wrongs) / sizeof(wrongs[0]) };

START_TEST(wrong_records_leave_the_field)
{
	const struct wrong *w = &wrongs[_i];
	uint32_t v = 77, again = 78;
	struct stream in;
	struct state s;

	stream_open_data(&in, w->record, w->len);
	state_init_load(&s, &in);
	state_u32(&s, "x", &v);
	ck_assert_msg(s.err == w->err, "%s: %d", w->what, s.err);
	ck_assert_uint_eq(v, 77);
	state_u32(&s, "x", &again);
	ck_assert_uint_eq(again, 78);
	ck_assert_int_eq(state_end(&s), w->err);
	stream_close(&in);
}
END_TEST

START_TEST(values_out_of_range)
{
	uint8_t bytes[4] = { 1, 2, 3, 4 }, into[3] = { 9, 9, 9 };
	uint32_t len = 4, got = 1;
	uint8_t two = 2;
	bool flag = true;
	struct stream st;
	struct state s;

	stream_open_buf(&st);
	state_init_save(&s, &st);
	state_u8(&s, "flag", &two);
	stream_rewind(&st);
	state_init_load(&s, &st);
	state_bool(&s, "flag", &flag);
	ck_assert_int_eq(s.err, -ERANGE);
	ck_assert(flag);
	stream_close(&st);

	stream_open_buf(&st);
	state_init_save(&s, &st);
	state_blob(&s, "blob", bytes, &len, 4);
	stream_rewind(&st);
	state_init_load(&s, &st);
	state_blob(&s, "blob", into, &got, 3);
	ck_assert_int_eq(s.err, -EPROTO);
	ck_assert_uint_eq(got, 1);
	ck_assert_uint_eq(into[0], 9);
	stream_rewind(&st);
	state_init_load(&s, &st);
	state_bytes(&s, "blob", into, 3);
	ck_assert_int_eq(s.err, -EPROTO);
	ck_assert_uint_eq(into[0], 9);
	stream_close(&st);
}
END_TEST

START_TEST(checks_and_leftovers)
{
	uint32_t v = 5;
	struct stream st;
	struct state s;

	stream_open_buf(&st);
	state_init_save(&s, &st);
	state_u32(&s, "v", &v);
	ck_assert(state_check(&s, v == 5, "v"));
	stream_rewind(&st);

	state_init_load(&s, &st);
	ck_assert_int_eq(state_end(&s), -EPROTO); /* a mandatory record that nobody asked for */
	ck_assert_str_eq(s.where, "v");

	stream_rewind(&st);
	state_init_load(&s, &st);
	state_u32(&s, "v", &v);
	ck_assert(state_check(&s, v == 5, "v"));
	ck_assert(!state_check(&s, v == 6, "v is 6"));
	ck_assert(!state_check(&s, true, "later"));
	ck_assert_int_eq(state_end(&s), -ERANGE);
	ck_assert_str_eq(s.where, "v is 6");
	stream_close(&st);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_state");
	TCase *tc = tcase_create("state");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, format_is_pinned);
	tcase_add_test(tc, versions);
	tcase_add_test(tc, optional_records_at_the_end);
	tcase_add_test(tc, every_truncation_is_refused);
	tcase_add_test(tc, every_flipped_bit_is_refused_or_valid);
	tcase_add_loop_test(tc, wrong_records_leave_the_field, 0, NWRONGS);
	tcase_add_test(tc, values_out_of_range);
	tcase_add_test(tc, checks_and_leftovers);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
