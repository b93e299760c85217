// SPDX-License-Identifier: GPL-2.0-only
/* How far something is, as people and log files see it. */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/core/loop.h"
#include "vmm/progress.h"

static char shown[4096];

/* Standard error goes to `shown` until shown_end(). */
static int kept;

static void shown_begin(int fd)
{
	ck_assert_int_ge(fd, 0);
	kept = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
}

/* A terminal passes on what is written to it when it has time. */
static void shown_end(int from, const char *expected)
{
	struct pollfd p = { .fd = from, .events = POLLIN };
	size_t len = 0;
	ssize_t n = 1;

	dup2(kept, STDERR_FILENO);
	close(kept);
	while (n > 0 && poll(&p, 1, len < strlen(expected) ? 20000 : 0) > 0) {
		n = read(from, shown + len, sizeof(shown) - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	shown[len] = 0;
	ck_assert_str_eq(shown, expected);
}

START_TEST(a_line_a_second)
{
	struct progress p;
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
	shown_begin(fds[1]);
	progress_begin(&p);
	ck_assert(!progress_due(&p));
	ck_assert_uint_gt(p.due, loop_now_ns());
	p.due = 0;
	ck_assert(progress_due(&p));
	progress_show(&p, 3 << 20, 4 << 20);
	ck_assert(!progress_due(&p));
	progress_end(&p);
	shown_end(fds[0], "75 % of 4 MiB\n");
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(a_bar)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK), terminal;
	struct progress p;

	ck_assert(fd >= 0 && !grantpt(fd) && !unlockpt(fd));
	terminal = open(ptsname(fd), O_RDWR | O_NOCTTY);
	shown_begin(terminal);
	progress_begin(&p);
	for (unsigned int i = 0; i <= 2; i++) {
		ck_assert(progress_due(&p));
		progress_show(&p, i << 20, 2 << 20);
	}
	/* More than all, and of nothing. */
	progress_show(&p, 3 << 20, 2 << 20);
	progress_show(&p, 0, 0);
	progress_end(&p);
	progress_end(&p);
	shown_end(fd, "\r[------------------------------]   0 % of 2 MiB"
		      "\r[###############---------------]  50 % of 2 MiB"
		      "\r[##############################] 100 % of 2 MiB"
		      "\r[##############################] 150 % of 2 MiB"
		      "\r[------------------------------]   0 % of 0 MiB\r\033[K");
	close(terminal);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("progress");
	TCase *tc = tcase_create("progress");

	tcase_add_test(tc, a_line_a_second);
	tcase_add_test(tc, a_bar);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
