// SPDX-License-Identifier: GPL-2.0-only
#include "firmware/inject.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vmm/core/opts.h"

enum { RULE_MAX = 128, NAMES_MAX = 128 };

#define FORM "SERVICE:FUNCTION=RESULT[@WHEN]"

/* --- parsing ---------------------------------------------------------------------------------- */

/* The nearest name, whatever the case. */
static const char *nearest(const char *word, const char *const *known)
{
	char upper[RULE_MAX], lower[RULE_MAX];
	const char *near = opts_nearest(word, known);
	size_t len = strlen(word);

	for (size_t i = 0; i <= len; i++) {
		upper[i] = (char)toupper((unsigned char)word[i]);
		lower[i] = (char)tolower((unsigned char)word[i]);
	}
	if (!near)
		near = opts_nearest(upper, known);
	return near ? near : opts_nearest(lower, known);
}

/* `known` without repetitions, separated by spaces; what does not fit is left out. */
static void list_names(char *text, size_t size, const char *const *known)
{
	size_t len = 0;

	*text = '\0';
	for (const char *const *k = known; *k; k++) {
		const char *const *first = known;

		while (strcmp(*first, *k))
			first++;
		if (first == k && len + strlen(*k) + 2 < size)
			len += (size_t)snprintf(text + len, size - len, " %s", *k);
	}
}

static int refuse(struct fail *fail, const char *what, const char *word, const char *const *known)
{
	const char *near = nearest(word, known);
	char names[400];

	if (near)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--inject: there is no %s '%s', did you mean '%s'?", what, word,
				near);
	list_names(names, sizeof(names), known);
	return fail_set(fail, EXIT_CONFIG, -EINVAL, "--inject: there is no %s '%s'; give one of:%s",
			what, word, names);
}

static int find_service(const struct inject_service *services, const char *word,
			const struct inject_service **out, struct fail *fail)
{
	const char *known[NAMES_MAX] = { NULL };
	unsigned int n = 0;

	for (; services->name && n < NAMES_MAX - 1; services++) {
		known[n++] = services->name;
		if (!strcasecmp(word, services->name)) {
			*out = services;
			return 0;
		}
	}
	return refuse(fail, "service", word, known);
}

static int find_function(const struct inject_service *service, const char *word, const char **out,
			 struct fail *fail)
{
	const char *known[NAMES_MAX] = { NULL };
	unsigned int n = 0;

	while (n < NAMES_MAX - 1 && (known[n] = service->function(n))) {
		if (!strcasecmp(word, known[n])) {
			*out = known[n];
			return 0;
		}
		n++;
	}
	known[n] = NULL;
	return refuse(fail, "function", word, known);
}

/* Decimal with an optional sign, or hexadecimal; all 64 bits. */
static bool parse_value(const char *word, int64_t *value)
{
	bool negative = *word == '-';
	const char *digits = word + negative;
	bool hex = digits[0] == '0' && (digits[1] | 32) == 'x';
	char *end;

	if (!isxdigit((unsigned char)digits[hex ? 2 : 0]))
		return false;
	errno = 0;
	if (negative)
		*value = strtoll(word, &end, hex ? 16 : 10);
	else
		*value = (int64_t)strtoull(word, &end, hex ? 16 : 10);
	return !*end && !errno;
}

static int parse_result(struct inject_rule *rule, const char *word, struct fail *fail)
{
	const char *known[NAMES_MAX] = { "drop" };
	unsigned int n = 1;

	rule->drop = !strcasecmp(word, known[0]);
	if (rule->drop || parse_value(word, &rule->value))
		return 0;
	for (const struct inject_code *c = rule->service->codes; c->name && n < NAMES_MAX - 1;
	     c++) {
		known[n++] = c->name;
		if (!strcasecmp(word, c->name)) {
			rule->value = c->value;
			return 0;
		}
	}
	return refuse(fail, "result", word, known);
}

/* A decimal number from `*word` on, which moves behind it: false when there is none, or it does not
 * fit. */
static bool parse_count(const char **word, uint64_t *n)
{
	char *end;

	if (!isdigit((unsigned char)**word))
		return false;
	errno = 0;
	*n = strtoull(*word, &end, 10);
	*word = end;
	return !errno;
}

static bool parse_cpu(struct inject_rule *rule, const char *word)
{
	uint64_t cpu;

	if (rule->cpu >= 0 || !parse_count(&word, &cpu) || *word || cpu > INT_MAX)
		return false;
	rule->cpu = (int)cpu;
	return true;
}

static bool parse_turns(struct inject_rule *rule, const char *word)
{
	if (!strcasecmp(word, "every")) {
		rule->first = 1;
		rule->last = UINT64_MAX;
		return true;
	}
	if (!parse_count(&word, &rule->first))
		return false;
	rule->last = rule->first;
	if (*word == '-') {
		word++;
		if (!parse_count(&word, &rule->last))
			return false;
	}
	return !*word && rule->first >= 1 && rule->first <= rule->last;
}

