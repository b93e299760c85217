// SPDX-License-Identifier: GPL-2.0-only
/*
 * All of `vmm test` with machines that are no machines: processes that print, wait, answer on their
 * control socket, and end as their kernel's name says.
 */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/control.h"
#include "vmm/core/loop.h"
#include "vmm/test_session.h"

static char folder[64];

/* --- machines --------------------------------------------------------------------------------- */

static void say(const char *text)
{
	ck_assert(write(STDOUT_FILENO, text, strlen(text)) == (ssize_t)strlen(text));
}

/* A running machine's loop: its end is `stop`. */
struct guest {
	struct loop *loop;
	int code;
	unsigned int asked;
	bool waits;
	int saved; /* where it waits for the byte */
	bool refuses;
	struct loop_work work;
	struct loop_fd console; /* fd 0: not watched */
	char keys[8];
	unsigned int nkeys;
};

static int guest_stop(void *arg, bool force, struct fail *fail)
{
	struct guest *g = arg;

	(void)fail;
	g->code = force ? EXIT_SIGNAL + SIGTERM : EXIT_OK;
	loop_stop(g->loop);
	return 0;
}

static const char *guest_state(void *arg)
{
	(void)arg;
	return "running";
}

static void guest_activity(void *arg, struct json_out *out)
{
	struct guest *g = arg;

	json_uint(out, "io", 1);
	json_open(out, "cpus", '[');
	json_open(out, NULL, '{');
	json_bool(out, "waits", g->waits);
	json_uint(out, "nwaits", 5);
	json_uint(out, "ran_ns", 100000000 * ++g->asked);
	json_close(out, '}');
	json_close(out, ']');
}

static void guest_debug(void *arg, struct json_out *out)
{
	(void)arg;
	json_open(out, "cpus", '[');
	json_open(out, NULL, '{');
	json_uint(out, "cpu", 0);
	json_hex(out, "pc", 0x1234);
	json_close(out, '}');
	json_close(out, ']');
}

static void guest_saved(struct loop_work *work)
{
	loop_stop(container_of(work, struct guest, work)->loop);
}

static int guest_save(void *arg, struct control_files *files, const struct control_save *how,
		      struct fail *why)
{
	static const char done[] = "{\"done\":1,\"total\":2}\n{\"ok\":true,\"bytes\":5}\n";
	struct guest *g = arg;

	if (g->refuses)
		return fail_set(why, EXIT_CONFIG, -EBUSY, "it will not be saved");
	ck_assert(files->n == 2 && !how->keep_running);
	ck_assert_int_eq(pwrite(files->fd[0], "saved", 5, 0), 5);
	ck_assert_int_eq(send(files->fd[1], done, sizeof(done) - 1, 0), sizeof(done) - 1);
	g->saved = dup(files->fd[1]);
	g->work.fn = guest_saved;
	loop_post(g->loop, &g->work);
	return 0;
}

static const struct control_ops guest_ops = {
	.save = guest_save,
	.stop = guest_stop,
	.state = guest_state,
	.activity = guest_activity,
	.debug = guest_debug,
};

static int serve_guest(struct guest *g, int control_fd)
{
	const struct control_target target = { .name = "guest", .ops = &guest_ops, .arg = g };
	struct control *control;

	if (loop_create(&g->loop) || control_create(g->loop, -1, &target, &control) ||
	    control_adopt(control, control_fd))
		return EXIT_HOST;
	if (g->console.fn && loop_fd_add(g->loop, &g->console))
		return EXIT_HOST;
	loop_run(g->loop);
	loop_fd_del(g->loop, &g->console);
	control_destroy(control);
	loop_destroy(g->loop);
	return g->code;
}

static int serve(int control_fd, bool waits)
{
	struct guest g = { .waits = waits };

	return serve_guest(&g, control_fd);
}

static int ask_login(void)
{
	char in[16] = "";

	say("login: ");
	if (read(STDIN_FILENO, in, sizeof(in) - 1) <= 0)
		return EXIT_VM_CRASH;
	say(strcmp(in, "root\n") ? "who?\n" : "welcome\n");
	return EXIT_OK;
}

/* Fails the first time. */
static int fails_once(void)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/once", folder);
	return access(path, F_OK) ? fclose(fopen(path, "w")) + EXIT_VM_CRASH : EXIT_OK;
}

