// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every boot must find the machine as at power-on: RAM beyond the image zero, registers at their
 * reset values, other CPUs off. The guest checks that, dirties all of it, says `ready` and waits
 * for a key: r resets the machine, o powers it off.
 */
#include "tests/guest/lib/lib.h"

enum { SCRATCH = RAM + (32 << 20), SCRATCH_SIZE = 1 << 20 };
enum { UART_IBRD = UART + 0x24, UART_LCR = UART + 0x2c, UART_IMSC = UART + 0x38 };
enum { RTC_MR = RTC + 4, RTC_IMSC = RTC + 0x10, GPIO_DIR = GPIO + 0x400, GPIO_IE = GPIO + 0x410 };
enum { VIRTIO_STATUS = 0x70, VIRTIO_QUEUE_READY = 0x44, GICD_ISENABLER1 = GICD + 0x104 };
enum { GICD_ISPENDR1 = GICD + 0x204, GICD_CTLR = GICD };

static u64 bss[64];

static const struct {
	const char *name;
	u64 addr;
	u32 mask, reset, dirt;
} registers[] = {
	{ "uart ibrd", UART_IBRD, 0xffff, 0, 7 },
	{ "uart lcr", UART_LCR, 0xff, 0, 0x70 },
	{ "uart imsc", UART_IMSC, 0x7ff, 0, 0x10 },
	{ "rtc match", RTC_MR, ~0U, 0, 12345 },
	{ "rtc imsc", RTC_IMSC, 1, 0, 1 },
	{ "gpio direction", GPIO_DIR, 0xff, 0, 0xf0 },
	{ "gpio interrupt enable", GPIO_IE, 0xff, 0, 0x08 },
	{ "gicd enables", GICD_ISENABLER1, ~0U, 0, 0x0f },
	{ "gicd pending", GICD_ISPENDR1, ~0U, 0, 0x100 },
	{ "gicd ctlr", GICD_CTLR, 3, 0, 3 },
};

static void check_ram(void)
{
	unsigned int dirty = 0;
	const volatile u64 *p = (void *)(u64)SCRATCH;

	for (unsigned int i = 0; i < SCRATCH_SIZE / 8; i++)
		dirty += p[i] != 0;
	check(!dirty, "ram is zero", "%u words of %u are not", dirty, SCRATCH_SIZE / 8);
	for (unsigned int i = 0; i < sizeof(bss) / 8; i++)
		dirty += ((volatile u64 *)bss)[i] != 0;
	check(!dirty, "bss is zero", "%u words are not", dirty);
}

static void check_registers(void)
{
	for (unsigned int i = 0; i < sizeof(registers) / sizeof(*registers); i++) {
		u32 v = r32(registers[i].addr) & registers[i].mask;

		check(v == registers[i].reset, registers[i].name, "%x", v);
	}
	check(!(sysreg_read(cntv_ctl_el0) & 3), "timer", "CNTV_CTL %lx", sysreg_read(cntv_ctl_el0));
	for (unsigned int i = 0; i < VIRTIO_SLOTS; i++) {
		u32 v = r32(VIRTIO + i * VIRTIO_STRIDE + VIRTIO_STATUS);

		if (v)
			print("FAIL virtio slot %u: status %x\n", i, v);
	}
}

static void check_cpus(void)
{
	for (unsigned int i = 1; i < machine.cpus; i++) {
		long r = psci(PSCI_AFFINITY_INFO, machine.mpidr[i], 0, 0);

		check(r == PSCI_OFF, "other cpus are off", "cpu %u: %ld", i, r);
	}
}

void cpu_main(unsigned int cpu)
{
	(void)cpu;
	for (;;)
		__asm__ volatile("");
}

static void dirty_all(void)
{
	memset((void *)(u64)SCRATCH, 0xa5, SCRATCH_SIZE);
	memset(bss, 0x5a, sizeof(bss));
	for (unsigned int i = 0; i < sizeof(registers) / sizeof(*registers); i++)
		w32(registers[i].addr, registers[i].dirt);
	sysreg_write(cntv_cval_el0, ticks() + ticks_of_ms(60000));
	sysreg_write(cntv_ctl_el0, 3);
	for (unsigned int i = 0; i < VIRTIO_SLOTS; i++)
		w32(VIRTIO + i * VIRTIO_STRIDE + VIRTIO_STATUS, 3);
	for (unsigned int i = 1; i < machine.cpus; i++)
		cpu_on(i);
}

void guest(void)
{
	print("boot\n");
	check_ram();
	check_registers();
	check_cpus();
	dirty_all();
	uart_open();
	print("ready\n");
	for (;;) {
		int key = getc();

		if (key == 'o')
			return;
		if (key == 'r')
			psci(PSCI_SYSTEM_RESET, 0, 0, 0);
	}
}
