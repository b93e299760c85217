/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_TEST_SESSION_H
#define VMM_TEST_SESSION_H

#include "vmm/test_child.h"

/* What a test needs of the machines that it is about. */
struct test_machines {
	test_machine *run;
	test_look *look; /* at a snapshot; NULL: there are none */
};

/*
 * All of `vmm test` but the machine itself: options, plan, runs, reports. Returns the exit code: of one
 * test its own, of a plan 0 or 1, 128+n after signal n; `fail` tells what there is to say.
 */
int test_session(int argc, char **argv, const struct test_machines *machines, struct fail *fail);

#endif
