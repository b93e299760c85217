// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/vgic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "arch/arm64/layout.h"
#include "arch/arm64/vgic_state.h"
#include "vmm/core/device.h"
#include "vmm/core/fdt.h"

enum { VGIC_LINES_MAX = 64 };

struct line {
	uint32_t spi;
	int fd; /* irqfd, or -1 for a level-triggered line */
};

struct vgic {
	struct irqchip chip;
	struct vgic_config cfg;
	const struct kvm *kvm; /* NULL while detached */
	int fd;
	struct line lines[VGIC_LINES_MAX];
	unsigned int nlines;
};

/* One frame that the kernel is told about, and how the device tree and messages call it. */
struct frame {
	const char *name;
	uint64_t attr, addr;
};

const char *vgic_name(enum vgic_version version)
{
	return version == VGIC_V2 ? "gicv2" : "gicv3";
}

static uint32_t device_type(enum vgic_version version)
{
	return version == VGIC_V2 ? KVM_DEV_TYPE_ARM_VGIC_V2 : KVM_DEV_TYPE_ARM_VGIC_V3;
}

int vgic_plan(const struct kvm *kvm, struct vgic_config *cfg, struct fail *fail)
{
	bool v2 = kvm_device_test(kvm, KVM_DEV_TYPE_ARM_VGIC_V2);
	bool v3 = kvm_device_test(kvm, KVM_DEV_TYPE_ARM_VGIC_V3);
	unsigned int max = kvm_cap(kvm, KVM_CAP_MAX_VCPUS);

	if (!v2 && !v3)
		return fail_set(fail, EXIT_HOST, -ENODEV,
				"this host's KVM has no interrupt controller (neither GICv2 nor "
				"GICv3)");
	if (cfg->version == VGIC_AUTO)
		cfg->version = v3 ? VGIC_V3 : VGIC_V2;
	if ((cfg->version == VGIC_V2 && !v2) || (cfg->version == VGIC_V3 && !v3))
		return fail_set(
			fail, EXIT_CONFIG, -ENODEV,
			"--irqchip %s: this host's KVM has only %s; use --irqchip %s or auto",
			vgic_name(cfg->version), v2 ? "gicv2" : "gicv3", v2 ? "gicv2" : "gicv3");
	if (cfg->version == VGIC_V2 && max > LAYOUT_GICV2_CPUS)
		max = LAYOUT_GICV2_CPUS;
	if (cfg->cpus > max)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--cpus %u: this host's KVM with %s allows at most %u", cfg->cpus,
				vgic_name(cfg->version), max);
	return 0;
}

static unsigned int high_cpus(const struct vgic_config *cfg)
{
	return cfg->version == VGIC_V3 && cfg->cpus > LAYOUT_GICR_CPUS
		       ? cfg->cpus - LAYOUT_GICR_CPUS
		       : 0;
}

uint64_t vgic_high_end(const struct vgic_config *cfg)
{
	return cfg->high_base + high_cpus(cfg) * LAYOUT_GICR_CPU_SIZE;
}

static void line_set(struct irq *irq, bool level)
{
	struct vgic *vgic = irq->chip;
	uint32_t line = (KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT) | (irq->spi + 32);

	if (vgic->kvm)
		kvm_irq_line(vgic->kvm, line, level);
}

/* One system call raises and lowers an edge by irqfd; it takes two without. */
static void line_pulse(struct irq *irq)
{
	if (irq->fd >= 0) {
		eventfd_write(irq->fd, 1);
		return;
	}
	line_set(irq, true);
	line_set(irq, false);
}

static int line_eventfd(struct irq *irq)
{
	return irq->fd >= 0 ? irq->fd : -ENOTSUP;
}

static const struct irq_ops line_ops = {
	.set = line_set,
	.pulse = line_pulse,
	.eventfd = line_eventfd,
};

static int vgic_connect(struct irqchip *chip, struct irq *irq)
{
	struct vgic *vgic = container_of(chip, struct vgic, chip);

	if (vgic->nlines == VGIC_LINES_MAX)
		return -ENOSPC;
	irq->fd = -1;
	if (irq->edge) {
		irq->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (irq->fd < 0)
			return -errno;
	}
	irq->ops = &line_ops;
	irq->chip = vgic;
	vgic->lines[vgic->nlines++] = (struct line){ irq->spi, irq->fd };
	return 0;
}

