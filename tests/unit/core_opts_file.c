// SPDX-License-Identifier: GPL-2.0-only
/* Files of options: lines, inclusion, errors; and what is printed is read back as the same. */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fake/suite.h"
#include "vmm/config.h"
#include "vmm/core/opts.h"

static char folder[64];

static void setup(void)
{
	strcpy(folder, "/tmp/vmm-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
}

static void teardown(void)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(system(command), 0);
}

static void write_file(const char *name, const void *data, size_t len)
{
	FILE *f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(data, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static void write_text(const char *name, const char *text)
{
	write_file(name, text, strlen(text));
}

/* --- lines ------------------------------------------------------------------------------------ */

static const struct {
	const char *line, *name, *value, *why;
} lines[] = {
	{ "", NULL, NULL, NULL },
	{ " \t\r", NULL, NULL, NULL },
	{ "# mem 512", NULL, NULL, NULL },
	{ "  #", NULL, NULL, NULL },
	{ "mem 512", "mem", "512", NULL },
	{ "  mem\t 512 \r", "mem", "512", NULL },
	{ "nodefaults", "nodefaults", NULL, NULL },
	{ "nodefaults ", "nodefaults", NULL, NULL },
	{ "params a b  c=\"d e\" # f", "params", "a b  c=\"d e\" # f", NULL },
	{ "params \"\"", "params", "", NULL },
	{ "params \" a \\\"b\\\" \\\\n c\\nd \"", "params", " a \"b\" \\n c\nd ", NULL },
	{ "params a\\nb", "params", "a\\nb", NULL },
	{ "params \"#\"", "params", "#", NULL },
	{ "params \"", "params", NULL, "the closing quotation mark is missing" },
	{ "params \"a\\", "params", NULL, "the closing quotation mark is missing" },
	{ "params \"a\\\"", "params", NULL, "the closing quotation mark is missing" },
	{ "params \"a\" b", "params", NULL, "something follows the closing quotation mark" },
	{ "params \"a\\tb\"", "params", NULL,
	  "after a backslash in quotation marks, write \\, \" or n" },
};

START_TEST(one_line)
{
	char line[100], *name, *value;
	const char *why;

	strcpy(line, lines[_i].line);
	why = opts_line(line, &name, &value);
	ck_assert_pstr_eq(why, lines[_i].why);
	ck_assert_pstr_eq(name, lines[_i].name);
	if (!why)
		ck_assert_pstr_eq(value, lines[_i].value);
}
END_TEST

/* --- files ------------------------------------------------------------------------------------ */

static int parse(struct config *cfg, struct fail *fail, int argc, ...)
{
	char *argv[16];
	va_list ap;

	va_start(ap, argc);
	for (int i = 0; i < argc; i++)
		argv[i] = va_arg(ap, char *);
	va_end(ap);
	*fail = (struct fail){ 0 };
	config_init(cfg);
	return opts_parse(config_options, argc, argv, cfg, fail);
}

START_TEST(later_words_win)
{
	struct config cfg;
	struct fail fail;

	write_text("a", "# of a\nmem 64\ncpus 2\nkernel one\nnodefaults\ndisk a.img,ro\n");
	write_text("b", "cpus 3\r\n\r\nconfig c\r\nparams x y \r\ndisk b.img");
	write_text("c", "cpus 4\nmemory 128M\n");
	ck_assert_int_eq(parse(&cfg, &fail, 9, "-c", "9", "--config", "a", "-k", "two", "-d",
			       "c.img", "--config=b"),
			 0);
	ck_assert_uint_eq(cfg.mem, 128 << 20);
	ck_assert_uint_eq(cfg.cpus, 4);
	ck_assert_str_eq(cfg.kernel, "two");
	ck_assert_str_eq(cfg.params, "x y");
	ck_assert(cfg.nodefaults);
	ck_assert_uint_eq(cfg.ndisks, 3);
	config_fini(&cfg);
	ck_assert_int_eq(parse(&cfg, &fail, 4, "--config", "a", "--cpus", "7"), 0);
	ck_assert_uint_eq(cfg.cpus, 7);
	config_fini(&cfg);
}
END_TEST

/* A file may be named twice, one after the other, and come from a pipe. */
START_TEST(twice_and_a_pipe)
{
	struct config cfg;
	struct fail fail;
	char path[32];
	int fds[2];

	write_text("a", "disk x\n");
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(write(fds[1], "cpus 5\nconfig a\nconfig a\n", 25), 25);
	close(fds[1]);
	snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
	ck_assert_int_eq(parse(&cfg, &fail, 2, "--config", path), 0);
	ck_assert_uint_eq(cfg.cpus, 5);
	ck_assert_uint_eq(cfg.ndisks, 2);
	config_fini(&cfg);
	close(fds[0]);
}
END_TEST

static const struct {
	const char *text, *sentence;
} bad[] = {
	{ "mem 64\n\nmem 0\n", "a:3: mem 0: give a size from 2M to 64T" },
	{ "memm 64\n", "a:1: unknown option memm; did you mean mem?" },
	{ "--mem 64\n", "a:1: unknown option --mem; did you mean mem?" },
	{ "zzzzzz\n", "a:1: unknown option zzzzzz" },
	{ "mem\n", "a:1: mem needs a value: mem SIZE" },
	{ "mem \"\"\n", "a:1: mem : give a size such as 512M or 2G (a bare number is MiB)" },
	{ "mem = 64\n", "a:1: mem = 64: give a size such as 512M or 2G (a bare number is MiB)" },
	{ "pmu yes\n", "a:1: pmu takes no value" },
	{ "# x\nkernel \"x\n", "a:2: kernel: the closing quotation mark is missing" },
	{ "config a\n", "a:1: cannot read options from a: it includes itself" },
	{ "config b\n", "a:1: b:1: cannot read options from ./a: it includes itself" },
	{ "config none\n", "a:1: cannot read options from none: No such file or directory" },
	{ "config .\n", "a:1: cannot read options from .: Is a directory" },
	{ "config d1\n", "a:1: d1:1: d2:1: d3:1: d4:1: d5:1: d6:1: d7:1: cannot read options from "
			 "d8: too many files include each other" },
	{ "\x1b[2J\n", "a:1: unknown option ?[2J" },
};

enum { NBAD = sizeof(bad) / sizeof(bad[0]) };

START_TEST(bad_files)
{
	struct config cfg;
	struct fail fail;

	write_text("a", bad[_i].text);
	write_text("b", "config ./a\n");
	for (int i = 1; i < 9; i++) {
		char name[8], text[16];

		snprintf(name, sizeof(name), "d%d", i);
		snprintf(text, sizeof(text), "config d%d\n", i + 1);
		write_text(name, text);
	}
	ck_assert_int_lt(parse(&cfg, &fail, 2, "--config", "a"), 0);
	ck_assert_str_eq(fail.text, bad[_i].sentence);
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
	config_fini(&cfg);
}
END_TEST

START_TEST(too_large_or_no_text)
{
	char *large = calloc(1, (1 << 20) + 1);
	struct config cfg;
	struct fail fail;

	memset(large, '\n', (1 << 20) + 1);
	write_file("a", large, 1 << 20);
	ck_assert_int_eq(parse(&cfg, &fail, 2, "--config", "a"), 0);
	config_fini(&cfg);
	write_file("a", large, (1 << 20) + 1);
	ck_assert_int_eq(parse(&cfg, &fail, 2, "--config", "a"), -EFBIG);
	config_fini(&cfg);
	write_file("a", "pmu\0\n", 5);
	ck_assert_int_eq(parse(&cfg, &fail, 2, "--config", "a"), -EILSEQ);
	config_fini(&cfg);
	for (size_t i = 0; i < 5000; i++)
		memcpy(large + i * 4, "pmu\n", 4);
	write_file("a", large, 20000);
	ck_assert_int_eq(parse(&cfg, &fail, 2, "--config", "a"), -E2BIG);
	config_fini(&cfg);
	free(large);
}
END_TEST

/* Whatever a file holds: it is taken or refused with a sentence. */
START_TEST(random_files)
{
	static const char *const bits[] = { "mem", " ",	   "\n",     "\"",     "\\", "#",
					    "512", "disk", ",",	     "config", "a",  "=",
					    "\r",  "\t",   "params", "\xff",   "n" };
	struct config cfg;
	struct fail fail;

	srand(7);
	for (int round = 0; round < 3000; round++) {
		char text[512] = "";
		int err;

		for (int i = rand() % 60; i > 0; i--)
			strcat(text, bits[(size_t)rand() % (sizeof(bits) / sizeof(bits[0]))]);
		write_text("a", text);
		err = parse(&cfg, &fail, 2, "--config", "a");
		ck_assert(!err == !fail.text[0]);
		config_fini(&cfg);
	}
}
END_TEST

/* --- round trip ------------------------------------------------------------------------------- */

/* Every option of `vmm run`, but what has a parser of its own takes any word. */
static struct opt table[100];

static int take_any(void *into, const char *arg, struct fail *fail)
{
	(void)into;
	(void)arg;
	(void)fail;
	return 0;
}

static unsigned int copy_table(void)
{
	unsigned int n = 0;

	for (const struct opt *o = config_options; o->name; o++) {
		ck_assert_uint_lt(n, 99);
		table[n] = *o;
		if (o->type == OPT_PARSE)
			table[n].parse = take_any;
		n++;
	}
	return n;
}

static void random_text(char *text, size_t max)
{
	static const char bytes[] = "aZ09 \t\n\r\\\"#=,'$\xc3\xa9\xff\x01.-/";
	size_t len = (size_t)rand() % max;

	for (size_t i = 0; i < len; i++)
		text[i] = bytes[(size_t)rand() % (sizeof(bytes) - 1)];
	text[len] = 0;
}

/* A value that the option takes. */
static void random_value(const struct opt *o, char *text, size_t size)
{
	uint64_t max = o->max ? o->max : UINT32_MAX;
	uint64_t v = o->min + ((uint64_t)rand() << 31 | (uint64_t)rand()) % (max - o->min + 1);
	unsigned int n = 0;

	switch (o->type) {
	case OPT_UINT:
		snprintf(text, size, rand() % 2 ? "%llu" : "0x%llx", (unsigned long long)v);
		break;
	case OPT_SIZE:
		snprintf(text, size, "%lluB", (unsigned long long)v);
		break;
	case OPT_TIME:
		snprintf(text, size, "%llums", (unsigned long long)v / 1000000);
		break;
	case OPT_CHOICE:
		while (o->choices[n])
			n++;
		snprintf(text, size, "%s", o->choices[(unsigned int)rand() % n]);
		break;
	default:
		random_text(text, size);
	}
}

/* What it is set to, for a person. */
static void shown(const struct opt *o, struct config *cfg, char *text, size_t size)
{
	void *at = (char *)cfg + o->offset;

	*text = 0;
	if (o->type == OPT_FLAG)
		snprintf(text, size, "%d", *(bool *)at);
	else if (o->type == OPT_STR)
		snprintf(text, size, "%s", *(char **)at ? *(char **)at : "(none)");
	else if (o->type == OPT_SIZE || o->type == OPT_TIME)
		snprintf(text, size, "%llu", *(unsigned long long *)at);
	else if (o->type != OPT_PARSE && o->type != OPT_CONFIG)
		snprintf(text, size, "%u", *(unsigned int *)at);
}

/* The values of an option that has a parser, one after the other. */
static void all_values(const struct opt *o, const struct config *cfg, char *text)
{
	*text = 0;
	for (size_t i = 0; i < cfg->given.n; i++)
		if (cfg->given.words[i].opt == o)
			text = stpcpy(stpcpy(text, cfg->given.words[i].value), "\n--\n");
}

static void check_same(struct config *a, struct config *b)
{
	static char x[8192], y[8192];

	for (const struct opt *o = table; o->name; o++) {
		if (o->type == OPT_PARSE) {
			all_values(o, a, x);
			all_values(o, b, y);
		} else {
			shown(o, a, x, sizeof(x));
			shown(o, b, y, sizeof(y));
		}
		if (!strcmp(o->name, "dry-run"))
			ck_assert_str_eq(y, "0");
		else
			ck_assert_msg(!strcmp(x, y), "%s: '%s' became '%s'", o->name, x, y);
	}
}

static void print_to(const struct config *cfg, const char *name)
{
	FILE *f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	opts_print(&cfg->given, "dry-run", f);
	ck_assert_int_eq(fclose(f), 0);
}

START_TEST(printed_and_read_back)
{
	char words[64][48], *argv[64], *back[] = { "--config", "printed" };
	unsigned int n = copy_table(), seen[100] = { 0 }, unseen = 0;
	struct config first, second;
	struct fail fail = { 0 };

	srand((unsigned int)_i);
	for (int round = 0; round < 300; round++) {
		int argc = 0;

		while (argc < 62 && rand() % 20) {
			unsigned int i = (unsigned int)rand() % n;

			if (table[i].type == OPT_CONFIG)
				continue;
			seen[i]++;
			snprintf(words[argc], 48, "--%s", table[i].name);
			argv[argc] = words[argc];
			argc++;
			if (table[i].type == OPT_FLAG)
				continue;
			random_value(&table[i], words[argc], 48);
			argv[argc] = words[argc];
			argc++;
		}
		config_init(&first);
		config_init(&second);
		ck_assert_msg(!opts_parse(table, argc, argv, &first, &fail), "%s", fail.text);
		print_to(&first, "printed");
		ck_assert_msg(!opts_parse(table, 2, back, &second, &fail), "%s", fail.text);
		check_same(&first, &second);
		config_fini(&first);
		config_fini(&second);
	}
	for (unsigned int i = 0; i < n; i++)
		unseen += !seen[i];
	ck_assert_uint_eq(unseen, 1); /* config itself */
}
END_TEST

START_TEST(printed_text)
{
	struct config cfg;
	struct fail fail;
	char text[256] = "";
	FILE *f;

	write_text("a", "smp 3\ndisk x\n");
	ck_assert_int_eq(parse(&cfg, &fail, 11, "-c2", "-m1G", "--config", "a", "--dry-run", "-d",
			       "y,ro", "-p", " a\n\"b\\", "--pmu", "--pmu"),
			 0);
	print_to(&cfg, "printed");
	config_fini(&cfg);
	f = fopen("printed", "r");
	ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, f), 0);
	fclose(f);
	ck_assert_str_eq(text, "mem 1G\ncpus 3\ndisk x\ndisk y,ro\n"
			       "params \" a\\n\\\"b\\\\\"\npmu\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_opts_file");
	TCase *tc = tcase_create("file");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, one_line, 0, (int)(sizeof(lines) / sizeof(lines[0])));
	tcase_add_test(tc, later_words_win);
	tcase_add_test(tc, twice_and_a_pipe);
	tcase_add_loop_test(tc, bad_files, 0, NBAD);
	tcase_add_test(tc, too_large_or_no_text);
	tcase_add_test(tc, random_files);
	tcase_add_loop_test(tc, printed_and_read_back, 0, 5);
	tcase_add_test(tc, printed_text);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
