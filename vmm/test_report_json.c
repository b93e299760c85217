// SPDX-License-Identifier: GPL-2.0-only
/* One object of all tests (RFC 8259). */
#include <stdlib.h>

#include "vmm/core/json.h"
#include "vmm/test_report_priv.h"

/* What all of one run takes at most, with every character of the guest's escaped. */
enum { RUN_MAX = 1 << 20 };

static void put_ms(struct json_out *out, const char *key, uint64_t ns)
{
	json_uint(out, key, ns / 1000000);
}

static void put_expects(struct json_out *out, const struct test_run *run)
{
	const struct test_rules *rules = &run->test->rules;

	json_open(out, "expects", '[');
	for (unsigned int i = 0; i < rules->nexpects; i++) {
		json_open(out, NULL, '{');
		json_str(out, "pattern", rules->expects[i].text);
		json_bool(out, "met", run->result->met_ns[i]);
		if (run->result->met_ns[i])
			put_ms(out, "ms", run->result->met_ns[i]);
		json_close(out, '}');
	}
	json_close(out, ']');
}

static void put_result(struct json_out *out, const struct test_run *run)
{
	const struct test_record *r = run->result;
	const char *line;

	json_uint(out, "code", (uint64_t)r->code);
	put_ms(out, "ms", r->elapsed_ns);
	put_expects(out, run);
	if (*r->why)
		json_str(out, "why", r->why);
	if (*r->line) {
		json_str(out, "rejected", r->reject);
		json_str(out, "line", r->line);
	}
	json_str(out, "messages", r->messages);
	json_open(out, "console", '[');
	for (unsigned int i = 0; (line = test_tail_line(&r->tail, i)); i++)
		json_str(out, NULL, line);
	json_close(out, ']');
	if (r->debug)
		json_raw(out, "debug", r->debug);
}

static void put_run(struct json_out *out, const struct test_run *run)
{
	json_open(out, NULL, '{');
	json_str(out, "name", run->name);
	json_bool(out, "passed", test_run_passed(run));
	json_str(out, "outcome",
		 test_verdict(run->result ? run->result->outcome : TEST_NONE)->word);
	json_uint(out, "attempts", run->attempts);
	json_bool(out, "flaky", test_run_flaky(run));
	if (run->result)
		put_result(out, run);
	json_close(out, '}');
}

void test_report_json(const struct test_report *report, FILE *out)
{
	unsigned int failed = test_report_failed(report);
	char *buf = malloc(RUN_MAX);
	struct json_out json;

	fprintf(out, "{\"version\":1,\"passed\":%u,\"failed\":%u,\"ms\":%llu,\"tests\":[",
		report->n - failed, failed, (unsigned long long)(report->elapsed_ns / 1000000));
	for (unsigned int i = 0; buf && i < report->n; i++) {
		json_out_init(&json, buf, RUN_MAX);
		put_run(&json, &report->runs[i]);
		fprintf(out, "%s\n%s", i ? "," : "", buf);
	}
	fputs("\n]}\n", out);
	free(buf);
}