/* The last of them has all that was sent, in order, once it has greeted. */
static void take_keys(struct loop_fd *src, uint32_t events)
{
	struct guest *g = container_of(src, struct guest, console);

	(void)events;
	g->nkeys += (unsigned int)read(src->fd, g->keys + g->nkeys, 1);
	if (g->nkeys == 2 && !memcmp(g->keys, "xy", 2))
		say("gone on\n");
}

/* Says that it is saved, waits for the byte that says so, and goes on, greeting again. */
static int moves(int control_fd, int snapshot_fd, unsigned int times)
{
	struct guest last = { .waits = true };
	char byte = 0, keys[3], text[20];

	for (unsigned int i = 0; i < times; i++) {
		struct guest g = { .waits = true, .saved = -1, .refuses = !snapshot_fd };
		int fd = dup(control_fd);

		say("Now migrate\n");
		if (serve_guest(&g, fd) || g.saved < 0)
			return EXIT_HOST;
		if (recv(g.saved, &byte, 1, 0) != 1 || byte != 'k')
			return EXIT_VM_CRASH;
		close(g.saved);
		/* What is sent comes to one that goes on. */
		if (!i && recv(STDIN_FILENO, keys, sizeof(keys), MSG_DONTWAIT) > 0)
			return EXIT_VM_CRASH;
		if (pread(snapshot_fd, text, 5, 0) != 5 || memcmp(text, "saved", 5))
			return EXIT_VM_CRASH;
	}
	last.console = (struct loop_fd){ .fd = STDIN_FILENO, .events = EPOLLIN, .fn = take_keys };
	return serve_guest(&last, control_fd);
}

static int machine(const struct test *test, const char *name, int control_fd, int snapshot_fd)
{
	const char *kind = test->run.kernel;

	if (test->from_snapshot)
		kind = test->snapshot_fd >= 0 && test->run.cpus == 3 ? "good" : "4";
	if (!strcmp(kind, "good")) {
		say("boot\r\nready\r\n");
	} else if (!strcmp(kind, "forever")) {
		say("ready\n");
		return serve(control_fd, true);
	} else if (!strcmp(kind, "spins")) {
		return serve(control_fd, false);
	} else if (!strcmp(kind, "deaf")) {
		signal(SIGTERM, SIG_IGN);
		say("ready\n");
		for (;;)
			pause();
	} else if (!strcmp(kind, "login")) {
		return ask_login();
	} else if (!strcmp(kind, "panics")) {
		say("Kernel panic - not syncing: x\nCall trace:\n");
		return serve(control_fd, true);
	} else if (!strcmp(kind, "dies")) {
		raise(SIGKILL);
	} else if (!strcmp(kind, "once")) {
		return fails_once();
	} else if (!strcmp(kind, "moves")) {
		return moves(control_fd, snapshot_fd, 2);
	} else if (!strcmp(kind, "stays")) {
		return moves(control_fd, 0, 1);
	} else if (!strcmp(kind, "name")) {
		say(name);
		say("\n");
	} else if (!strcmp(kind, "refused")) {
		fputs("vmm: no such kernel\n", stderr);
		return EXIT_CONFIG;
	}
	return atoi(kind);
}

/* A snapshot is one whose first letter says how it is. */
static unsigned int looks;

static int look(int fd, struct config *run, struct fail *why)
{
	char c = 0;

	looks++;
	run->cpus = 3;
	if (pread(fd, &c, 1, 0) == 1 && c == 'g')
		return 0;
	return fail_set(why, EXIT_SNAPSHOT, -EPROTO, "this is no whole snapshot");
}

static const struct test_machines machines = { machine, look };

/* --- runs ------------------------------------------------------------------------------------- */

static char report[1 << 18];

static void read_file(const char *path, char *text, size_t size)
{
	FILE *in = fopen(path, "r");

	ck_assert_ptr_nonnull(in);
	text[fread(text, 1, size - 1, in)] = 0;
	fclose(in);
}

static struct fail fail;

/* Words are parted by '|'. Gives the exit code; the text report is in `report`. */
static int run(const char *line)
{
	char words[2000], path[100], option[120], *argv[50];
	int argc = 0, code;

	snprintf(path, sizeof(path), "%s/report", folder);
	snprintf(option, sizeof(option), "--report=text=%s", path);
	snprintf(words, sizeof(words), "%s", line);
	for (char *w = strtok(words, "|"); w; w = strtok(NULL, "|"))
		argv[argc++] = w;
	argv[argc++] = option;
	memset(&fail, 0, sizeof(fail));
	remove(path);
	code = test_session(argc, argv, &machines, &fail);
	report[0] = 0;
	if (!access(path, F_OK))
		read_file(path, report, sizeof(report));
	return code;
}

