// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <string.h>

#include "tests/fake/suite.h"
#include "virtio/blk.h"
#include "virtio/mmio.h"

static struct blk_config cfg;
static struct fail fail;

static int parse(const char *text)
{
	static char word[256];

	strcpy(word, text);
	memset(&fail, 0, sizeof(fail));
	cfg = (struct blk_config){ .transport = &virtio_mmio, .serial = "old" };
	return blk_parse(&cfg, word, &fail);
}

START_TEST(defaults)
{
	ck_assert_int_eq(parse("a=b.img"), 0);
	ck_assert_str_eq(cfg.disk.path, "a=b.img");
	ck_assert(!cfg.disk.ro && !cfg.disk.direct && !cfg.disk.keep && !cfg.disk.snapshot);
	ck_assert_uint_eq(cfg.queues, 1);
	ck_assert_uint_eq(cfg.aio, AIO_AUTO);
	ck_assert_ptr_null(cfg.serial);
	ck_assert_ptr_eq(cfg.transport, &virtio_mmio);
}
END_TEST

START_TEST(everything)
{
	ck_assert_int_eq(parse("x.img,ro,serial=S1,direct=on,discard=off,snapshot=on,queues=16,"
			       "aio=io_uring"),
			 0);
	ck_assert_str_eq(cfg.disk.path, "x.img");
	ck_assert(cfg.disk.ro && cfg.disk.direct && cfg.disk.keep && cfg.disk.snapshot);
	ck_assert_str_eq(cfg.serial, "S1");
	ck_assert_uint_eq(cfg.queues, 16);
	ck_assert_uint_eq(cfg.aio, AIO_URING);
	ck_assert_int_eq(parse("x.img,direct=off,snapshot=off,discard=on,ro=off,aio=threads"), 0);
	ck_assert(!cfg.disk.ro && !cfg.disk.direct && !cfg.disk.keep && !cfg.disk.snapshot);
	ck_assert_uint_eq(cfg.aio, AIO_THREADS);
	ck_assert_int_eq(parse("x.img,direct,snapshot,ro=on,aio=auto"), 0);
	ck_assert(cfg.disk.ro && cfg.disk.direct && cfg.disk.snapshot);
}
END_TEST

START_TEST(commas)
{
	static const char *const cases[][3] = {
		{ "a,,b.img", "a,b.img", NULL },
		{ "a,,b.img,serial=s", "a,b.img", "s" },
		{ ",,", ",", NULL },
		{ ",,,,x,,,serial=s", ",,x,", "s" },
		{ "a,,,,b", "a,,b", NULL },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(!parse(cases[i][0]), "%s: %s", cases[i][0], fail.text);
		ck_assert_str_eq(cfg.disk.path, cases[i][1]);
		ck_assert_pstr_eq(cfg.serial, cases[i][2]);
	}
}
END_TEST

START_TEST(refused)
{
	static const char *const cases[][2] = {
		{ "", "file name" },
		{ ",ro", "file name" },
		{ "x.img,rw", "'rw'" },
		{ "x.img,", "unknown part ''" },
		{ "x.img,ro=1", "ro cannot be '1'" },
		{ "x.img,ro=", "ro cannot be ''" },
		{ "x.img,serial", "serial" },
		{ "x.img,direct=yes", "direct" },
		{ "x.img,queues", "queues" },
		{ "x.img,queues=0", "queues" },
		{ "x.img,queues=17", "queues" },
		{ "x.img,queues=1x", "queues" },
		{ "x.img,queues=-1", "queues" },
		{ "x.img,queues= 1", "queues" },
		{ "x.img,queues=4294967297", "queues" },
		{ "x.img,queues=99999999999999999999", "queues" },
		{ "x.img,aio", "aio" },
		{ "x.img,aio=native", "aio" },
		{ "my,disk.img", "doubled" },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_msg(parse(cases[i][0]) == -EINVAL, "%s", cases[i][0]);
		ck_assert_int_eq(fail.code, EXIT_CONFIG);
		ck_assert_msg(strstr(fail.text, cases[i][1]), "%s: %s", cases[i][0], fail.text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("virtio_blk_opts");
	TCase *tc = tcase_create("options");

	tcase_add_test(tc, defaults);
	tcase_add_test(tc, everything);
	tcase_add_test(tc, commas);
	tcase_add_test(tc, refused);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
