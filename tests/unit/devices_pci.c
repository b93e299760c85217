// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <libfdt.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include "devices/pci.h"
#include "tests/fake/board.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "vmm/core/fdt.h"

enum { WINDOW_SIZE = 0x1000000, FUNCS = 5, VECTORS = 40, BAR_SIZE = 0x4000, MSIX_BAR = 1 };
#define WINDOW 0x10000000ULL

/* A function that remembers what is done to it. */
struct probe {
	struct device dev;
	struct pci_func func;
	unsigned int reads, writes, moves;
	uint64_t off, val;
	unsigned int size;
};

static struct board board;
static struct device *bridge;
static struct fake_irq lines[PCI_LINES];
static struct probe probes[FUNCS];
static struct irqchip chip;
static struct msi sent[64];
static unsigned int nsent;

static int chip_message(struct irqchip *c, const struct msi *msi)
{
	(void)c;
	ck_assert_uint_lt(nsent, 64);
	sent[nsent++] = *msi;
	return 0;
}

static uint64_t probe_read(struct pci_func *func, unsigned int bar, uint64_t off, unsigned int size)
{
	struct probe *p = container_of(func, struct probe, func);

	ck_assert_uint_eq(bar, 0);
	ck_assert_int_eq(pthread_mutex_trylock(&p->dev.lock), EBUSY);
	p->reads++;
	p->off = off;
	p->size = size;
	return p->val;
}

static void probe_write(struct pci_func *func, unsigned int bar, uint64_t off, unsigned int size,
			uint64_t val)
{
	struct probe *p = container_of(func, struct probe, func);

	ck_assert_uint_eq(bar, 0);
	p->writes++;
	p->off = off;
	p->size = size;
	p->val = val;
}

static void probe_moved(struct pci_func *func, unsigned int bar)
{
	(void)bar;
	container_of(func, struct probe, func)->moves++;
}

static const struct pci_func_ops probe_ops = {
	.read = probe_read,
	.write = probe_write,
	.moved = probe_moved,
};

static const struct device_ops no_ops;

static int add_probe(struct probe *p)
{
	static const struct pci_ids ids = { 0x1af4, 0x1041, 0x1af4, 0x40, 0x020000, 1 };
	static const uint8_t body[] = { 8, 1, 2, 3, 4, 5 };

	memset(p, 0, sizeof(*p));
	device_init(&p->dev, &no_ops, "probe", &board.env);
	pci_func_init(&p->func, &probe_ops, &p->dev, &ids);
	pci_func_bar(&p->func, 0, BAR_SIZE);
	pci_func_cap(&p->func, PCI_CAP_ID_VNDR, body, 2 + sizeof(body));
	if (pci_func_msix(&p->func, MSIX_BAR, VECTORS))
		return -ENOMEM;
	return pci_func_attach(&p->func, pci_bus(bridge));
}

static void setup(void)
{
	static const struct irqchip_ops chip_ops = { .message = chip_message };
	struct pci_config cfg = { WINDOW, WINDOW_SIZE, &chip };
	struct fail fail = { 0 };

	board_init(&board);
	chip.ops = &chip_ops;
	chip.takes_messages = true;
	nsent = 0;
	board.env.irq.spi = 3;
	ck_assert_int_eq(pci_create(&board.env, &cfg, &bridge, &fail), 0);
	for (unsigned int i = 0; i < PCI_LINES; i++) {
		struct irq *irq = pci_irq(bridge, i);

		ck_assert(!irq->edge && irq->spi == 3 + i);
		*irq = fake_irq(&lines[i]);
	}
	for (unsigned int i = 0; i < FUNCS; i++)
		ck_assert_int_eq(add_probe(&probes[i]), 0);
}

static void teardown(void)
{
	for (unsigned int i = 0; i < FUNCS; i++) {
		pci_func_fini(&probes[i].func);
		device_fini(&probes[i].dev);
	}
	board_fini(&board, bridge);
}

/* --- as the guest does it --------------------------------------------------------------------- */

static uint64_t config(unsigned int slot, unsigned int reg)
{
	return (uint64_t)slot << 15 | reg;
}

static uint32_t get(unsigned int slot, unsigned int reg, unsigned int size)
{
	return (uint32_t)board_read(&board, config(slot, reg), size);
}

static void set(unsigned int slot, unsigned int reg, unsigned int size, uint32_t val)
{
	board_write(&board, config(slot, reg), size, val);
}

