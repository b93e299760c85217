/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_DT_H
#define ARCH_ARM64_DT_H

#include <stdbool.h>

struct fdt;

/* The nodes that belong to the architecture: cpus, timer and pmu. The interrupt controller
 * describes itself, the devices too. Bindings: arm/cpus.yaml, timer/arm,arch_timer.yaml,
 * arm/pmu.yaml. */
void dt_arm64(struct fdt *fdt, unsigned int cpus, bool gicv2, bool pmu);

#endif
