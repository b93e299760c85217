// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cmd_control_priv.h"
#include "vmm/commands.h"
#include "vmm/control.h"
#include "vmm/control_attach.h"
#include "vmm/control_client.h"
#include "vmm/control_debug.h"
#include "vmm/control_dir.h"
#include "vmm/control_print.h"
#include "vmm/core/opts.h"

enum { LIST_MS = 2000 };

#define AT(field) .offset = offsetof(struct control_args, field)

static const struct opt no_options[] = { { 0 } };
static const struct opt stop_options[] = {
	{ "force", 'f', OPT_FLAG, NULL, NULL, "end it at once; vmm run exits with 143", AT(force) },
	{ 0 },
};
static const struct opt resume_options[] = {
	{ "take-ownership", 0, OPT_FLAG, NULL, NULL,
	  "also one that may run elsewhere: who asks knows that it does not", AT(take) },
	{ 0 },
};
static const struct opt stat_options[] = {
	{ "json", 0, OPT_FLAG, NULL, NULL, "as the machine answers", AT(json) },
	{ "watch", 'w', OPT_FLAG, NULL, NULL,
	  "say it again each SECONDS (1), until the machine ends", AT(watch) },
	{ 0 },
};
static const struct opt balloon_options[] = {
	{ "stats", 's', OPT_FLAG, NULL, NULL,
	  "what the balloon has, and the guest's own statistics", AT(stats) },
	{ 0 },
};
static const struct opt console_options[] = {
	{ "readonly", 'r', OPT_FLAG, NULL, NULL, "only look: whoever types goes on typing",
	  AT(readonly) },
	{ 0 },
};

/* --- list ------------------------------------------------------------------------------------- */

struct names {
	char **names;
	size_t n;
	bool short_of_memory;
};

