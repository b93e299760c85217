// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/fake/migrate.h"
#include "tests/fake/suite.h"

/* Patient: nothing is late unless a test makes it so. */
static const struct fake_plan calm = { .silence_ms = 20000, .downtime_ns = 20000000000 };

static struct fake_result run(const struct fake_plan *plan)
{
	static struct fake_result result;

	fake_migrate(plan, &result);
	return result;
}

/* --- when nothing fails ------------------------------------------------------------------------ */

static void check_moved(const struct fake_result *r)
{
	ck_assert_msg(r->source.end == MIGRATE_MOVED, "source: %s", r->source.fail.text);
	ck_assert_msg(r->destination.runs, "destination: %s", r->destination.fail.text);
	ck_assert(!r->source.runs && r->gave_up);
	ck_assert_uint_eq(r->source.sum, r->destination.sum);
	ck_assert_uint_eq(r->destination.value, 7);
}

START_TEST(moves)
{
	struct fake_result r = run(&calm);

	check_moved(&r);
	ck_assert_uint_ge(r.source.stats.rounds, 1);
	/* Pages that were never written are not sent: of 40 some 20 were. */
	ck_assert_uint_lt(r.source.stats.bytes, 40 * 4096);
	ck_assert_uint_gt(r.source.stats.down_ns, 0);
	ck_assert_uint_ge(r.source.stats.total_ns, r.source.stats.down_ns);
}
END_TEST

START_TEST(moves_verified)
{
	struct fake_plan plan = calm;
	struct fake_result r;

	plan.verify = true;
	r = run(&plan);
	check_moved(&r);
}
END_TEST

START_TEST(bandwidth_is_kept)
{
	struct fake_plan plan = calm;
	struct fake_result r;

	plan.bandwidth = 400000;
	r = run(&plan);
	check_moved(&r);
	/* The last round is not held up. */
	ck_assert_uint_ge(r.source.stats.total_ns, 100000000);
}
END_TEST

/* --- when it cannot be ------------------------------------------------------------------------- */

static void check_stayed(const struct fake_result *r, const char *source, const char *destination)
{
	ck_assert_int_eq(r->source.end, MIGRATE_STAYED);
	ck_assert(r->source.runs && !r->destination.runs && !r->gave_up);
	ck_assert_int_eq(r->destination.end, MIGRATE_STAYED);
	ck_assert_msg(strstr(r->source.fail.text, source), "source: %s", r->source.fail.text);
	ck_assert_msg(strstr(r->destination.fail.text, destination), "destination: %s",
		      r->destination.fail.text);
}

static const struct {
	const char *what, *source, *destination;
} failures[] = {
	{ "begin", "begin: no space", "stays where it was: begin: no space" },
	{ "make", "the destination refuses: make: no space", "make: no space" },
	{ "stop", "stop: no space", "stays where it was: stop: no space" },
	{ "load", "the destination refuses: load: no space", "load: no space" },
};

START_TEST(each_failure_is_told)
{
	struct fake_plan plan = calm;
	struct fake_result r;

	plan.fails = failures[_i].what;
	r = run(&plan);
	check_stayed(&r, failures[_i].source, failures[_i].destination);
}
END_TEST

/* All of them, in whole lines, and what could drive a terminal does not. */
START_TEST(each_reason_is_told)
{
	static const struct {
		const char *list, *heard;
	} rows[] = {
		{ NULL, "" },
		{ "one\ntwo \x1b[2J\x9b\n", "one\ntwo ?[2J?\n" },
	};
	struct fake_plan plan = calm;
	struct fake_result r;

	plan.fails = "make";
	plan.reasons = rows[_i].list;
	r = run(&plan);
	check_stayed(&r, "the destination refuses: make: no space", "make: no space");
	ck_assert_str_eq(r.source.reasons, rows[_i].heard);
}
END_TEST

