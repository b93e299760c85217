// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks itself around each hop, a save and restore of its machine: every class of registers keeps
 * its values, the counter goes on where it was and no faster than the clock on the wall, what is
 * due or pending (timer, SGI, SPI, and with the boot argument its=1 an LPI) comes once, after it,
 * and the generation id is another one exactly when it is told so. It says `hop N` and spins with all registers full until a byte
 * arrives: `q` ends it.
 */
#include "tests/guest/lib/its.h"

enum { SGI = 3, SPI = 96, TIMER_MS = 20, GAP_MS = 5000 };
enum { GICD_ISPENDR = GICD + 0x200, GICD_ISENABLER = GICD + 0x100 };

/* As the assembly below has them. */
struct frame {
	u64 x[29];
	u64 pad;
	u64 v[64];
	u8 z[32 * 256];
	u8 p[16 * 32];
	u64 sve;
};

void hop_spin(const struct frame *in, struct frame *out);

/* x29 and x30 are the loop's own. The UART's FR says when a byte has come. */
__asm__(".arch_extension sve\n"
	"hop_spin:\n"
	"	sub	sp, sp, #256\n"
	"	stp	x19, x20, [sp]\n"
	"	stp	x21, x22, [sp, #16]\n"
	"	stp	x23, x24, [sp, #32]\n"
	"	stp	x25, x26, [sp, #48]\n"
	"	stp	x27, x28, [sp, #64]\n"
	"	stp	x29, x30, [sp, #80]\n"
	"	str	x1, [sp, #96]\n"
	"	mov	x30, x0\n"
	"	add	x29, x30, #240\n"
	".irp "
	"n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	ldr	q\\n, [x29], #16\n"
	".endr\n"
	"	mov	x1, x29\n"
	"	add	x2, x1, #8192\n"
	"	ldr	x3, [x2, #512]\n"
	"	cbz	x3, 1f\n"
	".irp "
	"n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	ldr	z\\n, [x1, #\\n, mul vl]\n"
	".endr\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	ldr	p\\n, [x2, #\\n, mul vl]\n"
	".endr\n"
	"1:\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28\n"
	"	ldr	x\\n, [x30, #\\n*8]\n"
	".endr\n"
	"	mov	x29, #0x09000000\n"
	"2:	ldr	w30, [x29, #0x18]\n"
	"	tbnz	w30, #4, 2b\n"
	"	ldr	x30, [sp, #96]\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28\n"
	"	str	x\\n, [x30, #\\n*8]\n"
	".endr\n"
	"	add	x29, x30, #240\n"
	".irp "
	"n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	str	q\\n, [x29], #16\n"
	".endr\n"
	"	mov	x1, x29\n"
	"	add	x2, x1, #8192\n"
	"	ldr	x3, [x2, #512]\n"
	"	cbz	x3, 3f\n"
	".irp "
	"n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
	"	str	z\\n, [x1, #\\n, mul vl]\n"
	".endr\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	str	p\\n, [x2, #\\n, mul vl]\n"
	".endr\n"
	"3:	ldp	x19, x20, [sp]\n"
	"	ldp	x21, x22, [sp, #16]\n"
	"	ldp	x23, x24, [sp, #32]\n"
	"	ldp	x25, x26, [sp, #48]\n"
	"	ldp	x27, x28, [sp, #64]\n"
	"	ldp	x29, x30, [sp, #80]\n"
	"	add	sp, sp, #256\n"
	"	ret\n");

static struct frame before, after;
static volatile unsigned int timers, sgis, spis, lpis, generations, others;
static u64 itt[32] __attribute__((aligned(256)));
static bool has_its;
static volatile u64 timer_at;

static void on_irq(unsigned int intid)
{
	if (intid == INTID_VTIMER) {
		timer_at = ticks();
		timers++;
		sysreg_write(cntv_ctl_el0, 0);
	} else if (intid == SGI) {
		sgis++;
	} else if (intid == SPI) {
		spis++;
	} else if (intid == INTID_VMGENID) {
		generations++;
	} else if (intid == LPI) {
		lpis++;
	} else {
		others++;
	}
}

static bool has_sve(void)
{
	return sysreg_read(id_aa64pfr0_el1) >> 32 & 15;
}

static u64 vector_bytes(void)
{
	u64 n;

	__asm__(".arch_extension sve\n\trdvl %0, #1" : "=r"(n));
	return n;
}

static void fill(unsigned int hop)
{
	u8 *bytes = (u8 *)&before;

	for (size_t i = 0; i < sizeof(before); i++)
		bytes[i] = (u8)(i * 37 + hop * 101 + i / 256);
	before.sve = after.sve = has_sve();
}

/* What a context switch would keep: values that the guest chose, none with an effect. */
#define KEPT(X)            \
	X(tpidr_el0);      \
	X(tpidrro_el0);    \
	X(tpidr_el1);      \
	X(contextidr_el1); \
	X(far_el1);        \
	X(elr_el1);        \
	X(par_el1);        \
	X(dbgbvr0_el1);    \
	X(dbgwvr0_el1);    \
	X(dbgbvr1_el1);    \
	X(afsr0_el1);

static void set_registers(unsigned int hop)
{
	u64 v = 0x123456789ab0UL + ((u64)hop << 12);

#define X(name) sysreg_write(name, (v += 0x1000) & 0x7ffffffff000UL)
	KEPT(X)
#undef X
	sysreg_write(afsr0_el1, 0);
	sysreg_write(contextidr_el1, hop);
	sysreg_write(fpcr, (u64)(hop & 3) << 22);
	sysreg_write(fpsr, hop & 0x1f);
}

