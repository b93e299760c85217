// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/test_attempt_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/control.h"

/* A line without end counts as a prompt after SETTLE. What follows a panic is waited for while it
 * comes: at most LINGER, and until nothing has come for QUIET. */
static const uint64_t SETTLE_NS = 100 * MS, LINGER_NS = 5000 * MS, QUIET_NS = 500 * MS;
static const uint64_t STOP_NS = 5000 * MS; /* for a machine to end that was told to */

void test_attempt_arm(struct test_attempt *a, struct loop_timer *timer, uint64_t ns)
{
	loop_timer_set(a->env.loop, timer, loop_now_ns() + ns);
}

uint64_t test_attempt_elapsed(const struct test_attempt *a)
{
	return loop_now_ns() - a->start_ns;
}

/* --- the verdict ------------------------------------------------------------------------------ */

static void stop(struct test_attempt *a)
{
	if (a->stopping)
		return;
	a->stopping = true;
	if (a->result->outcome != TEST_PASSED && !a->result->debug)
		test_attempt_ask(a, TEST_ASK_DEBUG);
	test_attempt_ask(a, TEST_ASK_STOP);
	test_attempt_arm(a, &a->kill, STOP_NS);
}

void test_attempt_decide(struct test_attempt *a, enum test_outcome outcome)
{
	if (a->result->outcome != TEST_NONE)
		return;
	a->result->outcome = outcome;
	a->result->elapsed_ns = test_attempt_elapsed(a);
	loop_timer_cancel(a->env.loop, &a->deadline);
	loop_timer_cancel(a->env.loop, &a->poll);
	if (outcome != TEST_REJECTED && outcome != TEST_PANIC) {
		stop(a);
		return;
	}
	a->linger_ns = loop_now_ns() + LINGER_NS;
	test_attempt_arm(a, &a->linger, QUIET_NS);
}

static void on_linger(struct loop_timer *timer)
{
	struct test_attempt *a = container_of(timer, struct test_attempt, linger);
	uint64_t now = loop_now_ns();

	if (now < a->linger_ns && now - a->console_ns < QUIET_NS)
		test_attempt_arm(a, &a->linger, QUIET_NS - (now - a->console_ns));
	else
		stop(a);
}

static void on_deadline(struct loop_timer *timer)
{
	test_attempt_decide(container_of(timer, struct test_attempt, deadline), TEST_TIMEOUT);
}

static void on_kill(struct loop_timer *timer)
{
	struct test_attempt *a = container_of(timer, struct test_attempt, kill);

	kill(a->child.pid, SIGKILL);
}

/* --- the console ------------------------------------------------------------------------------ */

static void on_met(void *arg, unsigned int i)
{
	struct test_attempt *a = arg;
	uint64_t ns = test_attempt_elapsed(a);

	if (a->result->outcome != TEST_NONE)
		return;
	a->result->met_ns[i] = ns ? ns : 1;
	if (a->watch.nmet == a->test->rules.nexpects)
		test_attempt_decide(a, TEST_PASSED);
}

/* Something for the report to say. */
static void note(struct test_record *r, const char *text)
{
	char line[TEST_TEXT_MAX];

	snprintf(line, sizeof(line), "vmm: %s\n", text);
	test_messages_add(r, line, strlen(line));
}

void test_attempt_send(struct test_attempt *a, const struct test_send *text)
{
	if (a->result->outcome != TEST_NONE)
		return;
	if (a->moving) {
		a->held[a->nheld++] = text;
		return;
	}
	/* The socket takes more than all sends together: nothing is left over. */
	if (send(a->child.console, text->data, text->len, MSG_NOSIGNAL | MSG_DONTWAIT) !=
	    (ssize_t)text->len)
		note(a->result, "the console does not take what is sent");
}

static void on_send(void *arg, const struct test_send *text)
{
	test_attempt_send(arg, text);
}

static void on_migrate(void *arg)
{
	test_attempt_move(arg);
}

/* The first one counts, unless the guest panics of it. */
static void on_rejected(void *arg, const char *name, const char *line, bool panic)
{
	struct test_attempt *a = arg;
	struct test_record *r = a->result;

	if (r->outcome == TEST_NONE) {
		test_text(r->reject, name);
		test_text(r->line, line);
		test_text(r->why, line);
		test_attempt_decide(a, panic ? TEST_PANIC : TEST_REJECTED);
	} else if (r->outcome == TEST_REJECTED && panic) {
		r->outcome = TEST_PANIC;
		test_text(r->why, line);
	}
}

static void on_line(void *arg, const char *text, bool whole)
{
	struct test_attempt *a = arg;

	test_tail_add(&a->result->tail, text);
	test_log_line(&a->log, text, whole);
	test_log_begin(&a->log, test_attempt_elapsed(a));
}

/* False when nothing more is there now. */
static bool read_console(struct test_attempt *a)
{
	char data[4096];
	ssize_t n = recv(a->child.console, data, sizeof(data), MSG_DONTWAIT);

	if (n <= 0)
		return false;
	a->console_ns = loop_now_ns();
	test_stall_reset(&a->stall);
	if (!a->watch.lines.len)
		test_log_begin(&a->log, test_attempt_elapsed(a));
	test_watch_feed(&a->watch, data, (size_t)n);
	test_attempt_arm(a, &a->settle, SETTLE_NS);
	return true;
}

static void on_console(struct loop_fd *src, uint32_t events)
{
	struct test_attempt *a = container_of(src, struct test_attempt, console);

	if (!read_console(a) && events & (EPOLLHUP | EPOLLERR))
		loop_fd_del(a->env.loop, src);
}

