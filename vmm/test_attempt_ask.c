// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "vmm/control.h"
#include "vmm/test_attempt_priv.h"

static const uint64_t POLL_MIN_NS = 50 * MS, POLL_MAX_NS = 2000 * MS;
enum { POLLS = 8 }; /* samples within --idle-timeout, about */

static const char *const questions[] = {
	[TEST_ASK_ACTIVITY] = "{\"command\":\"activity\"}\n",
	[TEST_ASK_JUDGE] = "{\"command\":\"debug\"}\n",
	[TEST_ASK_DEBUG] = "{\"command\":\"debug\"}\n",
	[TEST_ASK_STOP] = "{\"command\":\"stop\",\"force\":true}\n",
};

void test_attempt_ask(struct test_attempt *a, enum test_ask what)
{
	const char *line = questions[what];

	if (a->nasks == TEST_ASKS_MAX || (a->moving && what != TEST_ASK_STOP) ||
	    send(a->child.control, line, strlen(line), MSG_NOSIGNAL) < 0)
		return;
	a->asks[a->nasks++] = what;
}

/* Silent for so long, in ns; 0 when the test is over or cannot stall. */
static uint64_t silence(const struct test_attempt *a)
{
	return a->test->idle_ns && a->result->outcome == TEST_NONE ? loop_now_ns() - a->console_ns
								   : 0;
}

static void take_activity(struct test_attempt *a, char *answer)
{
	uint64_t now = loop_now_ns();

	if (test_stall_sample(&a->stall, now, answer)) {
		test_stall_reset(&a->stall);
		return;
	}
	if (silence(a) >= a->test->idle_ns && test_stall_suspect(&a->stall, now, a->test->idle_ns))
		test_attempt_ask(a, TEST_ASK_JUDGE);
}

static void keep_debug(struct test_attempt *a, const char *answer)
{
	free(a->result->debug);
	a->result->debug = strdup(answer);
}

/* A timer that goes off after the test's end is none. */
static void take_judgement(struct test_attempt *a, char *answer)
{
	uint64_t now = loop_now_ns(), left = UINT64_MAX;
	enum test_outcome outcome;

	if (silence(a) < a->test->idle_ns)
		return;
	if (a->test->timeout_ns)
		left = a->start_ns + a->test->timeout_ns - now;
	keep_debug(a, answer);
	outcome = test_stall_judge(&a->stall, answer, a->test->idle_ns, left, a->result->why,
				   sizeof(a->result->why));
	if (outcome != TEST_NONE) {
		test_attempt_decide(a, outcome);
		return;
	}
	free(a->result->debug);
	a->result->debug = NULL;
	a->result->why[0] = 0;
}

static void take_answer(struct test_attempt *a, char *line)
{
	enum test_ask what = a->asks[0];

	if (!a->nasks)
		return;
	memmove(a->asks, a->asks + 1, --a->nasks * sizeof(a->asks[0]));
	if (what == TEST_ASK_ACTIVITY)
		take_activity(a, line);
	else if (what == TEST_ASK_JUDGE)
		take_judgement(a, line);
	else if (what == TEST_ASK_DEBUG)
		keep_debug(a, line);
	else if (what == TEST_ASK_SAVE)
		test_attempt_take_save(a, line);
	else if (what == TEST_ASK_MOVED)
		test_attempt_moved(a);
}

bool test_attempt_hear(struct test_attempt *a)
{
	ssize_t n = recv(a->child.control, a->answer + a->answer_len,
			 CONTROL_REPLY_MAX - a->answer_len, MSG_DONTWAIT);
	char *end;

	if (n <= 0)
		return false;
	a->answer_len += (size_t)n;
	while ((end = memchr(a->answer, '\n', a->answer_len))) {
		*end++ = 0;
		take_answer(a, a->answer);
		a->answer_len -= (size_t)(end - a->answer);
		memmove(a->answer, end, a->answer_len);
	}
	return a->answer_len < CONTROL_REPLY_MAX;
}

void test_attempt_on_control(struct loop_fd *src, uint32_t events)
{
	struct test_attempt *a = container_of(src, struct test_attempt, control);

	if (!test_attempt_hear(a) && events & (EPOLLHUP | EPOLLERR))
		loop_fd_del(a->env.loop, src);
}

static uint64_t poll_interval(const struct test_attempt *a)
{
	uint64_t ns = a->test->idle_ns / POLLS;

	return ns < POLL_MIN_NS ? POLL_MIN_NS : ns > POLL_MAX_NS ? POLL_MAX_NS : ns;
}

void test_attempt_poll(struct loop_timer *timer)
{
	struct test_attempt *a = container_of(timer, struct test_attempt, poll);

	if (!a->nasks && silence(a) >= poll_interval(a))
		test_attempt_ask(a, TEST_ASK_ACTIVITY);
	test_attempt_arm(a, &a->poll, poll_interval(a));
}