START_TEST(a_long_list_is_cut_between_lines)
{
	char list[2 * MIGRATE_LIST_MAX] = "";
	struct fake_plan plan = calm;
	struct fake_result r;
	size_t len;

	for (unsigned int i = 0; strlen(list) + 20 < sizeof(list); i++)
		snprintf(list + strlen(list), 20, "reason %u\n", i);
	plan.fails = "make";
	plan.reasons = list;
	r = run(&plan);
	check_stayed(&r, "make: no space", "make: no space");
	len = strlen(r.source.reasons);
	ck_assert_uint_gt(len, MIGRATE_LIST_MAX - 20);
	ck_assert_int_eq(r.source.reasons[len - 1], '\n');
	ck_assert_int_eq(memcmp(r.source.reasons, list, len), 0);
}
END_TEST

START_TEST(a_cancel_is_told)
{
	struct fake_plan plan = calm;
	struct fake_result r;

	plan.cancel = true;
	r = run(&plan);
	check_stayed(&r, "cancelled", "");
}
END_TEST

/* 30 pages a round, at a rate that carries a few in the time that it may stand still. */
START_TEST(a_busy_guest_stays)
{
	struct fake_plan plan = calm;
	struct fake_result r;

	plan.writes = 400;
	plan.bandwidth = 4000000;
	plan.downtime_ns = 10000000;
	r = run(&plan);
	ck_assert_int_eq(r.source.end, MIGRATE_STAYED);
	/* Few pages are always worth the attempt, which may take too long, too. */
	check_stayed(&r, "--downtime", "stays where it was");
}
END_TEST

/* --- faults ------------------------------------------------------------------------------------ */

/* The one rule: never two, and none only as vmm/migrate.md says. */
static void check_rule(const struct fake_plan *plan, const struct fake_result *r)
{
	const struct fake_side *s = &r->source, *d = &r->destination;
	char what[1200];

	snprintf(what, sizeof(what), "fault %d, frame %u%s: source %s%d, %s; destination %s%d, %s",
		 plan->fault, plan->nth, plan->back ? " back" : "", s->ended ? "" : "killed ",
		 s->end, s->fail.text, d->ended ? "" : "killed ", d->end, d->fail.text);
	ck_assert_msg(!(s->runs && d->runs), "two: %s", what);
	ck_assert_msg(!d->runs || r->gave_up, "it was not given up: %s", what);
	ck_assert_msg(!d->runs || (s->sum == d->sum && d->value == 7), "not whole: %s", what);
	if (s->ended && d->ended && !s->runs && !d->runs)
		ck_assert_msg(s->end == MIGRATE_UNDECIDED && d->end == MIGRATE_UNDECIDED,
			      "none: %s", what);
	/* Whose guest does not run says so. */
	if (s->ended)
		ck_assert_msg(s->end == MIGRATE_MOVED || s->fail.text[0], "silent: %s", what);
	if (s->ended && !s->runs && s->end != MIGRATE_MOVED)
		ck_assert_msg(s->fail.code == EXIT_UNDECIDED, "code: %s", what);
	if (d->ended && !d->runs)
		ck_assert_msg(d->fail.text[0], "silent: %s", what);
	if (d->ended && d->end == MIGRATE_UNDECIDED)
		ck_assert_msg(d->fail.code == EXIT_UNDECIDED, "code: %s", what);
	/* What is killed cannot take with it what the other side was never told to let go of. */
	if (!d->ended && !r->gave_up)
		ck_assert_msg(s->runs, "lost: %s", what);
	ck_assert_msg(!(s->end == MIGRATE_MOVED && d->ended && !d->runs), "nobody's: %s", what);
}

/* Every frame of both directions. */
START_TEST(every_fault_at_every_frame)
{
	struct fake_plan plan = calm;
	struct fake_result r;
	unsigned int n = 0;

	plan.fault = (enum fake_fault)_i;
	/* A machine that is busy may then be late by itself: the rule holds all the same. */
	if (plan.fault == FAULT_STALL || plan.fault == FAULT_GARBAGE)
		plan.silence_ms = 300;
	for (int back = 0; back <= 1; back++) {
		plan.back = back;
		plan.nth = 0;
		do {
			r = run(&plan);
			check_rule(&plan, &r);
			plan.nth++;
			n += r.reached;
		} while (r.reached);
		if (plan.silence_ms == calm.silence_ms)
			check_moved(&r);
	}
	if (plan.silence_ms == calm.silence_ms)
		ck_assert_uint_ge(n, 14);
}
END_TEST