/* The words behind '@': at most one of turns, and one CPU. */
static int parse_when(struct inject_rule *rule, char *words, struct fail *fail)
{
	bool turns = false;

	for (char *word = words, *next; word; word = next) {
		bool ok;

		next = strchr(word, ',');
		if (next)
			*next++ = '\0';
		if (!strncasecmp(word, "cpu", 3)) {
			ok = parse_cpu(rule, word + 3);
		} else {
			ok = !turns && parse_turns(rule, word);
			turns = true;
		}
		if (!ok)
			return fail_set(fail, EXIT_CONFIG, -EINVAL,
					"--inject: '%s' is not when a call is to fail; give N, N-M "
					"(from 1), every or cpuK after the @, or one of the first "
					"three and a CPU, with a comma",
					word);
	}
	return 0;
}

static int parse_rule(struct inject_rule *rule, const struct inject_service *services, char *text,
		      struct fail *fail)
{
	char *function = strchr(text, ':');
	char *result = function ? strchr(function, '=') : NULL;
	char *when = result ? strchr(result, '@') : NULL;
	int err;

	if (!result)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--inject: '%s' is not a rule; give " FORM
				", for example psci:CPU_ON=DENIED@2",
				text);
	*function++ = '\0';
	*result++ = '\0';
	if (when)
		*when++ = '\0';
	err = find_service(services, text, &rule->service, fail);
	if (!err)
		err = find_function(rule->service, function, &rule->function, fail);
	if (!err)
		err = parse_result(rule, result, fail);
	if (!err && when)
		err = parse_when(rule, when, fail);
	return err;
}

int inject_add(struct inject *inject, const struct inject_service *services, const char *text,
	       struct fail *fail)
{
	struct inject_rule *rule = &inject->rules[inject->nrules];
	char copy[RULE_MAX];
	int err;

	if (inject->nrules == INJECT_RULES_MAX)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--inject: at most %d rules can be given", INJECT_RULES_MAX);
	if (strlen(text) >= sizeof(copy))
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--inject: '%.32s...' is too long; give " FORM, text);
	strcpy(copy, text);
	*rule = (struct inject_rule){ .first = 1, .last = UINT64_MAX, .cpu = -1 };
	err = parse_rule(rule, services, copy, fail);
	if (!err)
		inject->nrules++;
	return err;
}

unsigned int inject_count(const struct inject *inject, const char *service)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < inject->nrules; i++)
		n += !strcmp(inject->rules[i].service->name, service);
	return n;
}

int inject_check(const struct inject *inject, unsigned int ncpus, struct fail *fail)
{
	for (unsigned int i = 0; i < inject->nrules; i++) {
		char text[RULE_MAX];

		if (inject->rules[i].cpu < 0 || (unsigned int)inject->rules[i].cpu < ncpus)
			continue;
		inject_format(&inject->rules[i], text, sizeof(text));
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--inject %s: the machine's CPUs are cpu0 to cpu%u", text,
				ncpus - 1);
	}
	return 0;
}

/* --- printing --------------------------------------------------------------------------------- */

static const char *code_name(const struct inject_rule *rule)
{
	if (rule->drop)
		return "drop";
	for (const struct inject_code *c = rule->service->codes; c->name; c++)
		if (c->value == rule->value)
			return c->name;
	return NULL;
}

size_t inject_format(const struct inject_rule *rule, char *text, size_t size)
{
	bool every = rule->first == 1 && rule->last == UINT64_MAX;
	const char *name = code_name(rule);
	char value[24], turns[48] = "", cpu[24] = "";

	snprintf(value, sizeof(value), "%" PRId64, rule->value);
	if (!every && rule->first == rule->last)
		snprintf(turns, sizeof(turns), "%" PRIu64, rule->first);
	else if (!every)
		snprintf(turns, sizeof(turns), "%" PRIu64 "-%" PRIu64, rule->first, rule->last);
	if (rule->cpu >= 0)
		snprintf(cpu, sizeof(cpu), "%scpu%d", every ? "" : ",", rule->cpu);
	return (size_t)snprintf(text, size, "%s:%s=%s%s%s%s", rule->service->name, rule->function,
				name ? name : value, *turns || *cpu ? "@" : "", turns, cpu);
}

/* --- a call ----------------------------------------------------------------------------------- */

static bool matches(const struct inject_rule *rule, const char *service, const char *function,
		    unsigned int cpu)
{
	return !strcmp(rule->function, function) && !strcmp(rule->service->name, service) &&
	       (rule->cpu < 0 || (unsigned int)rule->cpu == cpu);
}

bool inject_hit(struct inject *inject, const char *service, const char *function, unsigned int cpu,
		int64_t *value)
{
	bool hit = false;

	for (unsigned int i = 0; i < inject->nrules; i++) {
		struct inject_rule *rule = &inject->rules[i];
		uint64_t turn;

		if (!matches(rule, service, function, cpu))
			continue;
		turn = atomic_fetch_add_explicit(&rule->count, 1, memory_order_relaxed) + 1;
		if (hit || turn < rule->first || turn > rule->last)
			continue;
		hit = true;
		*value = rule->drop ? 0 : rule->value;
	}
	return hit;
}
