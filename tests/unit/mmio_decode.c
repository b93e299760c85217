// SPDX-License-Identifier: GPL-2.0-only
/* The instruction decoder against an assembler and a disassembler. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/arm64/mmio_decode.h"
#include "tests/fake/suite.h"

#ifdef __aarch64__
#define TOOL ""
#else
#define TOOL "aarch64-linux-gnu-"
#endif

enum { WORDS_MAX = 100000, PER_FORM = 24, ANYWHERE = 8000, TEXT_MAX = 128 };

static char dir[64];
static uint32_t words[WORDS_MAX];
static unsigned int nwords;

static void setup(void)
{
	snprintf(dir, sizeof(dir), "%s/mmio-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	nwords = 0;
}

static void teardown(void)
{
	static const char *const names[] = { "in.s", "out.o", "words" };
	char path[TEXT_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	ck_assert_int_eq(rmdir(dir), 0);
}

static FILE *open_in_dir(const char *name, const char *mode)
{
	char path[TEXT_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, mode);
	ck_assert_ptr_nonnull(file);
	return file;
}

/* --- every word against the disassembler's text -------------------------------------------------- */

/* Forms that differ in what the description leaves out: order, hints, privilege, offset range. */
static const char *const same[][2] = {
	{ "ldapur", "ldr" }, { "ldlar", "ldr" }, { "ldapr", "ldr" },  { "ldaxr", "ldxr" },
	{ "ldaxp", "ldxp" }, { "ldar", "ldr" },	 { "ldur", "ldr" },   { "ldtr", "ldr" },
	{ "ldnp", "ldp" },   { "stllr", "str" }, { "stlxr", "stxr" }, { "stlxp", "stxp" },
	{ "stlur", "str" },  { "stlr", "str" },	 { "stur", "str" },   { "sttr", "str" },
	{ "stnp", "stp" },
};

static const char *const described[] = {
	"ldr", "ldrb",	"ldrh", "ldrsb", "ldrsh", "ldrsw", "str",   "strb",  "strh", "ldp",
	"stp", "ldpsw", "ldxr", "ldxrb", "ldxrh", "stxr",  "stxrb", "stxrh", "ldxp", "stxp",
};

static bool is_described(const char *mnemonic)
{
	for (size_t i = 0; i < sizeof(described) / sizeof(described[0]); i++)
		if (!strcmp(mnemonic, described[i]))
			return true;
	return false;
}

static void cut(char *text, const char *at)
{
	char *found = strstr(text, at);

	if (found)
		memmove(found, found + strlen(at), strlen(found + strlen(at)) + 1);
}

/* The registers in the text: numbers, 31 for wzr and xzr, -1 for sp. Returns how many. */
static unsigned int registers(const char *operands, int regs[4])
{
	unsigned int n = 0;

	while (*operands && n < 4) {
		operands += strspn(operands, " ,[");
		if (!strncmp(operands, "sp", 2))
			regs[n++] = -1;
		else if (!strncmp(operands + 1, "zr", 2))
			regs[n++] = 31;
		else if (strchr("wxbhsdq", *operands) && operands[1] >= '0' && operands[1] <= '9')
			regs[n++] = atoi(operands + 1);
		operands += strcspn(operands, " ,[");
	}
	return n;
}

/* The disassembler shows it all the same. */
static bool unpredictable(const char *mnemonic, const char *operands)
{
	bool pair = !strncmp(mnemonic + 2, "p", 1) || !strncmp(mnemonic + 2, "xp", 2);
	bool writeback = strstr(operands, "]!") || strstr(operands, "], #");
	unsigned int data = pair ? 2 : 1;
	int reg[4] = { -2, -3, -4, -5 };

	registers(operands, reg);
	if (!strncmp(mnemonic, "stx", 3)) {
		for (unsigned int i = 1; i <= data + 1; i++)
			if (reg[0] == reg[i] && reg[0] != 31)
				return true;
		return false;
	}
	if (*mnemonic == 'l' && pair && reg[0] == reg[1])
		return true;
	return writeback && strchr("wx", *operands) &&
	       (reg[0] == reg[data] || (pair && reg[1] == reg[data]));
}

