// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses to devices for which the CPU gives no syndrome (ESR_EL2.ISV = 0), and loads that extend
 * a sign: the same instructions on RAM that holds what the device's registers do must give the same
 * in every register and in memory. What cannot be emulated is an external abort at exactly it.
 *   store=1|2       makes only wide stores, or DC ZVA, to where nothing is
 *   unmapped=abort  expects an abort for every access to where nothing is
 *   unmapped=stop   expects to end with the first
 */
#include "tests/guest/lib/lib.h"

enum {
	CLASS = 0x3f,
	EC_INSN_ABORT = 0x21,
	EC_DATA_ABORT = 0x25,
	DFSC = 0x3f,
	EXTERNAL_ABORT = 0x10,
	AREA = 64,
	NOWHERE = 0x0b000000,
	GPIO_DIR = GPIO + 0x400, /* and three more registers of 8 bits */
	LSE = 0xf << 20, /* ID_AA64ISAR0_EL1 */
};

/* In and out. q before: no register is zero above what is stored. */
struct result {
	u64 q[4], x[2], status, base;
};
static const struct result before = {
	.q = { 0x5a, 0x1122334455667788, 0x3c, 0x99aabbccddeeff00 },
	.x = { 0xffffffff000000a5, 0xeeeeeeee000000c3 },
	.status = 7,
};

/* `code` has its base in x9, an offset of 8 in x3; data are x0, x1, q0, q1; x2 is the status. */
#define OP(name, code)                                                              \
	static void name(u64 at, struct result *r)                                  \
	{                                                                           \
		register u64 x9 __asm__("x9") = at;                                 \
		register struct result *x11 __asm__("x11") = r;                     \
                                                                                    \
		__asm__ volatile(".arch_extension simd\n\t.arch_extension lse\n\t"  \
				 "ldp q0, q1, [x11]\n\tldp x0, x1, [x11, #32]\n\t"  \
				 "ldr x2, [x11, #48]\n\tmov x3, #8\n\t" code "\n\t" \
				 "stp q0, q1, [x11]\n\tstp x0, x1, [x11, #32]\n\t"  \
				 "stp x2, x9, [x11, #48]"                           \
				 : "+r"(x9)                                         \
				 : "r"(x11)                                         \
				 : "x0", "x1", "x2", "x3", "memory");               \
		r->base -= at;                                                      \
	}

/* Elements of `size` bytes; all within AREA from x9. */
/* clang-format off */
#define LOADS(op) \
	op(ldp_w, 4, "ldp w0, w1, [x9]") \
	op(ldp_x, 8, "ldp x0, x1, [x9, #8]") \
	op(ldp_pre, 4, "ldp w0, w1, [x9, #8]!") \
	op(ldp_post, 4, "ldp w0, w1, [x9], #-16") \
	op(ldp_x_post, 8, "ldp x0, xzr, [x9], #504") \
	op(ldnp, 4, "ldnp w0, w1, [x9]") \
	op(ldpsw, 4, "ldpsw x0, x1, [x9]") \
	op(ldpsw_pre, 4, "ldpsw x0, x1, [x9, #4]!") \
	op(ldr_post, 4, "ldr w0, [x9], #4") \
	op(ldr_pre, 4, "ldr w0, [x9, #4]!") \
	op(ldr_x_pre, 8, "ldr x0, [x9, #8]!") \
	op(ldr_zr, 4, "ldr wzr, [x9], #4") \
	op(ldrb_post, 1, "ldrb w0, [x9], #-1") \
	op(ldrh_pre, 2, "ldrh w0, [x9, #2]!") \
	op(ldrsb_w_post, 1, "ldrsb w0, [x9], #1") \
	op(ldrsb_x_pre, 1, "ldrsb x0, [x9, #1]!") \
	op(ldrsh_w_pre, 2, "ldrsh w0, [x9, #2]!") \
	op(ldrsh_x_post, 2, "ldrsh x0, [x9], #255") \
	op(ldrsw_post, 4, "ldrsw x0, [x9], #4") \
	op(ldrsb_w, 1, "ldrsb w0, [x9, #20]") \
	op(ldrsb_x, 1, "ldrsb x0, [x9, #20]") \
	op(ldrsb_2, 1, "ldrsb x0, [x9, x3]\n\tldrsb w1, [x9]") \
	op(ldrsh_w, 2, "ldrsh w0, [x9]") \
	op(ldrsh_x, 2, "ldursh x0, [x9]") \
	op(ldrsw, 4, "ldrsw x0, [x9]") \
	op(ldrsw_reg, 4, "ldrsw x0, [x9, w3, sxtw]") \
	op(ldrsw_zr, 4, "ldrsw xzr, [x9]") \
	op(ldrb, 1, "ldrb w0, [x9, #20]") \
	op(ldr_b, 1, "ldr b0, [x9, #20]") \
	op(ldr_h, 2, "ldr h0, [x9]") \
	op(ldr_s, 4, "ldr s0, [x9, #4]") \
	op(ldr_d, 8, "ldr d0, [x9]") \
	op(ldr_q, 8, "ldr q0, [x9]") \
	op(ldr_s_post, 4, "ldr s1, [x9], #8") \
	op(ldr_q_pre, 8, "ldr q1, [x9, #16]!") \
	op(ldr_s_reg, 4, "ldr s0, [x9, x3]") \
	op(ldr_q_reg, 8, "ldr q0, [x9, w3, uxtw]") \
	op(ldur_d, 8, "ldur d0, [x9, #8]") \
	op(ldp_s, 4, "ldp s0, s1, [x9]") \
	op(ldp_d, 8, "ldp d0, d1, [x9], #16") \
	op(ldp_q, 8, "ldp q1, q0, [x9]") \
	op(sp_post, 4, "mov x2, sp\n\tmov sp, x9\n\tldr w1, [sp], #16\n\tmov x9, sp\n\t" \
		       "mov sp, x2\n\tmov x2, #7") \
	op(ldxr, 4, "ldxr w0, [x9]\n\tclrex") \
	op(ldar, 4, "ldar w0, [x9]")

