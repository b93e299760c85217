// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/test_config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "vmm/test_report.h"

#define SECOND 1000000000ULL
#define DAY    (86400 * SECOND)

static int parse_expect(void *into, const char *arg, struct fail *fail)
{
	return test_rules_expect(&((struct test *)into)->rules, arg, fail);
}

static int parse_reject(void *into, const char *arg, struct fail *fail)
{
	return test_rules_reject(&((struct test *)into)->rules, arg, fail);
}

static int parse_send(void *into, const char *arg, struct fail *fail)
{
	return test_rules_send(&((struct test *)into)->rules, arg, fail);
}

static int parse_migrate(void *into, const char *arg, struct fail *fail)
{
	return test_rules_migrate(&((struct test *)into)->rules, arg, fail);
}

static int parse_report(void *into, const char *arg, struct fail *fail)
{
	struct test *test = into;
	struct test_report_wish *wish = &test->reports[test->nreports];

	if (test->nreports == TEST_REPORTS_MAX)
		return fail_set(fail, EXIT_CONFIG, -E2BIG, "--report: at most %d of them",
				TEST_REPORTS_MAX);
	if (test_report_find(arg, &wish->kind, &wish->file))
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--report %s: give text, json, tap or junit, with =FILE behind it "
				"for one that goes to a file",
				arg);
	test->nreports++;
	return 0;
}

#define AT(field) .offset = offsetof(struct test, field)

const struct opt test_options[] = {
	{ "expect", 0, OPT_PARSE, NULL, "REGEX",
	  "a console line that must come; repeatable: in this order, and the test ends with the "
	  "last "
	  "(without any, it passes when the guest powers off)",
	  .parse = parse_expect },
	{ "any-order", 0, OPT_FLAG, NULL, NULL, "what is expected may come in any order",
	  AT(rules.any_order) },
	{ "reject", 0, OPT_PARSE, NULL, "REGEX", "a console line that must not come; repeatable",
	  .parse = parse_reject },
	{ "no-default-rejects", 0, OPT_FLAG, NULL, NULL,
	  "take panics, Oopses, BUGs, sanitizer reports, stalls and lockups of the kernel for any "
	  "text",
	  AT(rules.no_default_rejects) },
	{ "send", 0, OPT_PARSE, NULL, "TEXT@REGEX",
	  "type TEXT (with \\n \\t \\xHH ...) when the console shows REGEX, or at once without "
	  "one; "
	  "repeatable, in order",
	  .parse = parse_send },
	{ "migrate-on", 0, OPT_PARSE, NULL, "REGEX",
	  "save the machine when the console shows REGEX, and go on with what was saved; what is "
	  "to be "
	  "sent then comes after",
	  .parse = parse_migrate },
	{ "from-snapshot", 0, OPT_STR, NULL, "FILE",
	  "do not boot: go on as a clone of this saved machine; of run's options only --name, "
	  "--no-reboot, --log-file and --loglevel go with it",
	  AT(from_snapshot) },
	{ "timeout", 0, OPT_TIME, NULL, "TIME",
	  "the longest that a test may take (60s; 0: no limit)", AT(timeout_ns), .max = 30 * DAY },
	{ "idle-timeout", 0, OPT_TIME, NULL, "TIME",
	  "a guest that prints nothing, does no I/O and waits or spins for so long has stalled "
	  "(30s; "
	  "0: never)",
	  AT(idle_ns), .max = 30 * DAY },
	{ "repeat", 0, OPT_UINT, NULL, "N", "run a test so often; all must pass (1)", AT(repeat),
	  .min = 1, .max = TEST_REPEAT_MAX },
	{ "retries", 0, OPT_UINT, NULL, "N",
	  "run a test that fails again, up to so often; the report calls it flaky (0)", AT(retries),
	  .max = TEST_REPEAT_MAX },
	{ "log", 0, OPT_STR, NULL, "FILE",
	  "the console with the time of each line; %n in the name becomes the test's", AT(log) },
	{ .more = config_options },
};

const struct opt test_session_options[] = {
	{ "plan", 0, OPT_STR, NULL, "FILE",
	  "run the tests of a file: a [NAME] a test, then its options, one a line; those above the "
	  "first [NAME], and those given here, are for all",
	  AT(plan) },
	{ "jobs", 0, OPT_UINT, NULL, "N",
	  "how many run at once (as many as there are CPUs for, and memory)", AT(jobs), .min = 1,
	  .max = 1024 },
	{ "report", 0, OPT_PARSE, NULL, "text|json|tap|junit[=FILE]",
	  "what the results are written as (text, on stdout); repeatable", .parse = parse_report },
	{ .more = test_options },
};

void test_init(struct test *test)
{
	memset(test, 0, sizeof(*test));
	config_init(&test->run);
	test->timeout_ns = 60 * SECOND;
	test->idle_ns = 30 * SECOND;
	test->repeat = 1;
	test->snapshot_fd = -1;
}

/* What a clone takes, as those of `vmm restore` do; the rest of run's options is the snapshot's. */
static int check_clone(const struct test *test, struct fail *fail)
{
	static const char *const taken[] = { "name", "no-reboot", "log-file", "loglevel", NULL };
	const struct opts_kept *given = &test->run.given;

	for (size_t i = 0; i < given->n; i++) {
		const char *name = given->words[i].opt->name;
		const char *const *word = taken;

		while (*word && strcmp(*word, name))
			word++;
		for (const struct opt *o = opts_first(config_options); !*word && o;
		     o = opts_next(o))
			if (o == given->words[i].opt)
				return fail_set(fail, EXIT_CONFIG, -EINVAL,
						"--%s: the machine is the snapshot's, and has that "
						"already; leave it out",
						name);
	}
	return 0;
}

int test_open(struct test *test, const struct test *last, test_look *look, struct fail *fail)
{
	if (last && !strcmp(last->from_snapshot, test->from_snapshot)) {
		test->snapshot_fd = last->snapshot_fd;
		test->run.cpus = last->run.cpus;
		test->run.mem = last->run.mem;
		return 0;
	}
	test->snapshot_fd = open(test->from_snapshot, O_RDONLY | O_CLOEXEC);
	test->owns_snapshot = test->snapshot_fd >= 0;
	if (test->snapshot_fd < 0)
		return fail_set(fail, EXIT_CONFIG, -errno, "cannot open %s: %s",
				test->from_snapshot, strerror(errno));
	return look(test->snapshot_fd, &test->run, fail);
}

int test_check(const struct test *test, struct fail *fail)
{
	if (test->run.dry_run || test->run.dump_dtb)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--%s starts nothing that could be tested; use vmm run",
				test->run.dry_run ? "dry-run" : "dump-dtb");
	if (test->from_snapshot)
		return check_clone(test, fail);
	return config_check(&test->run, fail);
}

void test_fini(struct test *test)
{
	test_rules_fini(&test->rules);
	config_fini(&test->run);
	if (test->owns_snapshot)
		close(test->snapshot_fd);
}
