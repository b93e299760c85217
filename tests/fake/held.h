/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FAKE_HELD_H
#define TESTS_FAKE_HELD_H

#include <check.h>
#include <dirent.h>
#include <malloc.h>
#include <stddef.h>

/* What a test's process holds, to see whether anything of it stays behind. */
struct held {
	unsigned int fds, threads;
	size_t bytes; /* allocated; 0 where a sanitizer allocates, and looks for leaks itself */
};

static inline unsigned int held_entries(const char *of)
{
	DIR *dir = opendir(of);
	unsigned int n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static inline unsigned int held_fds(void)
{
	return held_entries("/proc/self/fd");
}

static inline struct held held_now(void)
{
	return (struct held){
		.fds = held_fds(),
		.threads = held_entries("/proc/self/task"),
		.bytes = mallinfo2().uordblks,
	};
}

/* Nothing more and nothing less than `before`. */
static inline void held_same(const struct held *before)
{
	const struct held now = held_now();

	ck_assert_uint_eq(now.fds, before->fds);
	ck_assert_uint_eq(now.threads, before->threads);
	ck_assert_uint_eq(now.bytes, before->bytes);
}

#endif
