// SPDX-License-Identifier: GPL-2.0-only
#include "devices/gicv2.h"

#include <check.h>
#include <errno.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/board.h"
#include "tests/fake/saved.h"
#include "tests/fake/suite.h"
#include "vmm/core/fdt.h"
#include "vmm/core/json.h"

enum { CTLR = 0x0, TYPER = 0x4, IIDR = 0x8, IGROUPR = 0x80, ISENABLER = 0x100, ICENABLER = 0x180 };
enum { ISPENDR = 0x200, ICPENDR = 0x280, ISACTIVER = 0x300, ICACTIVER = 0x380, IPRIORITYR = 0x400 };
enum { ITARGETSR = 0x800, ICFGR = 0xc00, SGIR = 0xf00, CPENDSGIR = 0xf10, SPENDSGIR = 0xf20 };
enum { GICC = 0x10000, C_CTLR = GICC, PMR = GICC + 4, BPR = GICC + 8, IAR = GICC + 0xc };
enum { EOIR = GICC + 0x10, RPR = GICC + 0x14, HPPIR = GICC + 0x18, ABPR = GICC + 0x1c };
enum { AIAR = GICC + 0x20, AEOIR = GICC + 0x24, AHPPIR = GICC + 0x28, APR = GICC + 0xd0 };
enum { C_IIDR = GICC + 0xfc, DIR = GICC + 0x1000 };
enum { CPUS = 4, IRQS = 128, EDGE = 40, LEVEL = 41, OTHER = 70, PPI = 27, NONE = 1023 };

static struct board board;
static struct irqchip *chip;
static bool inputs[8][GICV2_INPUTS], other_inputs[8][GICV2_INPUTS];
static unsigned int drives;
static struct irq edge_line, level_line;

static void drive(void *arg, unsigned int cpu, enum gicv2_input input, bool level)
{
	bool(*of)[GICV2_INPUTS] = arg;

	ck_assert(of[cpu][input] != level);
	of[cpu][input] = level;
	drives++;
}

static uint32_t get(unsigned int cpu, unsigned int off)
{
	uint64_t val;

	ck_assert_int_eq(bus_read_by(&board.bus, &(struct bus_user){ .cpu = cpu }, BOARD_BASE + off,
				     4, &val),
			 0);
	return (uint32_t)val;
}

static void set(unsigned int cpu, unsigned int off, uint32_t val)
{
	ck_assert_int_eq(bus_write_by(&board.bus, &(struct bus_user){ .cpu = cpu },
				      BOARD_BASE + off, 4, val),
			 0);
}

static void set_byte(unsigned int cpu, unsigned int off, uint8_t val)
{
	ck_assert_int_eq(bus_write_by(&board.bus, &(struct bus_user){ .cpu = cpu },
				      BOARD_BASE + off, 1, val),
			 0);
}

static bool irq(unsigned int cpu)
{
	return inputs[cpu][GICV2_IRQ];
}

static void enable(unsigned int intid, uint8_t priority, uint8_t targets)
{
	set_byte(0, IPRIORITYR + intid, priority);
	set_byte(0, ITARGETSR + intid, targets);
	set(0, ISENABLER + intid / 32 * 4, 1u << intid % 32);
}

static struct irqchip *create(struct board *b, void *arg)
{
	const struct gicv2_config cfg = {
		.cpuif = BOARD_BASE + GICC,
		.cpus = CPUS,
		.irqs = IRQS,
		.drive = drive,
		.arg = arg,
	};
	struct irqchip *made;

	ck_assert_int_eq(gicv2_create(&b->env, &cfg, &made, NULL), 0);
	return made;
}

static void setup(void)
{
	board_init(&board);
	memset(inputs, 0, sizeof(inputs));
	drives = 0;
	chip = create(&board, inputs);
	edge_line = (struct irq){ .spi = EDGE - 32, .edge = true };
	level_line = (struct irq){ .spi = LEVEL - 32 };
	ck_assert_int_eq(chip->ops->connect(chip, &edge_line), 0);
	ck_assert_int_eq(chip->ops->connect(chip, &level_line), 0);
	set(0, ICFGR + LEVEL / 16 * 4, get(0, ICFGR + LEVEL / 16 * 4) & ~(2u << LEVEL % 16 * 2));
	set(0, CTLR, 1);
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		set(cpu, PMR, 0xff);
		set(cpu, C_CTLR, 1);
	}
}

