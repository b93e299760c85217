// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/gic_layout.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KIB 1024ULL

static const struct {
	const char *name;
	enum gic_model model;
	uint64_t align, size;
} kinds[GIC_FRAMES] = {
	[GIC_V2_DIST] = { "GICD", GIC_MODEL_V2, 4 * KIB, 4 * KIB },
	[GIC_V2_CPUIF] = { "GICC", GIC_MODEL_V2, 4 * KIB, 8 * KIB },
	[GIC_V3_DIST] = { "GICD", GIC_MODEL_V3, 64 * KIB, 64 * KIB },
	[GIC_V3_REDIST] = { "GICR", GIC_MODEL_V3, 64 * KIB, 0 },
	[GIC_V3_ITS] = { "ITS", GIC_MODEL_V3, 64 * KIB, 128 * KIB },
};

/* How a sentence calls a range of addresses. */
struct range {
	char name[24];
	uint64_t base, size;
};

static unsigned long long hex(uint64_t v)
{
	return v;
}

static bool overlap(const struct range *a, const struct range *b)
{
	return a->base + a->size > b->base && a->base < b->base + b->size;
}

static int refuse_overlap(const struct range *a, const struct range *b, struct fail *fail)
{
	return fail_set(fail, EXIT_CONFIG, -EINVAL,
			"%s at 0x%llx (0x%llx bytes) overlaps %s at 0x%llx (0x%llx bytes)", a->name,
			hex(a->base), hex(a->size), b->name, hex(b->base), hex(b->size));
}

static struct range frame_range(enum gic_frame frame, uint64_t base)
{
	struct range r = { .base = base, .size = kinds[frame].size };

	snprintf(r.name, sizeof(r.name), "%s", kinds[frame].name);
	return r;
}

static struct range region_range(const struct gic_layout *layout, unsigned int index)
{
	struct range r = {
		.base = layout->regions[index].base,
		.size = gic_region_size(layout, index),
	};

	snprintf(r.name, sizeof(r.name), "GICR region %u", index);
	return r;
}

uint64_t gic_frame_size(enum gic_frame frame)
{
	return kinds[frame].size;
}

uint64_t gic_region_size(const struct gic_layout *layout, unsigned int index)
{
	uint32_t count = layout->regions[index].count;

	return (count ? count : layout->ncpus) * GIC_REDIST_SIZE;
}

void gic_layout_init(struct gic_layout *layout, enum gic_model model, unsigned int ipa_bits)
{
	*layout = (struct gic_layout){ .model = model, .ipa_bits = ipa_bits };
	for (int i = 0; i < GIC_FRAMES; i++)
		layout->frames[i] = GIC_UNSET;
}

/* The checks of one range by itself. */
static int check_range(const struct gic_layout *layout, const struct range *r, uint64_t align,
		       struct fail *fail)
{
	if (r->base % align)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"%s at 0x%llx: not a multiple of 0x%llx", r->name, hex(r->base),
				hex(align));
	if (r->base + r->size < r->base)
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "%s at 0x%llx: 0x%llx bytes wrap",
				r->name, hex(r->base), hex(r->size));
	if (r->base >> layout->ipa_bits || r->base + r->size > 1ULL << layout->ipa_bits)
		return fail_set(fail, EXIT_CONFIG, -E2BIG,
				"%s at 0x%llx: 0x%llx bytes end beyond the guest's %u address bits",
				r->name, hex(r->base), hex(r->size), layout->ipa_bits);
	return 0;
}

/* What KVM asks of its redistributors whenever one is added: each region still fits (the one that
 * grows with the vCPUs may not), none is on the distributor. */
static int check_regions(const struct gic_layout *layout, struct fail *fail)
{
	const struct range dist = frame_range(GIC_V3_DIST, layout->frames[GIC_V3_DIST]);

	for (unsigned int i = 0; i < layout->nregions; i++) {
		const struct range r = region_range(layout, i);

		if (check_range(layout, &r, kinds[GIC_V3_REDIST].align, fail))
			return -EINVAL;
		if (dist.base != GIC_UNSET && overlap(&r, &dist))
			return refuse_overlap(&r, &dist, fail);
	}
	return 0;
}

/* --- redistributors --------------------------------------------------------------------------- */

static bool is_full(const struct gic_region *region)
{
	return region->count && region->used == region->count;
}

