// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/commands.h"
#include "vmm/control.h"
#include "vmm/control_client.h"
#include "vmm/control_debug.h"
#include "vmm/control_dir.h"
#include "vmm/control_print.h"
#include "vmm/core/loop.h"
#include "vmm/core/opts.h"

/* A pause waits for vCPUs that may be in the middle of a slow access. */
enum { ANSWER_MS = 30000, LIST_MS = 2000 };

struct control_args {
	const char *name;
	const char *line; /* the word behind the name, or NULL */
	bool force, json, watch;
};

#define AT(field) .offset = offsetof(struct control_args, field)

static const struct opt no_options[] = { { 0 } };
static const struct opt stop_options[] = {
	{ "force", 'f', OPT_FLAG, NULL, NULL, "end it at once; vmm run exits with 143", AT(force) },
	{ 0 },
};
static const struct opt stat_options[] = {
	{ "json", 0, OPT_FLAG, NULL, NULL, "as the machine answers", AT(json) },
	{ "watch", 'w', OPT_FLAG, NULL, NULL,
	  "say it again each SECONDS (1), until the machine ends", AT(watch) },
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

/* Asks, and passes on why the machine refuses. */
static int ask(struct control_conn *conn, const char *line, struct json_object *obj,
	       struct fail *fail)
{
	const struct json_field *ok;
	const char *why;
	char *reply;
	int err = control_ask(conn, line, &reply, fail);

	if (err)
		return err;
	if (json_parse(reply, obj))
		return fail_set(fail, EXIT_HOST, -EPROTO, "the machine's answer makes no sense");
	ok = json_get(obj, "ok");
	if (ok && ok->num)
		return 0;
	why = json_get_str(obj, "error");
	return fail_set(fail, EXIT_CONFIG, -EINVAL, "the machine refuses: %s", why ? why : "?");
}

static int simple(const struct control_args *args, const char *line, struct fail *fail)
{
	struct control_conn *conn = NULL;
	struct json_object obj;
	int err = control_open(args->name, ANSWER_MS, &conn, fail);

	if (!err)
		err = ask(conn, line, &obj, fail);
	control_close(conn);
	return err;
}

static int do_pause(const struct control_args *args, struct fail *fail)
{
	return simple(args, "{\"command\":\"pause\"}", fail);
}

static int do_resume(const struct control_args *args, struct fail *fail)
{
	return simple(args, "{\"command\":\"resume\"}", fail);
}

static int do_reset(const struct control_args *args, struct fail *fail)
{
	return simple(args, "{\"command\":\"reset\"}", fail);
}

/* Returns when the machine has ended: by its power-off, or by its --grace. */
static int do_stop(const struct control_args *args, struct fail *fail)
{
	const char *line =
		args->force ? "{\"command\":\"stop\",\"force\":true}" : "{\"command\":\"stop\"}";
	struct control_conn *conn = NULL;
	struct json_object obj;
	int err = control_open(args->name, ANSWER_MS, &conn, fail);

	if (!err)
		err = ask(conn, line, &obj, fail);
	if (!err)
		control_wait_end(conn);
	control_close(conn);
	return err;
}

/* --- stat, ctl -------------------------------------------------------------------------------- */

static int parse_seconds(const char *word, unsigned int *seconds)
{
	uint64_t ns;

	if (opts_time(word, &ns) || ns < 1000000000 || ns > 86400 * 1000000000ULL ||
	    ns % 1000000000)
		return -EINVAL;
	*seconds = (unsigned int)(ns / 1000000000);
	return 0;
}

/* The answer printed, once. 0 or -errno. */
static int stat_once(struct control_conn *conn, bool json, bool clear, struct fail *fail)
{
	const char *line = "{\"command\":\"stat\"}";
	struct json_object obj;
	char *reply;
	int err = json ? control_ask(conn, line, &reply, fail) : ask(conn, line, &obj, fail);

	if (err)
		return err;
	/* The cursor to the top, and nothing below it. */
	fputs(clear ? "\x1b[H\x1b[J" : "", stdout);
	if (json)
		puts(reply);
	else
		control_print(&obj);
	return 0;
}

/* Again and again, to the machine's end, which is no failure, or the reader's. */
static int stat_watch(struct control_conn *conn, const struct control_args *args,
		      unsigned int seconds, struct fail *fail)
{
	bool clear = !args->json && isatty(STDOUT_FILENO);
	struct fail why = { 0 };
	uint64_t next = loop_now_ns();
	int err = 0;

	while (!err) {
		err = stat_once(conn, args->json, clear, &why);
		if (!err && !args->json && !clear)
			putchar('\n');
		if (fflush(stdout))
			return 0;
		next += seconds * 1000000000ULL;
		if (!err)
			err = control_idle(conn, next);
	}
	return err == -EPIPE ? 0 : fail_set(fail, why.code, err, "%s", why.text);
}

static int do_stat(const struct control_args *args, struct fail *fail)
{
	struct control_conn *conn = NULL;
	unsigned int seconds = 1;
	int err = 0;

	if (args->line && (!args->watch || parse_seconds(args->line, &seconds)))
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"'%s': SECONDS are a number from 1 to 86400, with --watch",
				args->line);
	err = control_open(args->name, ANSWER_MS, &conn, fail);
	if (!err)
		err = args->watch ? stat_watch(conn, args, seconds, fail)
				  : stat_once(conn, args->json, false, fail);
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
	int err = control_open(args->name, ANSWER_MS, &conn, fail);

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
	int err = control_open(args->name, ANSWER_MS, &conn, fail);

	if (!err)
		err = ask(conn, "{\"command\":\"debug\"}", &obj, fail);
	if (!err && !control_debug_print(&obj, args->line, stdout))
		err = fail_set(fail, EXIT_CONFIG, -ENOENT,
			       "machine '%s' has no section '%s'; vmm debug %s shows all",
			       args->name, args->line, args->name);
	control_close(conn);
	return err;
}

