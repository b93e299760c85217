// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/suite.h"
#include "vmm/core/opts.h"

struct conf {
	const char *kernel;
	const char *params;
	bool nodefaults, quiet, verbose;
	unsigned int cpus, level, irqchip;
	uint64_t mem;
	const char *disks[4];
	unsigned int ndisks;
};

static int add_disk(void *into, const char *arg, struct fail *fail)
{
	struct conf *c = into;

	if (c->ndisks == 4)
		return fail_set(fail, EXIT_CONFIG, -E2BIG, "--disk %s: four at most", arg);
	c->disks[c->ndisks++] = arg;
	return 0;
}

static const char *const irqchips[] = { "auto", "gicv2", "gicv3", NULL };

#define AT(field) .offset = offsetof(struct conf, field)

static const struct opt table[] = {
	{ "kernel", 'k', OPT_STR, NULL, "FILE", "kernel to boot", AT(kernel) },
	{ "params", 'p', OPT_STR, "append cmdline", "ARGS", "kernel command line", AT(params) },
	{ "mem", 'm', OPT_SIZE, "memory", "SIZE", "memory", AT(mem), 1 << 20, 1ULL << 40 },
	{ "cpus", 'c', OPT_UINT, "smp", "N", "number of CPUs", AT(cpus), 1, 512 },
	{ "level", 0, OPT_UINT, NULL, "N", "without bounds", AT(level) },
	{ "irqchip", 0, OPT_CHOICE, NULL, NULL, "interrupt controller", AT(irqchip),
	  .choices = irqchips },
	{ "disk", 'd', OPT_PARSE, NULL, "FILE[,ro]", "a disk", .parse = add_disk },
	{ "nodefaults", 0, OPT_FLAG, NULL, NULL, "nothing but what is named", AT(nodefaults) },
	{ "quiet", 'q', OPT_FLAG, NULL, NULL, "say less", AT(quiet) },
	{ "verbose", 'v', OPT_FLAG, NULL, NULL, "say more", AT(verbose) },
	{ .name = NULL },
};

/* Splits `line` at spaces into argv ("''" is an empty word) and parses it. */
static char *words[16], buf[256];

static int parse(const char *line, struct conf *c, struct fail *fail)
{
	int n = 0;

	memset(c, 0, sizeof(*c));
	memset(fail, 0, sizeof(*fail));
	snprintf(buf, sizeof(buf), "%s", line);
	for (char *w = strtok(buf, " "); w; w = strtok(NULL, " "))
		words[n++] = strcmp(w, "''") ? w : w + 2;
	return opts_parse(table, n, words, c, fail);
}

static const struct {
	const char *line;
	const char *kernel;
	uint64_t mem;
	unsigned int cpus, kept;
} good[] = {
	{ "", NULL, 0, 0, 0 },
	{ "--kernel Image --mem 512 --cpus 4", "Image", 512 << 20, 4, 0 },
	{ "--kernel=Image --mem=512M --cpus=4", "Image", 512 << 20, 4, 0 },
	{ "-k Image -m 2G -c 4", "Image", 2ULL << 30, 4, 0 },
	{ "-kImage -m2G -c4", "Image", 2ULL << 30, 4, 0 },
	{ "--memory 1G --smp 2", NULL, 1ULL << 30, 2, 0 },
	{ "one -k Image two -c 1 three", "Image", 0, 1, 3 },
	{ "-k Image -- -c 9 --mem", "Image", 0, 0, 3 },
	{ "- -k -", "-", 0, 0, 1 },
	{ "-c 1 -c 2 --cpus 3", NULL, 0, 3, 0 },
	{ "--kernel=a=b", "a=b", 0, 0, 0 },
	{ "--kernel=", "", 0, 0, 0 },
	{ "-k ''", "", 0, 0, 0 },
	{ "-k --mem -c1", "--mem", 0, 1, 0 },
	{ "-qvc 7", NULL, 0, 7, 0 },
	{ "-qvc7", NULL, 0, 7, 0 },
	{ "-c 0x10", NULL, 0, 16, 0 },
	{ "-m 1", NULL, 1 << 20, 0, 0 },
	{ "-m 1T -c 512", NULL, 1ULL << 40, 512, 0 },
};

enum { NGOOD = sizeof(good) / sizeof(good[0]) };

START_TEST(good_lines)
{
	struct fail fail;
	struct conf c;

	ck_assert_msg(parse(good[_i].line, &c, &fail) == (int)good[_i].kept, "%s: %s",
		      good[_i].line, fail.text);
	ck_assert_pstr_eq(c.kernel, good[_i].kernel);
	ck_assert_uint_eq(c.mem, good[_i].mem);
	ck_assert_uint_eq(c.cpus, good[_i].cpus);
	ck_assert_str_eq(fail.text, "");
}
END_TEST

START_TEST(words_keep_their_order)
{
	struct fail fail;
	struct conf c;

	ck_assert_int_eq(parse("one -q two -- -three", &c, &fail), 3);
	ck_assert_str_eq(words[0], "one");
	ck_assert_str_eq(words[1], "two");
	ck_assert_str_eq(words[2], "-three");
}
END_TEST

