// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arm64/gic_layout.h"
#include "arch/arm64/gic_plan.h"
#include "arch/arm64/gic_table.h"
#include "arch/arm64/layout.h"
#include "tests/fake/suite.h"

/* --- the table -------------------------------------------------------------------------------- */

static unsigned int ncases(void)
{
	unsigned int n = 0;

	while (gic_table[n].name)
		n++;
	return n;
}

/* Every step about the layout has the answer that KVM is known to give, at any address width. */
START_TEST(table)
{
	const struct gic_case *c = &gic_table[_i];
	static const unsigned int widths[] = { 36, 40, 44, 48 };

	for (size_t w = 0; w < sizeof(widths) / sizeof(widths[0]); w++) {
		static struct gic_layout layout;
		unsigned int predicted = 0;

		gic_layout_init(&layout, c->model, widths[w]);
		for (unsigned int part = 0; c->parts[part]; part++) {
			for (const struct gic_step *s = c->parts[part]; s->op; s++) {
				uint64_t value;
				char text[80];
				int answer;

				gic_step_text(s, text, sizeof(text));
				if (!gic_step_predict(&layout, s, &answer, &value))
					continue;
				predicted++;
				ck_assert_msg(gic_step_holds(s, answer, value),
					      "%s: %s: %d (0x%llx), not %d (0x%llx)", c->name, text,
					      answer, (unsigned long long)value, s->expect,
					      (unsigned long long)s->value);
			}
		}
		ck_assert_uint_gt(predicted, 0);
	}
}
END_TEST