/* Regions fill in the order of their indices, with vCPUs in the order of their creation. */
static int take_redistributor(struct gic_layout *layout, struct gic_cpu *cpu, struct fail *fail)
{
	unsigned int i = 0;
	int err;

	while (i < layout->nregions && is_full(&layout->regions[i]))
		i++;
	if (cpu->region >= 0 || i == layout->nregions)
		return 0;
	err = check_regions(layout, fail);
	if (err)
		return err;
	cpu->region = (int32_t)i;
	cpu->index = layout->regions[i].used++;
	return 0;
}

static int new_region_fits(const struct gic_layout *layout, const struct range *r, uint32_t count,
			   struct fail *fail)
{
	const struct range dist = frame_range(GIC_V3_DIST, layout->frames[GIC_V3_DIST]);

	if (r->base + r->size < r->base)
		return check_range(layout, r, 1, fail);
	if (!count && dist.base != GIC_UNSET && overlap(r, &dist))
		return refuse_overlap(r, &dist, fail);
	for (unsigned int i = 0; i < layout->nregions; i++) {
		const struct range other = region_range(layout, i);

		if (overlap(r, &other))
			return refuse_overlap(r, &other, fail);
	}
	return check_range(layout, r, kinds[GIC_V3_REDIST].align, fail);
}

/* `count` 0 is GIC_V3_REDIST. */
static int new_region(struct gic_layout *layout, uint32_t count, uint64_t base, uint32_t index,
		      struct fail *fail)
{
	const struct gic_region *last =
		layout->nregions ? &layout->regions[layout->nregions - 1] : NULL;
	struct range r = { .base = base,
			   .size = (count ? count : layout->ncpus) * GIC_REDIST_SIZE };
	int err;

	snprintf(r.name, sizeof(r.name), count ? "GICR region %u" : "GICR", index);
	if (last && !count)
		return fail_set(fail, EXIT_CONFIG, last->count ? -EINVAL : -EEXIST,
				last->count ? "%s at 0x%llx: there are regions with counts already"
					    : "%s at 0x%llx: it is placed already",
				r.name, hex(base));
	if (index != layout->nregions)
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "%s: the next index is %u", r.name,
				layout->nregions);
	if (layout->nregions == GIC_REGIONS_MAX)
		return fail_set(fail, EXIT_CONFIG, -ENOSPC, "%s: more than %d regions", r.name,
				GIC_REGIONS_MAX);
	err = new_region_fits(layout, &r, count, fail);
	if (err)
		return err;
	layout->regions[layout->nregions++] = (struct gic_region){ .base = base, .count = count };
	for (unsigned int i = 0; !err && i < layout->ncpus; i++)
		err = take_redistributor(layout, &layout->cpus[i], fail);
	/* The check does not depend on the vCPU: the first one that needs a place fails, or none. */
	if (err)
		layout->nregions--;
	return err;
}

int gic_layout_region(struct gic_layout *layout, uint32_t count, uint64_t base, uint32_t flags,
		      uint32_t index, struct fail *fail)
{
	if (layout->model != GIC_MODEL_V3)
		return fail_set(fail, EXIT_CONFIG, -ENXIO, "GICR region %u: not of a GICv2", index);
	if (!count || flags)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				count ? "GICR region %u: its flags 0x%x are not zero"
				      : "GICR region %u: no redistributor in it",
				index, flags);
	return new_region(layout, count, base & ~0xffffULL, index, fail);
}

int gic_layout_region_attr(const struct gic_layout *layout, uint32_t index, uint64_t *attr)
{
	if (index >= layout->nregions)
		return -ENOENT;
	*attr = (uint64_t)layout->regions[index].count << 52 | layout->regions[index].base | index;
	return 0;
}

/* --- frames ----------------------------------------------------------------------------------- */

int gic_layout_place(struct gic_layout *layout, enum gic_frame frame, uint64_t base,
		     struct fail *fail)
{
	const struct range r = frame_range(frame, base);
	int err;

	if (kinds[frame].model != layout->model)
		return fail_set(fail, EXIT_CONFIG, -ENXIO, "%s at 0x%llx: not of this model",
				r.name, hex(base));
	if (frame == GIC_V3_REDIST)
		return new_region(layout, 0, base, 0, fail);
	if (layout->frames[frame] != GIC_UNSET)
		return fail_set(fail, EXIT_CONFIG, -EEXIST, "%s at 0x%llx: it is at 0x%llx already",
				r.name, hex(base), hex(layout->frames[frame]));
	err = check_range(layout, &r, kinds[frame].align, fail);
	if (!err)
		layout->frames[frame] = base;
	return err;
}