/* One that stands still for less long than the other waits is no fault. */
START_TEST(who_stops_for_a_while_goes_on)
{
	struct fake_plan plan = calm;
	struct fake_result r;

	plan.fault = _i ? FAULT_STOP_SOURCE : FAULT_STOP_DESTINATION;
	plan.back = true;
	do {
		r = run(&plan);
		check_moved(&r);
		plan.nth++;
	} while (r.reached);
	ck_assert_uint_ge(plan.nth, 6);
}
END_TEST

/* The moments that the rule is about. */
static const struct {
	enum fake_fault fault;
	const char *word; /* the frame that the fault strikes */
	bool back;
	unsigned int from_end; /* of its direction */
	enum migrate_end source, destination;
} moments[] = {
	/* The commit is lost. */
	{ FAULT_CUT, "commit", false, 1, MIGRATE_UNDECIDED, MIGRATE_UNDECIDED },
	{ FAULT_HALF, "commit", false, 1, MIGRATE_UNDECIDED, MIGRATE_UNDECIDED },
	{ FAULT_GARBAGE, "commit", false, 1, MIGRATE_UNDECIDED, MIGRATE_UNDECIDED },
	{ FAULT_STALL, "commit", false, 1, MIGRATE_UNDECIDED, MIGRATE_UNDECIDED },
	/* Its receipt is. */
	{ FAULT_CUT, "running", true, 1, MIGRATE_UNDECIDED, MIGRATE_MOVED },
	{ FAULT_STALL, "running", true, 1, MIGRATE_UNDECIDED, MIGRATE_MOVED },
	/* The source has not heard that all is loaded. */
	{ FAULT_CUT, "loaded", true, 2, MIGRATE_STAYED, MIGRATE_UNDECIDED },
	{ FAULT_AFTER, "end", false, 2, MIGRATE_STAYED, MIGRATE_STAYED },
	{ FAULT_CUT, "end", false, 2, MIGRATE_STAYED, MIGRATE_STAYED },
};

START_TEST(whose_it_is)
{
	struct fake_result whole = run(&calm), r;
	struct fake_plan plan = calm;

	plan.fault = moments[_i].fault;
	plan.back = moments[_i].back;
	plan.nth = (plan.back ? whole.frames_back : whole.frames) - moments[_i].from_end;
	if (plan.fault == FAULT_STALL)
		plan.silence_ms = 1000;
	r = run(&plan);
	ck_assert(r.reached);
	check_rule(&plan, &r);
	ck_assert_msg(r.source.end == moments[_i].source, "%s: source %d, %s", moments[_i].word,
		      r.source.end, r.source.fail.text);
	/* A link that ends behind a word may end before the answer to it, or after. */
	ck_assert_msg(r.destination.end == moments[_i].destination || plan.fault == FAULT_AFTER,
		      "%s: destination %d, %s", moments[_i].word, r.destination.end,
		      r.destination.fail.text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("migrate");
	TCase *tc = tcase_create("migrate");

	tcase_set_timeout(tc, 600);
	tcase_add_test(tc, moves);
	tcase_add_test(tc, moves_verified);
	tcase_add_test(tc, bandwidth_is_kept);
	tcase_add_loop_test(tc, each_failure_is_told, 0, sizeof(failures) / sizeof(failures[0]));
	tcase_add_loop_test(tc, each_reason_is_told, 0, 2);
	tcase_add_test(tc, a_long_list_is_cut_between_lines);
	tcase_add_test(tc, a_cancel_is_told);
	tcase_add_test(tc, a_busy_guest_stays);
	tcase_add_loop_test(tc, every_fault_at_every_frame, FAULT_CUT, FAULTS);
	tcase_add_loop_test(tc, who_stops_for_a_while_goes_on, 0, 2);
	tcase_add_loop_test(tc, whose_it_is, 0, sizeof(moments) / sizeof(moments[0]));
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
