/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FIRMWARE_DTB_H
#define FIRMWARE_DTB_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/core/device.h"

struct fdt;

/* What the guest is told about PSCI (binding arm/psci.yaml). */
struct psci_desc {
	const char *const *compatible; /* newest version first */
	unsigned int ncompatible;
	const char *method; /* "hvc" or "smc" */
	/* Function ids, which PSCI 0.1 leaves to the device tree; 0: left out. */
	uint32_t cpu_suspend, cpu_off, cpu_on, migrate;
};

extern const struct psci_desc psci_1_0; /* 1.0 and later, hvc */
extern const struct psci_desc psci_0_2; /* 0.2, hvc */

struct dtb_config {
	uint64_t ram_base, ram_size; /* bytes */
	const char *bootargs; /* verbatim; NULL: the property is left out */
	uint64_t initrd_start, initrd_end; /* equal: no initrd */
	const char *stdout_path; /* "/serial@9000000", or with ":115200n8"; NULL: left out */
	struct device *const *devices; /* each describes itself, in this order */
	unsigned int ndevices;
	/* Adds the architecture's nodes, the interrupt controller with FDT_PHANDLE_GIC among them;
	 * NULL in tests. */
	void (*arch)(void *arg, struct fdt *fdt);
	void *arg;
	const struct psci_desc *psci; /* NULL: no node */
	bool seeds; /* kaslr-seed and rng-seed, new random numbers at each call */
};

/*
 * Builds the flattened device tree: *blob is malloc'ed and the caller's, *size in bytes, at most
 * BOOT_DTB_MAX. 0, or -errno with `fail` set.
 */
int dtb_build(const struct dtb_config *cfg, void **blob, uint32_t *size, struct fail *fail);

#endif
