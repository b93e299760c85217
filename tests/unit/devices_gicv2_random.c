// SPDX-License-Identifier: GPL-2.0-only
/* Random accesses and lines against a simple model: after each, every value read and every input of
 * a CPU is the same; now and then, every register. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/gicv2.h"
#include "tests/fake/board.h"
#include "tests/fake/gicv2_ref.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"

enum { CPUIF = 0x10000 };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STEPS = 40000 };
#else
enum { STEPS = 1250000 };
#endif

/* Eight machines: 10^7 steps where no sanitizer slows them. */
static const struct machine {
	unsigned int cpus, irqs;
} machines[] = { { 1, 64 }, { 2, 64 },	{ 2, 96 }, { 3, 80 },
		 { 4, 64 }, { 4, 128 }, { 6, 70 }, { 8, 96 } };

static struct board board;
static struct irqchip *chip;
static struct ref_gic ref;
static bool inputs[REF_CPUS][GICV2_INPUTS];
static struct irq lines[REF_IRQS];
static uint64_t seed;
static unsigned int taken[REF_CPUS][16], ntaken[REF_CPUS];

static void drive(void *arg, unsigned int cpu, enum gicv2_input input, bool level)
{
	(void)arg;
	inputs[cpu][input] = level;
}

static uint32_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16);
}

static uint32_t below(uint32_t n)
{
	return rnd() % n;
}

static void build(const struct machine *m)
{
	const struct gicv2_config cfg = {
		.cpuif = BOARD_BASE + CPUIF,
		.cpus = m->cpus,
		.irqs = m->irqs,
		.drive = drive,
	};

	board_init(&board);
	ck_assert_int_eq(gicv2_create(&board.env, &cfg, &chip, NULL), 0);
	ref_init(&ref, m->cpus, m->irqs);
	for (unsigned int i = 32; i < m->irqs; i++) {
		lines[i] = (struct irq){ .spi = i - 32 };
		ck_assert_int_eq(chip->ops->connect(chip, &lines[i]), 0);
	}
}

static uint32_t get(unsigned int cpu, unsigned int off, unsigned int size)
{
	uint64_t val;

	/* Check writes to a file at each ck_assert: only what fails may. */
	if (bus_read_by(&board.bus, &(struct bus_user){ .cpu = cpu }, BOARD_BASE + off, size, &val))
		ck_abort_msg("nobody answers");
	return (uint32_t)val;
}

static void dist_read(unsigned int cpu, unsigned int off, unsigned int size)
{
	uint32_t want = ref_dist_read(&ref, cpu, off, size), got = get(cpu, off, size);

	if (got != want)
		ck_abort_msg("cpu %u GICD 0x%x: 0x%x, not 0x%x", cpu, off, got, want);
}

static void dist_write(unsigned int cpu, unsigned int off, unsigned int size, uint32_t val)
{
	bus_write_by(&board.bus, &(struct bus_user){ .cpu = cpu }, BOARD_BASE + off, size, val);
	ref_dist_write(&ref, cpu, off, size, val);
}

static uint32_t cpuif_read(unsigned int cpu, unsigned int off)
{
	uint32_t want = ref_cpuif_read(&ref, cpu, off), got = get(cpu, CPUIF + off, 4);

	if (got != want)
		ck_abort_msg("cpu %u GICC 0x%x: 0x%x, not 0x%x", cpu, off, got, want);
	return got;
}

static void cpuif_write(unsigned int cpu, unsigned int off, uint32_t val)
{
	bus_write_by(&board.bus, &(struct bus_user){ .cpu = cpu }, BOARD_BASE + CPUIF + off, 4,
		     val);
	ref_cpuif_write(&ref, cpu, off, val);
}

/* --- what happens ------------------------------------------------------------------------------ */

static void acknowledge(unsigned int cpu)
{
	uint32_t iar = cpuif_read(cpu, below(8) ? 0x0c : 0x20);

	if ((iar & 0x3ff) < 1020)
		taken[cpu][ntaken[cpu]++ % 16] = iar;
}

static uint32_t last_taken(unsigned int cpu)
{
	if (!ntaken[cpu] || !below(12))
		return below(1024);
	return taken[cpu][--ntaken[cpu] % 16];
}

static void end(unsigned int cpu)
{
	uint32_t iar = last_taken(cpu);

	cpuif_write(cpu, below(8) ? 0x10 : 0x24, iar);
	if (below(2))
		cpuif_write(cpu, 0x1000, iar);
}

static void look(unsigned int cpu)
{
	static const unsigned int offsets[] = { 0x14, 0x18, 0x28, 0x00, 0x08,	0x1c, 0xd0,
						0xfc, 0xd4, 0xe0, 0x2c, 0x1000, 0x10 };

	cpuif_read(cpu, offsets[below(sizeof(offsets) / sizeof(offsets[0]))]);
}

static void configure_cpu(unsigned int cpu)
{
	static const unsigned int offsets[] = { 0x04, 0x08, 0x1c, 0xd0, 0xd4, 0x14, 0x18 };

	switch (below(4)) {
	case 0:
		cpuif_write(cpu, 0x00, below(4) ? rnd() | 3 : rnd());
		break;
	case 1:
		cpuif_write(cpu, 0x04, below(3) ? 0xff : rnd());
		break;
	case 2:
		cpuif_write(cpu, 0xd0, 0);
		break;
	default:
		cpuif_write(cpu, offsets[below(sizeof(offsets) / sizeof(offsets[0]))], rnd());
	}
}