static void teardown(void)
{
	chip->ops->destroy(chip);
	board_fini(&board, NULL);
}

START_TEST(test_identity)
{
	ck_assert_uint_eq(get(0, TYPER), (CPUS - 1) << 5 | (IRQS / 32 - 1));
	ck_assert_uint_eq(get(0, IIDR), 0x43b);
	ck_assert_uint_eq(get(0, 0xfe8) >> 4 & 0xf, 2); /* ICPIDR2.ArchRev */
	ck_assert_uint_eq(get(0, C_IIDR), 0x2043b);
	ck_assert_uint_eq(get(0, SGIR), 0);
	ck_assert_uint_eq(get(0, 0xe00), 0); /* GICD_NSACR */
}
END_TEST

/* What a guest finds, and what the widths of each register hold. */
START_TEST(test_reset_values)
{
	board_reset(gicv2_device(chip));
	ck_assert_uint_eq(get(0, CTLR), 0);
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		ck_assert_uint_eq(get(cpu, ISENABLER), 0xffff);
		ck_assert_uint_eq(get(cpu, ICFGR), 0xaaaaaaaa);
		ck_assert_uint_eq(get(cpu, ICFGR + 4), 0);
		ck_assert_uint_eq(get(cpu, ITARGETSR + 28), 0x01010101u << cpu);
		ck_assert_uint_eq(get(cpu, C_CTLR) | get(cpu, PMR) | get(cpu, APR), 0);
		ck_assert_uint_eq(get(cpu, BPR), 2);
		ck_assert_uint_eq(get(cpu, ABPR), 3);
		ck_assert_uint_eq(get(cpu, RPR), 0xff);
		ck_assert_uint_eq(get(cpu, IAR), NONE);
	}
	ck_assert_uint_eq(get(0, ICFGR + 8), 0xaaaaaaaa);
	ck_assert_uint_eq(get(0, ITARGETSR + 32), 0);
	ck_assert_uint_eq(get(0, ISENABLER + 4) | get(0, IGROUPR + 4) | get(0, ISPENDR + 4), 0);
}
END_TEST

START_TEST(test_widths)
{
	uint64_t val;

	set(0, IPRIORITYR + 64, 0xffffffff);
	ck_assert_uint_eq(get(0, IPRIORITYR + 64), 0xf8f8f8f8);
	set_byte(0, IPRIORITYR + 65, 0x10);
	ck_assert_uint_eq(get(0, IPRIORITYR + 64), 0xf8f810f8);
	set(0, ITARGETSR + 64, 0xffffffff);
	ck_assert_uint_eq(get(0, ITARGETSR + 64), 0x0f0f0f0f);
	set(0, ITARGETSR, 0);
	ck_assert_uint_eq(get(1, ITARGETSR), 0x02020202);
	set_byte(0, ISENABLER + 4, 0xff);
	ck_assert_uint_eq(get(0, ISENABLER + 4), 0);
	bus_write(&board.bus, BOARD_BASE + IPRIORITYR + 64, 2, 0);
	bus_write(&board.bus, BOARD_BASE + IPRIORITYR + 64, 8, 0);
	ck_assert_uint_eq(get(0, IPRIORITYR + 64), 0xf8f810f8);
	ck_assert_int_eq(bus_read(&board.bus, BOARD_BASE + IPRIORITYR + 64, 2, &val), 0);
	ck_assert_uint_eq(val, 0);
	/* Behind the last interrupt there is none. */
	set(0, ISENABLER + IRQS / 8, 0xffffffff);
	set(0, IPRIORITYR + IRQS, 0xffffffff);
	ck_assert_uint_eq(get(0, ISENABLER + IRQS / 8) | get(0, IPRIORITYR + IRQS), 0);
	set(0, PMR, 0xff);
	ck_assert_uint_eq(get(0, PMR), 0xf8);
	set(0, BPR, 0);
	set(0, ABPR, 0);
	ck_assert_uint_eq(get(0, BPR) << 4 | get(0, ABPR), 0x23);
	set(0, C_CTLR, ~0u);
	ck_assert_uint_eq(get(0, C_CTLR), 0x21f);
}
END_TEST

