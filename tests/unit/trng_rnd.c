// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/firmware.h"
#include "tests/fake/suite.h"

/* TRNG 1.0 (DEN0098). The fake's entropy is the bytes 1, 2, 3, ... */

static struct fake_firmware f;

static void setup(void)
{
	fake_firmware_init(&f, PSCI_1_1, 1);
}

static void teardown(void)
{
	fake_firmware_fini(&f);
}

START_TEST(version_and_features)
{
	static const uint32_t have[] = { ID_TRNG_VERSION, ID_TRNG_FEATURES, ID_TRNG_GET_UUID,
					 ID_TRNG_RND, ID_TRNG_RND | ID_64 };

	ck_assert_int_eq(fake_call(&f, 0, ID_TRNG_VERSION, 0, 0, 0), 0x10000);
	for (uint32_t n = 0; n < 0x200; n++) {
		uint32_t id = (n & 0x100 ? 0xc4000000 : 0x84000000) + (n & 0xff);
		bool known = false;

		for (unsigned int i = 0; i < sizeof(have) / sizeof(have[0]); i++)
			known |= have[i] == id;
		ck_assert_msg(fake_call(&f, 0, ID_TRNG_FEATURES, id, 0, 0) == (known ? 0 : -1),
			      "TRNG_FEATURES(0x%x)", id);
	}
}
END_TEST

START_TEST(uuid)
{
	/* Never all ones in w0, which would read as NOT_SUPPORTED. */
	ck_assert_int_eq(fake_call(&f, 0, ID_TRNG_GET_UUID, 0, 0, 0), 0xa1be035d);
	ck_assert_uint_eq(f.last.nresults, 4);
	ck_assert_uint_eq(f.last.x[1], 0x6c4a1f3b);
	ck_assert_uint_eq(f.last.x[2], 0x4b7f2e9c);
	ck_assert_uint_eq(f.last.x[3], 0x961ad8e0);
}
END_TEST

/* The number that x1:x2:x3 make, least significant byte first. */
static void number(unsigned int width, uint8_t bytes[24])
{
	memset(bytes, 0, 24);
	for (unsigned int i = 0; i < 3 * width / 8; i++) {
		uint64_t word = f.last.x[3 - i / (width / 8)];

		bytes[i] = (uint8_t)(word >> i % (width / 8) * 8);
	}
	if (width == 32)
		for (unsigned int i = 1; i < SMCCC_REGS; i++)
			ck_assert_uint_eq(f.last.x[i] >> 32, 0);
}

static void check_bits(uint32_t id, unsigned int width, unsigned int nbits)
{
	uint8_t got[24];

	ck_assert_int_eq(fake_call(&f, 0, id, nbits, ~0ull, ~0ull), TRNG_SUCCESS);
	ck_assert_uint_eq(f.last.nresults, 4);
	number(width, got);
	for (unsigned int i = 0; i < 24; i++) {
		/* Byte b of a word of ours is byte b of the entropy, word by word of 8 bytes. */
		unsigned int at = i / (width / 8) * 8 + i % (width / 8);
		unsigned int keep = nbits > i * 8 ? nbits - i * 8 : 0;
		uint8_t mask = keep >= 8 ? 0xff : (uint8_t)((1u << keep) - 1);

		ck_assert_msg(got[i] == ((at + 1) & mask), "%u bits, byte %u: 0x%x", nbits, i,
			      got[i]);
	}
}

START_TEST(every_number_of_bits)
{
	for (unsigned int nbits = 1; nbits <= 96; nbits++)
		check_bits(ID_TRNG_RND, 32, nbits);
	for (unsigned int nbits = 1; nbits <= 192; nbits++)
		check_bits(ID_TRNG_RND | ID_64, 64, nbits);
}
END_TEST

START_TEST(register_order)
{
	fake_call(&f, 0, ID_TRNG_RND, 33, 0, 0);
	ck_assert_uint_eq(f.last.x[3], 0x04030201);
	ck_assert_uint_eq(f.last.x[2], 0x09 & 1);
	ck_assert_uint_eq(f.last.x[1], 0);
	fake_call(&f, 0, ID_TRNG_RND | ID_64, 192, 0, 0);
	ck_assert_uint_eq(f.last.x[3], 0x0807060504030201);
	ck_assert_uint_eq(f.last.x[2], 0x100f0e0d0c0b0a09);
	ck_assert_uint_eq(f.last.x[1], 0x1817161514131211);
}
END_TEST

static void check_refused(uint32_t id, uint64_t nbits, int64_t result)
{
	ck_assert_int_eq(fake_call(&f, 0, id, nbits, 5, 6), result);
	ck_assert_uint_eq(f.last.nresults, 4);
	for (unsigned int i = 1; i < SMCCC_REGS; i++)
		ck_assert_uint_eq(f.last.x[i], 0);
}

START_TEST(bad_number_of_bits)
{
	check_refused(ID_TRNG_RND, 0, TRNG_INVALID_PARAMETERS);
	check_refused(ID_TRNG_RND, 97, TRNG_INVALID_PARAMETERS);
	check_refused(ID_TRNG_RND, UINT32_MAX, TRNG_INVALID_PARAMETERS);
	check_refused(ID_TRNG_RND | ID_64, 0, TRNG_INVALID_PARAMETERS);
	check_refused(ID_TRNG_RND | ID_64, 193, TRNG_INVALID_PARAMETERS);
	check_refused(ID_TRNG_RND | ID_64, 1ull << 32 | 64, TRNG_INVALID_PARAMETERS);
	/* W1 alone counts for SMC32. */
	ck_assert_int_eq(fake_call(&f, 0, ID_TRNG_RND, 1ull << 32 | 96, 0, 0), TRNG_SUCCESS);
}
END_TEST

START_TEST(no_entropy)
{
	f.entropy_err = -EAGAIN;
	check_refused(ID_TRNG_RND, 96, TRNG_NO_ENTROPY);
	check_refused(ID_TRNG_RND | ID_64, 1, TRNG_NO_ENTROPY);
	check_refused(ID_TRNG_RND, 97, TRNG_INVALID_PARAMETERS);
}
END_TEST

START_TEST(absent)
{
	f.fw.trng = NULL;
	for (uint32_t id = ID_TRNG_VERSION; id <= ID_TRNG_RND; id++) {
		ck_assert_int_eq(fake_call(&f, 0, id, 32, 5, 6), -1);
		ck_assert_uint_eq(f.last.nresults, 1);
		ck_assert_uint_eq(f.last.x[2], 5);
	}
}
END_TEST

/* Two requests of 192 bits from the host are not the same, and not what the buffer held. */
START_TEST(host_entropy)
{
	uint8_t a[24] = { 0 }, b[24] = { 0 }, zero[24] = { 0 };

	ck_assert_int_eq(trng_host_entropy(NULL, a, sizeof(a)), 0);
	ck_assert_int_eq(trng_host_entropy(NULL, b, sizeof(b)), 0);
	ck_assert(memcmp(a, b, sizeof(a)));
	ck_assert(memcmp(a, zero, sizeof(a)));
	ck_assert(memcmp(b, zero, sizeof(b)));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trng_rnd");
	TCase *t = tcase_create("trng");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, version_and_features);
	tcase_add_test(t, uuid);
	tcase_add_test(t, every_number_of_bits);
	tcase_add_test(t, register_order);
	tcase_add_test(t, bad_number_of_bits);
	tcase_add_test(t, no_entropy);
	tcase_add_test(t, absent);
	tcase_add_test(t, host_entropy);
	return run_suite(s);
}
