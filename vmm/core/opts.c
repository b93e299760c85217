// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/opts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/opts_priv.h"

enum { KEPT_MAX = 4096 };

/* The words of an option, as they were given: "--mem" or "-m", in a file "mem". */
struct given {
	const struct opt *opt;
	char name[OPTS_NAME_MAX + 3];
	const char *value; /* attached, or NULL */
	struct opts_kept *kept; /* or NULL */
};

static int bad(struct fail *fail, const struct given *g, const char *arg, const char *wanted)
{
	return fail_set(fail, EXIT_CONFIG, -EINVAL, "%s %s: %s", g->name, arg, wanted);
}

static int put_uint(const struct given *g, const char *arg, void *at, struct fail *fail)
{
	const struct opt *o = g->opt;
	uint64_t max = o->max ? o->max : UINT32_MAX, v;
	char wanted[80];

	if (opts_number(arg, &v) || v < o->min || v > max) {
		snprintf(wanted, sizeof(wanted), "give a number from %" PRIu64 " to %" PRIu64,
			 o->min, max);
		return bad(fail, g, arg, wanted);
	}
	*(unsigned int *)at = (unsigned int)v;
	return 0;
}

static int put_size(const struct given *g, const char *arg, void *at, struct fail *fail)
{
	const struct opt *o = g->opt;
	char least[OPTS_SIZE_TEXT], most[OPTS_SIZE_TEXT], wanted[120];
	uint64_t max = o->max ? o->max : UINT64_MAX, v;
	int err = opts_size(arg, &v);

	if (err == -EINVAL)
		return bad(fail, g, arg, "give a size such as 512M or 2G (a bare number is MiB)");
	if (err || v < o->min || v > max) {
		opts_size_text(o->min, least);
		opts_size_text(max, most);
		if (o->max)
			snprintf(wanted, sizeof(wanted), "give a size from %s to %s", least, most);
		else
			snprintf(wanted, sizeof(wanted), "give a size from %s up to 16 EiB", least);
		return bad(fail, g, arg, wanted);
	}
	*(uint64_t *)at = v;
	return 0;
}

static int put_time(const struct given *g, const char *arg, void *at, struct fail *fail)
{
	const struct opt *o = g->opt;
	char least[OPTS_SIZE_TEXT], most[OPTS_SIZE_TEXT], wanted[120];
	uint64_t max = o->max ? o->max : UINT64_MAX, v;
	int err = opts_time(arg, &v);

	if (err == -EINVAL)
		return bad(fail, g, arg,
			   "give a time such as 90s, 1500ms, 5m or 2h (a bare number is seconds)");
	if (err || v < o->min || v > max) {
		opts_time_text(o->min, least);
		opts_time_text(max, most);
		snprintf(wanted, sizeof(wanted), "give a time from %s to %s", least, most);
		return bad(fail, g, arg, wanted);
	}
	*(uint64_t *)at = v;
	return 0;
}

static int put_choice(const struct given *g, const char *arg, void *at, struct fail *fail)
{
	const char *const *words = g->opt->choices;
	char wanted[256];
	const char *near;
	size_t n;

	for (unsigned int i = 0; words[i]; i++) {
		if (strcmp(arg, words[i]) == 0) {
			*(unsigned int *)at = i;
			return 0;
		}
	}
	near = opts_nearest(arg, words);
	n = (size_t)snprintf(wanted, sizeof(wanted), "give one of");
	for (unsigned int i = 0; words[i] && n < sizeof(wanted); i++)
		n += (size_t)snprintf(wanted + n, sizeof(wanted) - n, "%s %s", i ? "," : "",
				      words[i]);
	if (near && n < sizeof(wanted))
		snprintf(wanted + n, sizeof(wanted) - n, "; did you mean %s?", near);
	return bad(fail, g, arg, wanted);
}

static int put_value(const struct given *g, const char *arg, void *into, struct fail *fail)
{
	void *at = (char *)into + g->opt->offset;

	switch (g->opt->type) {
	case OPT_FLAG:
		*(bool *)at = true;
		return 0;
	case OPT_STR:
		*(const char **)at = arg;
		return 0;
	case OPT_UINT:
		return put_uint(g, arg, at, fail);
	case OPT_SIZE:
		return put_size(g, arg, at, fail);
	case OPT_TIME:
		return put_time(g, arg, at, fail);
	case OPT_CHOICE:
		return put_choice(g, arg, at, fail);
	case OPT_PARSE:
		return g->opt->parse(into, arg, fail);
	case OPT_CONFIG:
		return opts_file(at, arg, into, fail);
	}
	return -EINVAL;
}

/* Keeps it too, but for a file, whose options are kept. */
static int put(const struct given *g, const char *arg, void *into, struct fail *fail)
{
	struct opts_kept *kept = g->opt->type == OPT_CONFIG ? NULL : g->kept;
	int err = put_value(g, arg, into, fail);
	struct opts_word *words;

	if (err || !kept)
		return err;
	if (kept->n == KEPT_MAX)
		return fail_set(fail, EXIT_CONFIG, -E2BIG, "more than %d options", KEPT_MAX);
	words = reallocarray(kept->words, kept->n + 1, sizeof(*words));
	if (!words)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	kept->words = words;
	words[kept->n++] = (struct opts_word){ g->opt, arg };
	return 0;
}

