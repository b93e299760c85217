// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "vmm/control.h"
#include "vmm/core/backlog.h"

enum { MEMBERS_MAX = 7 };

/* A member that a request takes beside "command". */
struct member {
	const char *name;
	enum json_type type;
	bool required;
};

struct request {
	const char *name;
	/* Does it and adds members to the answer; args[i] is the value of members[i], or NULL. 0, a
	 * positive enum control_then, or -errno with `fail` saying why the machine refuses. */
	int (*serve)(const struct control_target *target, const struct json_field *const *args,
		     struct json_out *out, struct fail *fail);
	struct member members[MEMBERS_MAX];
};

/* Whether a member that is true or false is there and true. */
static bool on(const struct json_field *arg)
{
	return arg && arg->num;
}

static int serve_status(const struct control_target *t, const struct json_field *const *args,
			struct json_out *out, struct fail *fail)
{
	(void)args;
	(void)fail;
	json_str(out, "name", t->name);
	json_uint(out, "pid", (uint64_t)getpid());
	json_str(out, "state", t->ops->state(t->arg));
	return 0;
}

static int serve_stat(const struct control_target *t, const struct json_field *const *args,
		      struct json_out *out, struct fail *fail)
{
	serve_status(t, args, out, fail);
	t->ops->stat(t->arg, out);
	return 0;
}

static int serve_activity(const struct control_target *t, const struct json_field *const *args,
			  struct json_out *out, struct fail *fail)
{
	(void)args;
	(void)fail;
	t->ops->activity(t->arg, out);
	return 0;
}

static int serve_debug(const struct control_target *t, const struct json_field *const *args,
		       struct json_out *out, struct fail *fail)
{
	serve_status(t, args, out, fail);
	t->ops->debug(t->arg, out);
	return 0;
}

static int serve_stop(const struct control_target *t, const struct json_field *const *args,
		      struct json_out *out, struct fail *fail)
{
	(void)out;
	return t->ops->stop(t->arg, on(args[0]), fail);
}

static int serve_pause(const struct control_target *t, const struct json_field *const *args,
		       struct json_out *out, struct fail *fail)
{
	(void)args;
	(void)out;
	(void)fail;
	t->ops->pause(t->arg);
	return 0;
}

static int serve_resume(const struct control_target *t, const struct json_field *const *args,
			struct json_out *out, struct fail *fail)
{
	(void)out;
	return t->ops->resume(t->arg, on(args[0]), fail);
}

static int serve_reset(const struct control_target *t, const struct json_field *const *args,
		       struct json_out *out, struct fail *fail)
{
	(void)args;
	(void)out;
	(void)fail;
	t->ops->reset(t->arg);
	return 0;
}

static int serve_save(const struct control_target *t, const struct json_field *const *args,
		      struct json_out *out, struct fail *fail)
{
	const struct control_save how = {
		.keep_running = on(args[0]),
		.overlay = args[1] ? args[1]->text : NULL,
	};

	(void)out;
	return t->ops->save(t->arg, t->files, &how, fail);
}

/* A number that is none is as good as none. */
static uint64_t number(const struct json_field *arg)
{
	return arg && arg->num > 0 ? (uint64_t)arg->num : 0;
}

static int serve_send(const struct control_target *t, const struct json_field *const *args,
		      struct json_out *out, struct fail *fail)
{
	const struct control_send how = {
		.downtime_ms = number(args[0]),
		.bandwidth = number(args[1]),
		.timeout_s = number(args[2]),
		.verify = on(args[3]),
		.one_way = on(args[4]),
		.postcopy = on(args[5]),
		.recover = on(args[6]),
	};

	(void)out;
	return t->ops->send(t->arg, t->files, &how, fail);
}

static int serve_cancel(const struct control_target *t, const struct json_field *const *args,
			struct json_out *out, struct fail *fail)
{
	(void)args;
	(void)out;
	return t->ops->cancel(t->arg, fail);
}

static int serve_recover(const struct control_target *t, const struct json_field *const *args,
			 struct json_out *out, struct fail *fail)
{
	(void)args;
	(void)out;
	return t->ops->recover(t->arg, t->files, fail);
}

static int serve_console(const struct control_target *t, const struct json_field *const *args,
			 struct json_out *out, struct fail *fail)
{
	if (!t->console)
		return fail_set(fail, EXIT_CONFIG, -ENODEV,
				"the machine has no console to attach to");
	json_uint(out, "missed", backlog_missed(t->backlog));
	return on(args[0]) ? CONTROL_THEN_WATCH : CONTROL_THEN_TYPE;
}

static int serve_resize(const struct control_target *t, const struct json_field *const *args,
			struct json_out *out, struct fail *fail)
{
	(void)out;
	if (args[1] && args[1]->num <= 0)
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "no disk has %s bytes", args[1]->text);
	return t->ops->resize(t->arg, args[0]->text, args[1] ? (uint64_t)args[1]->num : 0, fail);
}