START_TEST(table_texts)
{
	static const struct {
		struct gic_step step;
		const char *text;
	} rows[] = {
		{ { .op = GIC_OP_PROBE, .arg = GIC_DEVICE_NONE }, "probe no device" },
		{ { .op = GIC_OP_CREATE, .arg = GIC_DEVICE_ITS }, "create ITS" },
		{ { .op = GIC_OP_VCPU, .arg = 3 }, "vCPU 3" },
		{ { .op = GIC_OP_HAS, .frame = GIC_FRAMES }, "attribute -1" },
		{ { .op = GIC_OP_PLACE, .frame = GIC_V2_CPUIF, .arg = 0x1000 }, "GICC at 0x1000" },
		{ { .op = GIC_OP_PLACE, .frame = GIC_V3_ITS, .top = true, .arg = 0x10000 },
		  "ITS at end - 0x10000" },
		{ { .op = GIC_OP_REGION, .arg = GIC_REGION(2, 0x200000, 2, 1) },
		  "GICR region 1: 2 at 0x200000, flags 0x2" },
		{ { .op = GIC_OP_TYPER, .arg = 5 }, "GICR_TYPER of vCPU 5" },
		{ { .op = GIC_OP_RUN, .arg = 3 }, "first run of vCPU 3" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[80];

		gic_step_text(&rows[i].step, text, sizeof(text));
		ck_assert_str_eq(text, rows[i].text);
	}
}
END_TEST

/* A wrong value, errno or success does not pass for the expected one. */
START_TEST(table_judges)
{
	const struct gic_step typer = { .op = GIC_OP_TYPER, .value = 0x310 };
	const struct gic_step other = { .op = GIC_OP_CREATE, .expect = -EINVAL, .also = -EEXIST };

	ck_assert(gic_step_holds(&typer, 0, 0x310));
	ck_assert(!gic_step_holds(&typer, 0, 0x300));
	ck_assert(!gic_step_holds(&typer, -EBUSY, 0x310));
	ck_assert(gic_step_holds(&other, -EINVAL, 0) && gic_step_holds(&other, -EEXIST, 0));
	ck_assert(!gic_step_holds(&other, 0, 0) && !gic_step_holds(&other, -ENODEV, 0));
}
END_TEST

/* --- sentences -------------------------------------------------------------------------------- */

static struct gic_layout layout;
static struct fail fail;

static void begin(enum gic_model model)
{
	gic_layout_init(&layout, model, 40);
	fail = (struct fail){ 0 };
}

START_TEST(sentences)
{
	begin(GIC_MODEL_V3);
	ck_assert_int_eq(gic_layout_place(&layout, GIC_V3_DIST, 0x1000, &fail), -EINVAL);
	ck_assert_str_eq(fail.text, "GICD at 0x1000: not a multiple of 0x10000");
	begin(GIC_MODEL_V3);
	ck_assert_int_eq(gic_layout_place(&layout, GIC_V3_DIST, 0x200000, &fail), 0);
	ck_assert_int_eq(gic_layout_add_cpu(&layout, 0, &fail), 0);
	ck_assert_int_eq(gic_layout_region(&layout, 2, 0x200000, 0, 0, &fail), -EINVAL);
	ck_assert_str_eq(fail.text, "GICR region 0 at 0x200000 (0x40000 bytes) overlaps GICD at "
				    "0x200000 (0x10000 bytes)");
	begin(GIC_MODEL_V3);
	ck_assert_int_eq(gic_layout_region(&layout, 1, (1ULL << 40) - 0x10000, 0, 0, &fail),
			 -E2BIG);
	ck_assert_str_eq(fail.text, "GICR region 0 at 0xffffff0000: 0x20000 bytes end beyond the "
				    "guest's 40 address bits");
	begin(GIC_MODEL_V3);
	ck_assert_int_eq(gic_layout_place(&layout, GIC_V3_ITS, ~0xffffULL, &fail), -EINVAL);
	ck_assert_str_eq(fail.text, "ITS at 0xffffffffffff0000: 0x20000 bytes wrap");
	begin(GIC_MODEL_V2);
	ck_assert_int_eq(gic_layout_place(&layout, GIC_V3_DIST, 0, &fail), -ENXIO);
	ck_assert_int_eq(gic_layout_region(&layout, 1, 0, 0, 0, NULL), -ENXIO);
	ck_assert_int_eq(gic_layout_check(&layout, NULL), -ENXIO);
	ck_assert_int_eq(fail.code, EXIT_CONFIG);
}
END_TEST

/* A refused vCPU is none: its redistributor, in the region that grows, would not fit. */
START_TEST(cpu_beyond_the_end)
{
	begin(GIC_MODEL_V3);
	ck_assert_int_eq(gic_layout_place(&layout, GIC_V3_REDIST, (1ULL << 40) - 0x40000, &fail),
			 0);
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_int_eq(gic_layout_add_cpu(&layout, i, &fail), 0);
	ck_assert_int_eq(gic_layout_add_cpu(&layout, 3, &fail), -EINVAL);
	ck_assert_uint_eq(layout.ncpus, 3);
	ck_assert_int_eq(gic_layout_add_cpu(&layout, 1, NULL), -EEXIST);
	ck_assert_int_eq(gic_layout_add_cpu(&layout, GIC_CPUS_MAX, NULL), -EINVAL);
}
END_TEST

/* --- random layouts --------------------------------------------------------------------------- */

static uint64_t rnd(uint64_t *x, uint64_t below)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x % below;
}

struct span {
	uint64_t base, end;
};

static unsigned int spans_of(const struct gic_layout *l, struct span *spans)
{
	unsigned int n = 0;

	for (int i = 0; i < GIC_FRAMES; i++)
		if (l->frames[i] != GIC_UNSET)
			spans[n++] =
				(struct span){ l->frames[i], l->frames[i] + gic_frame_size(i) };
	for (unsigned int i = 0; i < l->nregions; i++)
		spans[n++] = (struct span){ l->regions[i].base,
					    l->regions[i].base + gic_region_size(l, i) };
	return n;
}

