// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arm64/gic_plan.h"
#include "arch/arm64/layout.h"
#include "firmware/psci.h"
#include "firmware/trace.h"
#include "virtio/mmio.h"
#include "vmm/control_dir.h"

#define MIB (1ULL << 20)

static const char *const console_words[] = { "serial", "virtio", NULL };
static const char *const transport_words[] = { "mmio", "pci", NULL };
static const char *const its_words[] = { "kernel", "user", NULL };
static const char *const psci_words[] = { "auto", "kernel", "user", NULL };
static const char *const unmapped_words[] = { "ignore", "abort", "stop", NULL };
const char *const config_pages_words[] = { "exact", "lazy", "off", NULL };
static const char *const loglevel_words[] = { "error", "warning", "info", "debug", NULL };

/* A copy that the device's parser may cut up and point into; freed with the configuration. */
static char *keep_words(struct config *cfg, const char *arg, struct fail *fail)
{
	char *words;

	if (cfg->nwords == CONFIG_WORDS_MAX) {
		fail_set(fail, EXIT_CONFIG, -EINVAL, "more than %d disks, networks and ports",
			 CONFIG_WORDS_MAX);
		return NULL;
	}
	words = strdup(arg);
	if (words)
		cfg->words[cfg->nwords++] = words;
	else
		fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	return words;
}

static int parse_disk(void *into, const char *arg, struct fail *fail)
{
	struct config *cfg = into;
	struct blk_config *disk = &cfg->disks[cfg->ndisks];
	char *words;

	if (cfg->ndisks == CONFIG_DISKS_MAX)
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "--disk: at most %d disks",
				CONFIG_DISKS_MAX);
	words = keep_words(cfg, arg, fail);
	if (!words)
		return -EINVAL;
	*disk = (struct blk_config){ .transport = &virtio_mmio };
	cfg->ndisks++;
	return blk_parse(disk, words, fail);
}

static int parse_net(void *into, const char *arg, struct fail *fail)
{
	struct config *cfg = into;
	struct net_config *net = &cfg->nets[cfg->nnets];
	char *words;
	int err;

	if (cfg->nnets == CONFIG_NETS_MAX)
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "--network: at most %d networks",
				CONFIG_NETS_MAX);
	words = keep_words(cfg, arg, fail);
	if (!words)
		return -EINVAL;
	*net = (struct net_config){ .transport = &virtio_mmio, .fd = -1 };
	err = net_parse(net, words, fail);
	if (!err && net->mode != NET_NONE)
		cfg->nnets++;
	return err;
}

static int parse_port(void *into, const char *arg, struct fail *fail)
{
	struct config *cfg = into;
	struct port_config *port = &cfg->ports[cfg->nports];
	char *words;
	int err;

	if (cfg->nports == CONSOLE_PORTS_MAX)
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "--port: at most %d ports",
				CONSOLE_PORTS_MAX);
	words = keep_words(cfg, arg, fail);
	if (!words)
		return -EINVAL;
	*port = (struct port_config){ 0 };
	err = port_parse(port, words, fail);
	for (unsigned int i = 0; !err && i < cfg->nports; i++)
		if (!strcmp(port->name, cfg->ports[i].name))
			err = fail_set(fail, EXIT_CONFIG, -EINVAL, "--port: two ports named %s",
				       port->name);
	cfg->nports += !err;
	return err;
}

static int parse_psci_version(void *into, const char *arg, struct fail *fail)
{
	struct config *cfg = into;

	for (unsigned int i = 0; psci_version_words[i]; i++) {
		if (strcmp(arg, psci_version_words[i]))
			continue;
		cfg->psci_version = i + 1;
		return 0;
	}
	return fail_set(fail, EXIT_CONFIG, -EINVAL,
			"--psci-version %s: no such version; use 0.1, 0.2, 1.0, 1.1, 1.2 or 1.3",
			arg);
}

static int parse_trace(void *into, const char *arg, struct fail *fail)
{
	return trace_parse(arg, &((struct config *)into)->trace, fail);
}