/* The same, where the base is aligned to 8. */
#define ALIGNED_LOADS(op) \
	op(ldaxr, 8, "ldaxr x0, [x9]\n\tclrex") \
	op(ldxp, 4, "ldxp w0, w1, [x9]\n\tclrex")

#define STORES(op) \
	op(stp_w, 4, "stp w0, w1, [x9]") \
	op(stp_pre, 4, "stp w0, w1, [x9, #8]!") \
	op(stp_post, 4, "stp w0, w1, [x9], #-256") \
	op(stp_same, 4, "stp w0, w0, [x9]") \
	op(stnp, 4, "stnp w1, w0, [x9]") \
	op(str_post, 4, "str w0, [x9], #4") \
	op(str_pre, 4, "str w0, [x9, #4]!") \
	op(strb_pre, 1, "strb w0, [x9, #4]!") \
	op(strh_post, 2, "strh w0, [x9], #2") \
	op(str_b, 1, "str b0, [x9]") \
	op(str_h, 2, "str h0, [x9, #4]") \
	op(str_s, 4, "str s0, [x9, #4]") \
	op(str_s_reg, 4, "str s1, [x9, x3]") \
	op(str_s_pre, 4, "str s1, [x9, #8]!") \
	op(stp_s, 4, "stp s0, s1, [x9], #8") \
	op(stlr, 4, "stlr w0, [x9]")

/* What gets an abort wherever it is. */
#define REFUSED(op) \
	op(ld1, 4, "ld1 {v0.4s}, [x9]") \
	op(st1_post, 4, "st1 {v0.4s}, [x9], #16") \
	op(ldadd, LSE, "ldadd w0, w1, [x9]") \
	op(swp, LSE, "swp w0, w1, [x9]")
/* clang-format on */

#define DEFINE(name, size, code) OP(name, code)
LOADS(DEFINE)
ALIGNED_LOADS(DEFINE)
STORES(DEFINE)
REFUSED(DEFINE)
OP(stp_x, "stp x0, x1, [x9]")
OP(str_q, "str q0, [x9]")
OP(stp_q, "stp q0, q1, [x9, #16]")
OP(zva, "dc zva, x9")
OP(ldp_q_end, "ldp q0, q1, [x9]")
OP(ldr_plain, "ldr w0, [x9]")
OP(str_plain, "str w0, [x9]")

#define ROW(name, size, code) { #name, name, size },
static const struct op {
	const char *name;
	void (*run)(u64 at, struct result *r);
	unsigned int size;
} loads[] = { LOADS(ROW) }, aligned_loads[] = { ALIGNED_LOADS(ROW) }, stores[] = { STORES(ROW) },
  refused[] = { REFUSED(ROW) };

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct place {
	const char *name;
	u64 at; /* nothing in AREA from here on changes anything when read */
} places[] = {
	{ "uart ids", UART + 0xfe0 },
	{ "uart", UART + 0x24 }, /* IBRD */
	{ "uart alias", UART + 0x24 + ALIAS },
	{ "rtc", RTC + 4 }, /* match */
	{ "gpio", GPIO_DIR },
	{ "virtio", VIRTIO + 0x100 }, /* the first device's configuration */
	{ "empty slot", VIRTIO + (VIRTIO_SLOTS - 1) * VIRTIO_STRIDE },
	{ "nowhere", NOWHERE },
};

