// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/arm64/dt.h"
#include "arch/arm64/hypercall.h"
#include "arch/arm64/layout.h"
#include "arch/arm64/vgic.h"
#include "devices/gpio.h"
#include "firmware/dtb.h"
#include "virtio/console.h"
#include "vmm/core/chardev.h"
#include "vmm/core/findings.h"
#include "vmm/machine_priv.h"
#include "vmm/machine_state.h"
#include "vmm/user_gic.h"

/* What this host's KVM must be able to do, asked before anything is made. */
static int plan_kvm(struct machine *m, const struct machine_like *like, struct fail *fail)
{
	uint64_t ram_end = LAYOUT_RAM_BASE + m->cfg->mem;
	struct gic_host host;
	int err;

	m->gic = (struct gic_want){
		.kind = m->cfg->irqchip,
		.cpus = m->cfg->cpus,
		.spis = m->cfg->spis,
		.ram_end = ram_end,
		.user_its = m->cfg->its == CONFIG_ITS_USER,
	};
	m->gic.ipa_bits = cpu_ipa_bits(gic_plan_end(&m->gic));
	m->vm->ncpus = m->cfg->cpus;
	m->vm->unmapped = m->cfg->unmapped;
	m->pages = m->cfg->mmio_pages;
	err = vm_open_kvm(m->vm, m->gic.ipa_bits, fail);
	if (!err) {
		host = vgic_host(&m->vm->kvm);
		err = gic_choose(&host, &m->gic, fail);
	}
	if (!err)
		err = cpu_plan(&m->vm->kvm, m->cfg->pmu, &m->vm->model, fail);
	if (err)
		return err;
	if (like)
		cpu_plan_like(&m->vm->model, &like->saved->cpu, like->refused);
	if (!pages_possible(&m->vm->kvm, LAYOUT_VIRTIO_SLOTS * LAYOUT_VIRTIO_STRIDE))
		m->pages = CONFIG_PAGES_OFF;
	if (m->pages != m->cfg->mmio_pages)
		log_line(m->log, LOG_INFO, "--mmio-pages off: this host cannot show registers");
	m->vm->model.user_gic = !gic_kind_in_kernel(m->gic.kind);
	if (m->vm->model.user_gic)
		return user_gic_create(m->vm, &m->gic, fail);
	m->vm->gic = &vgic_half;
	return vgic_create(&m->gic, &m->vm->chip, fail);
}

/* Asked for, so no --loglevel hides it. */
void machine_trace_line(void *arg, const char *text)
{
	struct machine *m = arg;

	dprintf(m->log->fd, "%s\n", text);
}

/* Who serves PSCI, and which version: the words against what this host can do. */
static int choose_psci(struct machine *m, bool can_forward, struct fail *fail)
{
	const struct config *cfg = m->cfg;
	bool trace = cfg->trace & TRACE_FIRMWARE;
	bool inject = cfg->inject.nrules > inject_count(&cfg->inject, "its");

	if (cfg->psci == CONFIG_PSCI_USER && !can_forward)
		return fail_set(fail, EXIT_CONFIG, -ENOTSUP,
				"--psci user: this host's kernel does not forward firmware calls "
				"(Linux 6.4 and later do); use --psci kernel");
	m->user_psci = cfg->psci != CONFIG_PSCI_KERNEL && can_forward;
	if (!m->user_psci && (trace || inject))
		return fail_set(fail, EXIT_CONFIG, -ENOTSUP, "%s needs --psci user%s",
				trace ? "--trace" : "--inject",
				can_forward ? ""
					    : ", which this host's kernel cannot do: it does not "
					      "forward firmware calls");
	if (!m->user_psci && cfg->psci == CONFIG_PSCI_AUTO)
		log_line(m->log, LOG_INFO,
			 "this host's kernel does not forward firmware calls: its own PSCI it is");
	return 0;
}

