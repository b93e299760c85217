// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>

#include "arch/arm64/gic_table.h"

#define BASE_MASK 0x000fffffffff0000ULL

uint64_t gic_step_arg(const struct gic_step *step, unsigned int ipa_bits)
{
	const uint64_t end = 1ULL << ipa_bits;

	if (!step->top)
		return step->arg;
	if (step->op != GIC_OP_REGION)
		return end - step->arg;
	return (step->arg & ~BASE_MASK) | (end - (step->arg & BASE_MASK));
}

static void place_text(const struct gic_step *step, char *buf, size_t size)
{
	static const char *const names[] = { "GICD", "GICC", "GICD", "GICR", "ITS" };

	if (step->op == GIC_OP_HAS && step->frame == GIC_FRAMES)
		snprintf(buf, size, "attribute -1");
	else if (step->op == GIC_OP_HAS)
		snprintf(buf, size, "%s attribute", names[step->frame]);
	else
		snprintf(buf, size, "%s at %s0x%llx", names[step->frame], step->top ? "end - " : "",
			 (unsigned long long)step->arg);
}

static void region_text(const struct gic_step *step, char *buf, size_t size)
{
	snprintf(buf, size, "GICR region %u: %u at %s0x%llx, flags 0x%x",
		 (unsigned int)(step->arg & 0xfff), (unsigned int)(step->arg >> 52),
		 step->top ? "end - " : "", (unsigned long long)(step->arg & BASE_MASK),
		 (unsigned int)(step->arg >> 12 & 0xf));
}

void gic_step_text(const struct gic_step *step, char *buf, size_t size)
{
	static const char *const devices[] = { "no device", "this GIC", "the other GIC", "ITS" };
	static const char *const words[] = {
		[GIC_OP_VCPU] = "vCPU",
		[GIC_OP_REGION_GET] = "read GICR region",
		[GIC_OP_IRQS] = "interrupts:",
		[GIC_OP_TYPER] = "GICR_TYPER of vCPU",
		[GIC_OP_RUN] = "first run of vCPU",
	};

	switch (step->op) {
	case GIC_OP_PROBE:
	case GIC_OP_CREATE:
		snprintf(buf, size, "%s %s", step->op == GIC_OP_PROBE ? "probe" : "create",
			 devices[step->arg]);
		break;
	case GIC_OP_HAS:
	case GIC_OP_PLACE:
		place_text(step, buf, size);
		break;
	case GIC_OP_REGION:
		region_text(step, buf, size);
		break;
	case GIC_OP_NULL:
	case GIC_OP_INIT:
		snprintf(buf, size, step->op == GIC_OP_INIT ? "INIT" : "GICR region at NULL");
		break;
	default:
		snprintf(buf, size, "%s %llu", words[step->op], (unsigned long long)step->arg);
	}
}

bool gic_step_holds(const struct gic_step *step, int answer, uint64_t value)
{
	if (step->also && answer == step->also)
		return true;
	return answer == step->expect && (answer || value == step->value);
}

static int predict_irqs(uint64_t n)
{
	return n < 32 + GIC_SPIS_MIN || n > 32 + GIC_SPIS_MAX || n % 32 ? -EINVAL : 0;
}

bool gic_step_predict(struct gic_layout *layout, const struct gic_step *step, int *answer,
		      uint64_t *value)
{
	const uint64_t arg = gic_step_arg(step, layout->ipa_bits);
	uint32_t typer = 0;

	*value = 0;
	switch (step->op) {
	case GIC_OP_VCPU:
		*answer = gic_layout_add_cpu(layout, (uint32_t)arg, NULL);
		return true;
	case GIC_OP_PLACE:
		*answer = gic_layout_place(layout, step->frame, arg, NULL);
		return true;
	case GIC_OP_REGION:
		*answer = gic_layout_region(layout, (uint32_t)(arg >> 52), arg & BASE_MASK,
					    arg >> 12 & 0xf, arg & 0xfff, NULL);
		return true;
	case GIC_OP_REGION_GET:
		*answer = gic_layout_region_attr(layout, (uint32_t)arg, value);
		return true;
	case GIC_OP_INIT:
		layout->initialised = true;
		*answer = 0;
		return true;
	case GIC_OP_TYPER:
		*answer = gic_layout_typer(layout, (uint32_t)arg, &typer);
		*value = typer;
		return true;
	case GIC_OP_RUN:
		*answer = gic_layout_check(layout, NULL);
		return true;
	case GIC_OP_IRQS:
		*answer = predict_irqs(arg);
		return step->expect != -EBUSY;
	default:
		return false;
	}
}