static int set_frames(struct vgic *vgic, const struct frame *frames, unsigned int n,
		      struct fail *fail)
{
	for (unsigned int i = 0; i < n; i++) {
		int err = kvm_attr_set(vgic->fd, KVM_DEV_ARM_VGIC_GRP_ADDR, frames[i].attr,
				       &frames[i].addr);

		if (err)
			return fail_set(fail, EXIT_HOST, err,
					"the kernel refuses the %s frame at 0x%llx: %s",
					frames[i].name, (unsigned long long)frames[i].addr,
					strerror(-err));
	}
	return 0;
}

static uint64_t redist_region(uint64_t count, uint64_t base, uint64_t index)
{
	return count << 52 | base | index;
}

static int place_frames(struct vgic *vgic, struct fail *fail)
{
	unsigned int high = high_cpus(&vgic->cfg);
	const struct frame v2[] = {
		{ "GICD", KVM_VGIC_V2_ADDR_TYPE_DIST, LAYOUT_GICD_BASE },
		{ "GICC", KVM_VGIC_V2_ADDR_TYPE_CPU, LAYOUT_GICC_BASE },
	};
	const struct frame v3[] = {
		{ "GICD", KVM_VGIC_V3_ADDR_TYPE_DIST, LAYOUT_GICD_BASE },
		{ "GICR", KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION,
		  redist_region(vgic->cfg.cpus - high, LAYOUT_GICR_BASE, 0) },
		{ "second GICR", KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION,
		  redist_region(high, vgic->cfg.high_base, 1) },
	};

	if (vgic->cfg.version == VGIC_V2)
		return set_frames(vgic, v2, 2, fail);
	return set_frames(vgic, v3, high ? 3 : 2, fail);
}

int vgic_attach(struct irqchip *chip, const struct kvm *kvm, struct fail *fail)
{
	struct vgic *vgic = container_of(chip, struct vgic, chip);
	uint32_t nr_irqs = LAYOUT_NR_SPIS;
	int err;

	vgic->fd = kvm_device_create(kvm, device_type(vgic->cfg.version));
	if (vgic->fd < 0)
		return fail_set(fail, EXIT_HOST, vgic->fd, "cannot create the in-kernel %s: %s",
				vgic_name(vgic->cfg.version), strerror(-vgic->fd));
	vgic->kvm = kvm;
	err = place_frames(vgic, fail);
	if (err)
		return err;
	err = kvm_attr_set(vgic->fd, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &nr_irqs);
	if (err)
		return fail_set(fail, EXIT_HOST, err, "the kernel refuses %u interrupts: %s",
				nr_irqs, strerror(-err));
	return 0;
}

int vgic_start(struct irqchip *chip, struct fail *fail)
{
	struct vgic *vgic = container_of(chip, struct vgic, chip);
	int err =
		kvm_attr_set(vgic->fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);

	if (err)
		return fail_set(fail, EXIT_HOST, err, "cannot initialise the in-kernel %s: %s",
				vgic_name(vgic->cfg.version), strerror(-err));
	for (unsigned int i = 0; i < vgic->nlines; i++) {
		const struct line *line = &vgic->lines[i];

		if (line->fd < 0)
			continue;
		err = kvm_irqfd(vgic->kvm, line->fd, line->spi, true);
		if (err)
			return fail_set(fail, EXIT_HOST, err, "cannot connect SPI %u: %s",
					line->spi, strerror(-err));
	}
	return 0;
}

void vgic_detach(struct irqchip *chip)
{
	struct vgic *vgic = container_of(chip, struct vgic, chip);

	if (!vgic->kvm)
		return;
	for (unsigned int i = 0; i < vgic->nlines; i++)
		if (vgic->lines[i].fd >= 0)
			kvm_irqfd(vgic->kvm, vgic->lines[i].fd, vgic->lines[i].spi, false);
	close(vgic->fd);
	vgic->fd = -1;
	vgic->kvm = NULL;
}