/* A register of interrupts that exist, or do not, on any CPU, by any width. */
static void configure(unsigned int cpu)
{
	static const struct {
		unsigned int offset, bits;
	} rows[] = { { 0x080, 1 }, { 0x100, 1 }, { 0x100, 1 }, { 0x180, 1 }, { 0x200, 1 },
		     { 0x280, 1 }, { 0x300, 1 }, { 0x380, 1 }, { 0x380, 1 }, { 0x400, 8 },
		     { 0x400, 8 }, { 0x800, 8 }, { 0x800, 8 }, { 0xc00, 2 } };
	unsigned int r = below(sizeof(rows) / sizeof(rows[0])), bits = rows[r].bits;
	unsigned int intid = below(ref.irqs + 32) & ~(bits == 1 ? 31u : bits == 2 ? 15u : 3u);
	unsigned int size = below(3) ? 4 : 1, off = rows[r].offset + intid * bits / 8;
	uint32_t val = rnd();

	if (size == 1)
		off += below(4);
	/* Few bits at a time, so that much stays enabled. */
	if (bits == 1 && below(2))
		val &= rnd() & rnd();
	if (bits == 1 && (rows[r].offset == 0x180 || rows[r].offset == 0x300))
		val &= rnd() & rnd() & rnd();
	dist_write(cpu, off, size, val);
	dist_read(cpu, off, size);
}

static void move_line(unsigned int cpu)
{
	unsigned int intid = 16 + below(ref.irqs - 16);
	bool high = below(2);

	if (intid < 32) {
		chip->ops->private_line(chip, cpu, intid, high);
		ref_line(&ref, cpu, intid, high);
	} else if (below(3)) {
		irq_set(&lines[intid], high);
		ref_line(&ref, 0, intid, high);
	} else {
		irq_pulse(&lines[intid]);
		lines[intid].level = false;
		ref_line(&ref, 0, intid, true);
		ref_line(&ref, 0, intid, false);
	}
}

static void step(void)
{
	unsigned int cpu = below(ref.cpus);
	uint32_t action = below(100);

	if (action < 25)
		acknowledge(cpu);
	else if (action < 50)
		end(cpu);
	else if (action < 60)
		dist_write(cpu, 0xf00, 4, rnd());
	else if (action < 72)
		move_line(cpu);
	else if (action < 77)
		look(cpu);
	else if (action < 80)
		configure_cpu(cpu);
	else if (action < 96)
		configure(cpu);
	else if (action < 98)
		dist_write(cpu, (below(2) ? 0xf10 : 0xf20) + below(4) * 4, below(2) ? 4 : 1, rnd());
	else if (action < 99)
		dist_write(cpu, 0, 4, below(3) ? 3 : rnd());
	else
		dist_read(cpu, below(0x400) * 4, 4);
}

static void compare_inputs(void)
{
	for (unsigned int cpu = 0; cpu < ref.cpus; cpu++) {
		bool irq, fiq;

		ref_inputs(&ref, cpu, &irq, &fiq);
		if (inputs[cpu][GICV2_IRQ] != irq || inputs[cpu][GICV2_FIQ] != fiq)
			ck_abort_msg("cpu %u: IRQ %d, not %d; FIQ %d, not %d", cpu,
				     inputs[cpu][GICV2_IRQ], irq, inputs[cpu][GICV2_FIQ], fiq);
	}
}

static void compare_all(void)
{
	for (unsigned int cpu = 0; cpu < ref.cpus; cpu++) {
		for (unsigned int off = 0; off < GICV2_DIST_SIZE; off += 4)
			dist_read(cpu, off, 4);
		for (unsigned int off = 0; off < 0x100; off += 4)
			if (off != 0x0c && off != 0x20)
				cpuif_read(cpu, off);
	}
}

/* A second one that loads this one's state goes on as this one would. */
static void move_to_another(const struct machine *m)
{
	struct stream saved = device_saved(gicv2_device(chip));
	struct irqchip *old = chip;
	struct board old_board = board;
	struct ref_gic kept = ref;
	bool levels[REF_IRQS];

	for (unsigned int i = 32; i < m->irqs; i++)
		levels[i] = lines[i].level;
	build(m);
	ref = kept;
	ck_assert_int_eq(device_load(gicv2_device(chip), saved.buf, saved.len), 0);
	board_same(gicv2_device(old), gicv2_device(chip));
	/* Devices drive again what they drove, which is no edge. */
	for (unsigned int i = 32; i < m->irqs; i++)
		irq_set(&lines[i], levels[i]);
	for (unsigned int cpu = 0; cpu < m->cpus; cpu++)
		for (unsigned int i = 16; i < 32; i++)
			chip->ops->private_line(chip, cpu, i, ref.cpu[cpu].own[i].high);
	board_same(gicv2_device(old), gicv2_device(chip));
	stream_close(&saved);
	old->ops->destroy(old);
	board_fini(&old_board, NULL);
}

START_TEST(test_random)
{
	const struct machine *m = &machines[_i];

	seed = 88172645463325252ULL + (uint64_t)_i;
	memset(inputs, 0, sizeof(inputs));
	memset(ntaken, 0, sizeof(ntaken));
	build(m);
	for (unsigned int n = 0; n < STEPS; n++) {
		step();
		compare_inputs();
		if (n % (STEPS / 40) == 0)
			compare_all();
		if (n % (STEPS / 20) == 0)
			move_to_another(m);
	}
	compare_all();
	chip->ops->destroy(chip);
	board_fini(&board, NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("devices_gicv2_random");
	TCase *tc = tcase_create("random");

	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, test_random, 0, sizeof(machines) / sizeof(machines[0]));
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