/* The disassembler's `text` as render() writes it; false for what is to be refused. */
static bool expected(const char *text, char out[TEXT_MAX])
{
	char mnemonic[32] = "", operands[TEXT_MAX] = "", kind;
	char *end;

	sscanf(text, "%31s %127[^\n]", mnemonic, operands);
	if (!strcmp(mnemonic, "dc") && !strncmp(operands, "zva,", 4)) {
		snprintf(out, TEXT_MAX, "dc %.100s", operands);
		return true;
	}
	kind = operands[0];
	/* Later additions to the architecture, known to newer disassemblers. */
	if ((!strncmp(mnemonic, "ldap", 4) || !strncmp(mnemonic, "stl", 3)) &&
	    (strstr(operands, "], #") || strchr(operands, '!') || !strchr("wx", kind)))
		return false;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		size_t n = strlen(same[i][0]);
		char rest[32];

		if (strncmp(mnemonic, same[i][0], n))
			continue;
		snprintf(rest, sizeof(rest), "%s", mnemonic + n);
		snprintf(mnemonic, sizeof(mnemonic), "%s%s", same[i][1], rest);
		break;
	}
	if (!is_described(mnemonic) || !strchr("wxbhsdq", kind) ||
	    unpredictable(mnemonic, operands))
		return false;
	end = strpbrk(operands, "/<");
	if (end)
		*end = 0;
	while (*operands && strchr(" \t", operands[strlen(operands) - 1]))
		operands[strlen(operands) - 1] = 0;
	cut(operands, ", lsl #0");
	if (strstr(operands, "xt"))
		cut(operands, " #0");
	snprintf(out, TEXT_MAX, "%s %.90s", mnemonic, operands);
	return true;
}

static void put_mnemonic(FILE *out, const struct mmio_insn *insn)
{
	bool narrow = !insn->simd && insn->count == 1 && insn->size < 4;

	fprintf(out, "%s%s%s%s%s ", insn->load ? "ld" : "st", insn->exclusive ? "x" : "",
		insn->count == 2 ? "p" : "r", insn->sign ? "s" : "",
		narrow	     ? insn->size == 1 ? "b" : "h"
		: insn->sign ? "w"
			     : "");
}

static void put_register(FILE *out, const struct mmio_insn *insn, unsigned int i)
{
	unsigned int bytes = insn->load ? insn->width : insn->size;

	if (insn->simd)
		fprintf(out, "%c%u", " bh s   d       q"[insn->size], insn -> rt[i]);
	else if (insn->rt[i] == MMIO_ZR)
		fprintf(out, "%czr", bytes == 8 ? 'x' : 'w');
	else
		fprintf(out, "%c%u", bytes == 8 ? 'x' : 'w', insn->rt[i]);
}

static void put_address(FILE *out, const struct mmio_insn *insn, uint64_t pc)
{
	static const char *const extends[] = { "", "", "uxtw", "lsl", "", "", "sxtw", "sxtx" };
	bool wide = insn->extend & 1;
	char base[8];

	snprintf(base, sizeof(base), "x%u", insn->rn);
	if (insn->rn == MMIO_ZR)
		strcpy(base, "sp");
	switch (insn->addressing) {
	case MMIO_OFFSET:
		fprintf(out, insn->offset ? "[%s, #%d]" : "[%s]", base, insn->offset);
		break;
	case MMIO_PRE:
		fprintf(out, "[%s, #%d]!", base, insn->offset);
		break;
	case MMIO_POST:
		fprintf(out, "[%s], #%d", base, insn->offset);
		break;
	case MMIO_REGISTER:
		fprintf(out, "[%s, %c", base, wide ? 'x' : 'w');
		fprintf(out, insn->rm == MMIO_ZR ? "zr" : "%u", insn->rm);
		if (insn->extend != MMIO_LSL || insn->shift)
			fprintf(out, ", %s", extends[insn->extend]);
		if (insn->shift)
			fprintf(out, " #%u", insn->shift);
		fputs("]", out);
		break;
	default:
		fprintf(out, "0x%llx", (unsigned long long)(pc + (int64_t)insn->offset));
	}
}