static void place(unsigned int slot, unsigned int bar, uint32_t addr)
{
	set(slot, PCI_BASE_ADDRESS_0 + 4 * bar, 4, addr);
}

static void enable(unsigned int slot)
{
	set(slot, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static uint64_t mem(uint64_t addr, unsigned int size)
{
	uint64_t val;

	ck_assert_int_eq(bus_read(&board.bus, addr, size, &val), 0);
	return val;
}

static void put(uint64_t addr, unsigned int size, uint64_t val)
{
	ck_assert_int_eq(bus_write(&board.bus, addr, size, val), 0);
}

static unsigned int find_cap(unsigned int slot, uint8_t id)
{
	unsigned int at = get(slot, PCI_CAPABILITY_LIST, 1);

	while (at && get(slot, at, 1) != id)
		at = get(slot, at + 1, 1);
	return at;
}

/* --- configuration space ---------------------------------------------------------------------- */

START_TEST(test_enumeration)
{
	ck_assert_uint_eq(get(0, PCI_VENDOR_ID, 4), UINT32_MAX);
	for (unsigned int slot = 1; slot <= FUNCS; slot++) {
		ck_assert_uint_eq(get(slot, PCI_VENDOR_ID, 4), 0x10411af4);
		ck_assert_uint_eq(get(slot, PCI_VENDOR_ID, 2), 0x1af4);
		ck_assert_uint_eq(get(slot, PCI_CLASS_REVISION, 4), 0x02000001);
		ck_assert_uint_eq(get(slot, PCI_HEADER_TYPE, 1), 0);
		ck_assert_uint_eq(get(slot, PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
		ck_assert_uint_eq(get(slot, PCI_INTERRUPT_PIN, 1), 1);
	}
	ck_assert_uint_eq(get(FUNCS + 1, PCI_VENDOR_ID, 4), UINT32_MAX);
	ck_assert_uint_eq(get(FUNCS + 1, PCI_VENDOR_ID, 1), 0xff);
	/* Other functions of a slot; extended configuration space. */
	ck_assert_uint_eq(board_read(&board, config(1, 0) | 1 << 12, 4), UINT32_MAX);
	ck_assert_uint_eq(get(1, 0x100, 4), 0);
	set(FUNCS + 1, PCI_COMMAND, 2, 7);
}
END_TEST

START_TEST(test_capabilities)
{
	unsigned int vendor = find_cap(1, PCI_CAP_ID_VNDR), msix = find_cap(1, PCI_CAP_ID_MSIX);

	ck_assert_uint_ne(vendor, 0);
	ck_assert_uint_eq(get(1, vendor + 2, 2), 0x0108);
	ck_assert_uint_ne(msix, 0);
	ck_assert_uint_eq(get(1, msix + PCI_MSIX_FLAGS, 2), VECTORS - 1);
	ck_assert_uint_eq(get(1, msix + PCI_MSIX_TABLE, 4), MSIX_BAR);
	ck_assert_uint_eq(get(1, msix + PCI_MSIX_PBA, 4), 0x800 | MSIX_BAR);
}
END_TEST

/* What is not for the guest to write stays; every byte, at every width. */
START_TEST(test_read_only)
{
	struct pci_func *func = &probes[0].func;

	for (unsigned int size = 1; size <= 4; size *= 2)
		for (unsigned int reg = 0; reg < PCI_CONFIG_SIZE; reg += size) {
			set(1, reg, size, UINT32_MAX);
			set(1, reg, size, 0);
		}
	ck_assert_mem_eq(func->config, func->initial, PCI_CONFIG_SIZE);
	set(1, PCI_COMMAND, 2, 0xffff);
	ck_assert_uint_eq(get(1, PCI_COMMAND, 2),
			  PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
}
END_TEST

START_TEST(test_sizing)
{
	static const uint32_t sizes[PCI_BARS] = { BAR_SIZE, PCI_MSIX_SIZE };

	for (unsigned int bar = 0; bar < PCI_BARS; bar++) {
		place(1, bar, UINT32_MAX);
		ck_assert_uint_eq(get(1, PCI_BASE_ADDRESS_0 + 4 * bar, 4), -sizes[bar]);
		place(1, bar, 0);
	}
}
END_TEST

/* --- BARs ------------------------------------------------------------------------------------- */

START_TEST(test_relocation)
{
	struct probe *p = &probes[0];

	p->val = 0x1122334455667788;
	place(1, 0, WINDOW + 0x8000);
	ck_assert_uint_eq(mem(WINDOW + 0x8000, 4), UINT32_MAX);
	enable(1);
	ck_assert_uint_eq(p->moves, 1);
	ck_assert_uint_eq(mem(WINDOW + 0x8010, 8), 0x1122334455667788);
	ck_assert_uint_eq(p->off, 0x10);
	put(WINDOW + 0x8000 + BAR_SIZE - 2, 2, 0xabcd);
	ck_assert(p->off == BAR_SIZE - 2 && p->size == 2 && p->val == 0xabcd);
	place(1, 0, WINDOW + WINDOW_SIZE - BAR_SIZE);
	ck_assert_uint_eq(p->moves, 2);
	ck_assert_uint_eq(mem(WINDOW + 0x8010, 4), UINT32_MAX);
	ck_assert_uint_eq(mem(WINDOW + WINDOW_SIZE - 1, 1), 0xcd);
	/* Outside the window it is nowhere: over RAM, over other devices, at the edges. */
	place(1, 0, 0x40000000);
	ck_assert_uint_eq(p->func.bars[0].addr, PCI_NOWHERE);
	place(1, 0, BOARD_BASE);
	ck_assert_uint_eq(p->func.bars[0].addr, PCI_NOWHERE);
	ck_assert_uint_eq(get(0, 0, 4), UINT32_MAX);
	place(1, 0, WINDOW - BAR_SIZE);
	ck_assert_uint_eq(p->func.bars[0].addr, PCI_NOWHERE);
	place(1, 0, WINDOW + WINDOW_SIZE);
	ck_assert_uint_eq(p->func.bars[0].addr, PCI_NOWHERE);
	/* Decoding off. */
	place(1, 0, WINDOW);
	set(1, PCI_COMMAND, 2, 0);
	ck_assert_uint_eq(p->func.bars[0].addr, PCI_NOWHERE);
}
END_TEST

START_TEST(test_overlap)
{
	probes[0].val = 1;
	probes[1].val = 2;
	for (unsigned int slot = 1; slot <= 2; slot++) {
		place(slot, 0, WINDOW);
		enable(slot);
	}
	ck_assert_uint_eq(mem(WINDOW, 4), 1);
	place(1, 0, WINDOW + BAR_SIZE);
	ck_assert_uint_eq(mem(WINDOW, 4), 2);
	ck_assert_uint_eq(mem(WINDOW + BAR_SIZE, 4), 1);
	/* Across the end of one BAR: nobody's. */
	put(WINDOW + 2 * BAR_SIZE - 4, 8, 5);
	ck_assert_uint_eq(probes[0].writes, 0);
}
END_TEST

/* --- MSI-X ------------------------------------------------------------------------------------ */

#define TABLE (WINDOW + 0x10000)

static void msix_on(uint16_t flags)
{
	place(1, MSIX_BAR, TABLE);
	enable(1);
	set(1, find_cap(1, PCI_CAP_ID_MSIX) + PCI_MSIX_FLAGS, 2, flags);
}

static void entry(unsigned int i, uint64_t addr, uint32_t data, uint32_t masked)
{
	put(TABLE + 16 * i, 4, (uint32_t)addr);
	put(TABLE + 16 * i + 4, 4, addr >> 32);
	put(TABLE + 16 * i + 8, 4, data);
	put(TABLE + 16 * i + 12, 4, masked);
}

START_TEST(test_msix)
{
	struct pci_func *func = &probes[0].func;

	pci_msix_fire(func, 0);
	msix_on(PCI_MSIX_FLAGS_ENABLE);
	ck_assert_uint_eq(nsent, 0);
	for (unsigned int i = 0; i < VECTORS; i++) {
		ck_assert_uint_eq(mem(TABLE + 16 * i + 12, 4), 1);
		entry(i, 0x8080040ULL + ((uint64_t)i << 32), 100 + i, 0);
	}
	for (unsigned int i = 0; i < VECTORS; i++) {
		pci_msix_fire(func, i);
		ck_assert_uint_eq(nsent, i + 1);
		ck_assert_uint_eq(sent[i].addr, 0x8080040ULL + ((uint64_t)i << 32));
		ck_assert(sent[i].data == 100 + i && sent[i].device == 1 << 3);
	}
	pci_msix_fire(func, VECTORS);
	pci_msix_fire(func, UINT32_MAX);
	ck_assert_uint_eq(nsent, VECTORS);
	ck_assert_uint_eq(mem(TABLE + 16 * 3, 8), 0x308080040);
	/* Beyond the table, in the pending bits, narrow, half an entry: nothing happens. */
	put(TABLE + 16 * VECTORS, 8, UINT64_MAX);
	put(TABLE + 0x800, 8, UINT64_MAX);
	put(TABLE, 2, 0xffff);
	put(TABLE + 0xff8, 8, UINT64_MAX);
	ck_assert_uint_eq(mem(TABLE + 16 * VECTORS, 8), 0);
	ck_assert_uint_eq(mem(TABLE + 0x800, 8), 0);
	ck_assert_uint_eq(mem(TABLE, 4), 0x8080040);
	ck_assert_uint_eq(mem(TABLE, 1), 0);
}
END_TEST

START_TEST(test_msix_masks)
{
	struct pci_func *func = &probes[0].func;

	msix_on(PCI_MSIX_FLAGS_ENABLE);
	entry(2, 0x1000, 7, 1);
	entry(35, 0x2000, 8, 0);
	pci_msix_fire(func, 2);
	pci_msix_fire(func, 2);
	ck_assert_uint_eq(nsent, 0);
	ck_assert_uint_eq(mem(TABLE + 0x800, 8), 1 << 2);
	entry(2, 0x3000, 9, 0);
	ck_assert(nsent == 1 && sent[0].addr == 0x3000 && sent[0].data == 9);
	ck_assert_uint_eq(mem(TABLE + 0x800, 8), 0);
	/* All at once; not a master; both end by sending once. */
	msix_on(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	pci_msix_fire(func, 35);
	ck_assert(nsent == 1 && mem(TABLE + 0x804, 4) == 1 << 3);
	set(1, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	set(1, find_cap(1, PCI_CAP_ID_MSIX) + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
	ck_assert_uint_eq(nsent, 1);
	enable(1);
	ck_assert(nsent == 2 && sent[1].addr == 0x2000);
	enable(1);
	ck_assert_uint_eq(nsent, 2);
}
END_TEST

/* --- pins ------------------------------------------------------------------------------------- */

START_TEST(test_pins)
{
	/* Slots 1 and 5 share a line. */
	pci_pin(&probes[0].func, true);
	ck_assert(lines[1].level && !lines[2].level);
	ck_assert_uint_eq(get(1, PCI_STATUS, 2), PCI_STATUS_CAP_LIST | PCI_STATUS_INTERRUPT);
	ck_assert_uint_eq(get(5, PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
	pci_pin(&probes[4].func, true);
	pci_pin(&probes[0].func, false);
	ck_assert(lines[1].level);
	set(5, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
	ck_assert(!lines[1].level);
	ck_assert_uint_eq(get(5, PCI_STATUS, 2), PCI_STATUS_CAP_LIST | PCI_STATUS_INTERRUPT);
	set(5, PCI_COMMAND, 2, 0);
	ck_assert(lines[1].level);
	set(5, find_cap(5, PCI_CAP_ID_MSIX) + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
	ck_assert(!lines[1].level);
	set(5, find_cap(5, PCI_CAP_ID_MSIX) + PCI_MSIX_FLAGS, 2, 0);
	pci_func_reset(&probes[4].func);
	ck_assert(!lines[1].level);
	for (unsigned int i = 1; i < 4; i++) {
		pci_pin(&probes[i].func, true);
		ck_assert(lines[(i + 1) % PCI_LINES].level);
	}
}
END_TEST

/* --- state ------------------------------------------------------------------------------------ */

static void save_func(struct pci_func *func, struct stream *out)
{
	struct state s;

	stream_open_buf(out);
	state_init_save(&s, out);
	pci_func_state(func, &s);
	ck_assert_int_eq(s.err, 0);
}

static int load_func(struct pci_func *func, const void *data, size_t len)
{
	struct stream in;
	struct state s;
	int err;

	stream_open_data(&in, data, len);
	state_init_load(&s, &in);
	pci_func_state(func, &s);
	err = state_end(&s);
	stream_close(&in);
	return err;
}

START_TEST(test_round_trip)
{
	struct pci_func *from = &probes[0].func, *to = &probes[1].func;
	struct stream saved, again;

	place(1, 0, WINDOW + 0x20000);
	msix_on(PCI_MSIX_FLAGS_ENABLE);
	entry(0, 0x5000, 6, 0);
	entry(1, 0x6000, 7, 1);
	pci_msix_fire(from, 1);
	pci_pin(from, true);
	save_func(from, &saved);
	ck_assert_int_eq(load_func(to, saved.buf, saved.len), 0);
	save_func(to, &again);
	ck_assert(saved.len == again.len && !memcmp(saved.buf, again.buf, saved.len));
	ck_assert_uint_eq(to->bars[0].addr, WINDOW + 0x20000);
	pci_msix_fire(to, 0);
	ck_assert(nsent == 1 && sent[0].addr == 0x5000 && sent[0].device == 2 << 3);
	ck_assert(to->vectors[1].pending);
	/* Every cut, and config space that nobody could have written: then as after a reset. */
	for (size_t len = 0; len < saved.len; len += 7)
		ck_assert_int_ne(load_func(to, saved.buf, len), 0);
	ck_assert_mem_eq(to->config, to->initial, PCI_CONFIG_SIZE);
	ck_assert_uint_eq(to->bars[0].addr, PCI_NOWHERE);
	from->config[PCI_VENDOR_ID] ^= 1;
	stream_close(&again);
	save_func(from, &again);
	ck_assert_int_eq(load_func(to, again.buf, again.len), -ERANGE);
	stream_close(&again);
	stream_close(&saved);
}
END_TEST

START_TEST(test_bridge_state)
{
	struct stream saved = device_saved(bridge);

	ck_assert_int_eq(device_load(bridge, saved.buf, saved.len), 0);
	board_truncate(bridge, bridge);
	pci_func_fini(&probes[4].func);
	ck_assert_int_eq(device_load(bridge, saved.buf, saved.len), -ERANGE);
	ck_assert_uint_eq(get(5, PCI_VENDOR_ID, 4), UINT32_MAX);
	stream_close(&saved);
	board_reset(bridge);
}
END_TEST

/* --- the rest --------------------------------------------------------------------------------- */

START_TEST(test_full)
{
	static struct probe more[32];
	unsigned int n = 0;

	while (n < 32 && !add_probe(&more[n]))
		n++;
	ck_assert_uint_eq(n, 31 - FUNCS);
	ck_assert_uint_eq(get(31, PCI_VENDOR_ID, 2), 0x1af4);
	for (unsigned int i = 0; i <= n; i++) {
		pci_func_fini(&more[i].func);
		device_fini(&more[i].dev);
	}
}
END_TEST

START_TEST(test_describe)
{
	struct fdt fdt;
	uint32_t size;
	void *blob;
	int node, len;

	ck_assert_int_eq(dt_create(&fdt), 0);
	bridge->ops->describe(bridge, &fdt);
	ck_assert_int_eq(dt_finish(&fdt, &blob, &size), 0);
	node = fdt_path_offset(blob, "/pcie@9000000");
	ck_assert_int_ge(node, 0);
	ck_assert_str_eq(fdt_getprop(blob, node, "compatible", NULL), "pci-host-ecam-generic");
	ck_assert_ptr_nonnull(fdt_getprop(blob, node, "interrupt-map", &len));
	ck_assert_int_eq(len, 16 * 10 * 4);
	ck_assert_ptr_nonnull(fdt_getprop(blob, node, "msi-map", NULL));
	free(blob);
}
END_TEST

START_TEST(test_no_place)
{
	struct pci_config cfg = { WINDOW, WINDOW_SIZE, &chip };
	struct device *again = NULL;
	struct fail fail = { 0 };

	ck_assert_int_eq(pci_create(&board.env, &cfg, &again, &fail), -EEXIST);
	ck_assert(!again && fail.code == EXIT_HOST);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("devices_pci");
	TCase *tc = tcase_create("pci");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_enumeration);
	tcase_add_test(tc, test_capabilities);
	tcase_add_test(tc, test_read_only);
	tcase_add_test(tc, test_sizing);
	tcase_add_test(tc, test_relocation);
	tcase_add_test(tc, test_overlap);
	tcase_add_test(tc, test_msix);
	tcase_add_test(tc, test_msix_masks);
	tcase_add_test(tc, test_pins);
	tcase_add_test(tc, test_round_trip);
	tcase_add_test(tc, test_bridge_state);
	tcase_add_test(tc, test_full);
	tcase_add_test(tc, test_describe);
	tcase_add_test(tc, test_no_place);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