START_TEST(test_edge)
{
	enable(EDGE, 0x80, 1);
	irq_pulse(&edge_line);
	ck_assert(irq(0) && !irq(1));
	ck_assert_uint_eq(get(0, HPPIR), EDGE);
	ck_assert_uint_eq(get(0, IAR), EDGE);
	ck_assert(!irq(0));
	ck_assert_uint_eq(get(0, RPR), 0x80);
	ck_assert_uint_eq(get(0, ISACTIVER + 4), 1u << EDGE % 32);
	ck_assert_uint_eq(get(0, IAR), NONE);
	/* Active and pending: it comes again, once, when it is no longer active. */
	irq_pulse(&edge_line);
	irq_pulse(&edge_line);
	ck_assert(!irq(0));
	ck_assert_uint_eq(get(0, ISPENDR + 4), 1u << EDGE % 32);
	set(0, EOIR, EDGE);
	ck_assert(irq(0));
	ck_assert_uint_eq(get(0, IAR), EDGE);
	set(0, EOIR, EDGE);
	ck_assert_uint_eq(get(0, IAR), NONE);
	ck_assert_uint_eq(get(0, RPR), 0xff);
	irq_pulse(&edge_line);
	set(0, ICPENDR + 4, 1u << EDGE % 32);
	ck_assert(!irq(0));
}
END_TEST

START_TEST(test_level)
{
	enable(LEVEL, 0x80, 1);
	irq_set(&level_line, true);
	ck_assert(irq(0));
	set(0, ICPENDR + 4, 1u << LEVEL % 32);
	ck_assert(irq(0));
	ck_assert_uint_eq(get(0, IAR), LEVEL);
	ck_assert_uint_eq(get(0, ISPENDR + 4), 1u << LEVEL % 32);
	set(0, EOIR, LEVEL);
	ck_assert(irq(0));
	ck_assert_uint_eq(get(0, IAR), LEVEL);
	irq_set(&level_line, false);
	set(0, EOIR, LEVEL);
	ck_assert(!irq(0));
	/* By software: once. */
	set(0, ISPENDR + 4, 1u << LEVEL % 32);
	ck_assert_uint_eq(get(0, IAR), LEVEL);
	set(0, EOIR, LEVEL);
	ck_assert(!irq(0));
	/* One that rises and falls unseen was none. */
	irq_set(&level_line, true);
	irq_set(&level_line, false);
	ck_assert_uint_eq(get(0, IAR), NONE);
}
END_TEST

START_TEST(test_private)
{
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		set(cpu, ISENABLER, 1u << PPI);
	chip->ops->private_line(chip, 2, PPI, true);
	ck_assert(irq(2) && !irq(0) && !irq(1));
	ck_assert_uint_eq(get(2, ISPENDR), 1u << PPI);
	ck_assert_uint_eq(get(1, ISPENDR), 0);
	ck_assert_uint_eq(get(1, IAR), NONE);
	ck_assert_uint_eq(get(2, IAR), PPI);
	chip->ops->private_line(chip, 2, PPI, false);
	set(2, EOIR, PPI);
	ck_assert(!irq(2));
	set_byte(1, IPRIORITYR + PPI, 0x40);
	ck_assert_uint_eq(get(1, IPRIORITYR + 24) >> 24, 0x40);
	ck_assert_uint_eq(get(2, IPRIORITYR + 24), 0);
}
END_TEST

