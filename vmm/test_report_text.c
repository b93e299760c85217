// SPDX-License-Identifier: GPL-2.0-only
/* Reports of plain lines: for people, and TAP (https://testanything.org, version 13). */
#include <stdlib.h>
#include <string.h>

#include "vmm/control_debug.h"
#include "vmm/test_report_priv.h"

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

void test_report_reason(const struct test_run *run, FILE *out)
{
	const struct test_record *r = run->result;

	if (!r) {
		fputs("not run", out);
		return;
	}
	fputs(test_verdict(r->outcome)->sentence, out);
	if (*r->why)
		fprintf(out, ": %s", r->why);
}

static void print_expects(const struct test_run *run, const char *prefix, FILE *out)
{
	const struct test_rules *rules = &run->test->rules;

	for (unsigned int i = 0; i < rules->nexpects; i++)
		if (run->result->met_ns[i])
			fprintf(out, "%s%8.3f s  %s\n", prefix, seconds(run->result->met_ns[i]),
				rules->expects[i].text);
		else
			fprintf(out, "%s   never    %s\n", prefix, rules->expects[i].text);
}

/* Each line of a text. */
static void print_lines(const char *text, const char *prefix, FILE *out)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		char line[TEST_TEXT_MAX], clean[TEST_TEXT_MAX];

		snprintf(line, sizeof(line), "%.*s", (int)len, text);
		test_text(clean, line);
		fprintf(out, "%s  %s\n", prefix, clean);
		text += len;
		text += *text == '\n';
	}
}

/* The machine's answer to `debug`. */
static void print_debug(const char *debug, const char *prefix, FILE *out)
{
	char *copy = strdup(debug), *text = NULL;
	struct json_object obj;
	size_t size;
	FILE *mem = copy ? open_memstream(&text, &size) : NULL;

	if (mem && !json_parse(copy, &obj))
		control_debug_print(&obj, NULL, mem);
	if (mem)
		fclose(mem);
	if (text)
		print_lines(text, prefix, out);
	free(text);
	free(copy);
}

void test_report_details(const struct test_run *run, const char *prefix, FILE *out)
{
	const struct test_record *r = run->result;
	const char *line;

	print_expects(run, prefix, out);
	if (*r->line)
		fprintf(out, "%srejected (%s): %s\n", prefix, r->reject, r->line);
	if (*r->messages) {
		fprintf(out, "%svmm said:\n", prefix);
		print_lines(r->messages, prefix, out);
	}
	if (r->tail.n)
		fprintf(out, "%slast of the console:\n", prefix);
	for (unsigned int i = 0; (line = test_tail_line(&r->tail, i)); i++)
		fprintf(out, "%s  %s\n", prefix, line);
	if (r->debug) {
		fprintf(out, "%sCPUs:\n", prefix);
		print_debug(r->debug, prefix, out);
	}
}

static void text_run(const struct test_run *run, FILE *out)
{
	const struct test_record *r = run->result;

	fprintf(out, "%s %s: ", test_run_passed(run) ? "PASS" : "FAIL", run->name);
	test_report_reason(run, out);
	if (!r) {
		fputc('\n', out);
		return;
	}
	fprintf(out, " (%.1f s", seconds(r->elapsed_ns));
	if (r->outcome != TEST_PASSED)
		fprintf(out, ", exit code %d", r->code);
	if (test_run_flaky(run))
		fprintf(out, ", flaky: attempt %u", run->attempts);
	else if (run->attempts > 1)
		fprintf(out, ", %u attempts", run->attempts);
	fputs(")\n", out);
	if (r->outcome == TEST_PASSED)
		print_expects(run, "    ", out);
	else
		test_report_details(run, "    ", out);
}

void test_report_text(const struct test_report *report, FILE *out)
{
	unsigned int failed = test_report_failed(report);

	for (unsigned int i = 0; i < report->n; i++)
		text_run(&report->runs[i], out);
	fprintf(out, "%u passed, %u failed in %.1f s\n", report->n - failed, failed,
		seconds(report->elapsed_ns));
}

void test_report_tap(const struct test_report *report, FILE *out)
{
	fprintf(out, "TAP version 13\n1..%u\n", report->n);
	for (unsigned int i = 0; i < report->n; i++) {
		const struct test_run *run = &report->runs[i];
		bool passed = test_run_passed(run);

		fprintf(out, "%sok %u - %s%s\n", passed ? "" : "not ", i + 1, run->name,
			test_run_flaky(run) ? " (flaky)" : "");
		if (passed)
			continue;
		fputs("# ", out);
		test_report_reason(run, out);
		fputc('\n', out);
		if (run->result)
			test_report_details(run, "# ", out);
	}
}
