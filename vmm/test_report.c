// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/test_report_priv.h"

static const struct {
	const char *word;
	void (*print)(const struct test_report *report, FILE *out);
} kinds[] = {
	{ "text", test_report_text },
	{ "json", test_report_json },
	{ "tap", test_report_tap },
	{ "junit", test_report_junit },
};

enum { NKINDS = sizeof(kinds) / sizeof(kinds[0]) };

int test_report_find(const char *arg, unsigned int *kind, const char **file)
{
	size_t len = strcspn(arg, "=");

	if (arg[len] && !arg[len + 1])
		return -EINVAL;
	for (unsigned int i = 0; i < NKINDS; i++) {
		if (strlen(kinds[i].word) != len || memcmp(kinds[i].word, arg, len))
			continue;
		*kind = i;
		*file = arg[len] ? arg + len + 1 : NULL;
		return 0;
	}
	return -EINVAL;
}

void test_report_print(const struct test_report *report, unsigned int kind, FILE *out)
{
	kinds[kind].print(report, out);
}

unsigned int test_report_failed(const struct test_report *report)
{
	unsigned int failed = 0;

	for (unsigned int i = 0; i < report->n; i++)
		failed += !test_run_passed(&report->runs[i]);
	return failed;
}

/* 0 or -errno, and what was written is gone again. */
static int write_beside(const struct test_report *report, unsigned int kind, const char *file)
{
	char beside[PATH_MAX];
	int fd, err = 0;
	FILE *out;

	if (snprintf(beside, sizeof(beside), "%s.XXXXXX", file) >= (int)sizeof(beside))
		return -ENAMETOOLONG;
	fd = mkstemp(beside);
	if (fd < 0)
		return -errno;
	out = fdopen(fd, "w");
	if (!out) {
		close(fd);
		unlink(beside);
		return -ENOMEM;
	}
	kinds[kind].print(report, out);
	/* Not for its user alone, which is what mkstemp() makes. */
	if (fflush(out) || ferror(out) || fchmod(fd, 0644))
		err = -EIO;
	if (fclose(out) && !err)
		err = -errno;
	if (!err && rename(beside, file))
		err = -errno;
	if (err)
		unlink(beside);
	return err;
}

int test_report_write(const struct test_report *report, const struct test_report_wish *wish,
		      struct fail *fail)
{
	int err = 0;

	if (!wish->file) {
		kinds[wish->kind].print(report, stdout);
		if (fflush(stdout))
			err = -errno;
	} else {
		err = write_beside(report, wish->kind, wish->file);
	}
	return err ? fail_set(fail, EXIT_HOST, err, "cannot write the report %s: %s",
			      wish->file ? wish->file : "to stdout", strerror(-err))
		   : 0;
}