START_TEST(flags_choices_and_lists)
{
	struct fail fail;
	struct conf c;

	ck_assert_int_eq(parse("--nodefaults -vq --irqchip gicv3 -d a -db --disk=c", &c, &fail), 0);
	ck_assert(c.nodefaults && c.quiet && c.verbose);
	ck_assert_uint_eq(c.irqchip, 2);
	ck_assert_uint_eq(c.ndisks, 3);
	ck_assert_str_eq(c.disks[1], "b");
	ck_assert_int_eq(parse("--append x --cmdline y --level 4294967295", &c, &fail), 0);
	ck_assert_str_eq(c.params, "y");
	ck_assert_uint_eq(c.level, UINT32_MAX);
}
END_TEST

static const struct {
	const char *line, *sentence;
} bad[] = {
	{ "--memm 1", "unknown option --memm; did you mean --mem?" },
	{ "--kernal=x", "unknown option --kernal=x; did you mean --kernel?" },
	{ "--appendd x", "unknown option --appendd; did you mean --append?" },
	{ "--zzzzzz", "unknown option --zzzzzz; --help lists them all" },
	{ "--x", "unknown option --x; --help lists them all" },
	{ "--=3", "unknown option --=3; --help lists them all" },
	{ "-z", "unknown option -z; --help lists them all" },
	{ "-qz", "unknown option -qz; --help lists them all" },
	{ "--kernel", "--kernel needs a value: --kernel FILE" },
	{ "-k", "-k needs a value: -k FILE" },
	{ "--irqchip", "--irqchip needs a value: --irqchip VALUE" },
	{ "--quiet=1", "--quiet takes no value" },
	{ "--cpus 0", "--cpus 0: give a number from 1 to 512" },
	{ "-c 513", "-c 513: give a number from 1 to 512" },
	{ "-c -1", "-c -1: give a number from 1 to 512" },
	{ "-c 1x", "-c 1x: give a number from 1 to 512" },
	{ "-c ''", "-c : give a number from 1 to 512" },
	{ "-c 18446744073709551617", "-c 18446744073709551617: give a number from 1 to 512" },
	{ "--smp x", "--smp x: give a number from 1 to 512" },
	{ "--level 4294967296", "--level 4294967296: give a number from 0 to 4294967295" },
	{ "-m 0", "-m 0: give a size from 1M to 1T" },
	{ "-m 2T", "-m 2T: give a size from 1M to 1T" },
	{ "-m 1023K", "-m 1023K: give a size from 1M to 1T" },
	{ "-m 99999999999G", "-m 99999999999G: give a size from 1M to 1T" },
	{ "-m lots", "-m lots: give a size such as 512M or 2G (a bare number is MiB)" },
	{ "--irqchip gicv4",
	  "--irqchip gicv4: give one of auto, gicv2, gicv3; did you mean gicv2?" },
	{ "--irqchip none-at-all", "--irqchip none-at-all: give one of auto, gicv2, gicv3" },
	{ "-da -db -dc -dd -de", "--disk e: four at most" },
};

enum { NBAD = sizeof(bad) / sizeof(bad[0]) };

START_TEST(bad_lines)
{
	struct fail fail;
	struct conf c;

	ck_assert_int_lt(parse(bad[_i].line, &c, &fail), 0);
	ck_assert_str_eq(fail.text, bad[_i].sentence);
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
}
END_TEST

static const struct {
	const char *word;
	int err;
	uint64_t bytes;
} sizes[] = {
	{ "0", 0, 0 },
	{ "512", 0, 512ULL << 20 },
	{ "512M", 0, 512ULL << 20 },
	{ "512m", 0, 512ULL << 20 },
	{ "512MB", 0, 512ULL << 20 },
	{ "512MiB", 0, 512ULL << 20 },
	{ "512mib", 0, 512ULL << 20 },
	{ "64K", 0, 64 << 10 },
	{ "2G", 0, 2ULL << 30 },
	{ "1T", 0, 1ULL << 40 },
	{ "4096B", 0, 4096 },
	{ "0x10K", 0, 16 << 10 },
	{ "16777215T", 0, 16777215ULL << 40 },
	{ "16777216T", -ERANGE, 0 },
	{ "17592186044415", 0, 17592186044415ULL << 20 },
	{ "17592186044416", -ERANGE, 0 },
	{ "18446744073709551615B", 0, UINT64_MAX },
	{ "18446744073709551616B", -ERANGE, 0 },
	{ "", -EINVAL, 0 },
	{ "M", -EINVAL, 0 },
	{ "-1", -EINVAL, 0 },
	{ "+1", -EINVAL, 0 },
	{ " 1", -EINVAL, 0 },
	{ "1 ", -EINVAL, 0 },
	{ "1.5G", -EINVAL, 0 },
	{ "1X", -EINVAL, 0 },
	{ "1MM", -EINVAL, 0 },
	{ "1BB", -EINVAL, 0 },
	{ "1Mi", -EINVAL, 0 },
	{ "0x", -EINVAL, 0 },
	{ "0xM", -EINVAL, 0 },
	{ "99999999999999999999X", -EINVAL, 0 },
};

