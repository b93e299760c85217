// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/gic_plan.h"

#include <errno.h>
#include <stdio.h>

#include "arch/arm64/layout.h"

_Static_assert(GIC_REDIST_SIZE == LAYOUT_GICR_CPU_SIZE, "one redistributor");

const char *const gic_kind_words[] = { "auto",	    "gicv2",	  "gicv2m", "gicv3",
				       "gicv3-its", "gicv2-user", NULL };

enum gic_model gic_kind_model(enum gic_kind kind)
{
	return kind == GIC_V3 || kind == GIC_V3_WITH_ITS ? GIC_MODEL_V3 : GIC_MODEL_V2;
}

bool gic_kind_has_its(enum gic_kind kind)
{
	return kind == GIC_V3_WITH_ITS;
}

bool gic_kind_has_v2m(enum gic_kind kind)
{
	return kind == GIC_V2M || kind == GIC_V2_USER;
}

bool gic_kind_in_kernel(enum gic_kind kind)
{
	return kind != GIC_V2_USER;
}

static bool can(const struct gic_host *host, enum gic_kind kind)
{
	if (!gic_kind_in_kernel(kind))
		return host->user;
	if (gic_kind_model(kind) == GIC_MODEL_V2)
		return host->v2;
	return host->v3 && (host->its || !gic_kind_has_its(kind));
}

void gic_host_words(const struct gic_host *host, char words[GIC_WORDS])
{
	size_t len = 0;

	words[0] = '\0';
	for (int kind = GIC_AUTO + 1; kind < GIC_KINDS; kind++)
		if (can(host, kind) && len < GIC_WORDS)
			len += (size_t)snprintf(words + len, GIC_WORDS - len, "%s%s",
						len ? ", " : "", gic_kind_words[kind]);
}

unsigned int gic_host_cpus(const struct gic_host *host, enum gic_kind kind)
{
	bool v2 = gic_kind_model(kind) == GIC_MODEL_V2;

	return v2 && host->cpus > GIC_V2_CPUS_MAX ? GIC_V2_CPUS_MAX : host->cpus;
}

/* Messages for devices where the host has them, and as many CPUs as are wanted; in the kernel if
 * there is a way. */
static enum gic_kind best(const struct gic_host *host, unsigned int cpus)
{
	if (host->v3 && host->its)
		return GIC_V3_WITH_ITS;
	if (host->v2 && (cpus <= GIC_V2_CPUS_MAX || !host->v3))
		return GIC_V2M;
	return host->v3 ? GIC_V3 : GIC_V2_USER;
}

int gic_choose(const struct gic_host *host, struct gic_want *want, struct fail *fail)
{
	char kinds[GIC_WORDS];
	unsigned int max;

	if (!host->v2 && !host->v3 && !host->user)
		return fail_set(fail, EXIT_HOST, -ENODEV,
				"this host's KVM has no interrupt controller (neither GICv2 nor "
				"GICv3), and none in userspace is possible");
	if (want->kind == GIC_AUTO)
		want->kind = best(host, want->cpus);
	gic_host_words(host, kinds);
	if (!can(host, want->kind))
		return fail_set(
			fail, EXIT_CONFIG, -ENODEV,
			"--irqchip %s: this host's KVM cannot; it can %s; use that, or auto",
			gic_kind_words[want->kind], kinds);
	if (want->user_its && !gic_kind_has_its(want->kind))
		return fail_set(fail, EXIT_CONFIG, -ENODEV,
				"--its user: %s has no ITS; this host's KVM can %s; use --irqchip "
				"gicv3-its where it can, or leave --its out",
				gic_kind_words[want->kind], kinds);
	max = gic_host_cpus(host, want->kind);
	if (want->cpus > max)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--cpus %u: this host's KVM with %s allows at most %u", want->cpus,
				gic_kind_words[want->kind], max);
	return 0;
}

static unsigned int high_cpus(unsigned int cpus)
{
	return cpus > LAYOUT_GICR_CPUS ? cpus - LAYOUT_GICR_CPUS : 0;
}

static uint64_t high_base(uint64_t ram_end)
{
	return (ram_end + LAYOUT_GICR_ALIGN - 1) & -LAYOUT_GICR_ALIGN;
}

static uint64_t redist_end(const struct gic_want *want)
{
	unsigned int high = high_cpus(want->cpus);

	return high ? high_base(want->ram_end) + high * LAYOUT_GICR_CPU_SIZE : want->ram_end;
}

static uint64_t its_base(const struct gic_want *want)
{
	/* Some programs find the end of RAM by looking whether anything answers behind it. */
	return want->user_its ? high_base(redist_end(want) + LAYOUT_GICR_ALIGN) : LAYOUT_ITS_BASE;
}

uint64_t gic_plan_end(const struct gic_want *want)
{
	return want->user_its ? its_base(want) + LAYOUT_ITS_SIZE + GIC_HIDDEN_MEM
			      : redist_end(want);
}

uint32_t gic_plan_irqs(unsigned int spis)
{
	return 32 + (spis + 31) / 32 * 32;
}

static int place_v2(struct gic_layout *layout, struct fail *fail)
{
	int err = gic_layout_place(layout, GIC_V2_DIST, LAYOUT_GICD_BASE, fail);

	return err ? err : gic_layout_place(layout, GIC_V2_CPUIF, LAYOUT_GICC_BASE, fail);
}

static int place_v3(const struct gic_want *want, struct gic_layout *layout, struct fail *fail)
{
	unsigned int high = high_cpus(want->cpus);
	int err = gic_layout_place(layout, GIC_V3_DIST, LAYOUT_GICD_BASE, fail);

	if (!err)
		err = gic_layout_region(layout, want->cpus - high, LAYOUT_GICR_BASE, 0, 0, fail);
	if (!err && high)
		err = gic_layout_region(layout, high, high_base(want->ram_end), 0, 1, fail);
	if (!err && gic_kind_has_its(want->kind))
		err = gic_layout_place(layout, GIC_V3_ITS, its_base(want), fail);
	return err;
}

int gic_plan(const struct gic_want *want, struct gic_layout *layout, struct fail *fail)
{
	enum gic_model model = gic_kind_model(want->kind);
	int err;

	if (want->spis < GIC_SPIS_MIN || want->spis > GIC_SPIS_MAX)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"%u SPIs: KVM's interrupt controllers have %d to %d", want->spis,
				GIC_SPIS_MIN, GIC_SPIS_MAX);
	gic_layout_init(layout, model, want->ipa_bits);
	err = model == GIC_MODEL_V2 ? place_v2(layout, fail) : place_v3(want, layout, fail);
	for (unsigned int i = 0; !err && i < want->cpus; i++)
		err = gic_layout_add_cpu(layout, i, fail);
	layout->initialised = true;
	return err ? err : gic_layout_check(layout, fail);
}
