// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <libfdt.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/board.h"
#include "tests/fake/its.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "vmm/core/fdt.h"
#include "vmm/core/json.h"

/* The ITS's registers, its queue as memory, indirect tables, its state, and what it tells people. */

enum { CTLR = 0x0, IIDR = 0x4, TYPER = 0x8, CBASER = 0x80, CWRITER = 0x88, CREADR = 0x90 };
enum { BASER0 = 0x100, BASER1 = 0x108, PIDR2 = 0xffe8, DEV = 8, LPI = 8192 };
#define VALID	  (1ULL << 63)
#define INDIRECT  (1ULL << 62)
#define QUIESCENT (1U << 31)

static struct fake_its f, g;

static void setup(void)
{
	fake_its_init(&f, FAKE_ITS_CPUS);
	fake_its_init(&g, FAKE_ITS_CPUS);
}

static void teardown(void)
{
	fake_its_fini(&f);
	fake_its_fini(&g);
}

static void put(struct its_command cmd)
{
	fake_its_put(&f, &cmd);
}

static void map(unsigned int events)
{
	for (unsigned int cpu = 0; cpu < FAKE_ITS_CPUS; cpu++)
		put(its_mapc_cmd(cpu, cpu, true));
	put(its_mapd_cmd(DEV, 5, true));
	for (unsigned int i = 0; i < events; i++)
		put(its_mapti_cmd(DEV, i, LPI + i, i % 2));
	ck_assert(fake_its_go(&f));
}

static bool is_mapped(struct fake_its *its, uint32_t device, uint32_t event)
{
	uint32_t i, c, si = 1, sc = 1;
	int model = its_translate(its->dev, device, event, &i, &c);
	int sink = fake_its_sent(its, device, event, &si, &sc);

	ck_assert_int_eq(model, sink);
	ck_assert(model || (i == si && c == sc));
	return !model;
}

