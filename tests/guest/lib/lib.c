// SPDX-License-Identifier: GPL-2.0-only
#include "tests/guest/lib/lib.h"

struct machine machine;
volatile struct faults faults;
void (*irq_handler)(unsigned int intid);

void *memset(void *p, int c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((volatile u8 *)p)[i] = c;
	return p;
}

void *memcpy(void *to, const void *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((volatile u8 *)to)[i] = ((const u8 *)from)[i];
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *p = a, *q = b;

	for (size_t i = 0; i < n; i++)
		if (p[i] != q[i])
			return p[i] - q[i];
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

u64 mmio_read(u64 addr, unsigned int size)
{
	u64 v = 0;

	switch (size) {
	case 1:
		__asm__ volatile("ldrb %w0, [%1]" : "+r"(v) : "r"(addr) : "memory");
		break;
	case 2:
		__asm__ volatile("ldrh %w0, [%1]" : "+r"(v) : "r"(addr) : "memory");
		break;
	case 4:
		__asm__ volatile("ldr %w0, [%1]" : "+r"(v) : "r"(addr) : "memory");
		break;
	default:
		__asm__ volatile("ldr %0, [%1]" : "+r"(v) : "r"(addr) : "memory");
	}
	return v;
}

void mmio_write(u64 addr, unsigned int size, u64 v)
{
	switch (size) {
	case 1:
		__asm__ volatile("strb %w0, [%1]" : : "r"(v), "r"(addr) : "memory");
		break;
	case 2:
		__asm__ volatile("strh %w0, [%1]" : : "r"(v), "r"(addr) : "memory");
		break;
	case 4:
		__asm__ volatile("str %w0, [%1]" : : "r"(v), "r"(addr) : "memory");
		break;
	default:
		__asm__ volatile("str %0, [%1]" : : "r"(v), "r"(addr) : "memory");
	}
}

u64 ticks(void)
{
	__asm__ volatile("isb" : : : "memory");
	return sysreg_read(cntvct_el0);
}

u64 ticks_of_ms(u64 ms)
{
	return sysreg_read(cntfrq_el0) / 1000 * ms;
}

long psci(u64 function, u64 a, u64 b, u64 c)
{
	register u64 x0 __asm__("x0") = function;
	register u64 x1 __asm__("x1") = a;
	register u64 x2 __asm__("x2") = b;
	register u64 x3 __asm__("x3") = c;

	/* SMCCC 1.0 lets a call change x4 to x17. */
	__asm__ volatile("hvc #0"
			 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
			 :
			 : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
			   "x15", "x16", "x17", "memory");
	/* 32-bit functions return 32 bits. */
	return function >> 30 & 1 ? (long)x0 : (long)(int)x0;
}

long cpu_on(unsigned int cpu)
{
	return psci(PSCI_CPU_ON, machine.mpidr[cpu], (u64)secondary_entry, cpu);
}

void power_off(void)
{
	psci(PSCI_SYSTEM_OFF, 0, 0, 0);
	for (;;)
		wfi();
}

static void die(u64 vector)
{
	print("\nFAIL exception: vector %u esr %lx elr %lx far %lx\n", (unsigned int)vector,
	      sysreg_read(esr_el1), sysreg_read(elr_el1), sysreg_read(far_el1));
	power_off();
}

void exception(u64 vector, struct regs *regs)
{
	enum { SYNC = 4, IRQ = 5 };
	enum { EC_UNKNOWN = 0, EC_INSN_ABORT = 0x21, EC_DATA_ABORT = 0x25 };
	enum { EC_BREAKPOINT = 0x31, EC_WATCHPOINT = 0x35 };
	u64 esr = sysreg_read(esr_el1);
	/* Linux 6.1 sets the bits above ESR's 32 in an abort that it injects. */
	unsigned int class = esr >> 26 & 0x3f;

	if (vector == IRQ) {
		gic_dispatch();
		return;
	}
	if (vector != SYNC || !faults.expected ||
	    (class != EC_DATA_ABORT && class != EC_INSN_ABORT && class != EC_UNKNOWN &&
	     class != EC_BREAKPOINT && class != EC_WATCHPOINT))
		die(vector);
	faults.count++;
	faults.esr = esr;
	faults.far = sysreg_read(far_el1);
	if (class == EC_DATA_ABORT || class == EC_WATCHPOINT)
		sysreg_write(elr_el1, sysreg_read(elr_el1) + 4);
	else /* return from the call that jumped to where no code is, or a breakpoint */
		sysreg_write(elr_el1, regs->x[30]);
}

void boot_main(const void *fdt)
{
	extern char _end[];

	fdt_scan(fdt, &machine);
	if ((const char *)fdt < _end)
		print("FAIL boot: the device tree overlaps the program\n");
	guest();
	print("done\n");
	power_off();
}

__attribute__((weak)) void cpu_main(unsigned int cpu)
{
	(void)cpu;
}

void secondary_main(u64 cpu)
{
	cpu_main(cpu);
	psci(PSCI_CPU_OFF, 0, 0, 0);
	for (;;)
		wfi();
}