static void setup(void)
{
	strcpy(folder, "/tmp/vmm-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stdout));
}

static void teardown(void)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	ck_assert_int_eq(system(command), 0);
}

static const struct {
	const char *line;
	int code;
	const char *says[3]; /* in the report */
} rows[] = {
	{ "-k|good", 0, { "PASS test: passed" } },
	{ "-k|good|--expect|boot|--expect|ready", 0, { " boot\n", " ready\n" } },
	{ "-k|good|--expect|ready|--expect|boot", 7, { "powered off before", "never    boot\n" } },
	{ "-k|good|--any-order|--expect|ready|--expect|boot", 0, { "PASS" } },
	{ "-k|good|--reject|^rea", 1, { "rejected (^rea): ready" } },
	{ "-k|forever|--expect|ready", 0, { "PASS" } },
	{ "-k|forever|--expect|x|--timeout|300ms",
	  124,
	  { "in time", "pc: 0x1234", "      ready\n" } },
	{ "-k|forever|--expect|x|--idle-timeout|400ms",
	  35,
	  { "no timer will wake one", "vCPU 0 waits" } },
	{ "-k|spins|--idle-timeout|400ms", 35, { "spin", "vCPU 0 spins" } },
	{ "-k|panics|--expect|x", 34, { "the guest panicked: Kernel panic", "  Call trace:" } },
	{ "-k|panics|--expect|trace|--no-default-rejects", 0, { "PASS" } },
	{ "-k|login|--expect|welcome|--send|root\\n@login: $", 0, { "PASS" } },
	{ "-k|login|--expect|welcome|--send|x\\n@login: ", 7, { "  login: who?\n" } },
	{ "-k|refused|--expect|x", 2, { "refused: no such kernel" } },
	{ "-k|4", 4, { "the host cannot run it" } },
	{ "-k|32|--expect|x", 32, { "the guest reset" } },
	{ "-k|33", 33, { "crashed" } },
	{ "-k|143|--expect|x", 143, { "stopped from outside" } },
	{ "-k|dies", 137, { "killed" } },
	{ "-k|6", 6, { "unforeseen" } },
	{ "-k|good|--repeat|3", 0, { "PASS test:", "PASS test.3:", "3 passed, 0 failed" } },
	{ "-k|33|--repeat|2|--jobs|2", 33, { "FAIL test.2", "0 passed, 2 failed" } },
	{ "-k|33|--retries|2", 33, { "3 attempts" } },
	{ "-k|once|--retries|2", 0, { "PASS test", "flaky: attempt 2", "1 passed, 0 failed" } },
	{ "-k|moves|--migrate-on|^Now mig|--send|x@^Now|--send|y@^Now|--expect|gone on",
	  0,
	  { "PASS" } },
	{ "-k|stays|--migrate-on|^Now mig|--expect|x", 4, { "it will not be saved" } },
	{ "-k|name|--name|box|--expect|^box$", 0, { "PASS box" } },
	{ "-k|good|-m|1T", 2, { "MiB of memory, of which this host has" } },
};

enum { NROWS = sizeof(rows) / sizeof(rows[0]) };

START_TEST(ends)
{
	ck_assert_int_eq(run(rows[_i].line), rows[_i].code);
	for (int i = 0; i < 3 && rows[_i].says[i]; i++)
		ck_assert_msg(strstr(report, rows[_i].says[i]), "no '%s' in: %s", rows[_i].says[i],
			      report);
}
END_TEST

/* A machine that does not listen is killed; five seconds are its time. */
START_TEST(deaf_machine)
{
	ck_assert_int_eq(run("-k|deaf|--expect|ready"), 0);
}
END_TEST

static const struct {
	const char *line, *why;
} bad[] = {
	{ "--expect|x", "no kernel is named" },
	{ "-k|good|x", "'x' is no option" },
	{ "-k|good|--expect|(", "--expect '(': " },
	{ "-k|good|--timeout|soon", "--timeout soon: give a time" },
	{ "-k|good|--repeat|0", "--repeat 0: give a number from 1" },
	{ "-k|good|--report|html", "--report html: give text, json, tap or junit" },
	{ "-k|good|--report|tap=", "--report tap=: give" },
	{ "-k|good|--dry-run", "--dry-run starts nothing" },
	{ "-k|good|--repeat|2|--log|x", "--log x is one file for several runs" },
	{ "-k|good|--plan|/does/not/exist", "cannot read the plan /does/not/exist" },
};

