// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "arch/arm64/layout.h"
#include "devices/gicv2m.h"
#include "devices/gpio.h"
#include "devices/its.h"
#include "devices/pci.h"
#include "devices/pl011.h"
#include "devices/pl031.h"
#include "devices/vmgenid.h"
#include "virtio/balloon.h"
#include "virtio/console.h"
#include "virtio/mmio.h"
#include "virtio/pci.h"
#include "virtio/rng.h"
#include "vmm/core/chardev.h"
#include "vmm/core/findings.h"
#include "vmm/its_sink.h"
#include "vmm/machine_priv.h"

static struct device_env env_at(struct machine *m, gpa_t base, uint32_t spi, bool edge)
{
	return (struct device_env){
		.mem = &m->vm->mem,
		.bus = &m->vm->bus,
		.loop = m->vm->loop,
		.log = m->log,
		.base = base,
		.held_elsewhere = m->cfg->incoming,
		.irq = { .spi = spi, .edge = edge, .fd = -1 },
	};
}

/* The registers of all slots, one read-only slot of KVM's if the mode says so. */
static int add_virtio_window(struct machine *m, struct fail *fail)
{
	int err = pages_add(&m->vm->pages, LAYOUT_VIRTIO_BASE,
			    LAYOUT_VIRTIO_SLOTS * LAYOUT_VIRTIO_STRIDE,
			    m->pages != CONFIG_PAGES_OFF, &m->regs);

	if (!err && m->pages == CONFIG_PAGES_LAZY) {
		m->regs->sink = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (m->regs->sink < 0)
			err = -errno;
	}
	return err ? fail_set(fail, EXIT_HOST, err, "cannot make the virtio registers: %s",
			      strerror(-err))
		   : 0;
}

/* The next free virtio-mmio slot, or on the PCI bus, which knows by itself when it is full. */
static int next_slot(struct machine *m, struct device_env *env, struct fail *fail)
{
	unsigned int n = m->slots;
	int err;

	if (m->pci) {
		*env = env_at(m, ++m->slots, 0, true);
		env->pci = pci_bus(m->pci);
		return 0;
	}
	if (n == LAYOUT_VIRTIO_SLOTS)
		return fail_set(fail, EXIT_CONFIG, -ENOSPC, "more than %d virtio devices",
				LAYOUT_VIRTIO_SLOTS);
	err = m->regs ? 0 : add_virtio_window(m, fail);
	if (err)
		return err;
	m->slots++;
	*env = env_at(m, LAYOUT_VIRTIO_BASE + n * LAYOUT_VIRTIO_STRIDE, LAYOUT_VIRTIO_SPI + n,
		      true);
	env->page = m->regs;
	return 0;
}

static bool unnamed(const struct machine *m, enum machine_part part, unsigned int n)
{
	return m->like && m->like->unnamed[part] >> n & 1;
}

/* Of a machine that was saved, what options could fix is a finding, and the device is left out. `option`
 * names it. */
static int leave_out(struct machine *m, const struct device_env *env, const char *option,
		     unsigned int n, int err, struct fail *fail)
{
	char what[40];

	if (err && (!m->like || fail->code != EXIT_CONFIG))
		return err;
	snprintf(what, sizeof(what), "%s %u (--%s %u=...)", option, n, option, n);
	if (err)
		findings_take(m->like->refused, what, fail);
	m->partial = true;
	m->left_out[m->nleft_out++] = env->base;
	return 0;
}

/* The bus comes first: its devices follow, and end before it. */
static int add_pci(struct machine *m, struct fail *fail)
{
	const struct pci_config cfg = { LAYOUT_PCI_MMIO_BASE, LAYOUT_PCI_MMIO_SIZE, m->vm->chip };
	struct device_env env = env_at(m, LAYOUT_PCI_ECAM_BASE, LAYOUT_PCI_SPI, false);
	struct irqchip *chip = m->vm->chip;
	struct irq *irq;
	int err;

	m->transport = &virtio_mmio;
	if (m->cfg->transport != TRANSPORT_PCI)
		return 0;
	m->transport = &virtio_pci;
	err = pci_create(&env, &cfg, &m->pci, fail);
	if (!err)
		err = vm_add_device(m->vm, m->pci, fail);
	for (unsigned int i = 0; !err && (irq = pci_irq(m->pci, i)); i++)
		if (chip->ops->connect(chip, irq))
			err = fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	return err;
}