/* Each source of an SGI is an interrupt of its own, the lowest first. */
START_TEST(test_sgi)
{
	set(1, SGIR, 1u << 16 | 5);
	set(3, SGIR, 0x0f << 16 | 5);
	ck_assert_uint_eq(get(0, CPENDSGIR + 4), 0x0a00);
	ck_assert_uint_eq(get(0, HPPIR), 1 << 10 | 5);
	ck_assert_uint_eq(get(0, IAR), 1 << 10 | 5);
	ck_assert_uint_eq(get(0, IAR), NONE);
	ck_assert_uint_eq(get(0, ISPENDR) | get(0, ISACTIVER), 1u << 5);
	set(0, EOIR, 1 << 10 | 5);
	ck_assert_uint_eq(get(0, IAR), 3 << 10 | 5);
	set(0, EOIR, 3 << 10 | 5);
	ck_assert(!irq(0));
	for (unsigned int cpu = 1; cpu < CPUS; cpu++) {
		ck_assert(irq(cpu));
		ck_assert_uint_eq(get(cpu, IAR), 3 << 10 | 5);
		set(cpu, EOIR, 3 << 10 | 5);
	}
	set(2, SGIR, 1 << 24 | 0xff << 16 | 7);
	ck_assert(irq(0) && irq(1) && !irq(2) && irq(3));
	set(2, SGIR, 2 << 24 | 6);
	ck_assert_uint_eq(get(2, IAR), 2 << 10 | 6);
	set(2, SGIR, 3 << 24 | 0xff << 16 | 8);
	ck_assert_uint_eq(get(2, ISPENDR), 0);
	set(0, ISPENDR, 0xffff);
	ck_assert_uint_eq(get(0, ISPENDR), 1u << 7);
	set(0, ICPENDR, 0xffff);
	ck_assert_uint_eq(get(0, ISPENDR), 1u << 7);
	set_byte(0, CPENDSGIR + 7, 0xff);
	ck_assert(!irq(0));
	set_byte(0, SPENDSGIR + 9, 0xff);
	ck_assert_uint_eq(get(0, SPENDSGIR + 8), 0x0f00);
	ck_assert_uint_eq(get(0, IAR), 9);
	/* Not enabled, it waits. */
	set(1, ICENABLER, 1u << 7);
	ck_assert(!irq(1));
}
END_TEST

START_TEST(test_priorities)
{
	enable(EDGE, 0x80, 1);
	enable(OTHER, 0x40, 1);
	set(0, ISPENDR + 4, 1u << EDGE % 32);
	set(0, ISPENDR + 8, 1u << OTHER % 32);
	ck_assert_uint_eq(get(0, IAR), OTHER);
	ck_assert(!irq(0));
	set(0, EOIR, OTHER);
	ck_assert_uint_eq(get(0, IAR), EDGE);
	/* A higher one preempts, and is ended first. */
	set(0, ISPENDR + 8, 1u << OTHER % 32);
	ck_assert(irq(0));
	ck_assert_uint_eq(get(0, IAR), OTHER);
	ck_assert_uint_eq(get(0, APR), 1u << 0x40 / 8 | 1u << 0x80 / 8);
	ck_assert_uint_eq(get(0, RPR), 0x40);
	set(0, EOIR, OTHER);
	ck_assert_uint_eq(get(0, RPR), 0x80);
	/* In one group of priorities none preempts. */
	set(0, EOIR, EDGE);
	set(0, BPR, 7);
	set(0, ISPENDR + 4, 1u << EDGE % 32);
	ck_assert_uint_eq(get(0, IAR), EDGE);
	set(0, ISPENDR + 8, 1u << OTHER % 32);
	ck_assert(!irq(0));
	ck_assert_uint_eq(get(0, IAR), NONE);
	set(0, EOIR, EDGE);
	ck_assert(irq(0));
	/* The mask: as high is not high enough. */
	set(0, PMR, 0x40);
	ck_assert(!irq(0));
	ck_assert_uint_eq(get(0, HPPIR), OTHER);
	set(0, PMR, 0x48);
	ck_assert(irq(0));
}
END_TEST

START_TEST(test_eoimode)
{
	enable(EDGE, 0x80, 1);
	set(0, C_CTLR, 0x201);
	irq_pulse(&edge_line);
	ck_assert_uint_eq(get(0, IAR), EDGE);
	irq_pulse(&edge_line);
	set(0, EOIR, EDGE);
	ck_assert_uint_eq(get(0, RPR), 0xff);
	ck_assert_uint_eq(get(0, ISACTIVER + 4), 1u << EDGE % 32);
	ck_assert(!irq(0));
	set(0, DIR, EDGE);
	ck_assert(irq(0));
	ck_assert_uint_eq(get(0, ISACTIVER + 4), 0);
	ck_assert_uint_eq(get(0, IAR), EDGE);
	/* Nonsense changes nothing; without EOImode neither does DIR. */
	set(0, EOIR, NONE);
	set(0, DIR, NONE);
	set(0, DIR, IRQS);
	set(0, C_CTLR, 1);
	set(0, DIR, EDGE);
	ck_assert_uint_eq(get(0, ISACTIVER + 4), 1u << EDGE % 32);
	ck_assert_uint_eq(get(0, RPR), 0x80);
	set(0, EOIR, EDGE);
	/* As one CPU may deactivate what another has taken. */
	set(0, ISACTIVER + 4, 1u << EDGE % 32);
	irq_pulse(&edge_line);
	ck_assert(!irq(0));
	set(3, ICACTIVER + 4, 1u << EDGE % 32);
	ck_assert(irq(0));
}
END_TEST