static const struct gic_cpu *find_cpu(const struct gic_layout *layout, uint32_t id)
{
	for (unsigned int i = 0; i < layout->ncpus; i++)
		if (layout->cpus[i].id == id)
			return &layout->cpus[i];
	return NULL;
}

int gic_layout_add_cpu(struct gic_layout *layout, uint32_t id, struct fail *fail)
{
	const uint32_t max = layout->model == GIC_MODEL_V2 ? GIC_V2_CPUS_MAX : GIC_CPUS_MAX;
	struct gic_cpu cpu = { .id = id, .region = -1 };
	int err;

	if (layout->initialised)
		return fail_set(fail, EXIT_CONFIG, -EBUSY, "vCPU %u comes after the GIC's start",
				id);
	if (id >= max)
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "vCPU %u: this GIC ends at %u CPUs", id,
				max);
	if (find_cpu(layout, id))
		return fail_set(fail, EXIT_CONFIG, -EEXIST, "vCPU %u exists already", id);
	err = take_redistributor(layout, &cpu, fail);
	if (!err)
		layout->cpus[layout->ncpus++] = cpu;
	return err;
}

/* --- as a whole ------------------------------------------------------------------------------- */

static int check_present(const struct gic_layout *layout, struct fail *fail)
{
	for (int i = 0; i < GIC_FRAMES; i++)
		if (kinds[i].model == layout->model && kinds[i].size && i != GIC_V3_ITS &&
		    layout->frames[i] == GIC_UNSET)
			return fail_set(fail, EXIT_CONFIG, -ENXIO, "the %s has no address",
					kinds[i].name);
	for (unsigned int i = 0; layout->model == GIC_MODEL_V3 && i < layout->ncpus; i++)
		if (layout->cpus[i].region < 0)
			return fail_set(fail, EXIT_CONFIG, -ENXIO,
					"vCPU %u has no redistributor: the regions are full",
					layout->cpus[i].id);
	return 0;
}

static int check_overlaps(const struct gic_layout *layout, struct fail *fail)
{
	struct range all[GIC_FRAMES + GIC_REGIONS_MAX];
	unsigned int n = 0;

	for (int i = 0; i < GIC_FRAMES; i++)
		if (layout->frames[i] != GIC_UNSET)
			all[n++] = frame_range(i, layout->frames[i]);
	for (unsigned int i = 0; i < layout->nregions; i++)
		all[n++] = region_range(layout, i);
	for (unsigned int i = 0; i < n; i++)
		for (unsigned int k = 0; k < i; k++)
			if (overlap(&all[i], &all[k]))
				return refuse_overlap(&all[i], &all[k], fail);
	return 0;
}

int gic_layout_check(const struct gic_layout *layout, struct fail *fail)
{
	int err = check_present(layout, fail);

	if (!err)
		err = check_regions(layout, fail);
	if (!err)
		err = check_overlaps(layout, fail);
	if (!err && layout->model == GIC_MODEL_V3 && !layout->initialised)
		err = fail_set(fail, EXIT_CONFIG, -EBUSY, "the GIC is not initialised");
	return err;
}

/* The last of its region, unless a region that is in use goes on right behind it. */
static bool is_last(const struct gic_layout *layout, const struct gic_cpu *cpu)
{
	const struct gic_region *region;
	uint64_t end;

	if (cpu->region < 0)
		return false;
	region = &layout->regions[cpu->region];
	if (cpu->index + 1 < region->used)
		return false;
	end = region->base + (cpu->index + 1) * GIC_REDIST_SIZE;
	for (unsigned int i = 0; is_full(region) && i < layout->nregions; i++)
		if (layout->regions[i].base == end && layout->regions[i].used)
			return false;
	return true;
}

int gic_layout_typer(const struct gic_layout *layout, uint32_t id, uint32_t *typer)
{
	const struct gic_cpu *cpu = find_cpu(layout, id);

	if (!cpu)
		return -EINVAL;
	if (!layout->initialised)
		return -EBUSY;
	*typer = id << 8 | (is_last(layout, cpu) ? GIC_TYPER_LAST : 0) |
		 (layout->frames[GIC_V3_ITS] != GIC_UNSET ? GIC_TYPER_PLPIS : 0);
	return 0;
}

bool gic_layout_owns(const struct gic_layout *layout, uint64_t addr)
{
	for (int i = 0; i < GIC_FRAMES; i++)
		if (layout->frames[i] != GIC_UNSET && addr - layout->frames[i] < kinds[i].size)
			return true;
	for (unsigned int i = 0; i < layout->nregions; i++)
		if (addr - layout->regions[i].base < gic_region_size(layout, i))
			return true;
	return false;
}
