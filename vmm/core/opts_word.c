// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/core/opts_priv.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- values ----------------------------------------------------------------------------------- */

/* Reads digits, in base 16 after 0x: 0, -EINVAL (none), -ERANGE. `*end` is what follows. */
static int digits(const char *word, const char **end, uint64_t *v)
{
	bool hex = word[0] == '0' && (word[1] | 32) == 'x' && isxdigit((unsigned char)word[2]);
	char *after;

	/* strtoull would take spaces and a sign. */
	if (!isdigit((unsigned char)word[0]))
		return -EINVAL;
	errno = 0;
	*v = strtoull(word, &after, hex ? 16 : 10);
	*end = after;
	return errno ? -ERANGE : 0;
}

int opts_number(const char *word, uint64_t *v)
{
	const char *end;

	if (digits(word, &end, v) || *end)
		return -EINVAL;
	return 0;
}

static const struct suffix {
	char letter;
	unsigned int shift;
} suffixes[] = { { 'T', 40 }, { 'G', 30 }, { 'M', 20 }, { 'K', 10 }, { 'B', 0 } };

enum { NSUFFIXES = sizeof(suffixes) / sizeof(suffixes[0]), SHIFT_BARE = 20 };

/* "", "M", "MB", "MiB" and so on, and "B": the power of two, or -EINVAL. */
static int suffix_shift(const char *text)
{
	if (!*text)
		return SHIFT_BARE;
	for (const struct suffix *s = suffixes; s < suffixes + NSUFFIXES; s++) {
		if (toupper((unsigned char)*text) != s->letter)
			continue;
		if (!text[1] ||
		    (s->shift && (!strcasecmp(text + 1, "b") || !strcasecmp(text + 1, "ib"))))
			return (int)s->shift;
	}
	return -EINVAL;
}

int opts_size(const char *word, uint64_t *bytes)
{
	const char *end;
	uint64_t v;
	int err = digits(word, &end, &v);
	int shift;

	if (err == -EINVAL)
		return err;
	shift = suffix_shift(end);
	if (shift < 0)
		return shift;
	if (err || v > UINT64_MAX >> shift)
		return -ERANGE;
	*bytes = v << shift;
	return 0;
}

void opts_size_text(uint64_t bytes, char text[OPTS_SIZE_TEXT])
{
	const struct suffix *s = suffixes;

	while (s->shift && (bytes == 0 || bytes & ((UINT64_C(1) << s->shift) - 1)))
		s++;
	snprintf(text, OPTS_SIZE_TEXT, "%" PRIu64 "%c", bytes >> s->shift, s->letter);
}

bool opts_part(char **rest, char **key, char **value)
{
	*key = *value = NULL;
	if (!*rest)
		return false;
	*value = strsep(rest, ",");
	*key = strsep(value, "=");
	return true;
}

static const struct unit {
	const char *word;
	uint64_t ns;
} units[] = {
	{ "h", 3600000000000 }, { "m", 60000000000 }, { "s", 1000000000 },
	{ "ms", 1000000 },	{ "", 1000000000 },
};

int opts_time(const char *word, uint64_t *ns)
{
	const char *end;
	uint64_t v;
	int err = digits(word, &end, &v);

	if (err == -EINVAL)
		return err;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].word))
			continue;
		if (err || v > UINT64_MAX / units[i].ns)
			return -ERANGE;
		*ns = v * units[i].ns;
		return 0;
	}
	return -EINVAL;
}

void opts_time_text(uint64_t ns, char text[OPTS_SIZE_TEXT])
{
	const struct unit *u = units;

	while (*u->word && (ns == 0 || ns % u->ns))
		u++;
	snprintf(text, OPTS_SIZE_TEXT, "%" PRIu64 "%s", ns / u->ns, *u->word ? u->word : "s");
}

/* --- names ------------------------------------------------------------------------------------ */

const struct opt *opts_first(const struct opt *table)
{
	while (table && !table->name)
		table = table->more;
	return table;
}

const struct opt *opts_next(const struct opt *opt)
{
	return opts_first(opt + 1);
}

const char *opts_first_name(const struct opt *opt, size_t *len)
{
	*len = strlen(opt->name);
	return opt->name;
}

const char *opts_next_name(const struct opt *opt, const char *word, size_t *len)
{
	word = word == opt->name ? opt->aliases : word + *len;
	if (!word)
		return NULL;
	word += strspn(word, " ");
	*len = strcspn(word, " ");
	return *len ? word : NULL;
}

const char *opts_arg(const struct opt *opt)
{
	return opt->arg ? opt->arg : "VALUE";
}

/* --- the nearest word ------------------------------------------------------------------------- */

/* The edits between two words (Levenshtein); both are at most OPTS_NAME_MAX long. */
static unsigned int distance(const char *a, size_t alen, const char *b, size_t blen)
{
	unsigned int row[OPTS_NAME_MAX + 1];

	for (unsigned int j = 0; j <= blen; j++)
		row[j] = j;
	for (size_t i = 0; i < alen; i++) {
		unsigned int diagonal = row[0];

		row[0] = (unsigned int)i + 1;
		for (size_t j = 0; j < blen; j++) {
			unsigned int best = diagonal + (a[i] != b[j]);

			diagonal = row[j + 1];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (diagonal + 1 < best)
				best = diagonal + 1;
			row[j + 1] = best;
		}
	}
	return row[blen];
}

/* How far `cand` is from `word`, or UINT32_MAX where that is no likely slip: at most a third of
 * the letters or two, and not all of them. */
static unsigned int slip(const char *word, size_t len, const char *cand, size_t candlen)
{
	unsigned int d, limit = len / 3 > 2 ? (unsigned int)(len / 3) : 2;

	if (len > OPTS_NAME_MAX || candlen > OPTS_NAME_MAX)
		return UINT32_MAX;
	d = distance(word, len, cand, candlen);
	return d <= limit && d < len && d < candlen ? d : UINT32_MAX;
}

const char *opts_nearest(const char *word, const char *const *words)
{
	unsigned int best = UINT32_MAX, d;
	const char *near = NULL;

	for (; *words; words++) {
		d = slip(word, strlen(word), *words, strlen(*words));
		if (d < best) {
			best = d;
			near = *words;
		}
	}
	return near;
}

bool opts_nearest_name(const struct opt *table, const char *word, char near[OPTS_NAME_MAX + 1])
{
	unsigned int best = UINT32_MAX, d;
	size_t len = strcspn(word, "="), n;

	for (const struct opt *o = opts_first(table); o; o = opts_next(o)) {
		for (const char *cand = opts_first_name(o, &n); cand;
		     cand = opts_next_name(o, cand, &n)) {
			d = slip(word, len, cand, n);
			if (d < best) {
				best = d;
				snprintf(near, OPTS_NAME_MAX + 1, "%.*s", (int)n, cand);
			}
		}
	}
	return best != UINT32_MAX;
}