static void render(const struct mmio_insn *insn, uint64_t pc, char text[TEXT_MAX])
{
	FILE *out = fmemopen(text, TEXT_MAX, "w");

	if (insn->addressing == MMIO_BLOCK) {
		fprintf(out, insn->rn == MMIO_ZR ? "dc zva, xzr" : "dc zva, x%u", insn->rn);
		fclose(out);
		return;
	}
	put_mnemonic(out, insn);
	if (insn->exclusive && !insn->load)
		fprintf(out, insn->rs == MMIO_ZR ? "wzr, " : "w%u, ", insn->rs);
	for (unsigned int i = 0; i < insn->count; i++) {
		put_register(out, insn, i);
		fputs(", ", out);
	}
	put_address(out, insn, pc);
	fclose(out);
}

static uint32_t random_word(void)
{
	return (uint32_t)random() << 16 ^ (uint32_t)random();
}

/* In the exclusive and ordered group, registers that a form does not use should be ones: what else
 * they may be is a matter of taste. */
static uint32_t with_ones(uint32_t word)
{
	enum { PLAIN = 1 << 23, LOAD = 1 << 22, PAIR = 1 << 21, RS = 0x1f0000, RT2 = 0x7c00 };

	if ((word & 0x3f000000) != 0x08000000)
		return word;
	return word | (word & PAIR ? 0 : RT2) | (word & (PLAIN | LOAD) ? RS : 0);
}

/* Every value of the bits that choose a form (31 to 21, 11 and 10) in the loads and stores, with
 * arbitrary registers and offsets, fields of ones among them; then any words at all. */
static void make_words(void)
{
	for (uint32_t form = 0; form < 1u << 13; form++) {
		uint32_t fixed = form >> 2 << 21 | (form & 3) << 10;

		if ((fixed & 0x0a000000) != 0x08000000)
			continue;
		for (unsigned int i = 0; i < PER_FORM; i++) {
			uint32_t word = (random_word() & 0x001ff3ff) | fixed;

			if (i % 3 == 1)
				word |= 0x001f7000 & ~(uint32_t)0xc00;
			if (i % 6 == 2)
				word |= 0x001f0000;
			words[nwords++] = with_ones(word);
		}
	}
	for (unsigned int i = 0; i < ANYWHERE; i++)
		words[nwords++] = with_ones(random_word());
	for (uint32_t rt = 0; rt < 32; rt++)
		words[nwords++] = 0xd50b7420 | rt;
	ck_assert_uint_le(nwords, WORDS_MAX);
}

static void compare(unsigned int i, const char *text)
{
	char want[TEXT_MAX] = "refused", got[TEXT_MAX] = "refused";
	struct mmio_insn insn;

	expected(text, want);
	if (!mmio_decode(words[i], &insn))
		render(&insn, i * 4, got);
	ck_assert_msg(!strcmp(got, want), "%08x: %s, not %s (%s)", words[i], got, want, text);
}

START_TEST(every_form)
{
	unsigned int seen = 0, loads = 0;
	char command[256], line[512];
	FILE *file;

	srandom(_i + 1);
	make_words();
	file = open_in_dir("words", "w");
	ck_assert_uint_eq(fwrite(words, 4, nwords, file), nwords);
	fclose(file);
	snprintf(command, sizeof(command), TOOL "objdump -D -z -b binary -m aarch64 %s/words", dir);
	file = popen(command, "r");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		struct mmio_insn insn;
		unsigned int at, word;
		int text;

		if (sscanf(line, " %x: %x %n", &at, &word, &text) != 2)
			continue;
		ck_assert_uint_eq(at, seen * 4);
		ck_assert_uint_eq(word, words[seen]);
		loads += !mmio_decode(word, &insn);
		compare(seen++, line + text);
	}
	ck_assert_int_eq(pclose(file), 0);
	ck_assert_uint_eq(seen, nwords);
	ck_assert_uint_gt(loads, nwords / 8);
}
END_TEST