/* The kernel's PSCI. A restored guest has asked for the version long ago. */
static int plan_kernel_psci(struct machine *m, uint32_t version, const struct machine_like *like,
			    struct fail *fail)
{
	struct cpu_model *model = &m->vm->model;
	struct fail why = { 0 };
	int err = cpu_plan_psci(&m->vm->kvm, version, model, like ? &why : fail);

	if (err && like && why.code == EXIT_CONFIG) {
		err = cpu_plan_psci(&m->vm->kvm, 0, model, fail);
		if (!err && !like->psci_downgrade)
			findings_add(like->refused,
				     "the guest was told of PSCI %s, this host's kernel ends at %s "
				     "(--allow-psci-downgrade)",
				     psci_version_name(version),
				     psci_version_name(model->psci_version));
	} else if (err && like) {
		fail_set(fail, why.code, err, "%s", why.text);
	}
	m->psci_version = model->psci_version;
	return err;
}

static int plan_firmware(struct machine *m, const struct machine_like *like, struct fail *fail)
{
	unsigned int word = m->cfg->psci_version;
	uint32_t version = word ? psci_version_at(word - 1) : 0;
	bool can_forward = hypercall_supported(&m->vm->kvm);
	bool lost = like && like->saved->user_psci && !can_forward;
	int err = lost ? 0 : choose_psci(m, can_forward, fail);

	if (err)
		return err;
	m->vm->model.user_psci = m->user_psci;
	if (lost)
		findings_add(like->refused,
			     "the guest's PSCI is vmm's own, to which this host's kernel "
			     "does not forward (Linux 6.4 and later do)");
	if (!m->user_psci)
		return plan_kernel_psci(m, lost ? 0 : version, like, fail);
	m->psci_version = version ? version : PSCI_LATEST;
	err = psci_init(&m->psci, m->psci_version, m->cfg->cpus, cpu_mpidr, &m->vm->mem);
	if (err)
		return fail_set(fail, EXIT_HOST, err, "out of memory");
	m->trng.entropy = trng_host_entropy;
	trace_init(&m->trace, m->cfg->trace, machine_trace_line, m);
	m->smccc = (struct smccc){
		.psci = &m->psci,
		.trng = &m->trng,
		.trace = m->cfg->trace ? &m->trace : NULL,
		.inject = m->cfg->inject.nrules ? &m->inject : NULL,
	};
	m->vm->fw = &m->smccc;
	return 0;
}

/* What a user who named no parameters would want. */
static const char *default_bootargs(const struct config *cfg)
{
	bool root = cfg->ndisks && !cfg->initrd;

	if (cfg->console == CONSOLE_VIRTIO)
		return root ? "console=hvc0 root=/dev/vda rw" : "console=hvc0";
	return root ? "root=/dev/vda rw" : "";
}

static void describe_arch(void *arg, struct fdt *fdt)
{
	struct machine *m = arg;

	dt_arm64(fdt, m->cfg->cpus, gic_kind_model(m->gic.kind) == GIC_MODEL_V2, m->cfg->pmu);
	m->vm->chip->ops->describe(m->vm->chip, fdt);
}

static int build_dtb(struct machine *m, void **blob, uint32_t *size, struct fail *fail)
{
	struct psci_desc psci = psci_dt(m->psci_version, false);
	const struct dtb_config dtb = {
		.ram_base = LAYOUT_RAM_BASE,
		.ram_size = m->cfg->mem,
		.bootargs = m->bootargs,
		.initrd_start = m->boot.place.initrd,
		.initrd_end = m->boot.place.initrd + m->boot.initrd_size,
		.stdout_path = "/serial@9000000",
		.devices = m->vm->devices,
		.ndevices = m->vm->ndevices,
		.arch = describe_arch,
		.arg = m,
		.psci = &psci,
		.seeds = true,
	};

	/* KVM's 0.1 has only the other two. */
	if (!m->user_psci)
		psci.cpu_suspend = 0;
	return dtb_build(&dtb, blob, size, fail);
}