static uint64_t counter(const char *name)
{
	static char buf[65536];
	struct json_out out;
	const char *at;
	char key[64];

	json_out_init(&out, buf, sizeof(buf));
	json_open(&out, NULL, '{');
	f.dev->ops->debug(f.dev, &out);
	json_close(&out, '}');
	ck_assert(!out.full);
	snprintf(key, sizeof(key), "\"%s: ", name);
	at = strstr(buf, key);
	if (!at) {
		snprintf(key, sizeof(key), "\"%s\":", name);
		at = strstr(buf, key);
	}
	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/* --- registers --------------------------------------------------------------------------------- */

START_TEST(identity)
{
	ck_assert_uint_eq(fake_its_read(&f, TYPER, 8) & 0x3ffff, 0x1ef71);
	ck_assert_uint_eq(fake_its_read(&f, TYPER, 4), 0x1ef71);
	ck_assert_uint_eq(fake_its_read(&f, TYPER + 4, 4), 0);
	ck_assert_uint_eq(fake_its_read(&f, PIDR2, 4) & 0xf0, 0x30);
	ck_assert_uint_eq(fake_its_read(&f, IIDR, 4) & 0xfff, 0x43b);
	ck_assert_uint_eq(fake_its_read(&f, CTLR, 8), 0);
	ck_assert_uint_eq(fake_its_read(&f, ITS_TRANSLATER, 4), 0);
}
END_TEST

/* Fixed fields stay, and a table has to be valid before the ITS is enabled. */
START_TEST(tables)
{
	fake_its_recreate(&f);
	fake_its_write(&f, BASER0, 8, 0);
	ck_assert_uint_eq(fake_its_read(&f, BASER0, 8), 1ULL << 56 | 7ULL << 48 | 2 << 8);
	fake_its_write(&f, BASER0, 8, ~0ULL);
	ck_assert_uint_eq(fake_its_read(&f, BASER0, 8), 0xf9e7fffffffffeffULL);
	fake_its_write(&f, BASER1, 8, ~0ULL);
	ck_assert_uint_eq(fake_its_read(&f, BASER1, 8), 0xbce7fffffffffeffULL);
	for (uint64_t off = 0x110; off < 0x140; off += 8) {
		fake_its_write(&f, off, 8, ~0ULL);
		ck_assert_uint_eq(fake_its_read(&f, off, 8), 0);
	}
	/* Halves. */
	fake_its_write(&f, BASER0, 8, VALID | 0x40100000);
	fake_its_write(&f, BASER0 + 4, 4, 0x80001234);
	ck_assert_uint_eq(fake_its_read(&f, BASER0, 8), 0x8107123440100200ULL);
	fake_its_write(&f, BASER0, 4, 0x40200007);
	ck_assert_uint_eq(fake_its_read(&f, BASER0, 4), 0x40200207);
	fake_its_write(&f, CTLR, 4, 1);
	ck_assert_uint_eq(fake_its_read(&f, CTLR, 4), QUIESCENT);
	fake_its_enable(&f);
	ck_assert_uint_eq(fake_its_read(&f, CTLR, 4), 1 | QUIESCENT);
	/* Not while it is enabled. */
	fake_its_write(&f, BASER0, 8, 0);
	fake_its_write(&f, CBASER, 8, 0);
	ck_assert_uint_eq(fake_its_read(&f, BASER0, 8) >> 63, 1);
	ck_assert_uint_eq(fake_its_read(&f, CBASER, 8) >> 63, 1);
}
END_TEST

/* Widths and alignments that it does not have, and the registers that only read. */
START_TEST(accesses)
{
	uint64_t val;

	map(2);
	for (uint64_t off = 0; off < ITS_SIZE; off += off < 0x200 ? 1 : 37)
		for (unsigned int size = 1; size <= 8; size *= 2) {
			bool taken = size >= 4 && !(off % size);
			uint64_t reg = off & ~7ULL;

			if (off + size > ITS_SIZE)
				continue;
			ck_assert_int_eq(bus_read(&f.bus, FAKE_ITS_BASE + off, size, &val), 0);
			ck_assert(taken || !val);
			if (reg != CTLR && reg != CWRITER)
				fake_its_write(&f, off, size, ~0ULL);
		}
	fake_its_write(&f, IIDR, 4, ~0U);
	fake_its_write(&f, CTLR, 8, 0);
	fake_its_write(&f, CTLR, 2, 0);
	ck_assert_uint_eq(fake_its_read(&f, CTLR, 4), 1 | QUIESCENT);
	ck_assert(is_mapped(&f, DEV, 0) && is_mapped(&f, DEV, 1));
	ck_assert_int_eq(bus_read(&f.bus, FAKE_ITS_BASE + ITS_SIZE, 4, &val), -ENOENT);
}
END_TEST

START_TEST(messages)
{
	struct msi msi = { FAKE_ITS_BASE + ITS_TRANSLATER, 0, DEV };

	map(1);
	ck_assert_int_eq(its_message(f.dev, &msi), 0);
	ck_assert_uint_eq(f.messages, 1);
	msi.data = 1;
	ck_assert_int_eq(its_message(f.dev, &msi), -ENOENT);
	msi = (struct msi){ FAKE_ITS_BASE + ITS_TRANSLATER + 4, 0, DEV };
	ck_assert_int_eq(its_message(f.dev, &msi), -ENXIO);
	/* A CPU's store is no message: who would have sent it? */
	fake_its_write(&f, ITS_TRANSLATER, 4, 0);
	ck_assert_uint_eq(f.messages, 1);
}
END_TEST

/* --- the queue --------------------------------------------------------------------------------- */

START_TEST(wraps)
{
	enum { ENTRIES = FAKE_ITS_QUEUE_SIZE / 32 };
	unsigned int sent = 0;

	map(1);
	for (unsigned int n = 1, all = 0; all < 4 * ENTRIES; all += n, n = n * 7 % 2039 + 1) {
		for (unsigned int i = 0; i < n; i++)
			put(its_event_cmd(0x03, DEV, 0));
		ck_assert(fake_its_go(&f));
		sent += n;
		ck_assert_uint_eq(f.messages, sent);
	}
}
END_TEST

/* At most a batch is done between two looks of the loop at the rest of the machine. */
START_TEST(bounded_batches)
{
	map(1);
	for (unsigned int i = 0; i < ITS_BATCH + 1; i++)
		put(its_event_cmd(0x03, DEV, 0));
	fake_its_write(&f, CWRITER, 8, f.written);
	ck_assert_uint_eq(f.messages, 0);
	loop_poll(f.loop, 0);
	ck_assert_uint_eq(f.messages, ITS_BATCH);
	ck_assert(!(fake_its_read(&f, CTLR, 4) & QUIESCENT));
	loop_poll(f.loop, 0);
	ck_assert_uint_eq(f.messages, ITS_BATCH + 1);
	ck_assert_uint_eq(fake_its_read(&f, CREADR, 8), f.written);
}
END_TEST

START_TEST(outside_ram)
{
	map(1);
	fake_its_write(&f, CTLR, 4, 0);
	/* The last page of RAM, and 15 behind it. */
	fake_its_write(&f, CBASER, 8, VALID | (FAKE_ITS_RAM + FAKE_ITS_RAM_SIZE - 4096) | 15);
	fake_its_write(&f, CTLR, 4, 1);
	fake_its_settle(&f);
	for (unsigned int i = 0; i < 128; i++) {
		const struct its_command cmd = its_event_cmd(0x03, DEV, 0);

		memcpy(f.ram + FAKE_ITS_RAM_SIZE - 4096 + i * 32, &cmd, sizeof(cmd));
	}
	fake_its_write(&f, CWRITER, 8, 0x2000);
	fake_its_settle(&f);
	ck_assert_uint_eq(fake_its_read(&f, CREADR, 8), 0x2000);
	ck_assert_uint_eq(f.messages, 128);
	ck_assert_uint_eq(counter("unreadable"), 128);
}
END_TEST

START_TEST(cwriter_nonsense)
{
	map(1);
	fake_its_write(&f, CTLR, 4, 0);
	fake_its_write(&f, CBASER, 8, VALID | FAKE_ITS_RAM);
	fake_its_write(&f, CTLR, 4, 1);
	ck_assert_uint_eq(fake_its_read(&f, CREADR, 8), 0);
	fake_its_write(&f, CWRITER, 8, 0x1000);
	fake_its_write(&f, CWRITER, 8, 0xfffe0);
	ck_assert_uint_eq(fake_its_read(&f, CWRITER, 8), 0);
	fake_its_write(&f, CWRITER, 8, ~0xfffe0ULL);
	ck_assert_uint_eq(fake_its_read(&f, CWRITER, 8), 0);
	fake_its_write(&f, CWRITER + 4, 4, ~0U);
	fake_its_settle(&f);
	ck_assert_uint_eq(fake_its_read(&f, CREADR, 8), 0);
	fake_its_write(&f, CREADR, 8, 0x20);
	ck_assert_uint_eq(fake_its_read(&f, CREADR, 8), 0);
}
END_TEST

/* Nothing is taken from the queue of a disabled ITS, and all of it when it is enabled again. */
START_TEST(disabled)
{
	map(1);
	fake_its_write(&f, CTLR, 4, 0);
	ck_assert(!(fake_its_read(&f, CTLR, 4) & QUIESCENT));
	fake_its_settle(&f);
	ck_assert_uint_eq(fake_its_read(&f, CTLR, 4), QUIESCENT);
	ck_assert(!f.enabled);
	put(its_event_cmd(0x03, DEV, 0));
	ck_assert(!fake_its_go(&f));
	fake_its_write(&f, CTLR, 4, 1);
	fake_its_settle(&f);
	ck_assert(f.enabled);
	ck_assert_uint_eq(f.messages + f.pending[LPI], 1);
	ck_assert_uint_eq(fake_its_read(&f, CREADR, 8), f.written);
}
END_TEST

/* A queue that is taken away while a batch of it is under way: nothing of that happens. */
START_TEST(changed_meanwhile)
{
	map(1);
	put(its_mapti_cmd(DEV, 3, LPI + 3, 0));
	fake_its_write(&f, CWRITER, 8, f.written);
	fake_its_write(&f, CTLR, 4, 0);
	fake_its_write(&f, CBASER, 8, VALID | FAKE_ITS_RAM | 15);
	fake_its_settle(&f);
	ck_assert(!is_mapped(&f, DEV, 3));
	ck_assert_uint_eq(fake_its_read(&f, CREADR, 8), 0);
}
END_TEST

/* While the machine ends nobody can be parked; nothing is lost by trying. */
START_TEST(cannot_hold)
{
	map(1);
	f.hold_err = -ECANCELED;
	put(its_mapti_cmd(DEV, 3, LPI + 3, 0));
	ck_assert(!fake_its_go(&f));
	ck_assert(!is_mapped(&f, DEV, 3));
	f.hold_err = 0;
	ck_assert(fake_its_go(&f));
	ck_assert(is_mapped(&f, DEV, 3));
}
END_TEST

/* --- tables of the guest's --------------------------------------------------------------------- */

/* A first level of one page: entries of two pages for the devices 0 to 16383, of which the second
 * page is not valid, the third is outside RAM. */
START_TEST(indirect)
{
	const uint64_t entries[] = { VALID | (FAKE_ITS_RAM + 0x110000), FAKE_ITS_RAM + 0x120000,
				     VALID | 0x3000000000ULL, VALID | (FAKE_ITS_RAM + 0x120000) };
	static const struct {
		uint32_t device;
		bool ok;
	} rows[] = { { 0, true },      { 8191, true },	 { 8192, false }, { 16383, false },
		     { 16384, false }, { 24575, false }, { 24576, true }, { 32767, true },
		     { 32768, false }, { 65535, false }, { 65536, false } };

	fake_its_write(&f, CTLR, 4, 0);
	memcpy(f.ram + 0x100000, entries, sizeof(entries));
	fake_its_write(&f, BASER0, 8, VALID | INDIRECT | (FAKE_ITS_RAM + 0x100000));
	fake_its_write(&f, CTLR, 4, 1);
	put(its_mapc_cmd(0, 0, true));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put(its_mapd_cmd(rows[i].device, 1, true));
		put(its_mapti_cmd(rows[i].device, 0, LPI + (uint32_t)i, 0));
		ck_assert(fake_its_go(&f));
		ck_assert_msg(is_mapped(&f, rows[i].device, 0) == rows[i].ok, "%u", rows[i].device);
	}
	/* The first level itself outside RAM. */
	fake_its_write(&f, CTLR, 4, 0);
	fake_its_write(&f, BASER0, 8, VALID | INDIRECT | 0x3000000000ULL);
	fake_its_write(&f, CTLR, 4, 1);
	put(its_mapd_cmd(1, 1, true));
	ck_assert(fake_its_go(&f));
	ck_assert_uint_eq(counter("E_ITS_MAPD_DEVICE_OOR"), 8);
}
END_TEST

