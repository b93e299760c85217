// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/test_plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/control_dir.h"

static const char SPACE[] = " \t\r";

struct plan_line {
	unsigned int number; /* in the file, from 1 */
	bool header; /* name: that of a test */
	char *name, *value; /* value: NULL for none */
};

struct lines {
	const char *file;
	struct plan_line *all;
	unsigned int n;
};

static int bad_line(const struct lines *lines, const struct plan_line *line, const struct fail *why,
		    struct fail *fail)
{
	return fail_set(fail, why->code, -EINVAL, "%s:%u: %s", lines->file, line->number,
			why->text);
}

static int bad_syntax(const struct lines *lines, unsigned int number, const char *why,
		      struct fail *fail)
{
	return fail_set(fail, EXIT_CONFIG, -EINVAL, "%s:%u: %s", lines->file, number, why);
}

/* --- the file --------------------------------------------------------------------------------- */

static int read_file(const char *file, char **text, struct fail *fail)
{
	FILE *in = fopen(file, "re");
	size_t len;
	int err = 0;

	if (!in)
		return fail_set(fail, EXIT_CONFIG, -errno, "cannot read the plan %s: %s", file,
				strerror(errno));
	*text = malloc(TEST_PLAN_MAX + 1);
	len = *text ? fread(*text, 1, TEST_PLAN_MAX + 1, in) : 0;
	if (!*text)
		err = fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	else if (ferror(in))
		err = fail_set(fail, EXIT_CONFIG, -EIO, "cannot read the plan %s: %s", file,
			       strerror(errno));
	else if (len > TEST_PLAN_MAX || memchr(*text, 0, len))
		err = fail_set(fail, EXIT_CONFIG, -EINVAL,
			       "%s is no plan: it has NULs, or more than %d KiB", file,
			       TEST_PLAN_MAX >> 10);
	else
		(*text)[len] = 0;
	fclose(in);
	return err;
}

/* Without the space at both ends. */
static char *trim(char *text)
{
	size_t len;

	text += strspn(text, SPACE);
	len = strlen(text);
	while (len && strchr(SPACE, text[len - 1]))
		text[--len] = 0;
	return text;
}

static int split_header(struct lines *lines, struct plan_line *line, char *text, struct fail *fail)
{
	size_t len = strlen(text);

	if (len < 3 || text[len - 1] != ']')
		return bad_syntax(lines, line->number, "a test begins with [NAME]", fail);
	text[len - 1] = 0;
	line->header = true;
	line->name = trim(text + 1);
	if (!control_name_ok(line->name) || strlen(line->name) > TEST_PLAN_NAME_MAX)
		return bad_syntax(
			lines, line->number,
			"a test's name has 1 to 48 letters, digits, and . _ - but for its "
			"first character",
			fail);
	for (struct plan_line *other = lines->all; other < line; other++)
		if (other->header && !strcmp(other->name, line->name))
			return bad_syntax(lines, line->number, "a second test of this name", fail);
	return 0;
}

static int split_option(struct lines *lines, struct plan_line *line, char *text, struct fail *fail)
{
	const char *why = opts_line(text, &line->name, &line->value);

	return why ? bad_syntax(lines, line->number, why, fail) : 0;
}

static int split(struct lines *lines, char *text, struct fail *fail)
{
	unsigned int number = 0, max = 1;
	int err = 0;

	for (const char *p = text; *p; p++)
		max += *p == '\n';
	lines->all = calloc(max, sizeof(*lines->all));
	if (!lines->all)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	for (char *next; text && !err; text = next) {
		struct plan_line *line = &lines->all[lines->n];

		next = strchr(text, '\n');
		if (next)
			*next++ = 0;
		text = trim(text);
		line->number = ++number;
		err = *text == '[' ? split_header(lines, line, text, fail)
				   : split_option(lines, line, text, fail);
		lines->n += line->name != NULL;
	}
	return err;
}

/* --- the tests -------------------------------------------------------------------------------- */

/* The options from `line` on, up to the next test. */
static int apply(const struct lines *lines, unsigned int line, struct test *test, struct fail *fail)
{
	for (; line < lines->n && !lines->all[line].header; line++) {
		const struct plan_line *l = &lines->all[line];
		struct fail why = { 0 };

		if (opts_set(test_options, l->name, l->value, test, &why))
			return bad_line(lines, l, &why, fail);
	}
	return 0;
}

static int apply_words(int argc, char *const *argv, struct test *test, struct fail *fail)
{
	char **copy = calloc((size_t)argc + 1, sizeof(*copy));
	int words;

	if (!copy)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	for (int i = 0; i < argc; i++)
		copy[i] = argv[i];
	words = opts_parse(test_session_options, argc, copy, test, fail);
	free(copy);
	return words < 0 ? words : 0;
}

static int add_test(struct test_plan *plan, const struct lines *lines, unsigned int header,
		    int argc, char *const *argv, struct fail *fail)
{
	struct plan_line *line = &lines->all[header];
	struct fail why = { 0 };
	struct test *test;
	int err;

	if (plan->n == TEST_PLAN_TESTS)
		return bad_syntax(lines, line->number, "more than 1,000 tests", fail);
	test = malloc(sizeof(*test));
	if (!test)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	test_init(test);
	plan->tests[plan->n++] = test;
	err = apply_words(argc, argv, test, fail);
	if (!err)
		err = apply(lines, 0, test, fail);
	if (!err)
		err = apply(lines, header + 1, test, fail);
	test->run.name = line->name;
	if (!err && test_check(test, &why))
		err = bad_line(lines, line, &why, fail);
	return err;
}

int test_plan_load(struct test_plan *plan, const char *file, int argc, char *const *argv,
		   struct fail *fail)
{
	struct lines lines = { .file = file };
	int err;

	*plan = (struct test_plan){ 0 };
	err = read_file(file, &plan->text, fail);
	if (!err)
		err = split(&lines, plan->text, fail);
	if (!err) {
		plan->tests = calloc(TEST_PLAN_TESTS, sizeof(*plan->tests));
		if (!plan->tests)
			err = fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	}
	for (unsigned int i = 0; !err && i < lines.n; i++)
		if (lines.all[i].header)
			err = add_test(plan, &lines, i, argc, argv, fail);
	if (!err && !plan->n)
		err = fail_set(fail, EXIT_CONFIG, -EINVAL, "%s has no test; one begins with [NAME]",
			       file);
	free(lines.all);
	if (err)
		test_plan_fini(plan);
	return err;
}

void test_plan_fini(struct test_plan *plan)
{
	while (plan->n) {
		test_fini(plan->tests[--plan->n]);
		free(plan->tests[plan->n]);
	}
	free(plan->tests);
	free(plan->text);
	*plan = (struct test_plan){ 0 };
}