static void on_settle(struct loop_timer *timer)
{
	test_watch_settle(&container_of(timer, struct test_attempt, settle)->watch);
}

/* --- messages --------------------------------------------------------------------------------- */

static bool read_messages(struct test_attempt *a)
{
	char data[4096];
	ssize_t n = read(a->child.messages, data, sizeof(data));

	if (n > 0)
		test_messages_add(a->result, data, (size_t)n);
	return n > 0;
}

static void on_messages(struct loop_fd *src, uint32_t events)
{
	struct test_attempt *a = container_of(src, struct test_attempt, messages);

	if (!read_messages(a) && events & (EPOLLHUP | EPOLLERR))
		loop_fd_del(a->env.loop, src);
}

/* --- from start to end ------------------------------------------------------------------------ */

/* The last line of what vmm said, for an end that it explains. */
static void explain(struct test_record *r)
{
	char text[TEST_MESSAGES_MAX], *line;
	size_t len;

	snprintf(text, sizeof(text), "%s", r->messages);
	len = strlen(text);
	if (len && text[len - 1] == '\n')
		text[len - 1] = 0;
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	test_text(r->why, strncmp(line, "vmm: ", 5) ? line : line + 5);
}

static void unwatch(struct test_attempt *a)
{
	struct loop_fd *const sources[] = { &a->console, &a->messages, &a->control, &a->process };
	struct loop_timer *const timers[] = { &a->deadline, &a->settle, &a->linger, &a->poll,
					      &a->kill };

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		loop_fd_del(a->env.loop, sources[i]);
	test_attempt_move_end(a);
	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++)
		loop_timer_cancel(a->env.loop, timers[i]);
}

/* Everything that it has said is taken in before its end is judged. */
static void on_process(struct loop_fd *src, uint32_t events)
{
	struct test_attempt *a = container_of(src, struct test_attempt, process);
	struct test_record *r = a->result;
	int status;

	(void)events;
	while (read_console(a))
		;
	while (read_messages(a))
		;
	while (test_attempt_hear(a))
		;
	test_watch_end(&a->watch);
	if (test_log_close(&a->log))
		note(r, "the log is not complete");
	a->stopping = true;
	unwatch(a);
	status = test_child_end(&a->child);
	if (r->outcome == TEST_NONE) {
		r->outcome = test_verdict_end(status, a->watch.nmet == a->test->rules.nexpects);
		r->elapsed_ns = test_attempt_elapsed(a);
		if (r->outcome == TEST_CONFIG || r->outcome == TEST_HOST)
			explain(r);
	}
	r->code = test_verdict_code(r->outcome, status);
	a->env.done(a->env.arg);
}

static int watch_all(struct test_attempt *a)
{
	const struct {
		struct loop_fd *src;
		int fd;
		void (*fn)(struct loop_fd *src, uint32_t events);
	} sources[] = {
		{ &a->console, a->child.console, on_console },
		{ &a->messages, a->child.messages, on_messages },
		{ &a->control, a->child.control, test_attempt_on_control },
		{ &a->process, a->child.pidfd, on_process },
	};
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(sources) / sizeof(sources[0]); i++) {
		*sources[i].src = (struct loop_fd){ .fd = sources[i].fd,
						    .events = EPOLLIN,
						    .fn = sources[i].fn };
		err = loop_fd_add(a->env.loop, sources[i].src);
	}
	return err;
}

static void start_timers(struct test_attempt *a)
{
	a->deadline.fn = on_deadline;
	a->settle.fn = on_settle;
	a->linger.fn = on_linger;
	a->poll.fn = test_attempt_poll;
	a->kill.fn = on_kill;
	if (a->test->timeout_ns)
		test_attempt_arm(a, &a->deadline, a->test->timeout_ns);
	if (a->test->idle_ns)
		test_attempt_poll(&a->poll);
}

int test_attempt_start(const struct test_attempt_env *env, const struct test *test,
		       const char *name, unsigned int n, struct test_record *result,
		       struct test_attempt **out, struct fail *fail)
{
	const struct test_watch_user user = { on_met,	   on_send, on_migrate,
					      on_rejected, on_line, NULL };
	struct test_attempt *a = calloc(1, sizeof(*a));
	int err;

	if (!a || !(a->answer = malloc(CONTROL_REPLY_MAX))) {
		free(a);
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	}
	a->env = *env;
	a->test = test;
	a->result = result;
	a->child.pid = -1;
	a->report.fd = -1;
	a->asks[a->nasks++] = TEST_ASK_GREETING;
	err = test_watch_init(&a->watch, &test->rules, &user);
	a->watch.user.arg = a;
	if (err)
		fail_set(fail, EXIT_HOST, err, "out of memory");
	if (!err)
		err = test_log_open(&a->log, test->log, name, n > 1, fail);
	a->start_ns = a->console_ns = loop_now_ns();
	if (!err) {
		err = test_child_start(&a->child, env->machine, test, name);
		if (!err)
			err = watch_all(a);
		if (err)
			fail_set(fail, EXIT_HOST, err, "cannot start a machine: %s",
				 strerror(-err));
	}
	if (err) {
		test_attempt_destroy(a);
		return err;
	}
	start_timers(a);
	test_watch_begin(&a->watch);
	*out = a;
	return 0;
}

void test_attempt_destroy(struct test_attempt *a)
{
	if (!a)
		return;
	unwatch(a);
	if (a->child.pid > 0)
		test_child_end(&a->child);
	test_watch_fini(&a->watch);
	test_log_close(&a->log);
	free(a->answer);
	free(a);
}