START_TEST(flat_outside_ram)
{
	fake_its_write(&f, CTLR, 4, 0);
	/* One page of table in RAM, seven behind it. */
	fake_its_write(&f, BASER0, 8, VALID | (FAKE_ITS_RAM + FAKE_ITS_RAM_SIZE - 0x10000) | 7);
	fake_its_write(&f, CTLR, 4, 1);
	put(its_mapd_cmd(8191, 1, true));
	put(its_mapd_cmd(8192, 1, true));
	ck_assert(fake_its_go(&f));
	ck_assert_uint_eq(counter("E_ITS_MAPD_DEVICE_OOR"), 1);
}
END_TEST

/* A table that becomes invalid takes along what it held; the other's is told anew. */
START_TEST(table_taken_away)
{
	map(2);
	fake_its_write(&f, CTLR, 4, 0);
	fake_its_write(&f, BASER1, 8, 0);
	fake_its_settle(&f);
	ck_assert(!is_mapped(&f, DEV, 0));
	fake_its_write(&f, BASER1, 8, VALID | (FAKE_ITS_RAM + FAKE_ITS_COLLECTIONS));
	fake_its_write(&f, CTLR, 4, 1);
	put(its_mapc_cmd(0, 1, true));
	put(its_mapti_cmd(DEV, 9, LPI + 9, 0));
	ck_assert(fake_its_go(&f));
	ck_assert(!is_mapped(&f, DEV, 0) && is_mapped(&f, DEV, 9));
	fake_its_write(&f, CTLR, 4, 0);
	fake_its_write(&f, BASER0, 8, 0);
	fake_its_settle(&f);
	ck_assert(!is_mapped(&f, DEV, 9));
	fake_its_write(&f, BASER0, 8, VALID | (FAKE_ITS_RAM + FAKE_ITS_DEVICES));
	fake_its_write(&f, CTLR, 4, 1);
	put(its_mapd_cmd(DEV, 1, true));
	put(its_mapti_cmd(DEV, 0, LPI, 0));
	ck_assert(fake_its_go(&f));
	ck_assert(is_mapped(&f, DEV, 0));
}
END_TEST

