// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/test_watch.h"

#include <errno.h>
#include <stdio.h>

/* Looks at the line from `at` on, and moves behind the match. */
static bool look(const struct test_watch *w, const regex_t *re, const char *text, size_t *at,
		 int flags)
{
	regmatch_t m;

	if (*at || w->lines.cut)
		flags |= REG_NOTBOL;
	if (regexec(re, text + *at, 1, &m, flags))
		return false;
	*at += (size_t)m.rm_eo;
	return true;
}

static void meet(struct test_watch *w, unsigned int i)
{
	w->met[i] = true;
	w->nmet++;
	w->user.met(w->user.arg, i);
}

static void look_expects(struct test_watch *w, const char *text, int flags)
{
	const struct test_rules *rules = w->rules;

	if (!rules->any_order) {
		while (w->nmet < rules->nexpects &&
		       look(w, &rules->expects[w->nmet].re, text, &w->expect_at, flags))
			meet(w, w->nmet);
		return;
	}
	for (unsigned int i = 0; i < rules->nexpects; i++) {
		size_t at = 0;

		if (!w->met[i] && look(w, &rules->expects[i].re, text, &at, flags))
			meet(w, i);
	}
}

/* What matches nothing is no place to move at. */
static void look_migrate(struct test_watch *w, const char *text, int flags)
{
	size_t last = w->migrate_at;

	while (w->rules->migrate.text &&
	       look(w, &w->rules->migrate.re, text, &w->migrate_at, flags) &&
	       w->migrate_at > last) {
		last = w->migrate_at;
		w->user.migrate(w->user.arg);
	}
}

static void look_sends(struct test_watch *w, const char *text, int flags)
{
	while (w->nsent < w->rules->nsends &&
	       look(w, &w->rules->sends[w->nsent].at.re, text, &w->send_at, flags))
		w->user.send(w->user.arg, &w->rules->sends[w->nsent++]);
}

void test_watch_begin(struct test_watch *w)
{
	while (w->nsent < w->rules->nsends && !*w->rules->sends[w->nsent].at.text)
		w->user.send(w->user.arg, &w->rules->sends[w->nsent++]);
}

static void reject(struct test_watch *w, const char *name, const char *text, bool panic)
{
	w->rejected = true;
	w->user.rejected(w->user.arg, name, text, panic);
}

/* The line is all there, so that what is shown of it is, too. */
static void look_rejects(struct test_watch *w, const char *text, int flags)
{
	const struct test_rules *rules = w->rules;
	size_t at = 0;

	for (unsigned int i = 0; i < w->ndefaults && !w->rejected; i++)
		if (look(w, &w->defaults[i], text, &at, flags))
			reject(w, test_default_reject(i)->name, text,
			       test_default_reject(i)->panic);
	for (unsigned int i = 0; i < rules->nrejects && !w->rejected; i++)
		if (look(w, &rules->rejects[i].re, text, &at, flags))
			reject(w, rules->rejects[i].text, text, false);
}

/* What is rejected comes first: a line cannot be the one hoped for, too. */
static void look_all(struct test_watch *w, const char *text, int flags)
{
	look_rejects(w, text, flags);
	if (w->rejected)
		return;
	look_migrate(w, text, flags);
	look_sends(w, text, flags);
	look_expects(w, text, flags);
}

static size_t behind(size_t at, bool whole)
{
	return whole || at < TEST_LINE_HALF ? 0 : at - TEST_LINE_HALF;
}

static void on_line(void *arg, const char *text, size_t fresh, bool whole)
{
	struct test_watch *w = arg;

	look_all(w, text, whole ? 0 : REG_NOTEOL);
	w->expect_at = behind(w->expect_at, whole);
	w->send_at = behind(w->send_at, whole);
	w->migrate_at = behind(w->migrate_at, whole);
	w->rejected = w->rejected && !whole;
	w->user.line(w->user.arg, text + fresh, whole);
}

int test_watch_init(struct test_watch *w, const struct test_rules *rules,
		    const struct test_watch_user *user)
{
	const struct test_reject *r;

	*w = (struct test_watch){ .rules = rules, .user = *user };
	test_lines_init(&w->lines, on_line, w);
	while (!rules->no_default_rejects && (r = test_default_reject(w->ndefaults))) {
		if (regcomp(&w->defaults[w->ndefaults], r->pattern, REG_EXTENDED)) {
			test_watch_fini(w);
			return -ENOMEM;
		}
		w->ndefaults++;
	}
	return 0;
}

void test_watch_fini(struct test_watch *w)
{
	while (w->ndefaults)
		regfree(&w->defaults[--w->ndefaults]);
}

void test_watch_feed(struct test_watch *w, const void *data, size_t len)
{
	test_lines_feed(&w->lines, data, len);
	if (!w->lines.len)
		return;
	look_migrate(w, w->lines.text, REG_NOTEOL);
	look_sends(w, w->lines.text, REG_NOTEOL);
	look_expects(w, w->lines.text, REG_NOTEOL);
}

void test_watch_settle(struct test_watch *w)
{
	if (w->lines.len)
		look_all(w, w->lines.text, 0);
}

void test_watch_end(struct test_watch *w)
{
	test_lines_end(&w->lines);
}
