// SPDX-License-Identifier: GPL-2.0-only
/* JUnit's XML, as CI servers read it; tests/junit.xsd is the part of it that is used. */
#include <stdlib.h>
#include <string.h>

#include "vmm/core/json.h"
#include "vmm/test_report_priv.h"

/* U+FFFE and U+FFFF are UTF-8 and no characters of XML (XML 1.0, 2.2). */
static bool xml_char(const char *text, size_t len)
{
	return len > 1 ? memcmp(text, "\xef\xbf\xbe", 3) && memcmp(text, "\xef\xbf\xbf", 3)
		       : (unsigned char)*text >= ' ' || *text == '\n' || *text == '\t';
}

static void put_xml(const char *text, FILE *out)
{
	while (*text) {
		size_t len = json_utf8(text);

		if (!len || !xml_char(text, len))
			fputc('?', out);
		else if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '>')
			fputs("&gt;", out);
		else if (*text == '&')
			fputs("&amp;", out);
		else if (*text == '"')
			fputs("&quot;", out);
		else
			fwrite(text, 1, len, out);
		text += len ? len : 1;
	}
}

/* What a report of lines says, as text of XML. */
static void put_printed(void (*print)(const struct test_run *run, FILE *out),
			const struct test_run *run, FILE *out)
{
	char *text = NULL;
	size_t size;
	FILE *mem = open_memstream(&text, &size);

	if (!mem)
		return;
	print(run, mem);
	fclose(mem);
	put_xml(text, out);
	free(text);
}

static void print_details(const struct test_run *run, FILE *out)
{
	test_report_details(run, "", out);
}

/* Not the guest's fault. */
static bool is_error(const struct test_run *run)
{
	static const enum test_outcome errors[] = {
		TEST_NONE, TEST_CONFIG, TEST_HOST, TEST_STOPPED, TEST_KILLED, TEST_OTHER,
	};

	for (size_t i = 0; run->result && i < sizeof(errors) / sizeof(errors[0]); i++)
		if (run->result->outcome == errors[i])
			return true;
	return !run->result;
}

static void put_run(const struct test_run *run, FILE *out)
{
	const struct test_record *r = run->result;
	const char *tag = is_error(run) ? "error" : "failure";

	fprintf(out, "<testcase classname=\"vmm\" name=\"");
	put_xml(run->name, out);
	fprintf(out, "\" time=\"%.3f\"", r ? (double)r->elapsed_ns / 1e9 : 0.0);
	if (test_run_passed(run) && !test_run_flaky(run)) {
		fputs("/>\n", out);
		return;
	}
	if (test_run_flaky(run)) {
		fprintf(out, "><system-out>flaky: passed at attempt %u</system-out></testcase>\n",
			run->attempts);
		return;
	}
	fprintf(out, "><%s type=\"%s\" message=\"", tag,
		test_verdict(r ? r->outcome : TEST_NONE)->word);
	put_printed(test_report_reason, run, out);
	fputs("\">", out);
	if (r)
		put_printed(print_details, run, out);
	fprintf(out, "</%s></testcase>\n", tag);
}

/* UTC as XML Schema's dateTime has it. The C library's own would bring time zones and scanf along,
 * a part of the program that one sees. Years begin in March, so that leap days come last. */
static void put_time(time_t when, char *text, size_t size)
{
	long days = when / 86400, secs = when % 86400;
	long era = (days + 719468) / 146097, day = (days + 719468) % 146097;
	long year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	long rest = day - (365 * year + year / 4 - year / 100);
	long month = (5 * rest + 2) / 153;

	snprintf(text, size, "%04ld-%02ld-%02ldT%02ld:%02ld:%02ld",
		 year + era * 400 + (month >= 10), month < 10 ? month + 3 : month - 9,
		 rest - (153 * month + 2) / 5 + 1, secs / 3600, secs / 60 % 60, secs % 60);
}

void test_report_junit(const struct test_report *report, FILE *out)
{
	unsigned int failed = test_report_failed(report), errors = 0;
	char began[64], counts[160];

	for (unsigned int i = 0; i < report->n; i++)
		errors += !test_run_passed(&report->runs[i]) && is_error(&report->runs[i]);
	put_time(report->began, began, sizeof(began));
	snprintf(counts, sizeof(counts), "tests=\"%u\" failures=\"%u\" errors=\"%u\" time=\"%.3f\"",
		 report->n, failed - errors, errors, (double)report->elapsed_ns / 1e9);
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", out);
	fprintf(out, "<testsuites %s>\n<testsuite name=\"vmm test\" timestamp=\"%s\" %s>\n", counts,
		began, counts);
	for (unsigned int i = 0; i < report->n; i++)
		put_run(&report->runs[i], out);
	fputs("</testsuite>\n</testsuites>\n", out);
}
