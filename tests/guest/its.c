// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every command of the ITS through its frame, with LPIs counted one by one on each CPU. Needs two
 * CPUs. Boot argument its=user: what a kernel's ITS does not do, too.
 */
#include "tests/guest/lib/its.h"

enum { CPUS = 2, DEVICES = 2, EVENTS = 16, BITS = 4, DEVICE = 8, WIDE = 100, WIDE_BITS = 14 };
/* Collection n is CPU n's at first. */
enum { N = DEVICES * EVENTS, EXTRA = LPI + 1000, COUNTED = 1024 };

static u64 itts[DEVICES][1 << BITS] __attribute__((aligned(256)));
static u64 wide_itt[1 << WIDE_BITS] __attribute__((aligned(256)));
static volatile unsigned int count[CPUS][COUNTED], others;
static volatile bool up, stop;

static unsigned int cpu_index(void)
{
	return sysreg_read(mpidr_el1) & 0xff;
}

static void on_irq(unsigned int intid)
{
	if (intid - LPI < COUNTED)
		count[cpu_index()][intid - LPI]++;
	else
		others++;
}

void cpu_main(unsigned int cpu)
{
	gic_init(cpu);
	irq_enable();
	up = true;
	while (!stop)
		wfi();
}

static unsigned int total(void)
{
	unsigned int n = others;

	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		for (unsigned int i = 0; i < COUNTED; i++)
			n += count[cpu][i];
	return n;
}

static void forget(void)
{
	memset((void *)count, 0, sizeof(count));
	others = 0;
}

static unsigned int lpi_of(unsigned int i)
{
	return LPI + 3 * i;
}

static u32 device_of(unsigned int i)
{
	return DEVICE + i / EVENTS;
}

static void interrupt(unsigned int i)
{
	its_event(INT, device_of(i), i % EVENTS);
}

/* Each event once, one after the other: it comes to that CPU, and nothing else does. */
static void check_each(unsigned int cpu, const char *name)
{
	unsigned int wrong = 0;

	forget();
	for (unsigned int i = 0; i < N; i++) {
		interrupt(i);
		if (!its_sync() || !wait_for(count[cpu][lpi_of(i) - LPI] == 1, 2000))
			wrong++;
	}
	check(!wrong && total() == N, name, "%u of %u are wrong, %u came", wrong, N, total());
}

/* Nothing comes of what was put. */
static void check_none(const char *name)
{
	bool taken;

	forget();
	taken = its_sync();
	wait_for(false, 20);
	check(taken && !total(), name, taken ? "%u came" : "the queue stands still", total());
}

static void check_one(unsigned int cpu, u32 intid, const char *name)
{
	bool taken;

	forget();
	taken = its_sync();
	wait_for(count[cpu][intid - LPI] == 1, 2000);
	check(taken && count[cpu][intid - LPI] == 1 && total() == 1, name,
	      taken ? "%u came, %u of all" : "the queue stands still", count[cpu][intid - LPI],
	      total());
}

/* --- registers --------------------------------------------------------------------------------- */

static void check_registers(void)
{
	u64 baser0 = mmio_read(GITS_BASER0, 8), baser1 = mmio_read(GITS_BASER1, 8);

	check((mmio_read(GITS_TYPER, 8) & 0x3ffff) == 0x1ef71, "GITS_TYPER", "%lx",
	      mmio_read(GITS_TYPER, 8));
	check((r32(GITS_PIDR2) & 0xf0) == 0x30, "GITS_PIDR2", "%x", r32(GITS_PIDR2));
	check((baser0 >> 56 & 7) == 1 && (baser1 >> 56 & 7) == 4, "tables", "%lx %lx", baser0,
	      baser1);
	w32(GITS_CTLR, 1);
	check(!(r32(GITS_CTLR) & 1), "not enabled without tables", "%x", r32(GITS_CTLR));
}

/* --- mapped, moved, unmapped ------------------------------------------------------------------- */

static void map_all(void)
{
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		its_mapc(cpu, cpu, true);
	for (unsigned int d = 0; d < DEVICES; d++)
		its_mapd(DEVICE + d, BITS, (u64)itts[d], true);
	for (unsigned int i = 0; i < N; i++) {
		its_config[lpi_of(i) - LPI] = 0xa0 | LPI_ENABLED;
		its_mapti(device_of(i), i % EVENTS, lpi_of(i), 0);
	}
	check(its_sync(), "mapped", "CREADR %lx", mmio_read(GITS_CREADR, 8));
}

