// SPDX-License-Identifier: GPL-2.0-only
/*
 * What `vmm inspect` makes of files that are wrong, and of those that somebody made who knows the checksums:
 * it refuses them in a sentence and shows nothing, or shows text that is text and JSON that is JSON.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch/arm64/gic_plan.h"
#include "arch/arm64/reg_id.h"
#include "tests/fake/snapfile.h"
#include "tests/fake/suite.h"
#include "vmm/commands.h"
#include "vmm/core/json.h"
#include "vmm/core/text.h"
#include "vmm/inspect.h"
#include "vmm/snapshot_priv.h"

enum { PAGE = 4096, PAGES = 3, BASE = 0x40000000, MODES = 4 };

/* What is saved: each test may have its own. */
static struct {
	const char *options, *cwd;
	uint8_t regs[4096];
	uint32_t nregs;
	const char *extra; /* one section more */
} what;
static uint8_t *file;
static size_t file_len, meta_end;

/* --- a file ------------------------------------------------------------------------------------ */

static void add_register(uint64_t id, uint8_t fill)
{
	memcpy(what.regs + what.nregs, &id, sizeof(id));
	memset(what.regs + what.nregs + sizeof(id), fill, reg_size(id));
	what.nregs += sizeof(id) + reg_size(id);
}

static void regs_save(void *arg, struct state *s)
{
	(void)arg;
	state_blob(s, "regs", what.regs, &what.nregs, sizeof(what.regs));
}

static void some_save(void *arg, struct state *s)
{
	uint32_t word = 7;

	(void)arg;
	state_u32(s, "word", &word);
	state_optional_u32(s, "more", &word);
}

static void add_sections(struct snapshot *snap)
{
	struct machine_saved saved = {
		.options = (char *)what.options,
		.cwd = (char *)what.cwd,
		.counter_hz = 62500000,
		.gic = GIC_V3_WITH_ITS,
		.psci_version = 0x10001,
		.cpu = { .sve = true },
	};

	ck_assert_int_eq(machine_saved_add(snap, &saved, NULL), 0);
	ck_assert_int_eq(snapshot_add(snap, "vcpu/0", 1, regs_save, NULL, NULL), 0);
	ck_assert_int_eq(snapshot_add(snap, "device/x@1", 1, some_save, NULL, NULL), 0);
	if (what.extra)
		ck_assert_int_eq(snapshot_add(snap, what.extra, 9, some_save, NULL, NULL), 0);
}

/* Into `file`. */
static void make(void)
{
	static uint8_t ram[PAGES * PAGE];
	int fd = memfd_create("made", MFD_CLOEXEC);
	struct guest_mem mem = { 0 };
	struct snapshot snap;
	uint64_t written, meta;

	ck_assert_int_eq(guest_mem_add(&mem, BASE, sizeof(ram), ram), 0);
	snapshot_init(&snap);
	add_sections(&snap);
	ck_assert_int_eq(snapshot_write(&snap, &mem, fd, NULL, &written, NULL), 0);
	file_len = snap.file_len;
	free(file);
	file = malloc(file_len);
	ck_assert_int_eq(full_pread(fd, file, file_len, 0), 0);
	memcpy(&meta, file + SNAPFILE_AT_META, sizeof(meta));
	meta_end = SNAPFILE_HEADER + meta;
	snapshot_free(&snap);
	guest_mem_destroy(&mem);
	close(fd);
}

/* Its memory is all zeros, and so a hole. */
static void put_file(int fd, size_t len)
{
	ck_assert_int_eq(full_pwrite(fd, file, len < meta_end ? len : meta_end, 0), 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)len), 0);
}

static void setup(void)
{
	memset(&what, 0, sizeof(what));
	what.options = "kernel Image\nmem 4";
	what.cwd = "/srv";
	add_register(REG_SYS(3, 0, 0, 0, 0), 0x41);
	add_register(REG_ID(REG_U64, REG_CORE, REG_CORE_PC), 1);
	add_register(REG_ID(REG_U128, REG_CORE, REG_CORE_V + 4), 2);
	add_register(REG_ID(REG_U2048, REG_SVE, 1 << 5), 3);
	add_register(REG_SVE_LENGTHS, 4);
	add_register(REG_FW(1), 2);
	make();
}