START_TEST(test_groups)
{
	enable(EDGE, 0x80, 1);
	enable(OTHER, 0x80, 1);
	set(0, IGROUPR + 8, 1u << OTHER % 32);
	set(0, ISPENDR + 8, 1u << OTHER % 32);
	ck_assert(!irq(0));
	set(0, CTLR, 3);
	set(0, C_CTLR, 3);
	ck_assert(irq(0));
	ck_assert_uint_eq(get(0, IAR), 1022);
	ck_assert_uint_eq(get(0, HPPIR), 1022);
	ck_assert_uint_eq(get(0, AHPPIR), OTHER);
	ck_assert_uint_eq(get(0, AIAR), OTHER);
	set(0, AEOIR, OTHER);
	ck_assert_uint_eq(get(0, RPR), 0xff);
	set(0, C_CTLR, 7);
	set(0, ISPENDR + 8, 1u << OTHER % 32);
	ck_assert_uint_eq(get(0, IAR), OTHER);
	set(0, EOIR, OTHER);
	/* Group 0 as FIQ; the alias does not see it. */
	set(0, C_CTLR, 0xb);
	irq_pulse(&edge_line);
	ck_assert(!irq(0) && inputs[0][GICV2_FIQ]);
	ck_assert_uint_eq(get(0, AIAR), NONE);
	ck_assert_uint_eq(get(0, AHPPIR), NONE);
	ck_assert_uint_eq(get(0, IAR), EDGE);
	ck_assert(!inputs[0][GICV2_FIQ]);
	set(0, AEOIR, EDGE);
	ck_assert_uint_eq(get(0, RPR), 0x80);
	set(0, EOIR, EDGE);
	/* Either enable of a group suffices to hold it back. */
	set(0, ISPENDR + 8, 1u << OTHER % 32);
	set(0, C_CTLR, 1);
	ck_assert(!irq(0));
	set(0, C_CTLR, 3);
	set(0, CTLR, 1);
	ck_assert(!irq(0));
	set(0, CTLR, 2);
	ck_assert(irq(0));
}
END_TEST

/* 1 of N: all are asked, the first takes it. None named: CPU 0. */
START_TEST(test_targets)
{
	enable(EDGE, 0x80, 0x0e);
	irq_pulse(&edge_line);
	ck_assert(!irq(0) && irq(1) && irq(2) && irq(3));
	ck_assert_uint_eq(get(2, IAR), EDGE);
	ck_assert(!irq(1) && !irq(3));
	ck_assert_uint_eq(get(1, IAR), NONE);
	set(2, EOIR, EDGE);
	set_byte(0, ITARGETSR + EDGE, 0);
	irq_pulse(&edge_line);
	ck_assert(irq(0) && !irq(1));
	set_byte(0, ITARGETSR + EDGE, 8);
	ck_assert(!irq(0) && irq(3));
}
END_TEST

/* Nothing is driven that does not change. */
START_TEST(test_quiet)
{
	unsigned int before;

	enable(EDGE, 0x80, 1);
	irq_pulse(&edge_line);
	before = drives;
	irq_pulse(&edge_line);
	set(0, PMR, 0xf0);
	set(1, SGIR, 1u << 16 | 3);
	set(0, BPR, 3);
	ck_assert_uint_eq(drives, before);
	ck_assert_uint_gt(chip->writes, 0);
}
END_TEST

static void *devices(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < 4000; i++) {
		irq_set(&level_line, i & 1);
		irq_pulse(&edge_line);
	}
	irq_set(&level_line, false);
	return NULL;
}

