// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/test_log.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

bool test_log_distinct(const char *pattern)
{
	for (const char *p = pattern; (p = strchr(p, '%')); p += 2)
		if (p[1] == 'n')
			return true;
		else if (!p[1])
			return false;
	return false;
}

/* -EINVAL: a % that means nothing; -ENAMETOOLONG. */
static int make_path(const char *pattern, const char *name, char path[PATH_MAX])
{
	size_t n = 0;

	for (; *pattern; pattern++) {
		const char *part = pattern;
		size_t len = 1;

		if (*pattern == '%' && *++pattern == 'n') {
			part = name;
			len = strlen(name);
		} else if (*part == '%' && *pattern != '%') {
			return -EINVAL;
		}
		if (len >= PATH_MAX - n)
			return -ENAMETOOLONG;
		memcpy(path + n, part, len);
		n += len;
	}
	path[n] = 0;
	return 0;
}

int test_log_open(struct test_log *log, const char *pattern, const char *name, bool again,
		  struct fail *fail)
{
	char path[PATH_MAX];
	int err = pattern ? make_path(pattern, name, path) : 0;

	*log = (struct test_log){ 0 };
	if (!pattern)
		return 0;
	if (err == -EINVAL)
		return fail_set(fail, EXIT_CONFIG, err,
				"--log %s: %%n is the test's name and %%%% a %%, no more", pattern);
	log->file = err ? NULL : fopen(path, again ? "ae" : "we");
	if (log->file) {
		/* Whoever follows the file sees each line when it is there. */
		setvbuf(log->file, NULL, _IOLBF, BUFSIZ);
		return 0;
	}
	err = err ? err : -errno;
	return fail_set(fail, EXIT_CONFIG, err, "cannot write %s: %s; name another --log", pattern,
			strerror(-err));
}

void test_log_begin(struct test_log *log, uint64_t ns)
{
	log->begin_ns = ns;
}

static void keep_error(struct test_log *log, int result)
{
	if (result < 0 && !log->err)
		log->err = -errno;
}

void test_log_line(struct test_log *log, const char *text, bool whole)
{
	if (!log->file)
		return;
	if (!log->middle)
		keep_error(log, fprintf(log->file, "[%5u.%06u] ",
					(unsigned int)(log->begin_ns / 1000000000),
					(unsigned int)(log->begin_ns % 1000000000 / 1000)));
	keep_error(log, fprintf(log->file, whole ? "%s\n" : "%s", text));
	log->middle = !whole;
}

int test_log_close(struct test_log *log)
{
	int err;

	if (log->file)
		keep_error(log, fclose(log->file));
	err = log->err;
	*log = (struct test_log){ 0 };
	return err;
}