static void teardown(void)
{
	free(file);
	file = NULL;
}

/* --- shown ------------------------------------------------------------------------------------- */

static void check_text(char *text)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		char plain[4096];

		quick_assert(strlen(line) < sizeof(plain), "%s", line);
		memcpy(plain, line, strlen(line) + 1);
		text_plain(plain);
		quick_assert(!strcmp(plain, line), "%s", line);
	}
}

/* The first `len` bytes of `file` in mode `mode`, 0 to 3: whether anything was shown. */
static bool show(size_t len, int mode)
{
	int fd = memfd_create("shown", MFD_CLOEXEC);
	struct json_object obj;
	struct fail fail = { 0 };
	char *text = NULL;
	size_t shown = 0;
	FILE *out = open_memstream(&text, &shown);
	int err;

	put_file(fd, len);
	err = inspect_file(fd, mode & 1, mode & 2, out, &fail);
	fclose(out);
	close(fd);
	ck_assert_uint_eq(strlen(text), shown);
	ck_assert(!err == !fail.text[0]);
	ck_assert(!err == !!shown);
	ck_assert(!err || fail.code == EXIT_SNAPSHOT);
	if (!err && mode & 1)
		ck_assert_msg(!json_parse(text, &obj), "no JSON");
	else if (!err)
		check_text(text);
	free(text);
	return !err;
}

/* In every mode; they agree. */
static bool shows(size_t len)
{
	bool first = show(len, 0);

	for (int mode = 1; mode < MODES; mode++)
		ck_assert_int_eq(show(len, mode), first);
	return first;
}

static char *shown_text(int mode)
{
	int fd = memfd_create("shown", MFD_CLOEXEC);
	char *text = NULL;
	size_t shown = 0;
	FILE *out = open_memstream(&text, &shown);

	put_file(fd, file_len);
	ck_assert_int_eq(inspect_file(fd, mode & 1, mode & 2, out, NULL), 0);
	fclose(out);
	close(fd);
	return text;
}

/* --- good ones --------------------------------------------------------------------------------- */

START_TEST(a_good_one)
{
	static const char *const texts[MODES] = {
		"interrupt controller: gicv3-its\npsci: 1.1, in the kernel\ncounter: 62500000 Hz\n"
		"cpu: SVE\nfolder: /srv\noptions:\nkernel Image\nmem 4\nsection: machine, version "
		"1,",
		"{\"machine\":{\"irqchip\":\"gicv3-its\",\"psci_version\":\"1.1\",\"psci\":"
		"\"kernel\",",
		"  MIDR_EL1             0x4141414141414141\n"
		"  pc                   0x0101010101010101\n  v1                   0x0202",
		"\"registers\":{\"MIDR_EL1\":\"0x4141414141414141\",\"pc\":\"0x0101010101010101\"",
	};
	char *text = shown_text(_i);

	ck_assert(shows(file_len));
	ck_assert_msg(strstr(text, texts[_i]), "%s", text);
	ck_assert_ptr_nonnull(strstr(text, _i & 1 ? "{\"address\":\"0x40000000\",\"bytes\":12288}"
						  : "memory: 12 KiB at 0x40000000\n"));
	free(text);
}
END_TEST

/* --- wrong ones -------------------------------------------------------------------------------- */

START_TEST(every_truncation)
{
	for (size_t len = 0; len < file_len; len += len < meta_end ? 1 : PAGE)
		ck_assert_msg(!shows(len), "%zu bytes", len);
	ck_assert(!shows(file_len - 1));
}
END_TEST

START_TEST(a_bit_of_every_byte)
{
	for (size_t at = 0; at < meta_end; at++) {
		file[at] ^= 1 << at % 8;
		ck_assert_msg(!show(file_len, (int)(at / 8 % MODES)), "byte %zu", at);
		file[at] ^= 1 << at % 8;
	}
}
END_TEST

