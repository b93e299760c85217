/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CORE_FAIL_H
#define VMM_CORE_FAIL_H

/*
 * Why something could not be done, in one sentence for a person: what, where, why, what to do.
 * The place that knows the context fills it once; everybody above passes the -errno on, and
 * `main` prints it.
 */

/* The exit codes are a promise to scripts; README has the table. */
enum exit_code {
	EXIT_OK = 0, /* guest powered off, test passed */
	EXIT_TEST_FAILED = 1, /* test: a rejected line, or not every expectation met in time */
	EXIT_CONFIG = 2, /* other options or other input could fix it; nothing was started */
	EXIT_SNAPSHOT = 3, /* snapshot or stream refused */
	EXIT_HOST = 4, /* no option fixes it: no /dev/kvm, no permission, a failed ioctl */
	EXIT_MIGRATION = 5, /* migration failed, the source is still running */
	EXIT_UNDECIDED = 6, /* migration outcome unknown, the guest is paused here */
	EXIT_TEST_ENDED = 7, /* test: the guest ended before its expectations */
	EXIT_GUEST_RESET = 32, /* the guest asked for a reset and --no-reboot was given */
	EXIT_VM_CRASH = 33,
	EXIT_GUEST_PANIC = 34,
	EXIT_STALL = 35,
	EXIT_MOVED = 36, /* guest saved or migrated away */
	EXIT_TIMEOUT = 124,
	EXIT_SIGNAL = 128, /* plus the signal's number */
};

struct fail {
	enum exit_code code;
	char text[512]; /* no newline; empty while nothing failed */
};

/*
 * Records `code` and the formatted sentence, and returns `err` (a negative errno) so that callers
 * can write `return fail_set(...)`. The first sentence stays: it is nearest to the cause.
 * A NULL `f` is allowed. When the text names an errno, format it with %m or strerror by hand.
 */
int fail_set(struct fail *f, enum exit_code code, int err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
