// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses to devices for which the CPU gives no syndrome (ESR_EL2.ISV = 0). Either the VMM
 * emulates the instruction, or the guest gets a synchronous external abort at exactly it; it never
 * stops. Every way is reported; the test's table says which one is due.
 */
#include "tests/guest/lib/lib.h"

enum {
	EC_UNKNOWN = 0,
	EC_INSN_ABORT = 0x21,
	EC_DATA_ABORT = 0x25,
	DFSC = 0x3f,
	EXTERNAL_ABORT = 0x10
};

static void op_ldp(u64 a)
{
	u64 x, y;

	__asm__ volatile("ldp %0, %1, [%2]" : "=&r"(x), "=&r"(y) : "r"(a) : "memory");
}

static void op_stp(u64 a)
{
	__asm__ volatile("stp xzr, xzr, [%0]" : : "r"(a) : "memory");
}

static void op_ldr_post(u64 a)
{
	u32 x;

	__asm__ volatile("ldr %w0, [%1], #4" : "=&r"(x), "+r"(a) : : "memory");
}

static void op_str_pre(u64 a)
{
	a -= 4;
	__asm__ volatile("str wzr, [%0, #4]!" : "+r"(a) : : "memory");
}

static void op_simd_load(u64 a)
{
	__asm__ volatile(".arch_extension simd\n\tldr q0, [%0]" : : "r"(a) : "memory");
}

static void op_simd_store(u64 a)
{
	__asm__ volatile(".arch_extension simd\n\tstr q0, [%0]" : : "r"(a) : "memory");
}

static void op_exclusive(u64 a)
{
	u32 x;

	__asm__ volatile("ldxr %w0, [%1]\n\tclrex" : "=&r"(x) : "r"(a) : "memory");
}

static void op_fetch(u64 a)
{
	/* A syndrome-less access of another kind: through the executable alias. */
	((void (*)(void))(a + ALIAS))();
}

static const struct {
	const char *name;
	void (*run)(u64 addr);
} ops[] = {
	{ "ldp", op_ldp },
	{ "stp", op_stp },
	{ "ldr post-index", op_ldr_post },
	{ "str pre-index", op_str_pre },
	{ "ldr simd", op_simd_load },
	{ "str simd", op_simd_store },
	{ "ldxr", op_exclusive },
	{ "fetch", op_fetch },
};

static const struct {
	const char *name;
	u64 addr;
} places[] = {
	{ "uart", UART + 0x40 }, /* nothing there that changes anything */
	{ "rtc", RTC + 0x40 },
	{ "gpio", GPIO + 0x40 },
	{ "nowhere", 0x0b000000 },
};

static void try(unsigned int op, unsigned int place)
{
	bool fetch = ops[op].run == op_fetch;
	u64 addr = places[place].addr, far = fetch ? addr + ALIAS : addr;
	u64 class, status;

	faults.count = 0;
	ops[op].run(addr);
	if (!faults.count || (fetch && (faults.esr >> 26 & 63) == EC_UNKNOWN)) {
		print("ok %s %s: done\n", places[place].name, ops[op].name);
		return;
	}
	class = faults.esr >> 26 & 63; /* KVM of 6.1 sets the bits above */
	status = faults.esr & DFSC;
	if (faults.count == 1 && class == (fetch ? EC_INSN_ABORT : EC_DATA_ABORT) &&
	    status == EXTERNAL_ABORT && faults.far == far)
		print("ok %s %s: aborted\n", places[place].name, ops[op].name);
	else
		print("FAIL %s %s: %u faults, esr %lx, far %lx\n", places[place].name, ops[op].name,
		      faults.count, faults.esr, faults.far);
}

void guest(void)
{
	faults.expected = true;
	for (unsigned int place = 0; place < sizeof(places) / sizeof(*places); place++)
		for (unsigned int op = 0; op < sizeof(ops) / sizeof(*ops); op++)
			try(op, place);
	/* A plain access works after all that. */
	faults.count = 0;
	r32(RTC);
	check(!faults.count, "plain access", "%u faults", faults.count);
}