enum { NSIZES = sizeof(sizes) / sizeof(sizes[0]) };

START_TEST(size_words)
{
	uint64_t bytes = 77;

	ck_assert_msg(opts_size(sizes[_i].word, &bytes) == sizes[_i].err, "%s", sizes[_i].word);
	ck_assert_uint_eq(bytes, sizes[_i].err ? 77 : sizes[_i].bytes);
}
END_TEST

START_TEST(parts_of_a_comma_list)
{
	char list[] = "disk.img,ro,serial=a=b,,x=";
	char *rest = list, *key, *value;

	ck_assert(opts_part(&rest, &key, &value));
	ck_assert_str_eq(key, "disk.img");
	ck_assert_ptr_null(value);
	ck_assert(opts_part(&rest, &key, &value));
	ck_assert_str_eq(key, "ro");
	ck_assert(opts_part(&rest, &key, &value));
	ck_assert_str_eq(key, "serial");
	ck_assert_str_eq(value, "a=b");
	ck_assert(opts_part(&rest, &key, &value));
	ck_assert_str_eq(key, "");
	ck_assert(opts_part(&rest, &key, &value));
	ck_assert_str_eq(key, "x");
	ck_assert_str_eq(value, "");
	ck_assert(!opts_part(&rest, &key, &value));
	ck_assert(!opts_part(&rest, &key, &value));
}
END_TEST

START_TEST(nearest_words)
{
	static const char *const list[] = { "run", "resume", "restore", NULL };

	ck_assert_str_eq(opts_nearest("rum", list), "run");
	ck_assert_str_eq(opts_nearest("resotre", list), "restore");
	ck_assert_str_eq(opts_nearest("run", list), "run");
	ck_assert_ptr_null(opts_nearest("snapshot", list));
	ck_assert_ptr_null(opts_nearest("", list));
	ck_assert_ptr_null(opts_nearest("xyz", list));
}
END_TEST

static char *print(void (*fn)(const struct opt *, FILE *), const struct opt *opts)
{
	size_t size;
	char *text;
	FILE *f = open_memstream(&text, &size);

	fn(opts, f);
	fclose(f);
	return text;
}

START_TEST(help_is_aligned_and_fits)
{
	static const struct opt one[] = {
		{ "mem", 'm', OPT_SIZE, "memory ram", "SIZE",
		  "guest memory, a number of MiB or with one of the suffixes K, M, G and T",
		  .min = 0 },
		{ "a-rather-long-option-name", 0, OPT_STR, NULL, "AND-ITS-VALUE", "help",
		  .min = 0 },
		{ .name = NULL },
	};
	char *text = print(opts_help, one), *all = print(opts_help, table);

	ck_assert_str_eq(
		text,
		"  -m, --mem SIZE                guest memory, a number of MiB or with one of "
		"the suffixes K, M, G\n"
		"                                and T (also --memory, --ram)\n"
		"      --a-rather-long-option-name AND-ITS-VALUE\n"
		"                                help\n");
	for (char *line = strtok(all, "\n"); line; line = strtok(NULL, "\n"))
		ck_assert_uint_le(strlen(line), 100);
	free(text);
	free(all);
}
END_TEST

START_TEST(man_page_entries)
{
	static const struct opt some[] = {
		{ "mem", 'm', OPT_SIZE, "memory ram", "SIZE", "guest memory", .min = 0 },
		{ "quiet", 0, OPT_FLAG, NULL, NULL, ".less \\ words", .min = 0 },
		{ "irqchip", 0, OPT_CHOICE, NULL, NULL, "which", .choices = irqchips },
		{ "disk", 0, OPT_STR, NULL, "FILE[,ro]",
		  "a word, and another, up to the seventy-second column or so, and then a "
		  ".line "
		  "of source",
		  .min = 0 },
		{ .name = NULL },
	};
	char *text = print(opts_man, some);

	ck_assert_str_eq(text,
			 ".It Fl m , Fl -mem Ar SIZE\nguest memory.\n"
			 "Also\n.Fl -memory ,\n.Fl -ram .\n"
			 ".It Fl -quiet\n\\&.less \\e words.\n"
			 ".It Fl -irqchip Ar auto|gicv2|gicv3\nwhich.\n"
			 ".It Fl -disk Ar FILE\\:[\\:,ro]\n"
			 "a word, and another, up to the seventy-second column or so, and then a"
			 "\n\\&.line of source.\n");
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_opts");
	TCase *tc = tcase_create("opts");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, good_lines, 0, NGOOD);
	tcase_add_test(tc, words_keep_their_order);
	tcase_add_test(tc, flags_choices_and_lists);
	tcase_add_loop_test(tc, bad_lines, 0, NBAD);
	tcase_add_loop_test(tc, size_words, 0, NSIZES);
	tcase_add_test(tc, parts_of_a_comma_list);
	tcase_add_test(tc, nearest_words);
	tcase_add_test(tc, help_is_aligned_and_fits);
	tcase_add_test(tc, man_page_entries);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
