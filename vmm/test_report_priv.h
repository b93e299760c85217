/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_TEST_REPORT_PRIV_H
#define VMM_TEST_REPORT_PRIV_H

#include "vmm/test_report.h"

/* Private part of test_report: one function a kind, and what they share. */

void test_report_text(const struct test_report *report, FILE *out);
void test_report_json(const struct test_report *report, FILE *out);
void test_report_tap(const struct test_report *report, FILE *out);
void test_report_junit(const struct test_report *report, FILE *out);

/* Why it failed, for people: without a newline. */
void test_report_reason(const struct test_run *run, FILE *out);
/* Everything that is known of a run, a line each behind `prefix`. */
void test_report_details(const struct test_run *run, const char *prefix, FILE *out);

#endif