static int parse_inject(void *into, const char *arg, struct fail *fail)
{
	return inject_add(&((struct config *)into)->inject, inject_services, arg, fail);
}

#define AT(field) .offset = offsetof(struct config, field)

const struct opt config_options[] = {
	{ "kernel", 'k', OPT_STR, NULL, "FILE",
	  "kernel: arm64 Image, Image.gz, EFI zboot, or a flat binary", AT(kernel) },
	{ "initrd", 'i', OPT_STR, "initramfs", "FILE", "initial RAM disk", AT(initrd) },
	{ "params", 'p', OPT_STR, "append cmdline", "WORDS", "kernel command line, verbatim",
	  AT(params) },
	{ "mem", 'm', OPT_SIZE, "memory", "SIZE", "guest memory in MiB, or with a suffix (512)",
	  AT(mem), .min = 2 * MIB, .max = 1ULL << 46 },
	{ "cpus", 'c', OPT_UINT, "smp", "N", "virtual CPUs (1)", AT(cpus), .min = 1, .max = 4096 },
	{ "disk", 'd', OPT_PARSE, NULL,
	  "FILE[,ro][,snapshot=on][,direct=on][,discard=off][,queues=N][,aio=auto|io_uring|threads]"
	  "[,serial=ID]",
	  "raw disk image or block device; a comma in its name is doubled; repeatable",
	  .parse = parse_disk },
	{ "network", 'n', OPT_PARSE, NULL,
	  "mode=tap[,tapif=NAME|,fd=N][,queues=N][,vhost=on]|user[,fwd=[ADDR:]HOST:GUEST[/"
	  "udp]]...|none[,mac=MAC][,mtu=N]",
	  "network over a tap, or without privileges over passt; repeatable (none)",
	  .parse = parse_net },
	{ "balloon", 0, OPT_SIZE, NULL, "SIZE",
	  "a memory balloon; the guest is left with SIZE at first", AT(balloon), .min = MIB,
	  .max = 1ULL << 46 },
	{ "console", 0, OPT_CHOICE, NULL, "serial|virtio",
	  "what stdin and stdout are in the guest: PL011 ttyAMA0, or hvc0 (serial)", AT(console),
	  .choices = console_words },
	{ "port", 0, OPT_PARSE, NULL, "name=NAME,file=FILE|socket=PATH|pty[=LINK]|fd=N[,console]",
	  "a port, /dev/virtio-ports/NAME in the guest, or also an hvc console; repeatable",
	  .parse = parse_port },
	{ "irqchip", 0, OPT_CHOICE, NULL, "auto|gicv2|gicv2m|gicv3|gicv3-its|gicv2-user",
	  "interrupt controller; gicv2m, gicv3-its and gicv2-user, which is vmm's own, take "
	  "messages, "
	  "too (auto)",
	  AT(irqchip), .choices = gic_kind_words },
	{ "its", 0, OPT_CHOICE, NULL, "kernel|user",
	  "who makes interrupts of messages with gicv3-its: the host's kernel, or vmm (kernel)",
	  AT(its), .choices = its_words },
	{ "spis", 0, OPT_UINT, NULL, "N", "shared peripheral interrupts (256)", AT(spis),
	  .min = LAYOUT_SPIS_MIN, .max = GIC_SPIS_MAX },
	{ "virtio-transport", 0, OPT_CHOICE, NULL, "mmio|pci",
	  "how the guest finds its virtio devices; pci interrupts by messages (mmio)",
	  AT(transport), .choices = transport_words },
	{ "psci", 0, OPT_CHOICE, NULL, "auto|kernel|user",
	  "who serves PSCI: the host's kernel, or vmm, where the kernel forwards calls (auto)",
	  AT(psci), .choices = psci_words },
	{ "psci-version", 0, OPT_PARSE, NULL, "0.1|0.2|1.0|1.1|1.2|1.3",
	  "the PSCI version that the guest sees", .parse = parse_psci_version },
	{ "trace", 0, OPT_PARSE, NULL, "psci|trng|its",
	  "log each firmware call or ITS command, decoded; repeatable", .parse = parse_trace },
	{ "inject", 0, OPT_PARSE, NULL, "SERVICE:FUNCTION=RESULT[@WHEN]",
	  "make firmware calls or ITS commands fail: psci:CPU_ON=DENIED@2; repeatable",
	  .parse = parse_inject },
	{ "pmu", 0, OPT_FLAG, NULL, NULL, "give the guest a performance monitor", AT(pmu) },
	{ "unmapped", 0, OPT_CHOICE, NULL, "ignore|abort|stop",
	  "accesses where nothing is: read as zero, give an external abort, or end vmm with 33 "
	  "(ignore)",
	  AT(unmapped), .choices = unmapped_words },
	{ "mmio-pages", 0, OPT_CHOICE, NULL, "exact|lazy|off",
	  "registers of virtio-mmio and the serial port are read without an exit; lazy: virtio "
	  "interrupts are acknowledged so too, for drivers that do not poll the status; off: all "
	  "trapped (exact)",
	  AT(mmio_pages), .choices = config_pages_words },
	{ "name", 0, OPT_STR, NULL, "NAME",
	  "the machine's name for vmm list, stop and the like (vmm-PID)", AT(name) },
	{ "nodefaults", 0, OPT_FLAG, NULL, NULL,
	  "add nothing that was not asked for: no rng, no kernel parameters", AT(nodefaults) },
	{ "no-reboot", 0, OPT_FLAG, NULL, NULL, "exit with 32 when the guest resets",
	  AT(no_reboot) },
	{ "grace", 0, OPT_UINT, NULL, "SECONDS",
	  "how long a power key press may take to power off (10)", AT(grace), .max = 86400 },
	{ "flat", 0, OPT_FLAG, NULL, NULL, "the kernel is a flat binary whatever its name",
	  AT(flat) },
	{ "config", 0, OPT_CONFIG, NULL, "FILE",
	  "take these options from FILE, one a line, their names without dashes; repeatable",
	  AT(given) },
	{ "dump-dtb", 0, OPT_STR, NULL, "FILE", "write the device tree to FILE", AT(dump_dtb) },
	{ "dry-run", 0, OPT_FLAG, NULL, NULL,
	  "check everything, print the configuration as a file for --config, start nothing",
	  AT(dry_run) },
	{ "log-file", 0, OPT_STR, NULL, "FILE", "where vmm's own messages go (stderr)",
	  AT(log_file) },
	{ "loglevel", 0, OPT_CHOICE, NULL, "error|warning|info|debug", "what is said (warning)",
	  AT(loglevel), .choices = loglevel_words },
	{ 0 },
};