bool vgic_owns(struct irqchip *chip, uint64_t addr)
{
	const struct vgic_config *cfg = &container_of(chip, struct vgic, chip)->cfg;
	unsigned int high = high_cpus(cfg);

	if (cfg->version == VGIC_V2)
		return addr - LAYOUT_GICD_BASE < LAYOUT_GICV2_DIST_SIZE ||
		       addr - LAYOUT_GICC_BASE < LAYOUT_GICC_SIZE;
	return addr - LAYOUT_GICD_BASE < LAYOUT_GICD_SIZE ||
	       addr - LAYOUT_GICR_BASE < (cfg->cpus - high) * LAYOUT_GICR_CPU_SIZE ||
	       addr - cfg->high_base < high * LAYOUT_GICR_CPU_SIZE;
}

static void describe_v3(struct vgic *vgic, struct fdt *fdt)
{
	unsigned int high = high_cpus(&vgic->cfg);
	uint32_t cells[12] = {
		0, LAYOUT_GICD_BASE, 0, LAYOUT_GICD_SIZE,
		0, LAYOUT_GICR_BASE, 0, (vgic->cfg.cpus - high) * LAYOUT_GICR_CPU_SIZE,
	};
	unsigned int n = 8;

	if (high) {
		cells[n++] = vgic->cfg.high_base >> 32;
		cells[n++] = (uint32_t)vgic->cfg.high_base;
		cells[n++] = 0;
		cells[n++] = high * LAYOUT_GICR_CPU_SIZE;
	}
	dt_str(fdt, "compatible", "arm,gic-v3");
	dt_cells_n(fdt, "reg", cells, n);
	if (high)
		dt_u32(fdt, "#redistributor-regions", 2);
}

static void vgic_describe(struct irqchip *chip, struct fdt *fdt)
{
	struct vgic *vgic = container_of(chip, struct vgic, chip);

	dt_node(fdt, "interrupt-controller@%llx", LAYOUT_GICD_BASE);
	if (vgic->cfg.version == VGIC_V3) {
		describe_v3(vgic, fdt);
	} else {
		dt_str(fdt, "compatible", "arm,cortex-a15-gic");
		dt_cells(fdt, "reg", 0, LAYOUT_GICD_BASE, 0, LAYOUT_GICV2_DIST_SIZE, 0,
			 LAYOUT_GICC_BASE, 0, LAYOUT_GICC_SIZE);
	}
	dt_empty(fdt, "interrupt-controller");
	dt_u32(fdt, "#interrupt-cells", 3);
	dt_u32(fdt, "#address-cells", 2);
	dt_u32(fdt, "#size-cells", 2);
	dt_empty(fdt, "ranges");
	dt_u32(fdt, "phandle", FDT_PHANDLE_GIC);
	dt_end(fdt);
}

/* The kernel delivers an irqfd's signal some time later; to take the irqfd away waits for that. */
static int flush_irqfds(struct vgic *vgic)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < vgic->nlines; i++) {
		const struct line *line = &vgic->lines[i];

		if (line->fd < 0)
			continue;
		err = kvm_irqfd(vgic->kvm, line->fd, line->spi, false);
		if (!err)
			err = kvm_irqfd(vgic->kvm, line->fd, line->spi, true);
	}
	return err;
}

static void vgic_state_op(struct irqchip *chip, struct state *s, struct findings *refused)
{
	struct vgic *vgic = container_of(chip, struct vgic, chip);
	const struct vgic_view view = {
		.fd = vgic->fd,
		.v3 = vgic->cfg.version == VGIC_V3,
		.cpus = vgic->cfg.cpus,
		.irqs = LAYOUT_NR_SPIS,
	};
	int err = s->loading ? 0 : flush_irqfds(vgic);

	if (err && !s->err)
		s->err = err;
	vgic_state(&view, s, refused);
}

static void vgic_destroy(struct irqchip *chip)
{
	struct vgic *vgic = container_of(chip, struct vgic, chip);

	vgic_detach(chip);
	for (unsigned int i = 0; i < vgic->nlines; i++)
		if (vgic->lines[i].fd >= 0)
			close(vgic->lines[i].fd);
	free(vgic);
}

static const struct irqchip_ops vgic_ops = {
	.connect = vgic_connect,
	.describe = vgic_describe,
	.state = vgic_state_op,
	.destroy = vgic_destroy,
};

int vgic_create(const struct vgic_config *cfg, struct irqchip **out)
{
	struct vgic *vgic = calloc(1, sizeof(*vgic));

	if (!vgic)
		return -ENOMEM;
	vgic->chip.ops = &vgic_ops;
	vgic->cfg = *cfg;
	vgic->fd = -1;
	*out = &vgic->chip;
	return 0;
}