START_TEST(refused)
{
	ck_assert_int_eq(run(bad[_i].line), EXIT_CONFIG);
	ck_assert_msg(!strncmp(fail.text, bad[_i].why, strlen(bad[_i].why)), "%s", fail.text);
	ck_assert_str_eq(report, "");
}
END_TEST

/* What cannot be opened is the test's failure: others run on. */
START_TEST(log_that_cannot_be)
{
	ck_assert_int_eq(run("-k|good|--log|/does/not/exist"), EXIT_CONFIG);
	ck_assert_ptr_nonnull(strstr(report, "cannot write /does/not/exist"));
	ck_assert_int_eq(run("-k|good|--log|%x"), EXIT_CONFIG);
	ck_assert_ptr_nonnull(strstr(report, "--log %x: %n is the test's name"));
}
END_TEST

START_TEST(logs)
{
	char line[200], path[100], text[1000];

	snprintf(line, sizeof(line), "-k|good|--repeat|2|--log|%s/%%n.log", folder);
	ck_assert_int_eq(run(line), 0);
	snprintf(path, sizeof(path), "%s/test.2.log", folder);
	read_file(path, text, sizeof(text));
	ck_assert_int_eq(text[0], '[');
	ck_assert_ptr_nonnull(strstr(text, "] boot\n["));
	ck_assert_ptr_nonnull(strstr(text, "] ready\n"));
}
END_TEST

START_TEST(report_that_cannot_be)
{
	ck_assert_int_eq(run("-k|good|--report|tap=/does/not/exist"), EXIT_HOST);
	ck_assert_ptr_nonnull(strstr(fail.text, "cannot write the report /does/not/exist"));
	ck_assert_ptr_nonnull(strstr(report, "1 passed"));
}
END_TEST

static void write_plan(const char *text)
{
	char path[100];
	FILE *out;

	snprintf(path, sizeof(path), "%s/plan", folder);
	out = fopen(path, "w");
	fputs(text, out);
	fclose(out);
}

static int run_plan(const char *text, const char *more)
{
	char line[300];

	write_plan(text);
	snprintf(line, sizeof(line), "--plan|%s/plan%s", folder, more);
	return run(line);
}

START_TEST(plan)
{
	static const char text[] =
		"# all of them\n"
		"mem 64M\n"
		"  timeout 2s\r\n\n"
		"[first]\nkernel good\nexpect ready\n"
		"[second.one]\n  kernel \"panics\"\nno-default-rejects\nexpect Call trace\n"
		"[third]\nkernel 33\nrepeat 2\n";

	ck_assert_int_eq(run_plan(text, ""), EXIT_TEST_FAILED);
	ck_assert_ptr_nonnull(strstr(report, "PASS first: passed"));
	ck_assert_ptr_nonnull(strstr(report, "PASS second.one: passed"));
	ck_assert_ptr_nonnull(strstr(report, "FAIL third: "));
	ck_assert_ptr_nonnull(strstr(report, "FAIL third.2: "));
	ck_assert_ptr_nonnull(strstr(report, "2 passed, 2 failed"));
	ck_assert_int_eq(run_plan("[a]\nkernel good\n[b]\n", "|-k|0|--jobs|2"), EXIT_OK);
	ck_assert_ptr_nonnull(strstr(report, "PASS a"));
	ck_assert_ptr_nonnull(strstr(report, "PASS b"));
}
END_TEST

/* As many as allowed at once: each waits for the others, or for its time. */
START_TEST(side_by_side)
{
	const uint64_t began = loop_now_ns();

	ck_assert_int_eq(run_plan("kernel forever\nmem 16\nexpect x\ntimeout 1s\n"
				  "[a]\n[b]\n[c]\n[d]\n[e]\n[f]\n[g]\n[h]\n",
				  "|--jobs|8"),
			 EXIT_TEST_FAILED);
	ck_assert_uint_lt(loop_now_ns() - began, 7000000000);
	ck_assert_ptr_nonnull(strstr(report, "0 passed, 8 failed"));
}
END_TEST