/* --- the assembler's words against descriptions written down ------------------------------------- */

#define GENERAL(l, sz, w, t, n) \
	.load = (l), .count = 1, .size = (sz), .width = (w), .rt = { (t), 0 }, .rn = (n)
#define PAIR(l, sz, w, t, t2, n) \
	.load = (l), .count = 2, .size = (sz), .width = (w), .rt = { (t), (t2) }, .rn = (n)

static const struct {
	const char *text;
	struct mmio_insn insn;
} forms[] = {
	{ "ldr w1, [x2]", { GENERAL(true, 4, 4, 1, 2) } },
	{ "ldr x1, [sp, #32760]", { GENERAL(true, 8, 8, 1, 31), .offset = 32760 } },
	{ "str xzr, [x3], #-256",
	  { GENERAL(false, 8, 8, 31, 3), .addressing = MMIO_POST, .offset = -256 } },
	{ "ldrsb w4, [x5, #255]!",
	  { GENERAL(true, 1, 4, 4, 5), .sign = true, .addressing = MMIO_PRE, .offset = 255 } },
	{ "ldrsh x4, [x5]", { GENERAL(true, 2, 8, 4, 5), .sign = true } },
	{ "ldrsw x4, [x5]", { GENERAL(true, 4, 8, 4, 5), .sign = true } },
	{ "sturh w6, [x7, #-3]", { GENERAL(false, 2, 4, 6, 7), .offset = -3 } },
	{ "ldtrb w6, [x7, #9]", { GENERAL(true, 1, 4, 6, 7), .offset = 9 } },
	{ "ldr w1, [x2, w3, uxtw #2]",
	  { GENERAL(true, 4, 4, 1, 2), .addressing = MMIO_REGISTER, .rm = 3, .extend = MMIO_UXTW,
	    .shift = 2 } },
	{ "str x1, [x2, x3, sxtx]",
	  { GENERAL(false, 8, 8, 1, 2), .addressing = MMIO_REGISTER, .rm = 3,
	    .extend = MMIO_SXTX } },
	{ "ldr q1, [x2, x3, lsl #4]",
	  { GENERAL(true, 16, 16, 1, 2), .simd = true, .addressing = MMIO_REGISTER, .rm = 3,
	    .extend = MMIO_LSL, .shift = 4 } },
	{ "str b9, [x2], #1",
	  { GENERAL(false, 1, 16, 9, 2), .simd = true, .addressing = MMIO_POST, .offset = 1 } },
	{ "ldr h9, [x2, #2]", { GENERAL(true, 2, 16, 9, 2), .simd = true, .offset = 2 } },
	{ "ldp w1, w2, [x3, #-256]", { PAIR(true, 4, 4, 1, 2, 3), .offset = -256 } },
	{ "stp x1, x2, [x3, #504]!",
	  { PAIR(false, 8, 8, 1, 2, 3), .addressing = MMIO_PRE, .offset = 504 } },
	{ "ldpsw x1, x2, [x3], #8",
	  { PAIR(true, 4, 8, 1, 2, 3), .sign = true, .addressing = MMIO_POST, .offset = 8 } },
	{ "stnp q1, q2, [x3, #-1024]",
	  { PAIR(false, 16, 16, 1, 2, 3), .simd = true, .offset = -1024 } },
	{ "ldp s1, s2, [x3]", { PAIR(true, 4, 16, 1, 2, 3), .simd = true } },
	{ "ldar w1, [x2]", { GENERAL(true, 4, 4, 1, 2) } },
	{ "stlrb w1, [x2]", { GENERAL(false, 1, 4, 1, 2) } },
	{ "ldaxrh w1, [x2]", { GENERAL(true, 2, 4, 1, 2), .exclusive = true } },
	{ "stxp w4, x1, x2, [x3]", { PAIR(false, 8, 8, 1, 2, 3), .exclusive = true, .rs = 4 } },
	{ "ldr x1, .-8", { GENERAL(true, 8, 8, 1, 31), .addressing = MMIO_LITERAL, .offset = -8 } },
	{ "ldrsw x1, .+1048572",
	  { GENERAL(true, 4, 8, 1, 31), .sign = true, .addressing = MMIO_LITERAL,
	    .offset = 1048572 } },
	{ "dc zva, x5", { .addressing = MMIO_BLOCK, .rn = 5 } },
};