static void check_moves(void)
{
	check_each(0, "each on CPU 0");
	for (unsigned int i = 0; i < N; i++)
		its_movi(device_of(i), i % EVENTS, 1);
	its_sync();
	check_each(1, "each on CPU 1 after MOVI");
	its_movall(1, 0);
	its_sync();
	check_each(0, "each on CPU 0 after MOVALL");
	/* Both ITS agree again where collection 1 is. */
	its_mapc(1, 0, true);
	its_sync();
	check_each(0, "each on CPU 0 after MAPC");
	its_mapc(1, 1, true);
	its_sync();
	check_each(1, "each on CPU 1 after MAPC");
	for (unsigned int i = 0; i < N; i++)
		its_movi(device_of(i), i % EVENTS, i % 2);
	its_sync();
	forget();
	for (unsigned int i = 0; i < N; i++)
		interrupt(i);
	its_sync();
	wait_for(total() == N, 2000);
	for (unsigned int i = 0; i < N; i++)
		others += count[i % 2][lpi_of(i) - LPI] != 1;
	check(total() == N, "half of them on each", "%u", total());
}

static void configure(unsigned int i, bool on)
{
	its_config[lpi_of(i) - LPI] = 0xa0 | on;
}

static void check_config(void)
{
	configure(0, false);
	its_event(INV, DEVICE, 0);
	interrupt(0);
	check_none("INV disables");
	configure(0, true);
	its_event(INV, DEVICE, 0);
	check_one(0, lpi_of(0), "INV enables what is pending");
	for (unsigned int i = 0; i < N; i++)
		configure(i, false);
	its_invall(0);
	its_invall(1);
	interrupt(0);
	interrupt(1);
	check_none("INVALL disables");
	its_event(CLEAR, DEVICE, 1);
	for (unsigned int i = 0; i < N; i++)
		configure(i, true);
	its_invall(0);
	its_invall(1);
	check_one(0, lpi_of(0), "CLEAR clears, INVALL enables");
}

static void check_unmapping(void)
{
	its_event(DISCARD, DEVICE, 2);
	interrupt(2);
	check_none("DISCARD");
	its_mapti(DEVICE, 2, lpi_of(2), 0);
	interrupt(2);
	check_one(0, lpi_of(2), "mapped again");
	its_mapc(0, 0, false);
	interrupt(2);
	check_none("MAPC, V = 0");
	its_mapc(0, 0, true);
	its_mapd(DEVICE, BITS, (u64)itts[0], false);
	interrupt(2);
	check_none("MAPD, V = 0");
	its_mapd(DEVICE, BITS, (u64)itts[0], true);
	its_mapti(DEVICE, 5, lpi_of(5), 2);
	its_event(INT, DEVICE, 5);
	check_none("a collection that is not mapped yet");
	its_mapc(2, 1, true);
	its_event(INT, DEVICE, 5);
	check_one(1, lpi_of(5), "and is then");
	/* Of a mapped device: nothing of it remains. */
	its_mapd(DEVICE, BITS, (u64)itts[0], true);
	its_event(INT, DEVICE, 5);
	check_none("MAPD of a mapped device");
}

static void check_sharing(void)
{
	its_config[EXTRA - LPI] = 0xa0 | LPI_ENABLED;
	its_mapti(DEVICE, 6, EXTRA, 0);
	its_mapti(DEVICE, 7, EXTRA, 0);
	its_event(INT, DEVICE, 6);
	check_one(0, EXTRA, "the first event of an LPI");
	/* Which may be mapped or not: it comes once, or not at all. */
	forget();
	its_event(INT, DEVICE, 7);
	its_sync();
	wait_for(total(), 20);
	check(total() <= 1 && total() == count[0][EXTRA - LPI], "the second", "%u came", total());
	its_event(DISCARD, DEVICE, 6);
	its_event(INT, DEVICE, 6);
	check_none("the first, discarded");
	its_event(DISCARD, DEVICE, 7);
	its_mapti(DEVICE, 7, EXTRA, 0);
	its_event(INT, DEVICE, 7);
	check_one(0, EXTRA, "the second, alone");
	its_mapd(WIDE, WIDE_BITS, (u64)wide_itt, true);
	its_config[EXTRA + 1 - LPI] = 0xa0 | LPI_ENABLED;
	its_put(MAPI | (u64)WIDE << 32, EXTRA + 1, 1, 0);
	its_event(INT, WIDE, EXTRA + 1);
	check_one(1, EXTRA + 1, "MAPI");
}

/* What was pending is gone with its mapping. */
static void check_pending_ends(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		its_config[EXTRA + 2 - LPI] = 0xa0;
		its_mapti(DEVICE, 9, EXTRA + 2, 0);
		its_event(INT, DEVICE, 9);
		if (i)
			its_event(DISCARD, DEVICE, 9);
		else
			its_mapd(DEVICE, BITS, (u64)itts[0], true);
		its_sync();
		its_config[EXTRA + 2 - LPI] = 0xa0 | LPI_ENABLED;
		its_mapti(DEVICE, 9, EXTRA + 2, 0);
		check_none(i ? "DISCARD ends what is pending" : "MAPD ends what is pending");
		its_event(DISCARD, DEVICE, 9);
	}
}