/* The parsers behind the checksums: two bits of every byte, one by one. */
START_TEST(bits_by_somebody_who_knows)
{
	uint8_t *good = malloc(meta_end);
	unsigned int shown = 0;

	memcpy(good, file, meta_end);
	for (size_t i = 0; i < 2 * meta_end; i++) {
		file[i / 2] ^= 1 << (i * 5 + i / 8) % 8;
		snapfile_mend(file, meta_end);
		shown += show(file_len, (int)(i / 8 % MODES));
		memcpy(file, good, meta_end);
	}
	/* Values are as good as others; lengths, names and counts are not. */
	ck_assert_uint_gt(shown, what.nregs);
	ck_assert_uint_lt(shown, 2 * (meta_end - sizeof(struct section_head)));
	free(good);
}
END_TEST

START_TEST(every_byte_at_random)
{
	uint8_t *good = malloc(meta_end);

	srand(7);
	memcpy(good, file, meta_end);
	for (unsigned int i = 0; i < 1000; i++) {
		for (int n = 1 + rand() % 8; n; n--) {
			size_t at = (size_t)rand() % meta_end;

			for (int run = rand() % 4; run >= 0 && at < meta_end; run--)
				file[at++] = (uint8_t)rand();
		}
		snapfile_mend(file, meta_end);
		shows(file_len);
		memcpy(file, good, meta_end);
	}
	free(good);
}
END_TEST

/* Fields of the header, and of the first section's head behind it. */
static const struct {
	unsigned int at, size;
	uint64_t value;
} counts[] = {
	{ SNAPFILE_AT_SECTIONS, 4, UINT32_MAX },
	{ SNAPFILE_AT_SECTIONS, 4, SNAPSHOT_SECTIONS_MAX },
	{ SNAPFILE_AT_SECTIONS, 4, 0 },
	{ SNAPFILE_AT_RUNS, 4, UINT32_MAX },
	{ SNAPFILE_AT_RUNS, 4, GUEST_RAM_MAX },
	{ SNAPFILE_AT_META, 8, UINT64_MAX },
	{ SNAPFILE_AT_META, 8, SNAPSHOT_META_MAX },
	{ SNAPFILE_AT_META, 8, 0 },
	{ SNAPFILE_AT_LEN, 8, UINT64_MAX },
	{ SNAPFILE_AT_LEN, 8, 0 },
	{ SNAPFILE_AT_SUMS, 4, UINT32_MAX },
	{ SNAPFILE_HEADER + offsetof(struct section_head, len), 8, UINT64_MAX },
	{ SNAPFILE_HEADER + offsetof(struct section_head, len), 8, 1ULL << 63 },
	{ SNAPFILE_HEADER + offsetof(struct section_head, len), 8, 0 },
	{ SNAPFILE_HEADER + offsetof(struct section_head, version), 4, UINT32_MAX },
	{ SNAPFILE_HEADER + offsetof(struct section_head, flags), 4, 2 },
};

START_TEST(counts_that_make_no_sense)
{
	memcpy(file + counts[_i].at, &counts[_i].value, counts[_i].size);
	snapfile_mend(file, meta_end);
	ck_assert(!shows(file_len));
}
END_TEST

/* --- names and texts --------------------------------------------------------------------------- */

static const struct {
	const char name[33];
	bool good;
} names[] = {
	{ "device/x@1", true },
	{ "quote\"and\\", true },
	{ "0123456789012345678901234567890", true },
	{ "01234567890123456789012345678901", false }, /* no NUL */
	{ "", false },
	{ "two words", false },
	{ "new\nline", false },
	{ "\x1b[2J", false },
	{ "\x7f", false },
	{ "\xc3\xa9", false },
	{ "\xff\xfe", false },
	{ "behind\0it", false },
	{ "vcpu/0", false }, /* there is one */
	{ "machine", false },
};

START_TEST(section_names)
{
	static const char old[32] = "device/x@1";
	uint8_t *at = memmem(file, meta_end, old, sizeof(old));

	ck_assert_ptr_nonnull(at);
	memcpy(at, names[_i].name, sizeof(old));
	snapfile_mend(file, meta_end);
	ck_assert_int_eq(shows(file_len), names[_i].good);
}
END_TEST

static const char *const texts[] = {
	"",
	"\n\n\n",
	"a \"quoted\" \\ word\ttab",
	"\x1b]0;title\x07\x1b[2J",
	"\xc2\x9b"
	"31m",
	"caf\xc3\xa9 \xf0\x9f\x98\x80",
	"\xff\xfe\xc3",
	"\xed\xa0\x80\xf4\x90\x80\x80",
	"\r\b\x7f",
};