static int add_console(struct machine *m, struct fail *fail)
{
	bool virtio = m->cfg->console == CONSOLE_VIRTIO;
	struct console_config cfg = { .transport = m->transport, .chr = m->console };
	struct device_env env = env_at(m, LAYOUT_PL011_BASE, LAYOUT_PL011_SPI, false);
	bool show = m->pages != CONFIG_PAGES_OFF && pages_possible(&m->vm->kvm, PL011_SIZE);
	struct device *dev;
	int err = pages_add(&m->vm->pages, env.base, PL011_SIZE, show, &env.page);

	if (err)
		return fail_set(fail, EXIT_HOST, err, "cannot make the serial port's registers: %s",
				strerror(-err));
	env.stores = show ? &m->vm->coalesce.stores : NULL;
	err = pl011_create(&env, virtio ? NULL : m->console, &dev, fail);
	if (!err)
		err = vm_add_device(m->vm, dev, fail);
	if (err || !virtio)
		return err;
	err = next_slot(m, &env, fail);
	if (!err)
		err = console_create(&env, &cfg, &m->hvc, fail);
	return err ? err : vm_add_device(m->vm, m->hvc, fail);
}

static int add_rtc(struct machine *m, struct fail *fail)
{
	struct device_env env = env_at(m, LAYOUT_PL031_BASE, LAYOUT_PL031_SPI, false);
	struct device *dev;
	int err = pl031_create(&env, &dev, fail);

	return err ? err : vm_add_device(m->vm, dev, fail);
}

static int add_vmgenid(struct machine *m, struct fail *fail)
{
	struct device_env env = env_at(m, LAYOUT_VMGENID_BASE, LAYOUT_VMGENID_SPI, true);
	/* Memory to the guest, not registers: whatever --mmio-pages says of those. */
	bool show = pages_possible(&m->vm->kvm, VMGENID_SIZE);
	int err = pages_add(&m->vm->pages, env.base, VMGENID_SIZE, show, &env.page);

	if (err)
		return fail_set(fail, EXIT_HOST, err, "cannot make the generation id: %s",
				strerror(-err));
	err = vmgenid_create(&env, &m->vmgenid, fail);
	return err ? err : vm_add_device(m->vm, m->vmgenid, fail);
}

static int add_gpio(struct machine *m, struct fail *fail)
{
	struct device_env env = env_at(m, LAYOUT_GPIO_BASE, LAYOUT_GPIO_SPI, false);
	int err = gpio_create(&env, &m->gpio, fail);

	return err ? err : vm_add_device(m->vm, m->gpio, fail);
}

/* The frame for messages, part of the controller as the guest sees it. */
static int add_gicv2m(struct machine *m, struct fail *fail)
{
	struct device_env env = env_at(m, LAYOUT_GICV2M_BASE, LAYOUT_GICV2M_SPI, true);
	struct irqchip *chip = m->vm->chip;
	struct device *dev;
	struct irq *irq;
	int err;

	if (!gic_kind_has_v2m(m->gic.kind) || machine_left_out(m, env.base))
		return 0;
	err = gicv2m_create(&env, LAYOUT_GICV2M_SPIS, &dev, fail);
	if (!err)
		err = vm_add_device(m->vm, dev, fail);
	for (unsigned int i = 0; !err && (irq = gicv2m_irq(dev, i)); i++)
		if (chip->ops->connect(chip, irq))
			err = fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	if (err)
		return err;
	chip->frame = (struct irqchip_frame){ dev, gicv2m_describe, gicv2m_message, gicv2m_spi };
	return 0;
}

static bool inject_its(void *arg, const char *command, int64_t *result)
{
	return inject_hit(&((struct machine *)arg)->inject, "its", command, 0, result);
}

/* Before every device that sends messages: a restored one may do so at once. */
static int add_its(struct machine *m, struct fail *fail)
{
	struct device_env env = env_at(m, LAYOUT_ITS_BASE, 0, true);
	const struct its_config cfg = {
		.cpus = m->cfg->cpus,
		.sink = its_sink(m->vm),
		.trace = m->cfg->trace & TRACE_ITS ? machine_trace_line : NULL,
		.trace_arg = m,
		.inject = inject_count(&m->inject, "its") ? inject_its : NULL,
		.inject_arg = m,
	};
	struct device *dev;
	int err;

	if (!m->gic.user_its)
		return 0;
	err = its_create(&env, &cfg, &dev, fail);
	if (!err)
		err = vm_add_device(m->vm, dev, fail);
	if (!err)
		m->vm->chip->frame = (struct irqchip_frame){ .dev = dev,
							     .describe = its_describe,
							     .message = its_message };
	return err;
}