/* --- what a guest may do wrong ----------------------------------------------------------------- */

static void put_errors(void)
{
	for (unsigned int command = 0; command < 256; command++)
		if (command != SYNC && (command < MAPD || command > MAPC))
			its_put(command | 77UL << 32, 77, 77, 77UL << 16);
	its_mapd(DEVICE + 2, 32, (u64)itts[0], true);
	its_put(MAPD | 0xffffffffUL << 32, 3, ITS_VALID, 0);
	its_put(MAPC, 0, ITS_VALID | 77UL << 16, 0);
	its_put(MAPC, 0, ITS_VALID | 0xffffUL, 0);
	its_mapti(DEVICE, 1 << BITS, EXTRA, 0);
	its_mapti(DEVICE, 3, LPI - 1, 0);
	its_mapti(DEVICE, 3, 65536, 0);
	its_movi(DEVICE, 3, 0);
	its_movall(0, 77);
	its_invall(77);
}

static void check_errors(void)
{
	put_errors();
	check_none("errors");
	its_event(INT, DEVICE, 7);
	check_one(0, EXTRA, "goes on behind errors");
}

/* The queue more than once around, in pieces of every size. */
static void check_wrap(void)
{
	enum { LAPS = 3, ENTRIES = QUEUE_SIZE / 32 };
	bool taken = true;
	unsigned int sent = 0;

	forget();
	for (unsigned int n = 1, done = 0; done < LAPS * ENTRIES; done += n, n = n * 3 % 1021 + 1) {
		for (unsigned int i = 0; i < n - 1; i++)
			its_put(SYNC, 0, 0, 0);
		its_event(INT, DEVICE, 7);
		taken &= its_sync();
		sent++;
		taken &= wait_for(count[0][EXTRA - LPI] == sent, 2000);
	}
	check(taken && total() == sent, "around the queue", "%u of %u", total(), sent);
}

static void check_disabled(void)
{
	its_enable(false);
	check(r32(GITS_CTLR) == 1U << 31, "disabled and quiescent", "%x", r32(GITS_CTLR));
	forget();
	its_event(INT, DEVICE, 7);
	its_go();
	wait_for(false, 20);
	check(!total(), "disabled", "%u came", total());
	its_enable(true);
	wait_for(total(), 2000);
	check(its_sync() && total() == 1 && count[0][EXTRA - LPI] == 1, "enabled again", "%u came",
	      total());
}

static void check_bad_queue(void)
{
	u64 good = mmio_read(GITS_CBASER, 8) & 0xffffffff0000UL;

	mmio_write(GITS_CWRITER, 8, 0xfffe0);
	check(its_sync(), "CWRITER beyond the end", "%lx", mmio_read(GITS_CREADR, 8));
	its_enable(false);
	mmio_write(GITS_CBASER, 8, ITS_VALID | 0x3000000000UL | 15);
	its_enable(true);
	mmio_write(GITS_CWRITER, 8, 0x1000);
	check(wait_for(mmio_read(GITS_CREADR, 8) == 0x1000, 5000), "a queue outside RAM", "%lx",
	      mmio_read(GITS_CREADR, 8));
	its_enable(false);
	its_set_queue(good);
	its_enable(true);
	its_event(INT, DEVICE, 7);
	check_one(0, EXTRA, "and back");
}

/* Every word of the frame, in each width, aligned or not; it is none the worse. */
static void check_frame(void)
{
	its_enable(false);
	for (u64 off = 0x98; off < 0x20000; off += off < 0x200 ? 4 : 124)
		for (unsigned int size = 1; size <= 8; size *= 2) {
			u64 at = ALIAS + ITS + off;

			if (off - 0x100 < 16)
				continue;
			mmio_read(at + size % 3, size);
			mmio_write(at, size, ~0UL);
		}
	its_enable(true);
	its_event(INT, DEVICE, 7);
	check_one(0, EXTRA, "the frame after nonsense");
}

void guest(void)
{
	irq_handler = on_irq;
	gic_init(0);
	check_registers();
	its_init();
	irq_enable();
	check(cpu_on(1) == 0 && wait_for(up, 5000), "CPU 1", "it is not there");
	map_all();
	check_moves();
	check_config();
	check_unmapping();
	check_sharing();
	if (arg_is("its", "user"))
		check_pending_ends();
	its_mapti(DEVICE, 7, EXTRA, 0);
	check_errors();
	check_wrap();
	check_disabled();
	check_bad_queue();
	check_frame();
	irq_disable();
	stop = true;
	gic_sgi(1, 1);
}