/* With the seeds of one start, which no other start has. */
static int dump_dtb(struct machine *m, struct fail *fail)
{
	FILE *out;
	uint32_t size;
	void *blob;
	bool ok;
	int err = build_dtb(m, &blob, &size, fail);

	if (err)
		return err;
	out = fopen(m->cfg->dump_dtb, "we");
	ok = out && fwrite(blob, size, 1, out) == 1;
	if (out && fclose(out))
		ok = false;
	free(blob);
	if (!ok)
		return fail_set(fail, EXIT_CONFIG, -EIO,
				"cannot write %s: %s; name another --dump-dtb", m->cfg->dump_dtb,
				strerror(errno));
	return 0;
}

static int open_boot(struct machine *m, struct fail *fail)
{
	const struct config *cfg = m->cfg;
	int err = cfg->kernel ? boot_open(&m->boot, cfg->kernel, cfg->flat, cfg->initrd,
					  LAYOUT_RAM_BASE, cfg->mem, fail)
			      : fail_set(fail, EXIT_GUEST_RESET, -ENOENT,
					 "the guest resets, and the restored machine has no kernel "
					 "to start it with; name one with --kernel");

	m->boot_opened = !err;
	return err;
}

static int load(struct machine *m, struct fail *fail)
{
	uint32_t size;
	void *blob;
	int err = m->boot_opened ? 0 : open_boot(m, fail);

	if (!err)
		err = build_dtb(m, &blob, &size, fail);
	if (err)
		return err;
	err = boot_load(&m->boot, &m->vm->mem, blob, size, fail);
	free(blob);
	return err;
}

static int add_ram(struct machine *m, struct fail *fail)
{
	int err = vm_add_ram(m->vm, LAYOUT_RAM_BASE, m->cfg->mem, fail);

	if (!err && m->vm->model.pvtime)
		err = vm_add_ram(m->vm, LAYOUT_PVTIME_BASE, LAYOUT_PVTIME_SIZE, fail);
	return err;
}

int machine_create(const struct config *cfg, const struct machine_like *like, struct log *log,
		   struct machine **out, struct fail *fail)
{
	struct machine *m = calloc(1, sizeof(*m));
	int err;

	if (!m)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	*out = m;
	m->cfg = cfg;
	m->log = log;
	m->inject = cfg->inject;
	m->bootargs = cfg->params ? cfg->params : cfg->nodefaults ? "" : default_bootargs(cfg);
	err = vm_create(log, &m->vm, fail);
	if (!err)
		err = plan_kvm(m, like, fail);
	if (!err)
		err = plan_firmware(m, like, fail);
	if (!err && !like)
		err = open_boot(m, fail);
	if (!err)
		err = add_ram(m, fail);
	if (!err && chardev_create(&m->console, m->vm->loop, STDIN_FILENO, STDOUT_FILENO))
		err = fail_set(fail, EXIT_HOST, -ENOMEM, "cannot set up the console");
	if (!err)
		err = machine_add_devices(m, fail);
	if (!err && cfg->dump_dtb)
		err = dump_dtb(m, fail);
	return err;
}

int machine_start(struct machine *m, struct fail *fail)
{
	int err = load(m, fail);

	return err ? err : vm_power_on(m->vm, m->boot.place.entry, m->boot.place.dtb, fail);
}

int machine_start_empty(struct machine *m, struct fail *fail)
{
	return vm_power_on(m->vm, 0, 0, fail);
}

int machine_reset(struct machine *m, struct fail *fail)
{
	int err;

	vm_power_off(m->vm);
	loop_drain(m->vm->loop);
	for (unsigned int i = 0; i < m->vm->ndevices; i++) {
		struct device *dev = m->vm->devices[i];

		pthread_mutex_lock(&dev->lock);
		dev->ops->reset(dev);
		dev->env.irq.raised = 0;
		pthread_mutex_unlock(&dev->lock);
	}
	err = vm_clear_ram(m->vm, fail);
	return err ? err : machine_start(m, fail);
}

static int hold(struct device *dev, bool on, struct fail *fail)
{
	int err;

	if (!dev->ops->hold)
		return 0;
	pthread_mutex_lock(&dev->lock);
	err = dev->ops->hold(dev, on, fail);
	pthread_mutex_unlock(&dev->lock);
	return err;
}

