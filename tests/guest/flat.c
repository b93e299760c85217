// SPDX-License-Identifier: GPL-2.0-only
/*
 * What kvm-unit-tests' flat binaries expect of who loads them: entry at offset 0, at RAM + 0x80000, the
 * device tree well above the program, arguments verbatim, a text as initrd, and accesses to nothing
 * that go on. Says EXIT: STATUS as they do: code=N becomes N * 2 + 1.
 */
#include "tests/guest/lib/lib.h"

enum { LOAD = RAM + 0x80000, ABOVE = 64 << 10, NOTHING = 0x0b000000 };

extern char _start[], _end[];

static void print_initrd(void)
{
	for (u64 at = machine.initrd; at < machine.initrd_end; at++)
		putc(*(const char *)at);
}

void guest(void)
{
	u64 behind = RAM + machine.ram_size;

	check((u64)_start == LOAD, "loaded", "at %lx", (u64)_start);
	check((u64)machine.fdt >= (u64)_end + ABOVE, "device tree above", "at %lx, end %lx",
	      (u64)machine.fdt, (u64)_end);
	check(machine.initrd >= (u64)_end && machine.initrd_end > machine.initrd &&
		      machine.initrd_end <= behind,
	      "initrd", "%lx to %lx", machine.initrd, machine.initrd_end);
	check(!r32(behind) && !r32(behind + 0xffc), "behind RAM", "something answers");
	w32(NOTHING, 1);
	check(!r32(NOTHING), "nothing there", "something answers");
	print("cpus %u\n", machine.cpus);
	print("params: %s\n", machine.bootargs);
	print_initrd();
	print("EXIT: STATUS=%u\n", (unsigned int)arg_number("code", 0) * 2 + 1);
}