static u8 ram[AREA] __attribute__((aligned(64)));

static void fill(u64 at, unsigned int size)
{
	for (unsigned int i = 0; i < AREA; i += size)
		mmio_write((u64)ram + i, size, mmio_read(at + i, size));
}

static bool same(const void *name, const char *place, const struct result *a,
		 const struct result *b)
{
	if (!faults.count && !memcmp(a, b, sizeof(*a)))
		return true;
	print("FAIL %s %s: %u faults, esr %lx; x %lx %lx not %lx %lx; q0 %lx %lx not %lx %lx; "
	      "q1 %lx %lx not %lx %lx; base %lx not %lx\n",
	      place, (const char *)name, faults.count, faults.esr, a->x[0], a->x[1], b->x[0],
	      b->x[1], a->q[0], a->q[1], b->q[0], b->q[1], a->q[2], a->q[3], b->q[2], b->q[3],
	      a->base, b->base);
	return false;
}

static bool same_loads(const struct op *ops, unsigned int n, const struct place *place)
{
	bool good = true;

	for (const struct op *op = ops; op < ops + n; op++) {
		struct result device = before, memory = before;

		faults.count = 0;
		fill(place->at, op->size);
		op->run(place->at, &device);
		op->run((u64)ram, &memory);
		good &= same(op->name, place->name, &device, &memory);
	}
	return good;
}

static void test_loads(const struct place *place)
{
	bool good = same_loads(loads, COUNT(loads), place);

	if (place->at % 8 == 0)
		good &= same_loads(aligned_loads, COUNT(aligned_loads), place);
	if (good)
		print("ok loads %s\n", place->name);
}

static void test_stores(void)
{
	for (unsigned int i = 0; i < COUNT(stores); i++) {
		struct result device = before, memory = before;

		faults.count = 0;
		for (unsigned int reg = 0; reg < 16; reg += 4)
			w32(GPIO_DIR + reg, 0);
		fill(GPIO_DIR, stores[i].size);
		stores[i].run(GPIO_DIR, &device);
		stores[i].run((u64)ram, &memory);
		if (!same(stores[i].name, "gpio", &device, &memory))
			continue;
		for (unsigned int at = 0; at < 16; at += stores[i].size) {
			u64 got = mmio_read(GPIO_DIR + at, stores[i].size);
			u64 want = mmio_read((u64)ram + at, stores[i].size);

			if (got != want)
				print("FAIL %s: %lx at %u, not %lx\n", stores[i].name, got, at,
				      want);
		}
		print("ok %s\n", stores[i].name);
	}
	for (unsigned int reg = 0; reg < 16; reg += 4)
		w32(GPIO_DIR + reg, 0);
}

/*
 * A store exclusive gets as far as the device only when its address was RAM at the load: the exit
 * of a load ends the exclusive access. It stores and succeeds, or (a monitor that works on physical
 * addresses) fails and does not.
 */
static void test_store_exclusive(void)
{
	enum { SLOT = 257, GIB = 1 << 30, TO_RAM = GIB | 0x709, TO_DEVICES = 0x405 };
	extern u64 page_table[];
	u64 *entry = &page_table[SLOT], old = *entry, status = 7, val = 0x6c, none;
	u64 at = (u64)SLOT * GIB + GPIO_DIR;
	bool stored;

	faults.count = 0;
	*entry = TO_RAM;
	barrier();
	__asm__ volatile(
		"tlbi vmalle1\n\tdsb nsh\n\tisb\n\t"
		"ldxr %w[none], [%[at]]\n\t"
		"str xzr, [%[entry]]\n\tdsb nsh\n\ttlbi vmalle1\n\tdsb nsh\n\t"
		"str %[devices], [%[entry]]\n\tdsb nsh\n\tisb\n\t"
		"stxr %w[status], %w[val], [%[at]]"
		: [none] "=&r"(none), [status] "+&r"(status)
		: [at] "r"(at), [entry] "r"(entry), [val] "r"(val), [devices] "r"((u64)TO_DEVICES)
		: "memory");
	*entry = old;
	barrier();
	__asm__ volatile("tlbi vmalle1\n\tdsb nsh\n\tisb" : : : "memory");
	stored = r32(GPIO_DIR) == val;
	check(!faults.count && status == !stored, "store exclusive",
	      "%u faults, esr %lx, far %lx, status %lx, reg %x", faults.count, faults.esr,
	      faults.far, status, r32(GPIO_DIR));
	w32(GPIO_DIR, 0);
}

