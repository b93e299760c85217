/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_TEST_RUNNER_H
#define VMM_TEST_RUNNER_H

#include "vmm/test_child.h"
#include "vmm/test_record.h"

/* What may run side by side. */
struct test_budget {
	unsigned int jobs; /* machines; 0: as many as `cpus` allows */
	unsigned int
		cpus; /* of the host: what machines have together, unless `jobs` says how many */
	uint64_t memory; /* bytes for the guests of all that run */
};

/* This host's CPUs and available memory. */
void test_budget_host(struct test_budget *budget);

/* Where progress goes, or NULL; `live` is a terminal, where one line is written over. */
struct test_progress {
	FILE *out;
	bool live;
};

/*
 * Runs all of them, each until it has passed or its retries are used up, and fills in their results.
 * A test that needs more than all the memory is refused. SIGINT, SIGTERM and SIGHUP end everything,
 * and are the value returned then; it is 0 otherwise, or -errno with a sentence.
 */
int test_runner(struct test_run *runs, unsigned int n, const struct test_budget *budget,
		const struct test_progress *progress, test_machine *machine, struct fail *fail);

#endif