/* Devices interrupt from other threads than those of the vCPUs. */
START_TEST(test_threads)
{
	unsigned int taken = 0;
	pthread_t thread;

	enable(EDGE, 0x80, 1);
	enable(LEVEL, 0x80, 1);
	ck_assert_int_eq(pthread_create(&thread, NULL, devices, NULL), 0);
	for (unsigned int i = 0; i < 4000; i++) {
		uint32_t iar = get(0, IAR);

		taken += iar < 1020;
		set(0, EOIR, iar);
	}
	pthread_join(thread, NULL);
	while (irq(0)) {
		set(0, EOIR, get(0, IAR));
		taken++;
	}
	ck_assert_uint_gt(taken, 0);
	ck_assert_uint_eq(get(0, IAR), NONE);
	ck_assert_uint_eq(get(0, APR) | get(0, ISACTIVER + 4), 0);
}
END_TEST

START_TEST(test_round_trip)
{
	struct board other_board;
	struct irqchip *other;
	struct stream saved;

	enable(EDGE, 0x80, 0x0e);
	enable(LEVEL, 0x40, 1);
	irq_pulse(&edge_line);
	irq_set(&level_line, true);
	set(3, SGIR, 1u << 16 | 5);
	ck_assert_uint_eq(get(0, IAR), 3 << 10 | 5);
	set(1, SGIR, 1u << 16 | 5);
	set(2, BPR, 5);
	set(2, C_CTLR, 0x213);
	saved = device_saved(gicv2_device(chip));
	board_init(&other_board);
	memset(other_inputs, 0, sizeof(other_inputs));
	other = create(&other_board, other_inputs);
	ck_assert_int_eq(device_load(gicv2_device(other), saved.buf, saved.len), 0);
	board_same(gicv2_device(chip), gicv2_device(other));
	ck_assert(!memcmp(inputs, other_inputs, sizeof(inputs)) && irq(1));
	board_truncate(gicv2_device(chip), gicv2_device(other));
	board_reset(gicv2_device(chip));
	stream_close(&saved);
	other->ops->destroy(other);
	board_fini(&other_board, NULL);
}
END_TEST

/* State with any byte of its values changed is refused, or is a state that there can be. */
START_TEST(test_state_lies)
{
	struct stream saved = device_saved(gicv2_device(chip));
	struct board other_board;
	struct irqchip *other;
	unsigned int refused = 0;

	board_init(&other_board);
	memset(other_inputs, 0, sizeof(other_inputs));
	other = create(&other_board, other_inputs);
	for (size_t i = 0; i < saved.len; i++) {
		uint8_t *at = (uint8_t *)saved.buf + i, was = *at;
		struct stream again;

		*at = 0xff;
		refused += device_load(gicv2_device(other), saved.buf, saved.len) != 0;
		again = device_saved(gicv2_device(other));
		ck_assert_int_eq(device_load(gicv2_device(other), again.buf, again.len), 0);
		stream_close(&again);
		*at = was;
	}
	ck_assert_uint_gt(refused, saved.len / 2);
	stream_close(&saved);
	other->ops->destroy(other);
	board_fini(&other_board, NULL);
}
END_TEST

START_TEST(test_describe)
{
	struct fdt fdt;
	const fdt32_t *reg;
	void *blob;
	uint32_t size;
	int node, len;

	ck_assert_int_eq(dt_create(&fdt), 0);
	chip->ops->describe(chip, &fdt);
	ck_assert_int_eq(dt_finish(&fdt, &blob, &size), 0);
	node = fdt_path_offset(blob, "/interrupt-controller@9000000");
	ck_assert_int_ge(node, 0);
	ck_assert_uint_eq(fdt_get_phandle(blob, node), FDT_PHANDLE_GIC);
	reg = fdt_getprop(blob, node, "reg", &len);
	ck_assert_int_eq(len, 32);
	ck_assert_uint_eq(fdt32_to_cpu(reg[1]), BOARD_BASE);
	ck_assert_uint_eq(fdt32_to_cpu(reg[5]), BOARD_BASE + GICC);
	free(blob);
}
END_TEST

START_TEST(test_debug)
{
	char text[4096];
	struct json_out out;

	enable(EDGE, 0x80, 2);
	irq_pulse(&edge_line);
	json_out_init(&out, text, sizeof(text));
	json_open(&out, NULL, '[');
	chip->ops->debug(chip, &out);
	json_close(&out, ']');
	ck_assert_ptr_nonnull(strstr(text, "40: enabled pending, group 0, priority 0x80, to cpus "
					   "0x2, edge"));
	ck_assert_ptr_nonnull(strstr(text, "\"section\":\"gic\""));
}
END_TEST

