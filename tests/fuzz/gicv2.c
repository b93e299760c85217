// SPDX-License-Identifier: GPL-2.0-only
#include "devices/gicv2.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fake/gicv2_ref.h"
#include "tests/fuzz/fuzz.h"
#include "vmm/core/state.h"
#include "vmm/core/stream.h"

/* A GICv2 beside the simple model: whatever is read, written or driven, the guest of either sees the
 * same. What is saved can be loaded; what is loaded from elsewhere can be saved. */
enum { DIST = 0x8000000, CPUIF = 0x8010000, CPUS = 4, IRQS = 70, STEPS_MAX = 2000 };

struct rig {
	struct fuzz f;
	struct bus bus;
	struct irqchip *chip;
	struct ref_gic ref;
	struct irq lines[IRQS];
	bool inputs[CPUS][GICV2_INPUTS];
	bool same; /* no state from elsewhere has been loaded */
};

static void drive(void *arg, unsigned int cpu, enum gicv2_input input, bool level)
{
	struct rig *r = arg;

	FUZZ_CHECK(cpu < CPUS && r->inputs[cpu][input] != level);
	r->inputs[cpu][input] = level;
}

static void build(struct rig *r)
{
	const struct device_env env = { .bus = &r->bus, .base = DIST };
	const struct gicv2_config cfg = { CPUIF, CPUS, IRQS, drive, r };

	memset(r->inputs, 0, sizeof(r->inputs));
	bus_init(&r->bus);
	FUZZ_CHECK(!gicv2_create(&env, &cfg, &r->chip, NULL));
	for (unsigned int i = 32; i < IRQS; i++) {
		r->lines[i] = (struct irq){ .spi = i - 32 };
		FUZZ_CHECK(!r->chip->ops->connect(r->chip, &r->lines[i]));
	}
}

static void teardown(struct rig *r)
{
	r->chip->ops->destroy(r->chip);
	bus_fini(&r->bus);
}

static void compare(struct rig *r)
{
	for (unsigned int cpu = 0; r->same && cpu < CPUS; cpu++) {
		bool irq, fiq;

		ref_inputs(&r->ref, cpu, &irq, &fiq);
		FUZZ_CHECK(r->inputs[cpu][GICV2_IRQ] == irq);
		FUZZ_CHECK(r->inputs[cpu][GICV2_FIQ] == fiq);
	}
}

/* The bus refuses what these frames never take, and unaligned accesses. */
static void access_dist(struct rig *r, bool write)
{
	unsigned int cpu = fuzz_u8(&r->f) % CPUS, off = fuzz_u16(&r->f) % GICV2_DIST_SIZE;
	unsigned int size = 1u << fuzz_u8(&r->f) % 4;
	uint32_t val = write ? fuzz_u32(&r->f) : 0, want = 0;
	bool taken = (size == 1 || size == 4) && !(off & (size - 1));
	uint64_t got = 0;

	if (write) {
		bus_write_by(&r->bus, &(struct bus_user){ .cpu = cpu }, DIST + off, size, val);
		if (taken)
			ref_dist_write(&r->ref, cpu, off, size, val);
		return;
	}
	if (bus_read_by(&r->bus, &(struct bus_user){ .cpu = cpu }, DIST + off, size, &got))
		FUZZ_CHECK(off + size > GICV2_DIST_SIZE);
	if (taken)
		want = ref_dist_read(&r->ref, cpu, off, size);
	FUZZ_CHECK(!r->same || got == want);
}

static void access_cpuif(struct rig *r, bool write)
{
	static const uint16_t known[] = { 0x00, 0x04, 0x08, 0x0c, 0x10, 0x14, 0x18,  0x1c,
					  0x20, 0x24, 0x28, 0xd0, 0xfc, 0xd4, 0x1000 };
	unsigned int cpu = fuzz_u8(&r->f) % CPUS, which = fuzz_u8(&r->f);
	unsigned int off = known[which % (sizeof(known) / sizeof(known[0]))];
	uint64_t got;

	if (write) {
		uint32_t val = fuzz_u16(&r->f);

		bus_write_by(&r->bus, &(struct bus_user){ .cpu = cpu }, CPUIF + off, 4, val);
		ref_cpuif_write(&r->ref, cpu, off, val);
		return;
	}
	bus_read_by(&r->bus, &(struct bus_user){ .cpu = cpu }, CPUIF + off, 4, &got);
	FUZZ_CHECK(ref_cpuif_read(&r->ref, cpu, off) == got || !r->same);
}

static void line(struct rig *r)
{
	unsigned int cpu = fuzz_u8(&r->f) % CPUS, intid = 16 + fuzz_u8(&r->f) % (IRQS - 16);
	bool high = fuzz_u8(&r->f) & 1;

	if (intid < 32)
		r->chip->ops->private_line(r->chip, cpu, intid, high);
	else
		irq_set(&r->lines[intid], high);
	ref_line(&r->ref, cpu, intid, high);
}

static int load(struct irqchip *chip, const void *data, size_t len)
{
	struct stream in;
	struct state s;

	stream_open_data(&in, data, len);
	state_init_load(&s, &in);
	chip->ops->state(chip, &s, NULL);
	stream_close(&in);
	return state_end(&s);
}

static void save(struct irqchip *chip, struct stream *out)
{
	struct state s;

	stream_open_buf(out);
	state_init_save(&s, out);
	chip->ops->state(chip, &s, NULL);
	FUZZ_CHECK(!state_end(&s));
}

/* Into itself, whole, or with a byte that the input chooses. */
static void reload(struct rig *r)
{
	unsigned int at = fuzz_u16(&r->f), bits = fuzz_u8(&r->f);
	struct stream saved, again;

	save(r->chip, &saved);
	if (bits) {
		((uint8_t *)saved.buf)[at % saved.len] ^= bits;
		r->same = false;
	}
	FUZZ_CHECK(!load(r->chip, saved.buf, saved.len) || bits);
	/* Whatever it is now, refused or not, can be saved and is loaded. */
	save(r->chip, &again);
	FUZZ_CHECK(bits || (again.len == saved.len && !memcmp(again.buf, saved.buf, saved.len)));
	FUZZ_CHECK(!load(r->chip, again.buf, again.len));
	stream_close(&again);
	stream_close(&saved);
}

static void step(struct rig *r)
{
	switch (fuzz_u8(&r->f) % 8) {
	case 0:
	case 1:
		access_dist(r, true);
		break;
	case 2:
		access_dist(r, false);
		break;
	case 3:
	case 4:
		access_cpuif(r, true);
		break;
	case 5:
		access_cpuif(r, false);
		break;
	case 6:
		line(r);
		break;
	default:
		reload(r);
	}
	compare(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct rig r;

	memset(&r, 0, sizeof(r));
	r.f.at = data;
	r.f.end = data + len;
	r.same = true;
	build(&r);
	ref_init(&r.ref, CPUS, IRQS);
	for (unsigned int n = 0; n < STEPS_MAX && r.f.at < r.f.end; n++)
		step(&r);
	teardown(&r);
	return 0;
}
