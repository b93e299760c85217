// SPDX-License-Identifier: GPL-2.0-only
/* Requests and answers, with a machine that only counts. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/control.h"

struct machine {
	uint64_t size;
	unsigned int resizes;
	unsigned int stops, forced, pauses, resumes, resets, stats, saves, kept, overlays;
	bool paused, nobodys;
	struct control_send how;
};

static int on_stop(void *arg, bool force, struct fail *fail)
{
	struct machine *m = arg;

	(void)fail;
	m->stops++;
	m->forced += force;
	return 0;
}

static void on_pause(void *arg)
{
	struct machine *m = arg;

	m->pauses++;
	m->paused = true;
}

static int on_resume(void *arg, bool take, struct fail *fail)
{
	struct machine *m = arg;

	if (m->nobodys && !take)
		return fail_set(fail, EXIT_CONFIG, -EPERM, "whose is it?");
	m->resumes++;
	m->paused = false;
	return 0;
}

static void on_reset(void *arg)
{
	((struct machine *)arg)->resets++;
}

static const char *state(void *arg)
{
	return ((struct machine *)arg)->paused ? "paused" : "running";
}

static const char *refuses(void *arg, const char *command)
{
	return ((struct machine *)arg)->nobodys && !strcmp(command, "reset") ? "not now" : NULL;
}

static int on_send(void *arg, struct control_files *files, const struct control_send *how,
		   struct fail *fail)
{
	(void)files;
	(void)fail;
	((struct machine *)arg)->how = *how;
	return 0;
}

static void on_stat(void *arg, struct json_out *out)
{
	((struct machine *)arg)->stats++;
	json_uint(out, "memory", 4096);
}

static int on_save(void *arg, struct control_files *files, const struct control_save *how,
		   struct fail *fail)
{
	struct machine *m = arg;

	(void)files;
	m->saves++;
	m->kept += how->keep_running;
	m->overlays += how->overlay && !strcmp(how->overlay, "/a b");
	return m->saves > 1 ? fail_set(fail, EXIT_CONFIG, -EBUSY, "busy") : 0;
}

static int on_resize(void *arg, const char *disk, uint64_t size, struct fail *fail)
{
	struct machine *m = arg;

	if (strcmp(disk, "v\"da"))
		return fail_set(fail, EXIT_CONFIG, -ENOENT, "no disk %s", disk);
	m->resizes++;
	m->size = size;
	return 0;
}

static int on_balloon(void *arg, uint64_t size, struct fail *fail)
{
	(void)fail;
	((struct machine *)arg)->size = size;
	return 0;
}

static void on_activity(void *arg, struct json_out *out)
{
	(void)arg;
	json_uint(out, "io", 7);
}

static void on_debug(void *arg, struct json_out *out)
{
	(void)arg;
	json_hex(out, "pc", 64);
}

static const struct control_ops ops = {
	.resize = on_resize,
	.balloon = on_balloon,
	.stop = on_stop,
	.pause = on_pause,
	.resume = on_resume,
	.reset = on_reset,
	.state = state,
	.refuses = refuses,
	.send = on_send,
	.save = on_save,
	.stat = on_stat,
	.activity = on_activity,
	.debug = on_debug,
};
static struct machine machine;
static const struct control_target target = { .name = "box", .ops = &ops, .arg = &machine };
static char reply[1024];

static void setup(void)
{
	memset(&machine, 0, sizeof(machine));
}

static const char *ask(const char *line)
{
	char *copy = strdup(line);

	control_answer(&target, copy, strlen(line), reply, sizeof(reply));
	free(copy);
	return reply;
}

START_TEST(each_command)
{
	char want[128];

	ck_assert_str_eq(ask("{\"command\":\"pause\"}"), "{\"ok\":true}");
	snprintf(want, sizeof(want),
		 "{\"ok\":true,\"name\":\"box\",\"pid\":%d,\"state\":\"paused\"}", (int)getpid());
	ck_assert_str_eq(ask("{\"command\":\"status\"}"), want);
	ck_assert_str_eq(ask(" { \"command\" : \"resume\" } "), "{\"ok\":true}");
	snprintf(want, sizeof(want),
		 "{\"ok\":true,\"name\":\"box\",\"pid\":%d,\"state\":\"running\",\"memory\":4096}",
		 (int)getpid());
	ck_assert_str_eq(ask("{\"command\":\"stat\"}"), want);
	ck_assert_str_eq(ask("{\"command\":\"activity\"}"), "{\"ok\":true,\"io\":7}");
	ck_assert_ptr_nonnull(strstr(ask("{\"command\":\"debug\"}"), "\"pc\":\"0x40\""));
	ck_assert_str_eq(ask("{\"command\":\"reset\"}"), "{\"ok\":true}");
	ck_assert_str_eq(ask("{\"command\":\"stop\"}"), "{\"ok\":true}");
	ck_assert_str_eq(ask("{\"force\":false,\"command\":\"stop\"}"), "{\"ok\":true}");
	ck_assert_uint_eq(machine.forced, 0);
	ck_assert_str_eq(ask("{\"command\":\"stop\",\"force\":true}"), "{\"ok\":true}");
	ck_assert_uint_eq(machine.stops, 3);
	ck_assert_uint_eq(machine.forced, 1);
	ck_assert(machine.pauses == 1 && machine.resumes == 1 && machine.resets == 1 &&
		  machine.stats == 1);
	ck_assert_ptr_nonnull(strstr(ask("{\"command\":\"commands\"}"), "\"reset\""));
}
END_TEST

START_TEST(send_with_all_members)
{
	ck_assert_str_eq(ask("{\"command\":\"send\",\"downtime_ms\":300,\"bandwidth\":5000000000,"
			     "\"timeout_s\":60,\"verify\":true,\"one_way\":true}"),
			 "{\"ok\":true}");
	ck_assert(machine.how.downtime_ms == 300 && machine.how.bandwidth == 5000000000 &&
		  machine.how.timeout_s == 60 && machine.how.verify && machine.how.one_way);
	ck_assert_str_eq(ask("{\"command\":\"send\",\"downtime_ms\":-1}"), "{\"ok\":true}");
	ck_assert(!machine.how.downtime_ms && !machine.how.verify);
}
END_TEST

START_TEST(what_it_refuses_now)
{
	machine.nobodys = true;
	ck_assert_str_eq(ask("{\"command\":\"reset\"}"), "{\"ok\":false,\"error\":\"not now\"}");
	ck_assert_str_eq(ask("{\"command\":\"resume\"}"),
			 "{\"ok\":false,\"error\":\"whose is it?\"}");
	ck_assert_str_eq(ask("{\"command\":\"resume\",\"take_ownership\":true}"), "{\"ok\":true}");
	ck_assert(!machine.resets && machine.resumes == 1);
}
END_TEST

static const struct {
	const char *line, *why;
} refused[] = {
	{ "", "JSON" },
	{ "stop", "JSON" },
	{ "[\"stop\"]", "JSON" },
	{ "{\"command\":\"stop\"}{", "JSON" },
	{ "{}", "no \\\"command\\\"" },
	{ "{\"command\":1}", "no \\\"command\\\"" },
	{ "{\"command\":[\"stop\"]}", "no \\\"command\\\"" },
	{ "{\"command\":\"\"}", "unknown" },
	{ "{\"command\":\"Stop\"}", "unknown" },
	{ "{\"command\":\"stop\",\"forse\":true}", "does not take" },
	{ "{\"command\":\"stop\",\"force\":1}", "not true or false" },
	{ "{\"command\":\"stop\",\"force\":\"true\"}", "not true or false" },
	{ "{\"command\":\"pause\",\"force\":true}", "does not take" },
	{ "{\"command\":\"console\"}", "no console" },
	{ "{\"command\":\"console\",\"readonly\":0}", "not true or false" },
	{ "{\"command\":\"resize\",\"size\":1}", "is missing" },
	{ "{\"command\":\"resize\",\"disk\":0}", "another type" },
	{ "{\"command\":\"resize\",\"disk\":\"vda\",\"size\":\"1\"}", "another type" },
	{ "{\"command\":\"resize\",\"disk\":\"vda\",\"size\":1.5}", "another type" },
	{ "{\"command\":\"resize\",\"disk\":\"vda\",\"size\":-1}", "no disk has -1 bytes" },
	{ "{\"command\":\"resize\",\"disk\":\"vda\",\"size\":18446744073709551616}",
	  "another type" },
	{ "{\"command\":\"balloon\"}", "is missing" },
	{ "{\"command\":\"balloon\",\"size\":0}", "no guest can do with 0" },
	{ "{\"command\":\"balloon\",\"size\":null}", "another type" },
};

START_TEST(refused_requests)
{
	const char *answer = ask(refused[_i].line);

	ck_assert_msg(!strncmp(answer, "{\"ok\":false,\"error\":\"", 20), "%s", answer);
	ck_assert_msg(strstr(answer, refused[_i].why), "%s", answer);
	ck_assert_uint_eq(machine.stops + machine.pauses, 0);
}
END_TEST

START_TEST(nul_inside_a_line)
{
	char line[] = "{\"command\":\"stop\"}\0{\"command\":\"stop\"}";

	control_answer(&target, line, sizeof(line) - 1, reply, sizeof(reply));
	ck_assert_ptr_nonnull(strstr(reply, "\"ok\":false"));
	ck_assert_uint_eq(machine.stops, 0);
}
END_TEST

START_TEST(saved_once_at_a_time)
{
	ck_assert_str_eq(ask("{\"command\":\"save\",\"keep_running\":true}"), "{\"ok\":true}");
	ck_assert_uint_eq(machine.kept, 1);
	ck_assert_str_eq(ask("{\"command\":\"save\",\"disk_overlay\":\"/a b\"}"),
			 "{\"ok\":false,\"error\":\"busy\"}");
	ck_assert_uint_eq(machine.saves, 2);
	ck_assert_uint_eq(machine.overlays, 1);
	ck_assert_uint_eq(machine.kept, 1);
}
END_TEST

START_TEST(members_with_values)
{
	ck_assert_str_eq(ask("{\"command\":\"resize\",\"disk\":\"v\\\"da\",\"size\":4096}"),
			 "{\"ok\":true}");
	ck_assert_uint_eq(machine.size, 4096);
	ck_assert_str_eq(ask("{\"disk\":\"v\\u0022da\",\"command\":\"resize\"}"), "{\"ok\":true}");
	ck_assert_uint_eq(machine.size, 0);
	ck_assert_str_eq(ask("{\"command\":\"resize\",\"disk\":\"x\"}"),
			 "{\"ok\":false,\"error\":\"no disk x\"}");
	ck_assert_str_eq(ask("{\"command\":\"balloon\",\"size\":9223372036854775807}"),
			 "{\"ok\":true}");
	ck_assert_uint_eq(machine.size, INT64_MAX);
	ck_assert_uint_eq(machine.resizes, 2);
}
END_TEST

/* An answer that does not fit is replaced by one that does. */
START_TEST(small_reply)
{
	char line[] = "{\"command\":\"commands\"}", small[64];

	control_answer(&target, line, sizeof(line) - 1, small, sizeof(small));
	ck_assert_str_eq(small, "{\"ok\":false,\"error\":\"the answer is too long\"}");
}
END_TEST