START_TEST(test_bad_creation)
{
	struct gicv2_config cfg = { .cpuif = BOARD_BASE + GICC, .cpus = 9, .irqs = IRQS };
	struct irqchip *made = NULL;
	struct fail fail = { 0 };
	struct irq far = { .spi = IRQS - 32 };

	ck_assert_int_eq(gicv2_create(&board.env, &cfg, &made, &fail), -EINVAL);
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
	cfg.cpus = 0;
	ck_assert_int_eq(gicv2_create(&board.env, &cfg, &made, NULL), -EINVAL);
	cfg.cpus = 1;
	cfg.irqs = 1021;
	ck_assert_int_eq(gicv2_create(&board.env, &cfg, &made, NULL), -EINVAL);
	cfg.irqs = IRQS;
	ck_assert_int_eq(gicv2_create(&board.env, &cfg, &made, &fail), -EEXIST);
	ck_assert_ptr_null(made);
	ck_assert_int_eq(chip->ops->connect(chip, &far), -ERANGE);
	ck_assert_int_eq(chip->ops->message(chip, &(struct msi){ 0 }), -ENXIO);
}
END_TEST

/* All there can be: the last bank is not whole. */
START_TEST(test_largest)
{
	const struct gicv2_config cfg = { BOARD_BASE + GICC, 8, GICV2_IRQS_MAX, drive,
					  other_inputs };
	struct irq last = { .spi = GICV2_IRQS_MAX - 33 };
	struct board big;
	struct irqchip *made;
	uint64_t val;

	memset(other_inputs, 0, sizeof(other_inputs));
	board_init(&big);
	ck_assert_int_eq(gicv2_create(&big.env, &cfg, &made, NULL), 0);
	ck_assert_uint_eq(board_get(&big, TYPER), 7 << 5 | 31);
	ck_assert_int_eq(made->ops->connect(made, &last), 0);
	board_set(&big, ISENABLER + 31 * 4, ~0u);
	ck_assert_uint_eq(board_get(&big, ISENABLER + 31 * 4), ~0u >> 4);
	board_set(&big, IPRIORITYR + 1020, ~0u);
	ck_assert_uint_eq(board_get(&big, IPRIORITYR + 1020), 0);
	board_set(&big, CTLR, 1);
	board_set(&big, C_CTLR, 1);
	board_set(&big, PMR, 0xff);
	irq_pulse(&last);
	ck_assert_int_eq(bus_read(&big.bus, BOARD_BASE + IAR, 4, &val), 0);
	ck_assert_uint_eq(val, GICV2_IRQS_MAX - 1);
	board_set(&big, EOIR, GICV2_IRQS_MAX - 1);
	for (unsigned int off = 0; off < GICV2_DIST_SIZE; off++)
		for (unsigned int width = 1; width <= 8; width *= 2) {
			bus_write_by(&big.bus, &(struct bus_user){ .cpu = off % 8 },
				     BOARD_BASE + off, width, UINT64_MAX);
			bus_read_by(&big.bus, &(struct bus_user){ .cpu = off % 8 },
				    BOARD_BASE + off, width, &val);
		}
	made->ops->destroy(made);
	board_fini(&big, NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("devices_gicv2");
	TCase *tc = tcase_create("gicv2");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_identity);
	tcase_add_test(tc, test_reset_values);
	tcase_add_test(tc, test_widths);
	tcase_add_test(tc, test_edge);
	tcase_add_test(tc, test_level);
	tcase_add_test(tc, test_private);
	tcase_add_test(tc, test_sgi);
	tcase_add_test(tc, test_priorities);
	tcase_add_test(tc, test_eoimode);
	tcase_add_test(tc, test_groups);
	tcase_add_test(tc, test_targets);
	tcase_add_test(tc, test_quiet);
	tcase_add_test(tc, test_threads);
	tcase_add_test(tc, test_round_trip);
	tcase_add_test(tc, test_state_lies);
	tcase_add_test(tc, test_describe);
	tcase_add_test(tc, test_debug);
	tcase_add_test(tc, test_largest);
	tcase_add_test(tc, test_bad_creation);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