int machine_hold(struct machine *m, bool on, struct fail *fail)
{
	unsigned int n = 0;
	int err = 0;

	for (; !err && n < m->vm->ndevices; n++)
		err = hold(m->vm->devices[n], on, fail);
	while (err && on && n)
		hold(m->vm->devices[--n], false, NULL);
	return err;
}

void machine_power_key(struct machine *m)
{
	gpio_power_key(m->gpio);
}

void machine_new_generation(struct machine *m)
{
	m->vm->generation = m->vmgenid;
}

struct device *machine_balloon(struct machine *m)
{
	return m->balloon;
}

void machine_destroy(struct machine *m)
{
	if (!m)
		return;
	/* Consoles outlive the devices that write to them. */
	vm_destroy_devices(m->vm);
	ports_close(&m->ports);
	chardev_destroy(m->console);
	vm_destroy(m->vm);
	boot_close(&m->boot);
	psci_fini(&m->psci);
	free(m);
}

struct vm *machine_vm(struct machine *m)
{
	return m->vm;
}

const struct config *machine_config(const struct machine *m)
{
	return m->cfg;
}

void machine_made_of(const struct machine *m, struct machine_saved *saved)
{
	saved->gic = m->gic.kind;
	saved->user_psci = m->user_psci;
	saved->psci_version = m->psci_version;
	saved->cpu = m->vm->model;
}

struct chardev *machine_console(struct machine *m)
{
	return m->console;
}

void machine_resize_console(struct machine *m, uint16_t cols, uint16_t rows)
{
	if (m->hvc)
		console_resize(m->hvc, cols, rows);
}

void machine_flush(struct machine *m, int stop_fd)
{
	chardev_flush(m->console, stop_fd);
	ports_flush(&m->ports, stop_fd);
}

void machine_print(const struct machine *m, FILE *out)
{
	const struct boot_place *place = &m->boot.place;

	fprintf(out, "name: %s\n", m->cfg->name);
	fprintf(out, "kernel: %s, %s, at 0x%llx\n", m->cfg->kernel, m->boot.kind_name,
		(unsigned long long)place->kernel);
	if (m->cfg->initrd)
		fprintf(out, "initrd: %s, %llu bytes at 0x%llx\n", m->cfg->initrd,
			(unsigned long long)m->boot.initrd_size, (unsigned long long)place->initrd);
	fprintf(out, "device tree: at 0x%llx\n", (unsigned long long)place->dtb);
	fprintf(out, "params: %s\n", m->bootargs);
	fprintf(out, "memory: %llu MiB at 0x%llx\n", (unsigned long long)(m->cfg->mem >> 20),
		LAYOUT_RAM_BASE);
	fprintf(out, "cpus: %u%s%s%s%s\n", m->cfg->cpus, m->vm->model.sve ? ", SVE" : "",
		m->vm->model.pauth ? ", pointer authentication" : "",
		m->vm->model.pmu ? ", PMU" : "", m->vm->model.pvtime ? ", stolen time" : "");
	fprintf(out, "irqchip: %s, in %s%s\n", gic_kind_words[m->gic.kind],
		gic_kind_in_kernel(m->gic.kind) ? "the kernel" : "userspace",
		m->gic.user_its ? ", its ITS in userspace" : "");
	fprintf(out, "mmio pages: %s\n", config_pages_words[m->pages]);
	fprintf(out, "psci: %s, in %s\n", psci_version_name(m->psci_version),
		m->user_psci ? "userspace" : "the kernel");
	for (unsigned int i = 0; i < m->vm->ndevices; i++)
		fprintf(out, "device: %s\n", m->vm->devices[i]->name);
	for (unsigned int i = 0; i < m->cfg->nnets; i++)
		fprintf(out, "network: %s%s%s\n", net_mode_word(m->cfg->nets[i].mode),
			m->cfg->nets[i].tapif ? " " : "",
			m->cfg->nets[i].tapif ? m->cfg->nets[i].tapif : "");
}