START_TEST(texts_of_any_kind)
{
	char *text;

	what.options = texts[_i];
	what.cwd = texts[_i];
	what.extra = "vcpu/later";
	make();
	ck_assert(shows(file_len));
	/* Such a section is none of registers. */
	text = shown_text(2);
	ck_assert_ptr_nonnull(strstr(text, "section: vcpu/later, version 9"));
	ck_assert_ptr_nonnull(strstr(text, "what follows makes no sense"));
	free(text);
}
END_TEST

START_TEST(a_long_text)
{
	char *text = malloc(MACHINE_OPTIONS_MAX + 1);

	/* Each character is six of them as JSON. */
	memset(text, 1, MACHINE_OPTIONS_MAX);
	for (size_t i = 0; i < MACHINE_OPTIONS_MAX; i += 100)
		text[i] = '\n';
	text[MACHINE_OPTIONS_MAX] = 0;
	what.options = text;
	make();
	ck_assert(shows(file_len));
	free(text);
}
END_TEST

/* --- registers --------------------------------------------------------------------------------- */

START_TEST(registers_of_any_kind)
{
	static const uint64_t ids[] = { 0, UINT64_MAX, REG_ID(9, 0, 0), REG_ID(15, REG_SVE, 0),
					REG_ID(0, REG_CORE, 0xffff) };
	char *text;

	what.nregs = 0;
	add_register(REG_SYS(3, 0, 0, 0, 0), 1);
	memcpy(what.regs + what.nregs, &ids[_i], sizeof(ids[_i]));
	what.nregs += sizeof(ids[_i]) + (_i ? 0 : 1);
	make();
	ck_assert(shows(file_len));
	text = shown_text(2);
	ck_assert_ptr_nonnull(strstr(text, "MIDR_EL1 "));
	ck_assert(!_i == !strstr(text, "what follows makes no sense"));
	free(text);
	text = shown_text(3);
	ck_assert(!_i == !strstr(text, "\"error\":\"what follows"));
	free(text);
}
END_TEST

/* --- the command ------------------------------------------------------------------------------- */

START_TEST(the_command)
{
	static const struct {
		char *words[3];
		int n, code;
	} rows[] = {
		{ { "--json", "good" }, 2, EXIT_OK },
		{ { "--json", "--registers", "good" }, 3, EXIT_OK },
		{ { "wrong" }, 1, EXIT_SNAPSHOT },
		{ { "nowhere" }, 1, EXIT_CONFIG },
		{ { "good", "good" }, 2, EXIT_CONFIG },
		{ { "--jason", "good" }, 2, EXIT_CONFIG },
		{ { "/" }, 1, EXIT_HOST },
	};
	char folder[] = "/tmp/vmm-inspect-XXXXXX", *words[3];
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), fd;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	for (int wrong = 0; wrong <= 1; wrong++) {
		fd = open(wrong ? "wrong" : "good", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		file[100] ^= wrong;
		put_file(fd, file_len);
		close(fd);
	}
	fflush(stdout);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memcpy(words, rows[i].words, sizeof(words));
		ck_assert_int_eq(cmd_inspect(rows[i].n, words), rows[i].code);
	}
	unlink("good");
	unlink("wrong");
	rmdir(folder);
	close(null);
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *suite = suite_create("inspect");
	TCase *tc = tcase_create("inspect");

	tcase_set_timeout(tc, 300);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_good_one, 0, MODES);
	tcase_add_test(tc, every_truncation);
	tcase_add_test(tc, a_bit_of_every_byte);
	tcase_add_test(tc, bits_by_somebody_who_knows);
	tcase_add_test(tc, every_byte_at_random);
	tcase_add_loop_test(tc, counts_that_make_no_sense, 0, ROWS(counts));
	tcase_add_loop_test(tc, section_names, 0, ROWS(names));
	tcase_add_loop_test(tc, texts_of_any_kind, 0, ROWS(texts));
	tcase_add_test(tc, a_long_text);
	tcase_add_loop_test(tc, registers_of_any_kind, 0, 5);
	tcase_add_test(tc, the_command);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
