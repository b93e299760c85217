// SPDX-License-Identifier: GPL-2.0-only
#include "firmware/dtb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "firmware/boot.h"
#include "vmm/core/fdt.h"

enum { CLOCK_HZ = 24000000, RNG_SEED = 64 };

static const char *const psci_names[] = { "arm,psci-1.0", "arm,psci-0.2" };

const struct psci_desc psci_1_0 = { .compatible = psci_names, .ncompatible = 2, .method = "hvc" };
const struct psci_desc psci_0_2 = { .compatible = psci_names + 1,
				    .ncompatible = 1,
				    .method = "hvc" };

static void add_root(struct fdt *fdt)
{
	dt_u32(fdt, "interrupt-parent", FDT_PHANDLE_GIC);
	dt_str(fdt, "compatible", "linux,dummy-virt");
	dt_str(fdt, "model", "vmm");
	/* Inherited by all devices: none works around a cache. */
	dt_empty(fdt, "dma-coherent");
}

static int add_seeds(struct fdt *fdt)
{
	struct {
		uint64_t kaslr;
		uint8_t rng[RNG_SEED];
	} seeds;

	/* Up to 256 bytes come whole (getrandom(2)). */
	if (getrandom(&seeds, sizeof(seeds), 0) != sizeof(seeds))
		return -EIO;
	dt_u64(fdt, "kaslr-seed", seeds.kaslr);
	dt_bytes(fdt, "rng-seed", seeds.rng, sizeof(seeds.rng));
	return 0;
}

/* dt-schema wants one cell, kernels read one or two: two only where `end` needs them. */
static void add_address(struct fdt *fdt, const char *name, uint64_t addr, uint64_t end)
{
	if (end > UINT32_MAX)
		dt_u64(fdt, name, addr);
	else
		dt_u32(fdt, name, (uint32_t)addr);
}

static int add_chosen(struct fdt *fdt, const struct dtb_config *cfg)
{
	int err = 0;

	dt_node(fdt, "chosen");
	if (cfg->bootargs)
		dt_str(fdt, "bootargs", cfg->bootargs);
	if (cfg->stdout_path)
		dt_str(fdt, "stdout-path", cfg->stdout_path);
	if (cfg->initrd_end > cfg->initrd_start) {
		add_address(fdt, "linux,initrd-start", cfg->initrd_start, cfg->initrd_end);
		add_address(fdt, "linux,initrd-end", cfg->initrd_end, cfg->initrd_end);
	}
	if (cfg->seeds)
		err = add_seeds(fdt);
	dt_end(fdt);
	return err;
}

static void add_memory(struct fdt *fdt, const struct dtb_config *cfg)
{
	dt_node(fdt, "memory@%llx", (unsigned long long)cfg->ram_base);
	dt_str(fdt, "device_type", "memory");
	dt_reg(fdt, cfg->ram_base, cfg->ram_size);
	dt_end(fdt);
}

/* The clock that all PrimeCells name. */
static void add_clock(struct fdt *fdt)
{
	dt_node(fdt, "clock-%d", CLOCK_HZ);
	dt_str(fdt, "compatible", "fixed-clock");
	dt_u32(fdt, "#clock-cells", 0);
	dt_u32(fdt, "clock-frequency", CLOCK_HZ);
	dt_u32(fdt, "phandle", FDT_PHANDLE_CLOCK);
	dt_end(fdt);
}

static void add_psci(struct fdt *fdt, const struct psci_desc *psci)
{
	const struct {
		const char *name;
		uint32_t id;
	} ids[] = {
		{ "cpu_suspend", psci->cpu_suspend },
		{ "cpu_off", psci->cpu_off },
		{ "cpu_on", psci->cpu_on },
		{ "migrate", psci->migrate },
	};

	dt_node(fdt, "psci");
	dt_strs_n(fdt, "compatible", psci->compatible, psci->ncompatible);
	dt_str(fdt, "method", psci->method);
	for (unsigned int i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (ids[i].id)
			dt_u32(fdt, ids[i].name, ids[i].id);
	dt_end(fdt);
}

int dtb_build(const struct dtb_config *cfg, void **blob, uint32_t *size, struct fail *fail)
{
	struct fdt fdt;
	int err = dt_create(&fdt), seeds;

	add_root(&fdt);
	seeds = add_chosen(&fdt, cfg);
	add_memory(&fdt, cfg);
	if (cfg->psci)
		add_psci(&fdt, cfg->psci);
	add_clock(&fdt);
	if (cfg->arch)
		cfg->arch(cfg->arg, &fdt);
	for (unsigned int i = 0; i < cfg->ndevices; i++)
		if (cfg->devices[i]->ops->describe)
			cfg->devices[i]->ops->describe(cfg->devices[i], &fdt);
	err = dt_finish(&fdt, blob, size);
	if (!err && (seeds || *size > BOOT_DTB_MAX)) {
		err = seeds ? seeds : -E2BIG;
		free(*blob);
		*blob = NULL;
	}
	if (err)
		return fail_set(fail, seeds ? EXIT_HOST : EXIT_CONFIG, err,
				"cannot build the device tree: %s",
				seeds		 ? "the host gives no random numbers"
				: err == -ENOMEM ? "out of memory, or more than 2 MiB"
						 : strerror(-err));
	return 0;
}
