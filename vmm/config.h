/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_CONFIG_H
#define VMM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "firmware/inject.h"
#include "virtio/blk.h"
#include "virtio/console_opts.h"
#include "virtio/net.h"
#include "vmm/core/opts.h"

/* What the user asked for: filled by config_options, in the order of the command line. Strings
 * point into the caller's words, which outlive it. */

enum config_psci { CONFIG_PSCI_AUTO, CONFIG_PSCI_KERNEL, CONFIG_PSCI_USER };
enum config_its { CONFIG_ITS_KERNEL, CONFIG_ITS_USER };
enum config_pages { CONFIG_PAGES_EXACT, CONFIG_PAGES_LAZY, CONFIG_PAGES_OFF };
enum config_transport { TRANSPORT_MMIO, TRANSPORT_PCI };
enum config_console { CONSOLE_SERIAL, CONSOLE_VIRTIO };
enum { CONFIG_DISKS_MAX = 16, CONFIG_NETS_MAX = 8, CONFIG_WORDS_MAX = 40 };

struct config {
	const char *kernel, *initrd, *params;
	uint64_t mem;
	unsigned int cpus;
	struct blk_config disks[CONFIG_DISKS_MAX];
	unsigned int ndisks;
	struct net_config nets[CONFIG_NETS_MAX];
	unsigned int nnets;
	struct port_config ports[CONSOLE_PORTS_MAX];
	unsigned int nports;
	uint64_t balloon; /* bytes that the guest is left with at first; 0: no balloon */
	unsigned int console; /* enum config_console */
	unsigned int irqchip; /* enum gic_kind */
	unsigned int its; /* enum config_its */
	unsigned int spis;
	unsigned int transport; /* enum config_transport */
	unsigned int psci; /* enum config_psci */
	unsigned int psci_version; /* index in psci_version_words, plus 1; 0: not said */
	unsigned int trace; /* mask of 1 << enum smccc_service, and TRACE_ITS */
	struct inject inject;
	unsigned int unmapped; /* enum vm_unmapped */
	unsigned int mmio_pages; /* enum config_pages */
	unsigned int loglevel; /* as --loglevel's words are ordered */
	const char *name; /* NULL: none was given */
	const char *dump_dtb, *log_file;
	bool incoming; /* another machine has its disks and networks still; no option */
	bool nodefaults, no_reboot, dry_run, flat, pmu;
	unsigned int grace; /* seconds */
	struct opts_kept given;
	/* Copies of words that parsing cut up; the devices' configurations point into them. */
	char *words[CONFIG_WORDS_MAX];
	unsigned int nwords;
};

extern const char *const config_pages_words[]; /* by enum config_pages */

/* The options of `vmm run`. */
extern const struct opt config_options[];

/* The defaults. */
void config_init(struct config *cfg);

/* Checks what needs nothing but the words: EXIT_CONFIG with a sentence. */
int config_check(const struct config *cfg, struct fail *fail);
/* The same of a machine that comes out of a snapshot, and needs no kernel before it resets. */
int config_check_restored(const struct config *cfg, struct fail *fail);

/* Frees what parsing allocated. */
void config_fini(struct config *cfg);

#endif