static void assert_disjoint(const struct gic_layout *l, const struct span *extra, unsigned int m)
{
	struct span spans[GIC_FRAMES + GIC_REGIONS_MAX + 8];
	unsigned int n = spans_of(l, spans);

	for (unsigned int i = 0; i < m; i++)
		spans[n++] = extra[i];
	for (unsigned int i = 0; i < n; i++) {
		ck_assert_uint_lt(spans[i].base, spans[i].end);
		ck_assert_uint_le(spans[i].end, 1ULL << l->ipa_bits);
		for (unsigned int k = 0; k < i; k++)
			ck_assert(spans[i].end <= spans[k].base || spans[k].end <= spans[i].base);
	}
}

/* GIC_UNSET without one. */
static uint64_t redist_of(const struct gic_layout *l, const struct gic_cpu *cpu)
{
	return cpu->region < 0 ? GIC_UNSET
			       : l->regions[cpu->region].base + cpu->index * GIC_REDIST_SIZE;
}

/* As a guest sees it: Last exactly where no redistributor in use follows, each CPU its own frame. */
static void assert_typers(const struct gic_layout *l)
{
	for (unsigned int i = 0; i < l->ncpus; i++) {
		const uint64_t own = redist_of(l, &l->cpus[i]);
		unsigned int same = 0, follow = 0;
		uint32_t typer;

		for (unsigned int k = 0; k < l->ncpus; k++) {
			const uint64_t other = redist_of(l, &l->cpus[k]);

			same += other == own;
			follow += other == own + GIC_REDIST_SIZE;
		}
		ck_assert_int_eq(gic_layout_typer(l, l->cpus[i].id, &typer), 0);
		ck_assert_uint_eq(typer >> 8, l->cpus[i].id);
		ck_assert(same == 1 || own == GIC_UNSET);
		ck_assert_uint_eq(!!(typer & GIC_TYPER_LAST), own != GIC_UNSET && !follow);
	}
}

static void random_step(struct gic_layout *l, uint64_t *x)
{
	/* Few addresses, so that frames meet: the low 4 MiB, and the top. */
	uint64_t base = rnd(x, 64) << 16;

	if (!rnd(x, 4))
		base = (1ULL << l->ipa_bits) - base;
	switch (rnd(x, 5)) {
	case 0:
		gic_layout_place(l, (enum gic_frame)rnd(x, GIC_FRAMES), base + rnd(x, 2) * 0x1000,
				 NULL);
		break;
	case 1:
	case 2:
		gic_layout_region(l, (uint32_t)rnd(x, 8), base, !rnd(x, 16),
				  l->nregions + (uint32_t)!rnd(x, 8), NULL);
		break;
	default:
		gic_layout_add_cpu(l, (uint32_t)rnd(x, 40), NULL);
	}
}

/* Whatever the order of steps: what passes the final check has the properties of a layout. */
START_TEST(random_steps)
{
	unsigned int accepted = 0;
	uint64_t x = 88172645463325252ULL;

	for (int round = 0; round < 8000; round++) {
		static struct gic_layout l;

		gic_layout_init(&l, rnd(&x, 4) ? GIC_MODEL_V3 : GIC_MODEL_V2, 36);
		for (unsigned int steps = 4 + (unsigned int)rnd(&x, 20); steps; steps--)
			random_step(&l, &x);
		l.initialised = true;
		if (l.model == GIC_MODEL_V3)
			assert_typers(&l);
		if (gic_layout_check(&l, NULL) || !l.ncpus)
			continue;
		accepted++;
		assert_disjoint(&l, NULL, 0);
	}
	ck_assert_uint_gt(accepted, 200);
}
END_TEST