static const struct {
	const char *text, *why;
} bad_plans[] = {
	{ "", "has no test" },
	{ "kernel good\n", "has no test" },
	{ "[a\n", "plan:1: a test begins with [NAME]" },
	{ "\n[]\n", "plan:2: a test begins with [NAME]" },
	{ "[a b]\n", "plan:1: a test's name has" },
	{ "[../x]\n", "plan:1: a test's name has" },
	{ "[a]\nkernel x\n[a]\n", "plan:3: a second test of this name" },
	{ "[a]\nkernle good\n", "plan:2: unknown option kernle; did you mean kernel?" },
	{ "[a]\nkernel\n", "plan:2: kernel needs a value" },
	{ "[a]\nkernel x\nany-order yes\n", "plan:3: any-order takes no value" },
	{ "[a]\nkernel \"x\n", "plan:2: the closing quotation mark is missing" },
	{ "[a]\nexpect x\n", "plan:1: no kernel is named" },
	{ "[a]\nkernel x\nexpect (\n", "plan:3: --expect '(': " },
	{ "[a]\nkernel x\njobs 2\n", "plan:3: unknown option jobs" },
	{ "[a]\nkernel x\nplan y\n", "plan:3: unknown option plan" },
	{ "[a]\nkernel x\ncpus 0\n", "plan:3: cpus 0: give a number" },
};

START_TEST(refused_plans)
{
	ck_assert_int_eq(run_plan(bad_plans[_i].text, ""), EXIT_CONFIG);
	ck_assert_msg(strstr(fail.text, bad_plans[_i].why), "%s", fail.text);
}
END_TEST

static int run_snapshot(const char *content, const char *more)
{
	char path[100], line[300];
	FILE *out;

	snprintf(path, sizeof(path), "%s/snap", folder);
	out = fopen(path, "w");
	fputs(content, out);
	fclose(out);
	snprintf(line, sizeof(line), "--from-snapshot|%s%s", path, more);
	looks = 0;
	return run(line);
}

/* Looked at once, however many come out of it. */
START_TEST(snapshots)
{
	char plan[300];

	ck_assert_int_eq(run_snapshot("good", "|--expect|ready"), EXIT_OK);
	ck_assert_int_eq(run_snapshot("good", "|--expect|ready|--repeat|3|--jobs|3|--name|x"), 0);
	ck_assert_ptr_nonnull(strstr(report, "3 passed, 0 failed"));
	ck_assert_uint_eq(looks, 1);
	looks = 0;
	snprintf(plan, sizeof(plan), "from-snapshot %s/snap\n[a]\n[b]\nrepeat 2\n[c]\n", folder);
	ck_assert_int_eq(run_plan(plan, "|--jobs|2"), EXIT_OK);
	ck_assert_ptr_nonnull(strstr(report, "4 passed, 0 failed"));
	ck_assert_uint_eq(looks, 1);
}
END_TEST

START_TEST(refused_snapshots)
{
	ck_assert_int_eq(run_snapshot("bad", "|--expect|ready"), EXIT_SNAPSHOT);
	ck_assert_str_eq(fail.text, "this is no whole snapshot");
	ck_assert_str_eq(report, "");
	ck_assert_int_eq(run_snapshot("good", "|-m|64"), EXIT_CONFIG);
	ck_assert_ptr_nonnull(strstr(fail.text, "--mem: the machine is the snapshot's"));
	ck_assert_int_eq(run_snapshot("good", "|--disk|x"), EXIT_CONFIG);
	ck_assert_int_eq(run("--from-snapshot|/does/not/exist"), EXIT_CONFIG);
	ck_assert_ptr_nonnull(strstr(fail.text, "cannot open /does/not/exist"));
}
END_TEST

START_TEST(interrupted)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		char *argv[] = { "-k", "deaf", "--expect", "x", "--repeat", "2", "--jobs", "1" };

		/* It is there when the signal is blocked, so it comes when it is looked at. */
		sigset_t set;

		sigemptyset(&set);
		sigaddset(&set, SIGTERM);
		sigprocmask(SIG_BLOCK, &set, NULL);
		raise(SIGTERM);
		_exit(test_session(8, argv, &machines, &fail));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), EXIT_SIGNAL + SIGTERM);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("test_session");
	TCase *tc = tcase_create("session");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, ends, 0, NROWS);
	tcase_add_test(tc, deaf_machine);
	tcase_add_loop_test(tc, refused, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tc, log_that_cannot_be);
	tcase_add_test(tc, logs);
	tcase_add_test(tc, report_that_cannot_be);
	tcase_add_test(tc, plan);
	tcase_add_test(tc, side_by_side);
	tcase_add_loop_test(tc, refused_plans, 0, sizeof(bad_plans) / sizeof(bad_plans[0]));
	tcase_add_test(tc, snapshots);
	tcase_add_test(tc, refused_snapshots);
	tcase_add_test(tc, interrupted);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
