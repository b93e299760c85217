// SPDX-License-Identifier: GPL-2.0-only
/* Who answers for a loop that does not turn, and only then. The loop is this thread's. */
#include <check.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/control_client.h"
#include "vmm/control_dir.h"
#include "vmm/standin.h"

static char folder[64];
static struct loop *loop;
static struct control_socket sock;
static struct control *control;
static struct standin standin;
static _Atomic int signalled;

static const char *state_of(void *arg)
{
	return arg ? "late" : "running";
}

static uint64_t patience(void *arg)
{
	return standin_patience(arg, loop);
}

static const struct control_ops own_ops = { .state = state_of };
static const struct control_ops late_ops = { .state = state_of, .patience = patience };

static void on_signal(void *arg, int sig)
{
	ck_assert_ptr_eq(arg, &standin);
	signalled = sig;
}

static void setup(void)
{
	const struct control_target target = { .name = "box", .ops = &own_ops };
	sigset_t set;

	strcpy(folder, "/tmp/vmm-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	setenv("VMM_RUNTIME_DIR", folder, 1);
	signalled = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ck_assert_int_eq(loop_create(&loop), 0);
	ck_assert_int_eq(control_take("box", &sock, NULL), 0);
	ck_assert_int_eq(control_create(loop, sock.fd, &target, &control), 0);
	ck_assert_int_eq(standin_start(&standin, "box", sock.fd, &late_ops, &standin,
				       signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), on_signal),
			 0);
}

static void teardown(void)
{
	close(standin.signals.fd);
	standin_close(&standin);
	control_forget(&sock);
	control_destroy(control);
	control_release(&sock);
	loop_destroy(loop);
	ck_assert_int_eq(rmdir(folder), 0);
}

/* Asks on a thread of its own: what the state is. */
struct asker {
	pthread_t thread;
	_Atomic bool answered;
	char state[16];
};

static void *ask(void *arg)
{
	struct asker *a = arg;
	struct control_conn *conn = NULL;
	struct json_object obj;
	char *reply;

	if (!control_open("box", 20000, &conn, NULL) &&
	    !control_ask(conn, "{\"command\":\"status\"}", &reply, NULL) &&
	    !json_parse(reply, &obj))
		strncpy(a->state, json_get_str(&obj, "state"), sizeof(a->state) - 1);
	control_close(conn);
	a->answered = true;
	return NULL;
}

/* Who is asked while the loop turns, or does not. */
static void expect_state(bool turns, const char *want)
{
	struct asker a = { 0 };

	ck_assert(!pthread_create(&a.thread, NULL, ask, &a));
	while (turns && !a.answered)
		loop_poll(loop, 10);
	pthread_join(a.thread, NULL);
	ck_assert_str_eq(a.state, want);
}

/* However often it is asked, and late once and not again. */
START_TEST(one_of_both)
{
	for (int i = 0; i < 20; i++)
		expect_state(true, "running");
	expect_state(false, "late");
	expect_state(false, "late");
	while (loop_poll(loop, 0))
		;
	for (int i = 0; i < 20; i++)
		expect_state(true, "running");
}
END_TEST

/* Signals are the loop's, until it is told to take them. */
START_TEST(signals_when_told)
{
	kill(getpid(), SIGTERM);
	expect_state(false, "late");
	ck_assert_int_eq(signalled, 0);
	standin_signals(&standin, true);
	for (int ms = 0; !signalled && ms < 20000; ms++)
		usleep(1000);
	ck_assert_int_eq(signalled, SIGTERM);
}
END_TEST

/* A loop that is asked to turn, and is gone before it does. */
START_TEST(ends_before_it_turns)
{
	expect_state(false, "late");
	standin_close(&standin);
	ck_assert(!standin.turn.queued);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("standin");
	TCase *tc = tcase_create("standin");

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_of_both);
	tcase_add_test(tc, signals_when_told);
	tcase_add_test(tc, ends_before_it_turns);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
