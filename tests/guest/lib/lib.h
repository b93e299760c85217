/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GUEST_LIB_H
#define GUEST_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the tiny guests stand on. A guest is one file with `void guest(void)`; it reports with
 * ok() and check(), and returning from it prints `done` and powers off. Only the boot CPU prints.
 * Addresses are those of the virt memory map; the device tree says which GIC, how many CPUs and
 * what the boot arguments are.
 */
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

enum {
	GICD = 0x08000000,
	GICC = 0x08010000,
	GICR = 0x080a0000,
	UART = 0x09000000,
	RTC = 0x09010000,
	GPIO = 0x09030000,
	VMGENID = 0x090d0000,
	VIRTIO = 0x0a000000,
	VIRTIO_SLOTS = 32,
	VIRTIO_STRIDE = 0x200,
	RAM = 0x40000000,
	CPUS_MAX = 128,
};
/* The low GiB once more, as normal memory: for unaligned accesses (start.S). */
#define ALIAS 0x4000000000UL

enum {
	INTID_VTIMER = 27,
	INTID_UART = 33,
	INTID_RTC = 34,
	INTID_GPIO = 39,
	INTID_VMGENID = 42,
	INTID_VIRTIO = 48
};

struct machine {
	const void *fdt;
	const char *bootargs;
	unsigned int gic; /* 2 or 3 */
	unsigned int cpus;
	u64 mpidr[CPUS_MAX];
	u64 ram_size;
	u64 initrd, initrd_end; /* 0: none */
};
extern struct machine machine;

void guest(void);
/* Runs on every CPU that cpu_on() starts, which is then off. A guest may define its own. */
void cpu_main(unsigned int cpu);

/* --- registers and time ------------------------------------------------------------------------ */
/* Two levels, so that a name may itself be a macro. */
#define sysreg_read(name) sysreg_read_(name)
#define sysreg_read_(name)                                                  \
	({                                                                  \
		u64 v_;                                                     \
		__asm__ volatile("mrs %0, " #name : "=r"(v_) : : "memory"); \
		v_;                                                         \
	})
#define sysreg_write(name, v) sysreg_write_(name, v)
#define sysreg_write_(name, v) \
	__asm__ volatile("msr " #name ", %0\n\tisb" : : "r"((u64)(v)) : "memory")

/* One load or store of the given width, in a form that leaves a syndrome. */
u64 mmio_read(u64 addr, unsigned int size);
void mmio_write(u64 addr, unsigned int size, u64 v);
static inline u32 r32(u64 addr)
{
	return mmio_read(addr, 4);
}
static inline void w32(u64 addr, u32 v)
{
	mmio_write(addr, 4, v);
}

static inline void barrier(void)
{
	__asm__ volatile("dsb sy" : : : "memory");
}
static inline void wfi(void)
{
	__asm__ volatile("dsb sy\n\twfi" : : : "memory");
}
static inline void irq_enable(void)
{
	__asm__ volatile("msr daifclr, #2\n\tisb" : : : "memory");
}
static inline void irq_disable(void)
{
	__asm__ volatile("msr daifset, #2\n\tisb" : : : "memory");
}

u64 ticks(void); /* the virtual counter */
u64 ticks_of_ms(u64 ms);
/* Spins until `cond` holds or `ms` have passed; gives `cond`. */
#define wait_for(cond, ms)                                   \
	({                                                   \
		u64 end_ = ticks() + ticks_of_ms(ms);        \
		while (!(cond) && ticks() < end_)            \
			__asm__ volatile("" : : : "memory"); \
		(cond);                                      \
	})

/* --- report ------------------------------------------------------------------------------------ */
void putc(char c);
/* %s %c %d %u %x, l for 64 bits, and a width for zero-padded numbers: %08x. */
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void ok(const char *name);
/* Prints `ok NAME` or `FAIL NAME: why`; gives `holds`. */
bool check(bool holds, const char *name, const char *why, ...)
	__attribute__((format(printf, 3, 4)));
void uart_open(void); /* reception on, FIFOs on; printing needs neither */
int getc(void); /* one byte from the UART, waits for it */
size_t getline(char *buf, size_t size); /* without the newline */

/* A boot argument NAME=NUMBER (decimal or 0x), or `none`. */
u64 arg_number(const char *name, u64 none);
bool arg_is(const char *name, const char *value);

/* --- PSCI (DEN0022), by HVC -------------------------------------------------------------------- */
enum {
	PSCI_VERSION = 0x84000000,
	PSCI_CPU_OFF = 0x84000002,
	PSCI_SYSTEM_OFF = 0x84000008,
	PSCI_SYSTEM_RESET = 0x84000009,
	PSCI_FEATURES = 0x8400000a,
};
#define PSCI_CPU_ON	   0xc4000003UL
#define PSCI_AFFINITY_INFO 0xc4000004UL
enum { PSCI_INVALID = -2, PSCI_DENIED = -3, PSCI_ALREADY_ON = -4, PSCI_ON = 0, PSCI_OFF = 1 };

long psci(u64 function, u64 a, u64 b, u64 c);
long cpu_on(unsigned int cpu);
void power_off(void) __attribute__((noreturn));

/* --- exceptions and interrupts ----------------------------------------------------------------- */
/* Aborts, breakpoints and watchpoints that a guest provokes: counted, the instruction is skipped (a jump to
 * nowhere, or to a breakpoint, returns).
 * Without `expected` an exception is a failure and ends the guest. */
struct faults {
	bool expected;
	unsigned int count;
	u64 esr, far; /* of the last one */
};
extern volatile struct faults faults;

/* Called for every interrupt, between acknowledge and end of interrupt. */
extern void (*irq_handler)(unsigned int intid);

void gic_init(unsigned int cpu); /* on each CPU that takes interrupts, the boot CPU first */
/* Enables an interrupt on the calling CPU (`cpu`), SPIs routed to it. */
void gic_enable(unsigned int cpu, unsigned int intid, bool edge);
void gic_sgi(unsigned int to_cpu, unsigned int intid);
/* GICv3: the redistributor's frame of the CPU. */
u64 gic_redistributor(unsigned int cpu);

/* --- start.S ----------------------------------------------------------------------------------- */
void secondary_entry(void);
void boot_main(const void *fdt);
void secondary_main(u64 cpu) __attribute__((noreturn));
struct regs {
	u64 x[31];
};
void exception(u64 vector, struct regs *regs);

/* gic.c's half of exception() */
void gic_dispatch(void);
/* fdt.c */
void fdt_scan(const void *fdt, struct machine *m);

void *memset(void *p, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

#endif