/* --- the commands ----------------------------------------------------------------------------- */

struct control_command {
	const char *name, *args, *help;
	unsigned int min, max; /* words behind the command */
	const struct opt *options;
	int (*run)(const struct control_args *args, struct fail *fail);
};

static const struct control_command commands[] = {
	{ "list", "", "list the running machines: name, process, state", 0, 0, no_options,
	  do_list },
	{ "stop", "NAME", "press a machine's power key, and wait for its end", 1, 1, stop_options,
	  do_stop },
	{ "pause", "NAME", "make a machine's CPUs stand still", 1, 1, no_options, do_pause },
	{ "resume", "NAME", "let them run again", 1, 1, no_options, do_resume },
	{ "reset", "NAME", "restart a machine, as its reset button would", 1, 1, no_options,
	  do_reset },
	{ "stat", "NAME [SECONDS]",
	  "say what a machine does: state, memory, exits, interrupts, requests", 1, 2, stat_options,
	  do_stat },
	{ "debug", "NAME [SECTION]",
	  "show a machine's registers and stacks, and what its devices tell of themselves", 1, 2,
	  no_options, do_debug },
	{ "ctl", "NAME [REQUEST]", "send a JSON request, or those of stdin, and print the answer",
	  1, 2, no_options, do_ctl },
};

enum { NCOMMANDS = sizeof(commands) / sizeof(commands[0]) };

static const struct control_command *find(const char *name)
{
	for (int i = 0; i < NCOMMANDS; i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	return NULL;
}

const char *control_command_name(unsigned int i)
{
	return i < NCOMMANDS ? commands[i].name : NULL;
}

const char *control_command_help(unsigned int i)
{
	return i < NCOMMANDS ? commands[i].help : NULL;
}

void control_commands_man(FILE *out)
{
	for (int i = 0; i < NCOMMANDS; i++) {
		const struct control_command *c = &commands[i];

		fprintf(out, ".It Cm %s%s%s%s\n%s.\n", c->name,
			c->options->name ? " Oo Ar OPTIONS Oc" : "", *c->args ? " Ar " : "",
			c->args, c->help);
		if (!c->options->name)
			continue;
		fputs(".Bl -tag -width Ds\n", out);
		opts_man(c->options, out);
		fputs(".El\n", out);
	}
}

static void print_help(const struct control_command *c)
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
	int words = opts_parse(c->options, argc, argv, args, fail);

	if (words < 0)
		return words;
	if ((unsigned int)words < c->min || (unsigned int)words > c->max)
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "too %s words; usage: vmm %s %s",
				(unsigned int)words < c->min ? "few" : "many", c->name, c->args);
	args->name = words > 0 ? argv[0] : NULL;
	args->line = words > 1 ? argv[1] : NULL;
	return 0;
}

int cmd_control(const char *command, int argc, char **argv)
{
	const struct control_command *c = find(command);
	struct control_args args = { 0 };
	struct fail fail = { 0 };

	if (argc == 1 && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))) {
		print_help(c);
		return EXIT_OK;
	}
	if (!parse(c, argc, argv, &args, &fail))
		c->run(&args, &fail);
	fflush(stdout);
	if (fail.text[0])
		fprintf(stderr, "vmm: %s\n", fail.text);
	return fail.text[0] ? (int)fail.code : EXIT_OK;
}
