// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <unistd.h>

#include "vmm/control.h"

struct request {
	const char *name;
	const char *option; /* the one member it takes, a boolean, or NULL */
	/* Does it and adds members to the answer. `on` is the option's value. */
	void (*serve)(const struct control_target *target, bool on, struct json_out *out);
};

static void serve_status(const struct control_target *t, bool on, struct json_out *out)
{
	(void)on;
	json_str(out, "name", t->name);
	json_uint(out, "pid", (uint64_t)getpid());
	json_str(out, "state", t->ops->paused(t->arg) ? "paused" : "running");
}

static void serve_stat(const struct control_target *t, bool on, struct json_out *out)
{
	serve_status(t, on, out);
	t->ops->stat(t->arg, out);
}

static void serve_activity(const struct control_target *t, bool on, struct json_out *out)
{
	(void)on;
	t->ops->activity(t->arg, out);
}

static void serve_debug(const struct control_target *t, bool on, struct json_out *out)
{
	serve_status(t, on, out);
	t->ops->debug(t->arg, out);
}

static void serve_stop(const struct control_target *t, bool on, struct json_out *out)
{
	(void)out;
	t->ops->stop(t->arg, on);
}

static void serve_pause(const struct control_target *t, bool on, struct json_out *out)
{
	(void)on;
	(void)out;
	t->ops->pause(t->arg);
}

static void serve_resume(const struct control_target *t, bool on, struct json_out *out)
{
	(void)on;
	(void)out;
	t->ops->resume(t->arg);
}

static void serve_reset(const struct control_target *t, bool on, struct json_out *out)
{
	(void)on;
	(void)out;
	t->ops->reset(t->arg);
}

static void serve_save(const struct control_target *t, bool on, struct json_out *out)
{
	(void)out;
	t->ops->save(t->arg, t->files, on);
}

static void serve_commands(const struct control_target *t, bool on, struct json_out *out);

static const struct request requests[] = {
	{ "status", NULL, serve_status },	{ "stat", NULL, serve_stat },
	{ "stop", "force", serve_stop },	{ "pause", NULL, serve_pause },
	{ "resume", NULL, serve_resume },	{ "reset", NULL, serve_reset },
	{ "save", "keep_running", serve_save }, { "activity", NULL, serve_activity },
	{ "debug", NULL, serve_debug },		{ "commands", NULL, serve_commands },
};

enum { NREQUESTS = sizeof(requests) / sizeof(requests[0]) };

static void serve_commands(const struct control_target *t, bool on, struct json_out *out)
{
	(void)t;
	(void)on;
	json_open(out, "commands", '[');
	for (int i = 0; i < NREQUESTS; i++)
		json_str(out, NULL, requests[i].name);
	json_close(out, ']');
}

/* The request that the object is, or why it is none: what is misspelt must not be passed over. */
static const char *understand(const struct json_object *obj, const struct request **request,
			      bool *on)
{
	const char *name = json_get_str(obj, "command");
	const struct request *found = NULL;

	if (!name)
		return "no \"command\"";
	for (int i = 0; i < NREQUESTS; i++)
		if (!strcmp(name, requests[i].name))
			found = &requests[i];
	if (!found)
		return "unknown command; {\"command\":\"commands\"} lists them";
	*on = false;
	for (unsigned int i = 0; i < obj->n; i++) {
		const struct json_field *field = &obj->fields[i];

		if (!strcmp(field->key, "command"))
			continue;
		if (!found->option || strcmp(field->key, found->option))
			return "a member that the command does not take";
		if (field->type != JSON_BOOL)
			return "a member that is not true or false";
		*on = field->num;
	}
	*request = found;
	return NULL;
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

void control_answer(const struct control_target *target, char *line, size_t len, char *reply,
		    size_t cap)
{
	const struct request *request = NULL;
	struct json_object obj;
	struct json_out out;
	const char *why = "not a line of one JSON object";
	bool on;

	if (strlen(line) == len && !json_parse(line, &obj))
		why = understand(&obj, &request, &on);
	if (why) {
		refuse(why, reply, cap);
		return;
	}
	json_out_init(&out, reply, cap);
	json_open(&out, NULL, '{');
	json_bool(&out, "ok", true);
	request->serve(target, on, &out);
	json_close(&out, '}');
	if (out.full)
		refuse("the answer is too long", reply, cap);
}