static int serve_balloon(const struct control_target *t, const struct json_field *const *args,
			 struct json_out *out, struct fail *fail)
{
	(void)out;
	if (args[0]->num <= 0)
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "no guest can do with %s bytes",
				args[0]->text);
	return t->ops->balloon(t->arg, (uint64_t)args[0]->num, fail);
}

static int serve_commands(const struct control_target *t, const struct json_field *const *args,
			  struct json_out *out, struct fail *fail);

static const struct request requests[] = {
	{ "status", serve_status, { { 0 } } },
	{ "stat", serve_stat, { { 0 } } },
	{ "stop", serve_stop, { { "force", JSON_BOOL, false } } },
	{ "pause", serve_pause, { { 0 } } },
	{ "resume", serve_resume, { { "take_ownership", JSON_BOOL, false } } },
	{ "reset", serve_reset, { { 0 } } },
	{ "save",
	  serve_save,
	  { { "keep_running", JSON_BOOL, false }, { "disk_overlay", JSON_STRING, false } } },
	{ "send",
	  serve_send,
	  { { "downtime_ms", JSON_INT, false },
	    { "bandwidth", JSON_INT, false },
	    { "timeout_s", JSON_INT, false },
	    { "verify", JSON_BOOL, false },
	    { "one_way", JSON_BOOL, false },
	    { "postcopy", JSON_BOOL, false },
	    { "recover", JSON_BOOL, false } } },
	{ "recover", serve_recover, { { 0 } } },
	{ "cancel", serve_cancel, { { 0 } } },
	{ "console", serve_console, { { "readonly", JSON_BOOL, false } } },
	{ "resize", serve_resize, { { "disk", JSON_STRING, true }, { "size", JSON_INT, false } } },
	{ "balloon", serve_balloon, { { "size", JSON_INT, true } } },
	{ "activity", serve_activity, { { 0 } } },
	{ "debug", serve_debug, { { 0 } } },
	{ "commands", serve_commands, { { 0 } } },
};

enum { NREQUESTS = sizeof(requests) / sizeof(requests[0]) };

static int serve_commands(const struct control_target *t, const struct json_field *const *args,
			  struct json_out *out, struct fail *fail)
{
	(void)t;
	(void)args;
	(void)fail;
	json_open(out, "commands", '[');
	for (int i = 0; i < NREQUESTS; i++)
		json_str(out, NULL, requests[i].name);
	json_close(out, ']');
	return 0;
}

/* Finds the values of the members that the request takes: NULL, or what is wrong. What is misspelt
 * must not be passed over. */
static const char *find_members(const struct json_object *obj, const struct request *request,
				const struct json_field **args)
{
	for (unsigned int i = 0; i < obj->n; i++) {
		const struct json_field *field = &obj->fields[i];
		unsigned int m = 0;

		if (!strcmp(field->key, "command"))
			continue;
		while (m < MEMBERS_MAX && request->members[m].name &&
		       strcmp(field->key, request->members[m].name))
			m++;
		if (m == MEMBERS_MAX || !request->members[m].name)
			return "a member that the command does not take";
		if (field->type != request->members[m].type)
			return request->members[m].type == JSON_BOOL
				       ? "a member that is not true or false"
				       : "a member of another type than it should have";
		args[m] = field;
	}
	for (unsigned int m = 0; m < MEMBERS_MAX; m++)
		if (request->members[m].required && !args[m])
			return "a member that the command needs is missing";
	return NULL;
}

/* The request that the object is, or why it is none. */
static const char *understand(const struct json_object *obj, const struct request **request,
			      const struct json_field **args)
{
	const char *name = json_get_str(obj, "command");

	if (!name)
		return "no \"command\"";
	for (int i = 0; i < NREQUESTS; i++)
		if (!strcmp(name, requests[i].name))
			*request = &requests[i];
	if (!*request)
		return "unknown command; {\"command\":\"commands\"} lists them";
	return find_members(obj, *request, args);
}

static void refuse(const char *why, char *reply, size_t cap)
{
	struct json_out out;

	json_out_init(&out, reply, cap);
	json_open(&out, NULL, '{');
	json_bool(&out, "ok", false);
	json_str(&out, "error", why);
	json_close(&out, '}');
}

enum control_then control_answer(const struct control_target *target, char *line, size_t len,
				 char *reply, size_t cap)
{
	const struct json_field *args[MEMBERS_MAX] = { 0 };
	const char *why = "not a line of one JSON object";
	const struct request *request = NULL;
	struct fail fail = { 0 };
	struct json_object obj;
	struct json_out out;
	int ret = 0;

	if (strlen(line) == len && !json_parse(line, &obj))
		why = understand(&obj, &request, args);
	if (!why && target->ops->refuses)
		why = target->ops->refuses(target->arg, request->name);
	if (!why) {
		json_out_init(&out, reply, cap);
		json_open(&out, NULL, '{');
		json_bool(&out, "ok", true);
		ret = request->serve(target, args, &out, &fail);
		json_close(&out, '}');
		if (ret < 0)
			why = fail.text;
		else if (out.full)
			why = "the answer is too long";
	}
	if (!why)
		return (enum control_then)ret;
	refuse(why, reply, cap);
	return CONTROL_THEN_GO_ON;
}