struct kept {
	u64 v[16];
};

static void get_registers(struct kept *k)
{
	unsigned int n = 0;

#define X(name) k->v[n++] = sysreg_read(name)
	KEPT(X)
#undef X
	k->v[n++] = sysreg_read(fpcr);
	k->v[n++] = sysreg_read(fpsr);
	k->v[n++] = sysreg_read(midr_el1);
	k->v[n++] = sysreg_read(sctlr_el1);
}

static void compare(unsigned int hop)
{
	u64 vl = before.sve ? vector_bytes() : 0;

	check(!memcmp(before.x, after.x, sizeof(before.x)), "x registers", "hop %u", hop);
	if (!vl) {
		check(!memcmp(before.v, after.v, sizeof(before.v)), "v registers", "hop %u", hop);
		return;
	}
	check(!memcmp(before.z, after.z, 32 * vl), "z registers", "hop %u", hop);
	check(!memcmp(before.p, after.p, 16 * vl / 8), "p registers", "hop %u", hop);
}

struct id {
	u64 half[2];
};

static struct id generation(void)
{
	return (struct id){ { mmio_read(VMGENID, 8), mmio_read(VMGENID + 8, 8) } };
}

static void compare_generations(const struct id *before, unsigned int told)
{
	struct id now = generation();
	bool same = !memcmp(before, &now, sizeof(now));

	check(told == !same, "generation", "%lx%lx, then %lx%lx, told %u times", before->half[0],
	      before->half[1], now.half[0], now.half[1], told);
	print("generation %016lx%016lx\n", now.half[0], now.half[1]);
}

/* Where the machine stood still the counter did, or it is told of the time: it is never ahead of the
 * clock on the wall, of which `seconds` have begun meanwhile. One is left to what sets that clock. */
static void compare_times(u64 began, u64 ended, u32 seconds)
{
	check(ended >= began && ended - began <= ticks_of_ms((seconds + 2) * 1000UL), "counter",
	      "from %lx to %lx in %u s", began, ended, seconds);
}

static void hop_once(unsigned int hop)
{
	unsigned int timers0 = timers, sgis0 = sgis, spis0 = spis, lpis0 = lpis;
	unsigned int generations0 = generations;
	struct id id = generation();
	struct kept want = { 0 }, have = { 0 };
	u64 began, due, ended, physical;
	u32 second;

	fill(hop);
	set_registers(hop);
	get_registers(&want);
	irq_disable();
	gic_sgi(0, SGI);
	w32(GICD_ISPENDR + SPI / 8, 1u << SPI % 32);
	if (has_its) {
		its_event(INT, 0, 0);
		check(its_sync(), "ITS", "takes no command");
	}
	second = r32(RTC);
	physical = sysreg_read(cntpct_el0);
	began = ticks();
	due = began + ticks_of_ms(TIMER_MS);
	sysreg_write(cntv_cval_el0, due);
	sysreg_write(cntv_ctl_el0, 1);
	print("hop %u\n", hop);
	hop_spin(&before, &after);
	ended = ticks();
	physical = sysreg_read(cntpct_el0) - physical;
	get_registers(&have);
	compare(hop);
	check(!memcmp(&want, &have, sizeof(want)), "system registers", "hop %u", hop);
	compare_times(began, ended, r32(RTC) - second);
	check(sgis == sgis0 && spis == spis0 && lpis == lpis0 && timers == timers0, "masked",
	      "interrupts came");
	irq_enable();
	check(wait_for(timers != timers0, GAP_MS) && timer_at >= due, "timer", "%u, due %lx at %lx",
	      timers - timers0, due, timer_at);
	wait_for(false, 1);
	check(sgis == sgis0 + 1 && spis == spis0 + 1 && lpis == lpis0 + has_its &&
		      timers == timers0 + 1 && !others,
	      "pending", "%u SGIs, %u SPIs, %u LPIs, %u timers, %u others", sgis - sgis0,
	      spis - spis0, lpis - lpis0, timers - timers0, others);
	compare_generations(&id, generations - generations0);
	print("took %lu ms\n", (ended - began) / ticks_of_ms(1));
	print("physically %lu ms\n", physical / ticks_of_ms(1));
}

/* So many pages of RAM have something in them. */
static void dirty(u64 pages)
{
	for (u64 i = 0; i < pages; i++)
		*(volatile u64 *)(RAM + machine.ram_size / 2 + i * 4096) = i + 1;
}

/* One device with one event. */
static void map_lpi(void)
{
	its_init();
	its_config[0] = 0xa0 | LPI_ENABLED;
	its_mapc(0, 0, true);
	its_mapd(0, 1, (u64)itt, true);
	its_mapti(0, 0, LPI, 0);
	check(its_sync(), "ITS", "takes no command");
}

void guest(void)
{
	irq_handler = on_irq;
	gic_init(0);
	gic_enable(0, INTID_VTIMER, false);
	gic_enable(0, SGI, true);
	gic_enable(0, SPI, true);
	gic_enable(0, INTID_VMGENID, true);
	has_its = arg_number("its", 0);
	if (has_its)
		map_lpi();
	uart_open();
	dirty(arg_number("dirty", 0));
	if (has_sve()) {
		sysreg_write(cpacr_el1, 3 << 20 | 3 << 16);
		print("sve of %u bytes\n", (unsigned int)vector_bytes());
	}
	irq_enable();
	for (unsigned int hop = 1;; hop++) {
		hop_once(hop);
		if (getc() == 'q')
			return;
	}
}