/* A load into a V register clears all of the Z register above it. */
static void test_sve(void)
{
	static u8 z[256] __attribute__((aligned(16)));
	bool clear = true;
	u64 vl;

	if (!(sysreg_read(id_aa64pfr0_el1) >> 32 & 15))
		return;
	sysreg_write(cpacr_el1, 3 << 20 | 3 << 16);
	faults.count = 0;
	fill(VIRTIO + 0x100, 8);
	__asm__ volatile(".arch_extension sve\n\t"
			 "rdvl %0, #1\n\tmov z0.d, #-1\n\tldr q0, [%1]\n\tstr z0, [%2]"
			 : "=&r"(vl)
			 : "r"(VIRTIO + 0x100), "r"(z)
			 : "memory");
	for (u64 i = 16; i < vl; i++)
		clear &= !z[i];
	check(!faults.count && vl >= 16 && !memcmp(z, ram, 16) && clear, "sve",
	      "%u faults, %lu bytes, %s", faults.count, vl, clear ? "clear" : "not clear");
}

/* An external abort at the instruction, and nothing else. */
static void test_abort(const char *name, void (*run)(u64 at, struct result *r), u64 at)
{
	struct result r = before, want = before;

	want.base = 0;
	faults.count = 0;
	run(at, &r);
	check(faults.count == 1 && (faults.esr >> 26 & CLASS) == EC_DATA_ABORT &&
		      (faults.esr & DFSC) == EXTERNAL_ABORT && faults.far == at &&
		      !memcmp(&r, &want, sizeof(r)),
	      name, "%u faults, esr %lx, far %lx", faults.count, faults.esr, faults.far);
}

static void test_fetch(u64 at)
{
	faults.count = 0;
	((void (*)(void))(at + ALIAS))();
	check(faults.count == 1 && (faults.esr >> 26 & CLASS) == EC_INSN_ABORT &&
		      (faults.esr & DFSC) == EXTERNAL_ABORT && faults.far == at + ALIAS,
	      "fetch", "%u faults, esr %lx, far %lx", faults.count, faults.esr, faults.far);
}

static void test_aborts(void)
{
	bool lse = sysreg_read(id_aa64isar0_el1) & LSE;

	for (unsigned int i = 0; i < COUNT(refused); i++)
		if (refused[i].size != LSE || lse)
			test_abort(refused[i].name, refused[i].run, UART + 0x40);
	test_abort("in-kernel gic", ldp_w, GICD);
	test_abort("half in ram", ldp_q_end, RAM - 16 + ALIAS);
	test_fetch(UART + 0x40);
}

/* Nothing claims anything: --unmapped abort. */
static void test_unmapped_aborts(void)
{
	test_abort("read", ldr_plain, NOWHERE);
	test_abort("write", str_plain, NOWHERE + 4);
	test_abort("ldp", ldp_w, NOWHERE + 8);
	test_abort("str q", str_q, NOWHERE + 16);
	test_abort("stp at the end", stp_w, RAM - 8);
	faults.count = 0;
	check(!r32(VIRTIO + (VIRTIO_SLOTS - 1) * VIRTIO_STRIDE) && !faults.count, "empty slot",
	      "%u faults", faults.count);
	check(r32(RTC) && !faults.count, "plain access", "%u faults", faults.count);
}

static void wide_stores(void)
{
	struct result r = before;

	stp_x(NOWHERE, &r);
	str_q(NOWHERE + 0x100, &r);
	stp_q(NOWHERE + 0x200, &r);
	check(!faults.count, "wide stores", "%u faults", faults.count);
}

static void zero_block(void)
{
	struct result r = before;

	zva(NOWHERE + ALIAS + 0x3a8, &r);
	check(!faults.count, "zva", "%u faults, esr %lx", faults.count, faults.esr);
}

void guest(void)
{
	faults.expected = true;
	if (arg_is("unmapped", "abort")) {
		test_unmapped_aborts();
		return;
	}
	if (arg_is("unmapped", "stop")) {
		wide_stores();
		return;
	}
	switch (arg_number("store", 0)) {
	case 1:
		wide_stores();
		return;
	case 2:
		zero_block();
		return;
	}
	/* Signs at every width. */
	w32(UART + 0x24, 0x8001);
	w32(RTC + 4, 0x80000001);
	for (unsigned int i = 0; i < COUNT(places); i++)
		test_loads(&places[i]);
	test_stores();
	test_store_exclusive();
	test_sve();
	test_aborts();
	/* A plain access works after all that. */
	faults.count = 0;
	check(r32(RTC) && !faults.count, "plain access", "%u faults", faults.count);
}