enum { NFORMS = sizeof(forms) / sizeof(forms[0]) };

static void assemble(void)
{
	FILE *file = open_in_dir("in.s", "w");
	char command[512];

	for (size_t i = 0; i < NFORMS; i++)
		fprintf(file, "%s\n", forms[i].text);
	fclose(file);
	snprintf(command, sizeof(command),
		 TOOL "as -march=armv8.4-a -o %s/out.o %s/in.s && " TOOL
		      "objcopy -O binary -j .text %s/out.o %s/words",
		 dir, dir, dir, dir);
	ck_assert_int_eq(system(command), 0);
	file = open_in_dir("words", "r");
	nwords = fread(words, 4, WORDS_MAX, file);
	fclose(file);
}

START_TEST(descriptions)
{
	assemble();
	ck_assert_uint_eq(nwords, NFORMS);
	for (size_t i = 0; i < NFORMS; i++) {
		const struct mmio_insn *want = &forms[i].insn;
		struct mmio_insn got;

		ck_assert_msg(!mmio_decode(words[i], &got), "%s: refused", forms[i].text);
		ck_assert_msg(got.load == want->load && got.simd == want->simd &&
				      got.sign == want->sign && got.exclusive == want->exclusive &&
				      got.count == want->count && got.size == want->size &&
				      got.width == want->width && got.rt[0] == want->rt[0] &&
				      got.rt[1] == want->rt[1] && got.rn == want->rn &&
				      got.rm == want->rm && got.rs == want->rs &&
				      got.addressing == want->addressing &&
				      got.extend == want->extend && got.shift == want->shift &&
				      got.offset == want->offset,
			      "%s: %08x is described wrongly", forms[i].text, words[i]);
	}
}
END_TEST

/* --- values -------------------------------------------------------------------------------------- */

START_TEST(extension)
{
	static const struct {
		unsigned int size, width;
		bool sign;
		uint64_t val, want;
	} cases[] = {
		{ 1, 4, false, 0x1ff, 0xff },
		{ 1, 4, true, 0x80, 0xffffff80 },
		{ 1, 8, true, 0x80, 0xffffffffffffff80 },
		{ 1, 8, true, 0x17f, 0x7f },
		{ 2, 4, true, 0x8001, 0xffff8001 },
		{ 2, 8, true, 0x8001, 0xffffffffffff8001 },
		{ 4, 8, true, 0x80000000, 0xffffffff80000000 },
		{ 4, 4, false, 0x180000000, 0x80000000 },
		{ 8, 8, false, 0x8877665544332211, 0x8877665544332211 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mmio_insn insn = { .size = cases[i].size,
					  .width = cases[i].width,
					  .sign = cases[i].sign };

		ck_assert_uint_eq(mmio_extend_value(&insn, cases[i].val), cases[i].want);
	}
}
END_TEST

START_TEST(register_offsets)
{
	uint64_t rm = 0x1fffffff0;

	ck_assert_uint_eq(mmio_register_offset(&(struct mmio_insn){ .extend = MMIO_UXTW }, rm),
			  0xfffffff0);
	ck_assert_uint_eq(
		mmio_register_offset(&(struct mmio_insn){ .extend = MMIO_SXTW, .shift = 2 }, rm),
		(uint64_t)-64);
	ck_assert_uint_eq(
		mmio_register_offset(&(struct mmio_insn){ .extend = MMIO_LSL, .shift = 3 }, rm),
		rm << 3);
	ck_assert_uint_eq(mmio_register_offset(&(struct mmio_insn){ .extend = MMIO_SXTX }, rm), rm);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mmio_decode");
	TCase *t = tcase_create("mmio_decode");

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, every_form, 0, 2);
	tcase_add_test(t, descriptions);
	tcase_add_test(t, extension);
	tcase_add_test(t, register_offsets);
	return run_suite(s);
}
