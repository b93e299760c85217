// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/test_verdict.h"

#include <sys/wait.h>

static const struct test_verdict verdicts[TEST_OUTCOMES] = {
	[TEST_NONE] = { "none", EXIT_HOST, "nothing was decided" },
	[TEST_PASSED] = { "passed", EXIT_OK, "passed" },
	[TEST_REJECTED] = { "rejected", EXIT_TEST_FAILED, "a line that is rejected came" },
	[TEST_ENDED] = { "ended", EXIT_TEST_ENDED,
			 "the guest powered off before what was expected came" },
	[TEST_RESET] = { "reset", EXIT_GUEST_RESET, "the guest reset" },
	[TEST_CRASH] = { "crash", EXIT_VM_CRASH, "the virtual machine crashed" },
	[TEST_PANIC] = { "panic", EXIT_GUEST_PANIC, "the guest panicked" },
	[TEST_STALL_WAITING] = { "stall-waiting", EXIT_STALL,
				 "the guest stalled: every CPU waits, and no timer will wake one" },
	[TEST_STALL_SPINNING] = { "stall-spinning", EXIT_STALL,
				  "the guest stalled: its CPUs spin without output and I/O" },
	[TEST_TIMEOUT] = { "timeout", EXIT_TIMEOUT, "what was expected did not come in time" },
	[TEST_CONFIG] = { "refused", EXIT_CONFIG, "the options or their files are refused" },
	[TEST_HOST] = { "host", EXIT_HOST, "the host cannot run it" },
	[TEST_STOPPED] = { "stopped", -1, "the machine was stopped from outside" },
	[TEST_KILLED] = { "killed", -1, "the machine's process was killed" },
	[TEST_OTHER] = { "other", -1, "the machine ended in an unforeseen way" },
};

const struct test_verdict *test_verdict(enum test_outcome outcome)
{
	return &verdicts[outcome];
}

static const struct {
	int first, last;
	enum test_outcome outcome;
} ends[] = {
	{ EXIT_CONFIG, EXIT_CONFIG, TEST_CONFIG },
	{ EXIT_HOST, EXIT_HOST, TEST_HOST },
	{ EXIT_GUEST_RESET, EXIT_GUEST_RESET, TEST_RESET },
	{ EXIT_VM_CRASH, EXIT_VM_CRASH, TEST_CRASH },
	{ EXIT_SIGNAL + 1, EXIT_SIGNAL + 64, TEST_STOPPED },
};

enum test_outcome test_verdict_end(int status, bool met)
{
	if (WIFSIGNALED(status))
		return TEST_KILLED;
	if (WEXITSTATUS(status) == EXIT_OK)
		return met ? TEST_PASSED : TEST_ENDED;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (WEXITSTATUS(status) >= ends[i].first && WEXITSTATUS(status) <= ends[i].last)
			return ends[i].outcome;
	return TEST_OTHER;
}

int test_verdict_code(enum test_outcome outcome, int status)
{
	if (verdicts[outcome].code >= 0)
		return verdicts[outcome].code;
	return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}