/* However a guest strews its events, this much of the host's memory is its. */
START_TEST(bounded_memory)
{
	put(its_mapc_cmd(0, 0, true));
	for (uint32_t device = 0; device < 48; device++) {
		put(its_mapd_cmd(device, 16, true));
		for (uint32_t event = 0; event < 65536; event += 32) {
			put(its_mapti_cmd(device, event, LPI, 0));
			put(its_event_cmd(0x0f, device, event));
			if (event % 1024 == 0)
				ck_assert(fake_its_go(&f));
		}
	}
	ck_assert(fake_its_go(&f));
	ck_assert_uint_gt(counter("no room"), 1000);
	ck_assert_uint_le(counter("bytes"), 64 << 20);
	ck_assert_uint_gt(counter("bytes"), 63 << 20);
	/* What is given back can be had again. */
	put(its_mapd_cmd(0, 16, false));
	put(its_mapti_cmd(47, 65535, LPI, 0));
	ck_assert(fake_its_go(&f));
	ck_assert(is_mapped(&f, 47, 65535));
}
END_TEST

/* --- threads ----------------------------------------------------------------------------------- */

static atomic_bool done;

/* As a vCPU's thread: commands, polls, off and on again. What it writes to is not read meanwhile. */
static void *drive(void *arg)
{
	(void)arg;
	for (unsigned int round = 0; round < 300; round++) {
		for (unsigned int i = 0; i < 1 + round % 20; i++) {
			const struct its_command cmds[] = {
				its_mapti_cmd(DEV, i, LPI + i, i % FAKE_ITS_CPUS),
				its_movi_cmd(DEV, i, round % FAKE_ITS_CPUS),
				its_event_cmd(0x0c, DEV, i),
				its_invall_cmd(round % FAKE_ITS_CPUS),
				its_event_cmd(0x0f, DEV, i),
				its_movall_cmd(round % FAKE_ITS_CPUS, i % FAKE_ITS_CPUS),
			};

			fake_its_put(&f, &cmds[(round + i) % 6]);
		}
		fake_its_write(&f, CWRITER, 8, f.written);
		if (round % 50 == 49) {
			fake_its_write(&f, CTLR, 4, 0);
			fake_its_write(&f, CTLR, 4, 1);
		}
		while (fake_its_read(&f, CREADR, 8) != f.written)
			sched_yield();
	}
	done = true;
	return NULL;
}

