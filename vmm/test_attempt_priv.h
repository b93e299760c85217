/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_TEST_ATTEMPT_PRIV_H
#define VMM_TEST_ATTEMPT_PRIV_H

#include "vmm/test_attempt.h"
#include "vmm/test_log.h"
#include "vmm/test_stall.h"
#include "vmm/test_watch.h"

/* Private part of test_attempt: test_attempt.c (console, verdict, life), test_attempt_ask.c (what the
 * machine is asked over its control socket, and stalls), test_attempt_move.c (saved, to go on). */

#define MS 1000000ULL

/* Questions to the machine that are not yet answered, oldest first. */
enum test_ask {
	TEST_ASK_GREETING,
	TEST_ASK_ACTIVITY,
	TEST_ASK_JUDGE,
	TEST_ASK_DEBUG,
	TEST_ASK_SAVE,
	TEST_ASK_MOVED, /* the greeting of the one that goes on */
	TEST_ASK_STOP
};
enum { TEST_ASKS_MAX = 4 };

struct test_attempt {
	struct test_attempt_env env;
	const struct test *test;
	struct test_record *result;
	struct test_child child;
	struct test_watch watch;
	struct test_log log;
	struct test_stall stall;
	uint64_t start_ns, console_ns; /* of the last output */
	uint64_t linger_ns; /* the end of lingering; 0: there is none */
	bool stopping;
	struct loop_fd console, messages, control, process;
	struct loop_timer deadline, settle, linger, poll, kill;
	enum test_ask asks[TEST_ASKS_MAX];
	unsigned int nasks;
	char *answer; /* CONTROL_REPLY_MAX bytes */
	size_t answer_len;
	/* Being moved: asked for, saved, and until the machine greets again. */
	bool moving;
	unsigned int moves; /* that come after this one */
	struct loop_fd report; /* where the machine says that it is saved; fd -1: nowhere */
	char report_text[1024];
	size_t report_len;
	const struct test_send *held[TEST_RULES_MAX];
	unsigned int nheld;
};

/* From now on, `ns` later. */
void test_attempt_arm(struct test_attempt *a, struct loop_timer *timer, uint64_t ns);
/* The first verdict stays, and the machine is ended. */
void test_attempt_decide(struct test_attempt *a, enum test_outcome outcome);

/* A machine that cannot be asked any more has ended, or will be. */
void test_attempt_ask(struct test_attempt *a, enum test_ask what);
/* Takes in what the machine answers: false when nothing more is there now. */
bool test_attempt_hear(struct test_attempt *a);
void test_attempt_on_control(struct loop_fd *src, uint32_t events);
/* Types to the machine, or when it has been moved. */
void test_attempt_send(struct test_attempt *a, const struct test_send *text);
/* test_attempt_move.c: saves the machine, which goes on by itself then. */
void test_attempt_move(struct test_attempt *a);
/* The machine's answer to that; and it greets again. */
void test_attempt_take_save(struct test_attempt *a, char *answer);
void test_attempt_moved(struct test_attempt *a);
void test_attempt_move_end(struct test_attempt *a); /* whatever is under way of it */
/* Asks a silent machine what it does, now and from then on. */
void test_attempt_poll(struct loop_timer *timer);

#endif
