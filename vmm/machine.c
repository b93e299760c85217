// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/arm64/dt.h"
#include "arch/arm64/layout.h"
#include "devices/gpio.h"
#include "firmware/dtb.h"
#include "virtio/console.h"
#include "vmm/core/chardev.h"
#include "vmm/machine_priv.h"
#include "vmm/machine_state.h"

/* Asked for, so no --loglevel hides it. */
void machine_trace_line(void *arg, const char *text)
{
	struct machine *m = arg;

	dprintf(m->log->fd, "%s\n", text);
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
	int err = m->partial ? 0 : vm_add_ram(m->vm, LAYOUT_RAM_BASE, m->cfg->mem, fail);

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
	m->like = like;
	m->log = log;
	m->inject = cfg->inject;
	m->bootargs = cfg->params ? cfg->params : cfg->nodefaults ? "" : default_bootargs(cfg);
	err = vm_create(log, &m->vm, fail);
	if (!err)
		err = machine_plan_kvm(m, fail);
	if (!err)
		err = machine_plan_firmware(m, fail);
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
	m->like = NULL;
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

bool machine_partial(const struct machine *m)
{
	return m->partial;
}

bool machine_left_out(const struct machine *m, uint64_t addr)
{
	for (unsigned int i = 0; i < m->nleft_out; i++)
		if (m->left_out[i] == addr)
			return true;
	return false;
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
	saved->cpu = (struct cpu_traits){
		.sve = m->vm->model.sve,
		.pauth = m->vm->model.pauth,
		.pvtime = m->vm->model.pvtime,
	};
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
