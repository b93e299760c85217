// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/test_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/core/loop.h"
#include "vmm/test_log.h"
#include "vmm/test_plan.h"
#include "vmm/test_report.h"
#include "vmm/test_runner.h"

struct session {
	struct test test; /* of the command line */
	struct test_plan plan;
	struct test_run *runs;
	unsigned int nruns;
};

static int parse(struct session *s, int argc, char **argv, struct fail *fail)
{
	/* opts_parse() changes the order of words, and the plan wants them, too. */
	int words = opts_parse(test_session_options, argc, argv, &s->test, fail);

	if (words > 0)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"'%s' is no option; options of several words need quotes (vmm test "
				"--help)",
				argv[0]);
	if (words < 0)
		return words;
	if (s->test.plan)
		return test_plan_load(&s->plan, s->test.plan, argc, argv, fail);
	return test_check(&s->test, fail);
}

static void add_runs(struct session *s, const struct test *test)
{
	const char *name = test->run.name ? test->run.name : "test";

	for (unsigned int i = 1; i <= test->repeat; i++) {
		struct test_run *run = &s->runs[s->nruns++];

		run->test = test;
		if (i == 1)
			snprintf(run->name, sizeof(run->name), "%s", name);
		else
			snprintf(run->name, sizeof(run->name), "%s.%u", name, i);
	}
}

/* Tests of one snapshot follow each other, and it is looked at once. */
static int open_snapshots(struct session *s, test_look *look, struct fail *fail)
{
	struct test *only = &s->test, **tests = s->test.plan ? s->plan.tests : &only;
	const struct test *last = NULL;
	int err = 0;

	for (unsigned int i = 0; !err && i < (s->test.plan ? s->plan.n : 1); i++) {
		if (!tests[i]->from_snapshot)
			continue;
		err = test_open(tests[i], last, look, fail);
		last = tests[i];
	}
	return err;
}

/* A test of one machine is a run of its own for each repetition. */
static int expand(struct session *s, struct fail *fail)
{
	const struct test *only = &s->test;
	const struct test *const *tests =
		s->test.plan ? (const struct test *const *)s->plan.tests : &only;
	unsigned int ntests = s->test.plan ? s->plan.n : 1;
	size_t n = 0;

	for (unsigned int i = 0; i < ntests; i++)
		n += tests[i]->repeat;
	s->runs = calloc(n, sizeof(*s->runs));
	if (!s->runs)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	for (unsigned int i = 0; i < ntests; i++) {
		add_runs(s, tests[i]);
		if (n > 1 && tests[i]->log && !test_log_distinct(tests[i]->log))
			return fail_set(
				fail, EXIT_CONFIG, -EINVAL,
				"--log %s is one file for several runs; put %%n, the test's "
				"name, into it",
				tests[i]->log);
	}
	return 0;
}

static int run_all(struct session *s, test_machine *machine, struct fail *fail)
{
	struct test_budget budget;
	struct test_progress progress = { stderr, isatty(STDERR_FILENO) };

	/* A single test's only news is its report. */
	if (s->nruns == 1 && !progress.live)
		progress.out = NULL;
	test_budget_host(&budget);
	budget.jobs = s->test.jobs;
	return test_runner(s->runs, s->nruns, &budget, &progress, machine, fail);
}

static int write_reports(const struct session *s, const struct test_report *report,
			 struct fail *fail)
{
	const struct test_report_wish text = { 0 };
	bool on_stdout = false;
	int err = 0;

	for (unsigned int i = 0; i < s->test.nreports; i++) {
		int this = test_report_write(report, &s->test.reports[i], fail);

		on_stdout |= !s->test.reports[i].file;
		err = err ? err : this;
	}
	if (!on_stdout) {
		int this = test_report_write(report, &text, fail);

		err = err ? err : this;
	}
	return err;
}

/* Of several runs of one test, that of the first that failed. */
static int exit_code(const struct session *s, const struct test_report *report)
{
	if (s->test.plan)
		return test_report_failed(report) ? EXIT_TEST_FAILED : EXIT_OK;
	for (unsigned int i = 0; i < s->nruns; i++)
		if (!test_run_passed(&s->runs[i]))
			return s->runs[i].result ? s->runs[i].result->code : EXIT_HOST;
	return EXIT_OK;
}

static int run_session(struct session *s, test_machine *machine, struct fail *fail)
{
	struct test_report report = { .runs = s->runs, .n = s->nruns, .began = time(NULL) };
	uint64_t began = loop_now_ns();
	int result = run_all(s, machine, fail);

	report.elapsed_ns = loop_now_ns() - began;
	if (write_reports(s, &report, fail) || result < 0)
		return (int)fail->code;
	return result > 0 ? EXIT_SIGNAL + result : exit_code(s, &report);
}

static void cleanup(struct session *s)
{
	for (unsigned int i = 0; i < s->nruns; i++) {
		if (s->runs[i].result)
			test_record_fini(s->runs[i].result);
		free(s->runs[i].result);
	}
	free(s->runs);
	test_plan_fini(&s->plan);
	test_fini(&s->test);
}

int test_session(int argc, char **argv, const struct test_machines *machines, struct fail *fail)
{
	struct session *s = calloc(1, sizeof(*s));
	int code, err;

	if (!s) {
		fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
		return EXIT_HOST;
	}
	test_init(&s->test);
	err = parse(s, argc, argv, fail);
	if (!err)
		err = open_snapshots(s, machines->look, fail);
	if (!err)
		err = expand(s, fail);
	code = err ? (int)fail->code : run_session(s, machines->run, fail);
	cleanup(s);
	free(s);
	return code;
}