void config_init(struct config *cfg)
{
	*cfg = (struct config){
		.mem = 512 * MIB,
		.cpus = 1,
		.spis = LAYOUT_SPIS,
		.loglevel = 1,
		.grace = 10,
	};
}

int config_check(const struct config *cfg, struct fail *fail)
{
	if (!cfg->kernel)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"no kernel is named; use --kernel FILE (vmm run --help)");
	return config_check_restored(cfg, fail);
}

int config_check_restored(const struct config *cfg, struct fail *fail)
{
	if (cfg->name && control_name_check(cfg->name, fail))
		return -EINVAL;
	if (cfg->mem % 4096)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--mem: %llu bytes are not whole pages; use a multiple of 4 KiB",
				(unsigned long long)cfg->mem);
	if (cfg->balloon > cfg->mem)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--balloon: the guest cannot be left with more than the %llu MiB "
				"of --mem",
				(unsigned long long)(cfg->mem >> 20));
	if (cfg->its != CONFIG_ITS_USER &&
	    (cfg->trace & TRACE_ITS || inject_count(&cfg->inject, "its")))
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "%s its needs --its user",
				cfg->trace & TRACE_ITS ? "--trace" : "--inject");
	return inject_check(&cfg->inject, cfg->cpus, fail);
}

void config_fini(struct config *cfg)
{
	while (cfg->nwords)
		free(cfg->words[--cfg->nwords]);
	opts_kept_free(&cfg->given);
}