/* Mutated requests: always one line of valid JSON with an "ok", and never two actions. */
START_TEST(mutations)
{
	static const char *const good[] = {
		"{\"command\":\"stop\",\"force\":true}",
		"{\"command\":\"pause\"}",
		"{\"command\":\"commands\",\"x\":[{\"y\":null}]}",
	};
	unsigned int seed = 7, refusals = 0;

	for (int round = 0; round < 100000; round++) {
		unsigned int before = machine.stops + machine.pauses;
		struct json_object obj;
		char line[80];
		size_t len = strlen(strcpy(line, good[round % 3]));

		for (int n = rand_r(&seed) % 3; n > 0; n--) {
			size_t at = (size_t)rand_r(&seed) % len;

			switch (rand_r(&seed) % 3) {
			case 0:
				line[at] = (char)rand_r(&seed);
				break;
			case 1:
				memmove(line + at, line + at + 1, len - at);
				len--;
				break;
			default:
				memmove(line + at + 1, line + at, len - at + 1);
				len++;
			}
		}
		control_answer(&target, line, len, reply, sizeof(reply));
		ck_assert_ptr_null(strchr(reply, '\n'));
		ck_assert_int_eq(json_parse(reply, &obj), 0);
		ck_assert_int_eq(json_get(&obj, "ok")->type, JSON_BOOL);
		refusals += !json_get(&obj, "ok")->num;
		ck_assert_uint_le(machine.stops + machine.pauses, before + 1);
	}
	ck_assert_uint_gt(refusals, 10000);
	ck_assert_uint_gt(machine.stops, 10000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_proto");
	TCase *tc = tcase_create("protocol");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, each_command);
	tcase_add_test(tc, send_with_all_members);
	tcase_add_test(tc, what_it_refuses_now);
	tcase_add_loop_test(tc, refused_requests, 0, sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(tc, nul_inside_a_line);
	tcase_add_test(tc, saved_once_at_a_time);
	tcase_add_test(tc, members_with_values);
	tcase_add_test(tc, small_reply);
	tcase_add_test(tc, mutations);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