static void collect_name(void *arg, const char *name)
{
	struct names *all = arg;
	char **more = reallocarray(all->names, all->n + 1, sizeof(*more));
	char *copy = more ? strdup(name) : NULL;

	if (more)
		all->names = more;
	if (copy)
		all->names[all->n++] = copy;
	else
		all->short_of_memory = true;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A machine that ends meanwhile is left out; one that is busy, with its start for example, is not. */
static void list_one(const char *name)
{
	const struct json_field *pid = NULL;
	struct control_conn *conn = NULL;
	const char *state = NULL;
	struct json_object obj;
	char *reply;
	int err = control_open(name, LIST_MS, &conn, NULL);

	if (!err)
		err = control_ask(conn, "{\"command\":\"status\"}", &reply, NULL);
	if (!err && !json_parse(reply, &obj)) {
		pid = json_get(&obj, "pid");
		state = json_get_str(&obj, "state");
	}
	if (err != -ENOENT && err != -EPIPE) {
		printf("%-24s %8s ", name, pid ? pid->text : "-");
		control_print_plain(state ? state : "busy");
		putchar('\n');
	}
	control_close(conn);
}

static int do_list(const struct control_args *args, struct fail *fail)
{
	struct names all = { 0 };
	int err = control_names(collect_name, &all, fail);

	(void)args;
	if (!err && all.short_of_memory)
		err = fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	if (all.n)
		qsort(all.names, all.n, sizeof(*all.names), compare_names);
	for (size_t i = 0; i < all.n; i++) {
		if (!err)
			list_one(all.names[i]);
		free(all.names[i]);
	}
	free(all.names);
	return err;
}

/* --- one request ------------------------------------------------------------------------------ */

static int do_pause(const struct control_args *args, struct fail *fail)
{
	return control_demand(args->name, "{\"command\":\"pause\"}", NULL, 0, fail);
}

static int do_resume(const struct control_args *args, struct fail *fail)
{
	return control_demand(args->name,
			      args->take ? "{\"command\":\"resume\",\"take_ownership\":true}"
					 : "{\"command\":\"resume\"}",
			      NULL, 0, fail);
}

static int do_reset(const struct control_args *args, struct fail *fail)
{
	return control_demand(args->name, "{\"command\":\"reset\"}", NULL, 0, fail);
}

/* Returns when the machine has ended: by its power-off, or by its --grace. */
static int do_stop(const struct control_args *args, struct fail *fail)
{
	const char *line =
		args->force ? "{\"command\":\"stop\",\"force\":true}" : "{\"command\":\"stop\"}";
	struct control_conn *conn = NULL;
	struct json_object obj;
	int err = control_open(args->name, CONTROL_ANSWER_MS, &conn, fail);

	if (!err)
		err = control_request(conn, line, &obj, fail);
	if (!err)
		control_wait_end(conn);
	control_close(conn);
	return err;
}

/* --- console, ctl ----------------------------------------------------------------------------- */

/* Returns when the user detaches, or the machine ends. */
static int do_console(const struct control_args *args, struct fail *fail)
{
	const char *line = args->readonly ? "{\"command\":\"console\",\"readonly\":true}"
					  : "{\"command\":\"console\"}";
	const struct json_field *missed;
	struct control_conn *conn = NULL;
	struct json_object obj;
	int err = control_open(args->name, CONTROL_ANSWER_MS, &conn, fail);

	if (!err)
		err = control_request(conn, line, &obj, fail);
	missed = err ? NULL : json_get(&obj, "missed");
	if (missed && missed->num)
		fprintf(stderr, "vmm: the first %s bytes of output are no longer kept\n",
			missed->text);
	if (!err)
		err = attach_console(conn, args->name, fail);
	control_close(conn);
	return err;
}

/* Prints the answer as it is; what the machine refuses makes the command fail. */
static int ctl_line(struct control_conn *conn, const char *line, struct fail *fail)
{
	const struct json_field *ok;
	struct json_object obj;
	char *reply;
	int err = control_ask(conn, line, &reply, fail);

	if (err)
		return err;
	control_print_plain(reply);
	putchar('\n');
	ok = json_parse(reply, &obj) ? NULL : json_get(&obj, "ok");
	return ok && ok->num ? 0
			     : fail_set(fail, EXIT_CONFIG, -EINVAL,
					"the machine refuses; its answer says why");
}

/* Without a line, those of the input, one after the other, to the end. */
static int do_ctl(const struct control_args *args, struct fail *fail)
{
	struct control_conn *conn = NULL;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int err = control_open(args->name, CONTROL_ANSWER_MS, &conn, fail);

	if (!err && args->line)
		err = ctl_line(conn, args->line, fail);
	while (!err && !args->line && (len = getline(&line, &size, stdin)) > 0) {
		line[len - (line[len - 1] == '\n')] = 0;
		err = ctl_line(conn, line, fail);
		if (err == -EINVAL)
			err = 0;
	}
	free(line);
	control_close(conn);
	return err;
}

/* --- debug ------------------------------------------------------------------------------------ */

static int do_debug(const struct control_args *args, struct fail *fail)
{
	struct control_conn *conn = NULL;
	struct json_object obj;
	int err = control_open(args->name, CONTROL_ANSWER_MS, &conn, fail);

	if (!err)
		err = control_request(conn, "{\"command\":\"debug\"}", &obj, fail);
	if (!err && !control_debug_print(&obj, args->line, stdout))
		err = fail_set(fail, EXIT_CONFIG, -ENOENT,
			       "machine '%s' has no section '%s'; vmm debug %s shows all",
			       args->name, args->line, args->name);
	control_close(conn);
	return err;
}

/* --- the commands ----------------------------------------------------------------------------- */

struct control_command {
	struct command is;
	unsigned int min, max; /* words behind the command */
	int (*run)(const struct control_args *args, struct fail *fail);
};

static const struct control_command commands[] = {
	{ { "list", "", "list the running machines: name, process, state", no_options, NULL },
	  0,
	  0,
	  do_list },
	{ { "stop", "NAME", "press a machine's power key, and wait for its end", stop_options,
	    NULL },
	  1,
	  1,
	  do_stop },
	{ { "pause", "NAME", "make a machine's CPUs stand still", no_options, NULL },
	  1,
	  1,
	  do_pause },
	{ { "resume", "NAME", "let them run again", resume_options, NULL }, 1, 1, do_resume },
	{ { "reset", "NAME", "restart a machine, as its reset button would", no_options, NULL },
	  1,
	  1,
	  do_reset },
	{ { "stat", "NAME [SECONDS]",
	    "say what a machine does: state, memory, exits, interrupts, requests", stat_options,
	    NULL },
	  1,
	  2,
	  control_do_stat },
	{ { "console", "NAME", "attach to a machine's console; Ctrl-A d detaches", console_options,
	    NULL },
	  1,
	  1,
	  do_console },
	{ { "resize", "NAME DISK [SIZE]",
	    "make a disk larger, or tell the guest what its file or device has become", no_options,
	    NULL },
	  2,
	  3,
	  control_do_resize },
	{ { "balloon", "NAME [SIZE]", "leave the guest with SIZE of its memory", balloon_options,
	    NULL },
	  1,
	  2,
	  control_do_balloon },
	{ { "debug", "NAME [SECTION]",
	    "show a machine's registers and stacks, and what its devices tell of themselves",
	    no_options, NULL },
	  1,
	  2,
	  do_debug },
	{ { "ctl", "NAME [REQUEST]", "send a JSON request, or those of stdin, and print the answer",
	    no_options, NULL },
	  1,
	  2,
	  do_ctl },
};

enum { NCOMMANDS = sizeof(commands) / sizeof(commands[0]) };

static const struct control_command *find(const char *name)
{
	for (int i = 0; i < NCOMMANDS; i++)
		if (!strcmp(name, commands[i].is.name))
			return &commands[i];
	return NULL;
}

const struct command *control_command_at(unsigned int i)
{
	return i < NCOMMANDS ? &commands[i].is : NULL;
}

static void print_help(const struct command *c)
{
	printf("usage: vmm %s%s%s%s\n\n", c->name, c->options->name ? " [OPTIONS]" : "",
	       *c->args ? " " : "", c->args);
	control_print_plain(c->help);
	puts("\n");
	opts_help(c->options, stdout);
}

static int parse(const struct control_command *c, int argc, char **argv, struct control_args *args,
		 struct fail *fail)
{
	int words = opts_parse(c->is.options, argc, argv, args, fail);

	if (words < 0)
		return words;
	if ((unsigned int)words < c->min || (unsigned int)words > c->max)
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "too %s words; usage: vmm %s %s",
				(unsigned int)words < c->min ? "few" : "many", c->is.name,
				c->is.args);
	args->name = words > 0 ? argv[0] : NULL;
	args->line = words > 1 ? argv[1] : NULL;
	args->more = words > 2 ? argv[2] : NULL;
	return 0;
}

int cmd_control(const char *command, int argc, char **argv)
{
	const struct control_command *c = find(command);
	struct control_args args = { 0 };
	struct fail fail = { 0 };

	if (argc == 1 && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))) {
		print_help(&c->is);
		return EXIT_OK;
	}
	if (!parse(c, argc, argv, &args, &fail))
		c->run(&args, &fail);
	fflush(stdout);
	if (fail.text[0])
		fprintf(stderr, "vmm: %s\n", fail.text);
	return fail.text[0] ? (int)fail.code : EXIT_OK;
}