/* Our own plans: nothing overlaps RAM or a device, all CPUs have their redistributor. */
START_TEST(random_plans)
{
	static const struct span devices[] = {
		{ 0, LAYOUT_GICD_BASE },
		{ LAYOUT_GICV2M_BASE, LAYOUT_GICV2M_BASE + LAYOUT_GICV2M_SIZE },
		{ LAYOUT_PL011_BASE, LAYOUT_RAM_BASE },
	};
	uint64_t x = 362436069;

	for (int round = 0; round < 150; round++) {
		struct gic_want want = {
			.kind = GIC_AUTO + 1 + (unsigned int)rnd(&x, GIC_KINDS - 1),
			.spis = GIC_SPIS_MIN + (unsigned int)rnd(&x, GIC_SPIS_MAX - 31),
			.ram_end = LAYOUT_RAM_BASE + (1 + rnd(&x, 1 << 20)) * 4096,
			.ipa_bits = 40,
		};
		const bool v2 = gic_kind_model(want.kind) == GIC_MODEL_V2;
		struct span all[4];

		want.cpus = 1 + (unsigned int)rnd(&x, v2 ? GIC_V2_CPUS_MAX : GIC_CPUS_MAX);
		ck_assert_msg(!gic_plan(&want, &layout, &fail), "%s", fail.text);
		memcpy(all, devices, sizeof(devices));
		all[3] = (struct span){ LAYOUT_RAM_BASE, want.ram_end };
		assert_disjoint(&layout, all, 4);
		ck_assert_uint_eq(layout.ncpus, want.cpus);
		ck_assert_uint_ge(gic_plan_irqs(want.spis), want.spis + 32);
		ck_assert_uint_eq(gic_plan_irqs(want.spis) % 32, 0);
		for (unsigned int i = 0; i < layout.nregions; i++)
			ck_assert_uint_le(layout.regions[i].base + gic_region_size(&layout, i),
					  i ? gic_plan_end(&want) : LAYOUT_PL011_BASE);
		if (!v2)
			assert_typers(&layout);
	}
}
END_TEST

START_TEST(plan_256)
{
	struct gic_want want = { GIC_V3_WITH_ITS, 256, 960, 0x60000000, 40, false };
	uint64_t attr;
	uint32_t typer;

	ck_assert_int_eq(gic_plan(&want, &layout, &fail), 0);
	ck_assert_uint_eq(layout.nregions, 2);
	ck_assert_int_eq(gic_layout_region_attr(&layout, 0, &attr), 0);
	ck_assert_uint_eq(attr, GIC_REGION(123, 0x080a0000, 0, 0));
	ck_assert_int_eq(gic_layout_region_attr(&layout, 1, &attr), 0);
	ck_assert_uint_eq(attr, GIC_REGION(133, 0x60000000, 0, 1));
	for (uint32_t id = 0; id < 256; id++) {
		ck_assert_int_eq(gic_layout_typer(&layout, id, &typer), 0);
		ck_assert_uint_eq(typer, id << 8 | GIC_TYPER_PLPIS |
						 (id == 122 || id == 255 ? GIC_TYPER_LAST : 0));
	}
	ck_assert_uint_eq(gic_plan_irqs(960), 992);
	ck_assert_uint_eq(gic_plan_end(&want), 0x60000000 + 133 * 0x20000ULL);
	ck_assert(gic_layout_owns(&layout, 0x08080000) && gic_layout_owns(&layout, 0x0809ffff));
	ck_assert(gic_layout_owns(&layout, 0x6109ffff) && !gic_layout_owns(&layout, 0x610a0000));
	ck_assert(!gic_layout_owns(&layout, 0x08010000) && !gic_layout_owns(&layout, 0x5fffffff));
	/* Where the addresses end below the second region. */
	want.ram_end = (1ULL << 40) - 0x40000;
	ck_assert_int_eq(gic_plan(&want, &layout, &fail), -E2BIG);
	ck_assert_ptr_nonnull(strstr(fail.text, "GICR region 1 at 0xfffffc0000"));
	want.spis = 988;
	ck_assert_int_eq(gic_plan(&want, &layout, NULL), -EINVAL);
}
END_TEST

/* --- what the host can do --------------------------------------------------------------------- */