/* The loop and a vCPU at once, for the sanitizer that looks for races. */
START_TEST(threads)
{
	pthread_t vcpu;

	map(0);
	done = false;
	ck_assert_int_eq(pthread_create(&vcpu, NULL, drive, NULL), 0);
	while (!done)
		loop_poll(f.loop, 1);
	pthread_join(vcpu, NULL);
	fake_its_settle(&f);
	for (unsigned int i = 0; i < 20; i++)
		is_mapped(&f, DEV, i);
	ck_assert(f.enabled);
}
END_TEST

/* --- state ------------------------------------------------------------------------------------- */

static void fill(void)
{
	map(20);
	put(its_mapd_cmd(65535, 16, true));
	put(its_mapd_cmd(3, 1, true));
	for (unsigned int i = 0; i < 300; i++)
		put(its_mapti_cmd(65535, i * 211, LPI + 1000 + i, 2));
	put(its_mapti_cmd(3, 1, LPI + 2000, 77));
	put(its_mapc_cmd(1, 1, false));
	put(its_movi_cmd(DEV, 0, 3));
	ck_assert(fake_its_go(&f));
}

START_TEST(round_trip)
{
	struct stream saved;

	fill();
	saved = device_saved(f.dev);
	memcpy(g.ram, f.ram, FAKE_ITS_RAM_SIZE);
	ck_assert_int_eq(device_load(g.dev, saved.buf, saved.len), 0);
	board_same(f.dev, g.dev);
	ck_assert(g.enabled);
	for (unsigned int i = 0; i < 20; i++)
		ck_assert_int_eq(is_mapped(&g, DEV, i), is_mapped(&f, DEV, i));
	for (unsigned int i = 0; i < 300; i++)
		ck_assert(is_mapped(&g, 65535, i * 211));
	ck_assert(!is_mapped(&g, 3, 1) && !is_mapped(&g, DEV, 1) && is_mapped(&g, DEV, 0));
	/* It goes on where it was, in the queue, too. */
	g.written = f.written;
	const struct its_command cmd = its_mapc_cmd(77, 2, true);

	fake_its_put(&g, &cmd);
	ck_assert(fake_its_go(&g));
	ck_assert(is_mapped(&g, 3, 1));
	stream_close(&saved);
}
END_TEST

