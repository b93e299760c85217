/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FIRMWARE_INJECT_H
#define FIRMWARE_INJECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/core/fail.h"

/*
 * Fault injection, for people who develop what calls a service: the nth, every, or one CPU's call of
 * a function does not happen, and returns what the rule says.
 *
 *   --inject SERVICE:FUNCTION=RESULT[@WHEN[,WHEN]]
 *
 *   RESULT  a code of the service by name (DENIED), a number (-3, 0x7f), or `drop`: the caller is
 *           told SUCCESS and nothing happens
 *   WHEN    N       the Nth call, counted from 1
 *           N-M     the Nth to the Mth
 *           every   each call; what is meant without a WHEN of this kind
 *           cpuK    only calls that CPU K makes; then N and M count only these
 *
 *   psci:CPU_ON=DENIED@2   psci:CPU_ON=INTERNAL_FAILURE@cpu3   psci:SYSTEM_SUSPEND=drop
 *   trng:TRNG_RND=NO_ENTROPY@1-10,cpu0
 *
 * Names are taken in any case. Repeated, each rule counts for itself every call that its function
 * and CPU match, and the first whose turn it is decides.
 */
enum { INJECT_RULES_MAX = 32 };

struct inject_code {
	const char *name; /* NULL ends a list */
	int64_t value;
};

/* What can be injected into a service: its functions and codes, each by name. */
struct inject_service {
	const char *name; /* NULL ends a list */
	const struct inject_code *codes;
	/* The name of function `index`, in any order, also repeated; NULL after the last. */
	const char *(*function)(unsigned int index);
};

/* The services that there are: vmm/inject_services.c. */
extern const struct inject_service inject_services[];

struct inject_rule {
	const struct inject_service *service;
	const char *function; /* the service's own string */
	bool drop;
	int64_t value; /* without drop */
	uint64_t first, last; /* of the calls that match; 1..UINT64_MAX is every */
	int cpu; /* -1: any */
	atomic_uint_fast64_t count; /* matching calls so far */
};

/* All zero has no rules. Rules are added before the machine runs. */
struct inject {
	struct inject_rule rules[INJECT_RULES_MAX];
	unsigned int nrules;
};

/* Adds the rule in `text`, with the names of `services`: 0, or -EINVAL with a sentence (EXIT_CONFIG)
 * that names the nearest match for a misspelt name. */
int inject_add(struct inject *inject, const struct inject_service *services, const char *text,
	       struct fail *fail);

/* How many of the rules are for that service. */
unsigned int inject_count(const struct inject *inject, const char *service);

/* No rule names a CPU that a machine with `ncpus` does not have: 0, or -EINVAL with a sentence. */
int inject_check(const struct inject *inject, unsigned int ncpus, struct fail *fail);

/* The rule as inject_add() takes it, in its one canonical spelling. Returns its length. */
size_t inject_format(const struct inject_rule *rule, char *text, size_t size);

/*
 * Counts one call, and says whether it is to fail: then *value is what the caller is told. Both
 * names as in the tables. Any thread.
 */
bool inject_hit(struct inject *inject, const char *service, const char *function, unsigned int cpu,
		int64_t *value);

#endif
