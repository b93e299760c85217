/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_TEST_STALL_H
#define VMM_TEST_STALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/test_verdict.h"

/*
 * Whether a machine that prints nothing has stopped doing anything, from samples of what it does
 * (the `activity` request): first cheaply, from counters that stand still for as long as asked; then
 * by one look at the CPUs' timers (the `debug` request), for which they have to be stopped.
 */

enum { TEST_STALL_CPUS = 512 };

struct test_stall_cpu {
	bool waits; /* in WFI, or suspended */
	uint64_t nwaits; /* how often it has waited */
	uint64_t ran_ns; /* CPU time of its thread */
	uint64_t since_ns; /* of the first sample that was like this one */
	uint64_t ran_first_ns; /* its CPU time then */
};

struct test_stall {
	unsigned int ncpus; /* 0: no sample yet */
	uint64_t io, io_since_ns;
	struct test_stall_cpu cpus[TEST_STALL_CPUS];
};

/* Forgets the samples: the machine has shown life. */
void test_stall_reset(struct test_stall *s);

/* Takes in an answer to `activity`, which is changed. -EINVAL: it says nothing, as of a host whose
 * kernel does not count. */
int test_stall_sample(struct test_stall *s, uint64_t now_ns, char *answer);

/* Whether nothing has happened for `idle_ns`, as far as counters show. */
bool test_stall_suspect(const struct test_stall *s, uint64_t now_ns, uint64_t idle_ns);

/*
 * Judges a suspect by its answer to `debug`, which is changed: TEST_STALL_WAITING, TEST_STALL_SPINNING, or
 * TEST_NONE: a timer of a CPU that waits will expire within `left_ns`, or one that spins has been kept from
 * running for half of `idle_ns`, as on a busy host. `why` tells each CPU's part.
 */
enum test_outcome test_stall_judge(const struct test_stall *s, char *answer, uint64_t idle_ns,
				   uint64_t left_ns, char *why, size_t size);

#endif