/* Commands that were waiting are done where it goes on. */
START_TEST(saved_with_commands_waiting)
{
	struct stream saved;

	map(1);
	put(its_mapti_cmd(DEV, 3, LPI + 3, 0));
	fake_its_write(&f, CWRITER, 8, f.written);
	saved = device_saved(f.dev);
	memcpy(g.ram, f.ram, FAKE_ITS_RAM_SIZE);
	ck_assert_int_eq(device_load(g.dev, saved.buf, saved.len), 0);
	fake_its_settle(&g);
	ck_assert(is_mapped(&g, DEV, 3));
	stream_close(&saved);
}
END_TEST

START_TEST(disabled_is_saved)
{
	struct stream saved;

	map(1);
	fake_its_write(&f, CTLR, 4, 0);
	fake_its_settle(&f);
	saved = device_saved(f.dev);
	ck_assert_int_eq(device_load(g.dev, saved.buf, saved.len), 0);
	ck_assert(!g.enabled && is_mapped(&g, DEV, 0));
	stream_close(&saved);
}
END_TEST

START_TEST(cut_short)
{
	map(3);
	board_truncate(f.dev, g.dev);
}
END_TEST

/* Each byte altered: refused, or as consistent as any. The sink aborts otherwise. */
START_TEST(altered)
{
	struct stream saved;
	unsigned int refused = 0;

	map(5);
	saved = device_saved(f.dev);
	for (size_t at = 0; at < saved.len; at++) {
		static const uint8_t masks[] = { 1, 0x80, 0xff };

		for (size_t i = 0; i < sizeof(masks); i++) {
			saved.buf[at] ^= masks[i];
			refused += device_load(g.dev, saved.buf, saved.len) != 0;
			saved.buf[at] ^= masks[i];
			fake_its_settle(&g);
		}
	}
	ck_assert_uint_gt(refused, saved.len);
	ck_assert_int_eq(device_load(g.dev, saved.buf, saved.len), 0);
	board_same(f.dev, g.dev);
	stream_close(&saved);
}
END_TEST