static const struct opt *by_name(const struct opt *table, const char *name, size_t len)
{
	const char *word;
	size_t n;

	for (const struct opt *o = opts_first(table); o; o = opts_next(o))
		for (word = opts_first_name(o, &n); word; word = opts_next_name(o, word, &n))
			if (n == len && memcmp(word, name, len) == 0)
				return o;
	return NULL;
}

static const struct opt *by_letter(const struct opt *table, char letter)
{
	for (const struct opt *o = opts_first(table); o; o = opts_next(o))
		if (o->letter && o->letter == letter)
			return o;
	return NULL;
}

static int unknown(const struct opt *table, const char *word, struct fail *fail)
{
	char near[OPTS_NAME_MAX + 1];

	if (word[1] == '-' && opts_nearest_name(table, word + 2, near))
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "unknown option %s; did you mean --%s?",
				word, near);
	return fail_set(fail, EXIT_CONFIG, -EINVAL, "unknown option %s; --help lists them all",
			word);
}

/* The argv being worked through. */
struct words {
	int argc, at;
	char **argv;
	struct opts_kept *kept;
};

/* An option with its value, attached or in the next word. */
static int take(const struct given *g, struct words *w, void *into, struct fail *fail)
{
	if (g->opt->type == OPT_FLAG)
		return g->value ? fail_set(fail, EXIT_CONFIG, -EINVAL, "%s takes no value", g->name)
				: put(g, NULL, into, fail);
	if (g->value)
		return put(g, g->value, into, fail);
	if (w->at == w->argc)
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "%s needs a value: %s %s", g->name,
				g->name, opts_arg(g->opt));
	return put(g, w->argv[w->at++], into, fail);
}

static int take_long(const struct opt *table, const char *word, struct words *w, void *into,
		     struct fail *fail)
{
	const char *eq = strchr(word, '=');
	size_t len = eq ? (size_t)(eq - word) : strlen(word);
	struct given g = { .value = eq ? eq + 1 : NULL, .kept = w->kept };

	g.opt = by_name(table, word + 2, len - 2);
	if (!g.opt)
		return unknown(table, word, fail);
	snprintf(g.name, sizeof(g.name), "%.*s", (int)len, word);
	return take(&g, w, into, fail);
}

/* -c4, -c 4, or several flags in one word. */
static int take_letters(const struct opt *table, const char *word, struct words *w, void *into,
			struct fail *fail)
{
	int err = 0;

	for (const char *c = word + 1; *c && !err; c++) {
		struct given g = { .opt = by_letter(table, *c), .kept = w->kept };

		if (!g.opt)
			return unknown(table, word, fail);
		snprintf(g.name, sizeof(g.name), "-%c", *c);
		if (g.opt->type == OPT_FLAG) {
			err = put(&g, NULL, into, fail);
			continue;
		}
		g.value = c[1] ? c + 1 : NULL;
		return take(&g, w, into, fail);
	}
	return err;
}

/* The table's own record, or NULL. */
static struct opts_kept *find_kept(const struct opt *table, void *into)
{
	for (const struct opt *o = opts_first(table); o; o = opts_next(o)) {
		if (o->type == OPT_CONFIG) {
			struct opts_kept *kept = (void *)((char *)into + o->offset);

			kept->table = table;
			return kept;
		}
	}
	return NULL;
}

int opts_parse(const struct opt *table, int argc, char **argv, void *into, struct fail *fail)
{
	struct words w = { .argc = argc, .argv = argv, .kept = find_kept(table, into) };
	int kept = 0, err = 0;

	while (w.at < argc && !err) {
		char *word = argv[w.at++];

		if (strcmp(word, "--") == 0) {
			while (w.at < argc)
				argv[kept++] = argv[w.at++];
		} else if (word[0] != '-' || !word[1]) {
			argv[kept++] = word;
		} else if (word[1] == '-') {
			err = take_long(table, word, &w, into, fail);
		} else {
			err = take_letters(table, word, &w, into, fail);
		}
	}
	return err ? err : kept;
}

int opts_set(const struct opt *table, const char *name, const char *value, void *into,
	     struct fail *fail)
{
	struct given g = {
		.opt = by_name(table, name, strlen(name)),
		.value = value,
		.kept = find_kept(table, into),
	};
	struct words none = { 0 };
	char near[OPTS_NAME_MAX + 1];

	if (!g.opt)
		return opts_nearest_name(table, name, near)
			       ? fail_set(fail, EXIT_CONFIG, -EINVAL,
					  "unknown option %s; did you mean %s?", name, near)
			       : fail_set(fail, EXIT_CONFIG, -EINVAL, "unknown option %s", name);
	snprintf(g.name, sizeof(g.name), "%s", name);
	return take(&g, &none, into, fail);
}
