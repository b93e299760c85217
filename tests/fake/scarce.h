/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TESTS_FAKE_SCARCE_H
#define TESTS_FAKE_SCARCE_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * For a test program, in one file of it: its allocations fail from the nth on, or it gets only so
 * many descriptors. The sanitizers have allocators of their own in this place, and look for leaks
 * themselves: with them SCARCE_MEMORY is 0, and there are no such tests.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SCARCE_MEMORY 0
#else
#define SCARCE_MEMORY 1

static struct {
	bool on;
	long left; /* allocations until one fails */
	long live; /* allocated and not freed since it is on */
	_Atomic bool *refused; /* set when one has failed, where the test has put something here */
} scarce;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *ptr, size_t size);
void __libc_free(void *ptr);

/* `n` allocations go well, and no more. */
static inline void scarce_begin(unsigned int n)
{
	scarce.left = n;
	scarce.live = 0;
	scarce.on = true;
}

/* How many are not freed. */
static inline long scarce_end(void)
{
	scarce.on = false;
	return scarce.live;
}

static bool scarce_refuses(void)
{
	if (!scarce.on || scarce.left-- > 0)
		return false;
	if (scarce.refused)
		*scarce.refused = true;
	errno = ENOMEM;
	return true;
}

static void *scarce_counted(void *ptr)
{
	scarce.live += scarce.on && ptr;
	return ptr;
}

void *malloc(size_t size)
{
	return scarce_refuses() ? NULL : scarce_counted(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
	return scarce_refuses() ? NULL : scarce_counted(__libc_calloc(n, size));
}

void *realloc(void *ptr, size_t size)
{
	if (scarce_refuses())
		return NULL;
	return ptr ? __libc_realloc(ptr, size) : scarce_counted(__libc_malloc(size));
}

void free(void *ptr)
{
	scarce.live -= scarce.on && ptr;
	__libc_free(ptr);
}
#endif

/* The descriptor that the next open() gives. */
static inline int scarce_next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	close(fd);
	return fd;
}

/* Until scarce_fds_end(), given what this returns, only `n` more descriptors can be had. */
static inline struct rlimit scarce_fds_begin(unsigned int n)
{
	struct rlimit before, limit;
	const int first = scarce_next_fd();

	getrlimit(RLIMIT_NOFILE, &before);
	limit = before;
	limit.rlim_cur = (rlim_t)first + n;
	setrlimit(RLIMIT_NOFILE, &limit);
	return before;
}

static inline void scarce_fds_end(struct rlimit before)
{
	setrlimit(RLIMIT_NOFILE, &before);
}

#endif