START_TEST(reset)
{
	struct stream initial, after;

	fake_its_recreate(&g);
	initial = device_saved(g.dev);
	fill();
	put(its_event_cmd(0x03, DEV, 0));
	fake_its_write(&f, CWRITER, 8, f.written);
	f.messages = 0;
	board_reset(f.dev);
	fake_its_settle(&f);
	ck_assert_uint_eq(f.messages, 0);
	after = device_saved(f.dev);
	ck_assert_uint_eq(after.len, initial.len);
	ck_assert_mem_eq(after.buf, initial.buf, after.len);
	stream_close(&initial);
	stream_close(&after);
}
END_TEST

/* A host that refuses what it is told: the machine goes on, and it is said. */
START_TEST(sink_refuses)
{
	struct stream saved;

	map(1);
	f.apply_err = -EIO;
	put(its_mapti_cmd(DEV, 3, LPI + 3, 0));
	ck_assert(fake_its_go(&f));
	saved = device_saved(f.dev);
	g.apply_err = -EIO;
	ck_assert_int_eq(device_load(g.dev, saved.buf, saved.len), -EIO);
	stream_close(&saved);
}
END_TEST

/* --- for others -------------------------------------------------------------------------------- */

START_TEST(describes)
{
	struct fdt fdt;
	void *blob;
	uint32_t size;
	int node;

	ck_assert_int_eq(dt_create(&fdt), 0);
	its_describe(f.dev, &fdt);
	ck_assert_int_eq(dt_finish(&fdt, &blob, &size), 0);
	node = fdt_path_offset(blob, "/msi-controller@8080000");
	ck_assert_int_ge(node, 0);
	ck_assert_str_eq(fdt_getprop(blob, node, "compatible", NULL), "arm,gic-v3-its");
	ck_assert_uint_eq(fdt_get_phandle(blob, node), FDT_PHANDLE_MSI);
	free(blob);
}
END_TEST

static void debug_text(char *buf, size_t size)
{
	struct json_out out;

	json_out_init(&out, buf, size);
	json_open(&out, NULL, '{');
	f.dev->ops->debug(f.dev, &out);
	json_close(&out, '}');
	ck_assert(!out.full);
}

START_TEST(tells_people)
{
	static char buf[65536];
	struct json_object obj;

	map(3);
	put(its_mapc_cmd(1, 1, false));
	put(its_event_cmd(0x0c, DEV, 31));
	put(its_mapd_cmd(DEV + 1, 4, true));
	put(its_mapd_cmd(DEV + 1, 4, true));
	ck_assert(fake_its_go(&f));
	debug_text(buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, "\"0: cpu 0, events 2\""));
	ck_assert_ptr_nonnull(strstr(buf, "\"event 1: LPI 8193, no collection\""));
	ck_assert_ptr_nonnull(strstr(buf, "\"event 2: LPI 8194, collection 0\""));
	ck_assert_ptr_nonnull(strstr(buf, "\"E_ITS_INV_UNMAPPED_INTERRUPT: 1\""));
	ck_assert_ptr_nonnull(strstr(buf, "\"remapped_devices\":1"));
	ck_assert_int_eq(json_parse(buf, &obj), 0);
	ck_assert_uint_le(obj.n, 20);
	fill();
	debug_text(buf, sizeof(buf));
	ck_assert_int_eq(json_parse(buf, &obj), 0);
}
END_TEST

START_TEST(bad_creation)
{
	struct device *again = NULL;
	struct fail fail = { 0 };

	ck_assert_int_eq(its_create(&f.dev->env, &f.cfg, &again, &fail), -EEXIST);
	ck_assert_int_eq(fail.code, EXIT_HOST);
	ck_assert_ptr_null(again);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		identity,
		tables,
		accesses,
		messages,
		wraps,
		bounded_batches,
		outside_ram,
		cwriter_nonsense,
		disabled,
		changed_meanwhile,
		cannot_hold,
		indirect,
		flat_outside_ram,
		table_taken_away,
		bounded_memory,
		threads,
		round_trip,
		saved_with_commands_waiting,
		disabled_is_saved,
		cut_short,
		altered,
		reset,
		sink_refuses,
		describes,
		tells_people,
		bad_creation,
	};
	Suite *suite = suite_create("its_frame");
	TCase *tc = tcase_create("its");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
