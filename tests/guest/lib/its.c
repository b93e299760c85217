// SPDX-License-Identifier: GPL-2.0-only
#include "tests/guest/lib/its.h"

enum { PAGE = 0x10000, GICR_CTLR = 0x0, GICR_PROPBASER = 0x70, GICR_PENDBASER = 0x78 };
enum { CPUS = 4, ID_BITS = 16, COMMAND = 32 };
#define QUIESCENT (1U << 31)

static u64 queue[QUEUE_SIZE / 8] __attribute__((aligned(PAGE)));
static u8 devices[PAGE] __attribute__((aligned(PAGE)));
static u8 collections[PAGE] __attribute__((aligned(PAGE)));
static u8 pending[CPUS][PAGE] __attribute__((aligned(PAGE)));
volatile u8 its_config[LPIS] __attribute__((aligned(PAGE)));

/* `taken`: GITS_CREADR as it was read last. */
static u64 written, taken, base;

void its_set_queue(u64 at)
{
	base = at;
	written = taken = 0;
	mmio_write(GITS_CBASER, 8, ITS_VALID | at | (QUEUE_SIZE / 4096 - 1));
}

void its_enable(bool on)
{
	w32(GITS_CTLR, on);
	if (!on)
		wait_for(r32(GITS_CTLR) & QUIESCENT, 5000);
}

void its_init(void)
{
	for (unsigned int cpu = 0; cpu < machine.cpus && cpu < CPUS; cpu++) {
		u64 rd = gic_redistributor(cpu);

		mmio_write(rd + GICR_PROPBASER, 8, (u64)its_config | (ID_BITS - 1));
		mmio_write(rd + GICR_PENDBASER, 8, (u64)pending[cpu] | 1UL << 62);
		w32(rd + GICR_CTLR, 1);
	}
	mmio_write(GITS_BASER0, 8,
		   ITS_VALID | (u64)devices | 2 << 8 | (sizeof(devices) / PAGE - 1));
	mmio_write(GITS_BASER1, 8, ITS_VALID | (u64)collections | 2 << 8);
	its_set_queue((u64)queue);
	its_enable(true);
}

void its_go(void)
{
	barrier();
	mmio_write(GITS_CWRITER, 8, written);
}

static u64 next(void)
{
	return (written + COMMAND) % QUEUE_SIZE;
}

void its_put(u64 w0, u64 w1, u64 w2, u64 w3)
{
	volatile u64 *cmd = (u64 *)(base + written);

	if (taken == next()) {
		its_go();
		wait_for((taken = mmio_read(GITS_CREADR, 8)) != next(), 10000);
	}
	cmd[0] = w0;
	cmd[1] = w1;
	cmd[2] = w2;
	cmd[3] = w3;
	written = next();
}

bool its_sync(void)
{
	its_go();
	return wait_for((taken = mmio_read(GITS_CREADR, 8)) == written, 10000);
}

void its_mapd(u32 device, unsigned int bits, u64 itt, bool valid)
{
	its_put(MAPD | (u64)device << 32, bits - 1, itt | (u64)valid << 63, 0);
}

void its_mapc(u32 collection, u32 cpu, bool valid)
{
	its_put(MAPC, 0, collection | (u64)cpu << 16 | (u64)valid << 63, 0);
}

void its_mapti(u32 device, u32 event, u32 intid, u32 collection)
{
	its_put(MAPTI | (u64)device << 32, event | (u64)intid << 32, collection, 0);
}

void its_event(unsigned int command, u32 device, u32 event)
{
	its_put(command | (u64)device << 32, event, 0, 0);
}

void its_movi(u32 device, u32 event, u32 collection)
{
	its_put(MOVI | (u64)device << 32, event, collection, 0);
}

void its_movall(u32 from, u32 to)
{
	its_put(MOVALL, 0, (u64)from << 16, (u64)to << 16);
}

void its_invall(u32 collection)
{
	its_put(INVALL, 0, collection, 0);
}