START_TEST(choices)
{
	static const struct {
		struct gic_host host;
		enum gic_kind kind;
		int err;
		enum gic_kind chosen;
		const char *says;
	} rows[] = {
		{ { false, true, true, true, 512 }, GIC_AUTO, 0, GIC_V3_WITH_ITS, NULL },
		{ { true, true, true, true, 512 }, GIC_AUTO, 0, GIC_V3_WITH_ITS, NULL },
		{ { false, true, false, true, 512 }, GIC_AUTO, 0, GIC_V3, NULL },
		{ { true, false, false, true, 512 }, GIC_AUTO, 0, GIC_V2M, NULL },
		{ { true, true, false, true, 512 }, GIC_AUTO, 0, GIC_V2M, NULL },
		{ { true, true, true, true, 512 }, GIC_V2, 0, GIC_V2, NULL },
		{ { false, true, true, true, 512 }, GIC_V3, 0, GIC_V3, NULL },
		{ { false, true, true, true, 512 },
		  GIC_V2M,
		  -ENODEV,
		  GIC_V2M,
		  "it can gicv3, gicv3-its, gicv2-user;" },
		{ { true, false, false, true, 512 },
		  GIC_V3_WITH_ITS,
		  -ENODEV,
		  GIC_V3_WITH_ITS,
		  "it can gicv2, gicv2m, gicv2-user;" },
		{ { false, true, false, true, 512 },
		  GIC_V3_WITH_ITS,
		  -ENODEV,
		  GIC_V3_WITH_ITS,
		  "it can gicv3, gicv2-user;" },
		{ { false, false, false, false, 512 },
		  GIC_AUTO,
		  -ENODEV,
		  GIC_AUTO,
		  "no interrupt" },
		{ { false, false, false, true, 512 }, GIC_AUTO, 0, GIC_V2_USER, NULL },
		{ { false, true, true, true, 512 }, GIC_V2_USER, 0, GIC_V2_USER, NULL },
		{ { false, true, true, false, 512 },
		  GIC_V2_USER,
		  -ENODEV,
		  GIC_V2_USER,
		  "it can gicv3, gicv3-its;" },
		{ { false, true, true, true, 3 }, GIC_AUTO, -EINVAL, GIC_V3_WITH_ITS, "at most 3" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gic_want want = { .kind = rows[i].kind, .cpus = 4 };
		struct fail why = { 0 };

		ck_assert_int_eq(gic_choose(&rows[i].host, &want, &why), rows[i].err);
		ck_assert_int_eq(want.kind, rows[i].chosen);
		if (rows[i].says)
			ck_assert_msg(strstr(why.text, rows[i].says) != NULL, "%s", why.text);
		ck_assert_int_eq(why.code, !rows[i].err				? EXIT_OK
					   : rows[i].host.v2 || rows[i].host.v3 ? EXIT_CONFIG
										: EXIT_HOST);
	}
}
END_TEST

START_TEST(gicv2_has_eight_cpus)
{
	const struct gic_host host = { true, false, false, true, 512 };
	const struct gic_host both = { true, true, false, true, 512 };
	struct gic_want want = { .kind = GIC_AUTO, .cpus = 9 };

	ck_assert_int_eq(gic_choose(&host, &want, &fail), -EINVAL);
	ck_assert_int_eq(want.kind, GIC_V2M);
	want.cpus = 8;
	ck_assert_int_eq(gic_choose(&host, &want, NULL), 0);
	want = (struct gic_want){ .kind = GIC_AUTO, .cpus = 9 };
	ck_assert_int_eq(gic_choose(&both, &want, NULL), 0);
	ck_assert_int_eq(want.kind, GIC_V3);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("gic_layout");
	TCase *t = tcase_create("gic_layout");

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, table, 0, (int)ncases());
	tcase_add_test(t, table_texts);
	tcase_add_test(t, table_judges);
	tcase_add_test(t, sentences);
	tcase_add_test(t, cpu_beyond_the_end);
	tcase_add_test(t, random_steps);
	tcase_add_test(t, random_plans);
	tcase_add_test(t, plan_256);
	tcase_add_test(t, choices);
	tcase_add_test(t, gicv2_has_eight_cpus);
	return run_suite(s);
}