static int add_disks(struct machine *m, struct fail *fail)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < m->cfg->ndisks; i++) {
		struct blk_config cfg = m->cfg->disks[i];
		struct device_env env;
		struct device *dev = NULL;

		cfg.transport = m->transport;
		err = next_slot(m, &env, fail);
		if (err)
			break;
		if (!unnamed(m, MACHINE_DISK, i))
			err = blk_create(&env, &cfg, &dev, fail);
		if (!dev)
			err = leave_out(m, &env, "disk", i, err, fail);
		else
			err = vm_add_device(m->vm, dev, fail);
		if (!err)
			m->disks[i] = dev;
	}
	return err;
}

struct device *machine_nth_disk(const struct machine *m, unsigned int n)
{
	return m->disks[n];
}

/* Drivers find the disks in the order of their slots. */
struct device *machine_disk(struct machine *m, const char *word, struct fail *fail)
{
	for (unsigned int i = 0; i < m->cfg->ndisks; i++) {
		const char *serial = m->cfg->disks[i].serial;

		if (serial && !strcmp(word, serial))
			return m->disks[i];
	}
	for (unsigned int i = 0; i < m->cfg->ndisks; i++) {
		char number[12], place[] = { 'v', 'd', (char)('a' + i), 0 };

		snprintf(number, sizeof(number), "%u", i);
		if (!strcmp(word, number) || !strcmp(word, place))
			return m->disks[i];
	}
	fail_set(fail, EXIT_CONFIG, -ENOENT,
		 "there is no disk '%s'; the machine has %u: name one by its serial, as vda, or as "
		 "0",
		 word, m->cfg->ndisks);
	return NULL;
}

static int add_rng(struct machine *m, struct fail *fail)
{
	struct rng_config cfg = { .transport = m->transport };
	struct device_env env;
	struct device *dev;
	int err;

	if (m->cfg->nodefaults)
		return 0;
	err = next_slot(m, &env, fail);
	if (!err)
		err = rng_create(&env, &cfg, &dev, fail);
	return err ? err : vm_add_device(m->vm, dev, fail);
}

static int add_balloon(struct machine *m, struct fail *fail)
{
	const struct balloon_config cfg = {
		.transport = m->transport,
		.ram_base = LAYOUT_RAM_BASE,
		.ram_size = m->cfg->mem,
		.target = m->cfg->balloon,
	};
	struct device_env env;
	int err;

	if (!cfg.target)
		return 0;
	err = next_slot(m, &env, fail);
	if (!err)
		err = balloon_create(&env, &cfg, &m->balloon, fail);
	return err ? err : vm_add_device(m->vm, m->balloon, fail);
}

static int add_nets(struct machine *m, struct fail *fail)
{
	int err = 0;

	for (unsigned int i = 0; !err && !m->cfg->dry_run && i < m->cfg->nnets; i++) {
		struct net_config cfg = m->cfg->nets[i];
		struct device_env env;
		struct device *dev = NULL;

		cfg.transport = m->transport;
		err = next_slot(m, &env, fail);
		if (err)
			break;
		if (!unnamed(m, MACHINE_NET, i))
			err = net_create(&env, &cfg, &dev, fail);
		if (!dev)
			err = leave_out(m, &env, "network", i, err, fail);
		else
			err = vm_add_device(m->vm, dev, fail);
	}
	return err;
}

static int add_ports(struct machine *m, struct fail *fail)
{
	struct console_port ports[CONSOLE_PORTS_MAX];
	const struct console_config cfg = {
		.transport = m->transport,
		.ports = ports,
		.nports = m->cfg->nports,
	};
	struct device_env env;
	struct device *dev = NULL;
	int err;

	if (m->cfg->dry_run || !cfg.nports)
		return 0;
	err = next_slot(m, &env, fail);
	if (err)
		return err;
	if (!m->like || !m->like->unnamed[MACHINE_PORT])
		err = ports_open(&m->ports, m->cfg, m->vm->loop, m->log, ports, fail);
	if (!err && m->ports.n)
		err = console_create(&env, &cfg, &dev, fail);
	return dev ? vm_add_device(m->vm, dev, fail)
		   : leave_out(m, &env, "port", m->ports.n, err, fail);
}

/* One builder for each kind of device, in the order of their creation and so of their slots. */
static int (*const builders[])(struct machine *m, struct fail *fail) = {
	add_gicv2m, add_its,   add_pci, add_console, add_rtc,  add_vmgenid,
	add_gpio,   add_disks, add_rng, add_balloon, add_nets, add_ports,
};

int machine_add_devices(struct machine *m, struct fail *fail)
{
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(builders) / sizeof(builders[0]); i++)
		err = builders[i](m, fail);
	return err;
}
