// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/vgic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "arch/arm64/cpu.h"
#include "arch/arm64/gic_dt.h"
#include "arch/arm64/layout.h"
#include "arch/arm64/vgic_hidden.h"
#include "arch/arm64/vgic_routes.h"
#include "arch/arm64/vgic_state.h"
#include "vmm/core/device.h"

/* Offset of GITS_TRANSLATER. */
enum { TRANSLATER = 0x10040 };

/* A device's line. Its eventfd is made when it is first pulsed, or asked for. */
struct line {
	struct vgic *vgic;
	struct line *next;
	uint32_t spi;
	bool edge;
	int fd; /* irqfd, or -1 */
};

struct vgic {
	struct irqchip chip;
	enum gic_kind kind;
	uint32_t nr_irqs;
	struct gic_layout layout;
	struct line *lines;
	const struct kvm *kvm; /* NULL while detached */
	bool started;
	int fd, its_fd;
	struct vgic_routes routes;
	bool user_its; /* its_fd is the hidden ITS's */
	struct hidden_its hidden;
};

/* The planned frames as KVM calls them, in the order of enum gic_frame. */
static const struct {
	const char *name;
	uint64_t attr;
} frames[GIC_FRAMES] = {
	[GIC_V2_DIST] = { "GICD", KVM_VGIC_V2_ADDR_TYPE_DIST },
	[GIC_V2_CPUIF] = { "GICC", KVM_VGIC_V2_ADDR_TYPE_CPU },
	[GIC_V3_DIST] = { "GICD", KVM_VGIC_V3_ADDR_TYPE_DIST },
	[GIC_V3_REDIST] = { "GICR", KVM_VGIC_V3_ADDR_TYPE_REDIST },
	[GIC_V3_ITS] = { "ITS", KVM_VGIC_ITS_ADDR_TYPE },
};

struct gic_host vgic_host(const struct kvm *kvm)
{
	return (struct gic_host){
		.v2 = !kvm_device_test(kvm, KVM_DEV_TYPE_ARM_VGIC_V2),
		.v3 = !kvm_device_test(kvm, KVM_DEV_TYPE_ARM_VGIC_V3),
		.its = !kvm_device_test(kvm, KVM_DEV_TYPE_ARM_VGIC_ITS),
		.user = kvm_cap(kvm, KVM_CAP_ARM_USER_IRQ) > 0,
		.cpus = (unsigned int)kvm_cap(kvm, KVM_CAP_MAX_VCPUS),
	};
}

uint64_t vgic_redist_attr(uint32_t id, uint32_t offset)
{
	return cpu_mpidr(id) << KVM_DEV_ARM_VGIC_V3_MPIDR_SHIFT | offset;
}

uint64_t vgic_frame_attr(enum gic_frame frame)
{
	return frames[frame].attr;
}

/* --- lines ------------------------------------------------------------------------------------ */

static void line_set(struct irq *irq, bool level)
{
	const struct line *line = irq->chip;
	uint32_t number = (KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT) | (line->spi + 32);

	if (line->vgic->kvm)
		kvm_irq_line(line->vgic->kvm, number, level);
}

static int line_eventfd(struct irq *irq)
{
	struct line *line = irq->chip;
	int fd, err = 0;

	if (!line->edge)
		return -ENOTSUP;
	if (line->fd >= 0)
		return line->fd;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (line->vgic->started)
		err = kvm_irqfd(line->vgic->kvm, fd, line->spi, true);
	if (err) {
		close(fd);
		return err;
	}
	irq->fd = line->fd = fd;
	return fd;
}

/* One system call raises and lowers an edge by irqfd; it takes two without. */
static void line_pulse(struct irq *irq)
{
	int fd = line_eventfd(irq);

	if (fd >= 0) {
		eventfd_write(fd, 1);
		return;
	}
	line_set(irq, true);
	line_set(irq, false);
}

static const struct irq_ops line_ops = {
	.set = line_set,
	.pulse = line_pulse,
	.eventfd = line_eventfd,
};

static int vgic_connect(struct irqchip *chip, struct irq *irq)
{
	struct vgic *vgic = container_of(chip, struct vgic, chip);
	struct line *line;

	if (irq->spi >= vgic->nr_irqs - 32)
		return -ERANGE;
	line = calloc(1, sizeof(*line));
	if (!line)
		return -ENOMEM;
	*line = (struct line){ vgic, vgic->lines, irq->spi, irq->edge, -1 };
	vgic->lines = line;
	irq->fd = -1;
	irq->ops = &line_ops;
	irq->chip = line;
	return 0;
}

static int vgic_message(struct irqchip *chip, const struct msi *msi)
{
	struct vgic *vgic = container_of(chip, struct vgic, chip);

	if (chip->frame.dev)
		return chip->frame.message(chip->frame.dev, msi);
	if (!vgic->started || !gic_kind_has_its(vgic->kind) || vgic->user_its)
		return -ENXIO;
	return kvm_signal_msi(vgic->kvm, msi->addr, msi->data, msi->device);
}

static int vgic_route(struct irqchip *chip, struct msi_route *route, const struct msi *msi)
{
	struct vgic *vgic = container_of(chip, struct vgic, chip);
	struct msi hidden;
	int spi = -1;

	if (!msi) {
		vgic_routes_drop(&vgic->routes, route);
		return 0;
	}
	if (chip->frame.spi)
		spi = chip->frame.spi(chip->frame.dev, msi);
	/* To the guest's ITS: it is the hidden one that the kernel knows. */
	if (vgic->user_its && msi->addr == LAYOUT_ITS_BASE + TRANSLATER) {
		hidden = (struct msi){ vgic->hidden.base + TRANSLATER, msi->data, msi->device };
		return vgic_routes_set(&vgic->routes, route, &hidden, spi);
	}
	if (chip->frame.dev ? spi < 0 : !gic_kind_has_its(vgic->kind)) {
		vgic_routes_drop(&vgic->routes, route);
		return -ENXIO;
	}
	return vgic_routes_set(&vgic->routes, route, msi, spi);
}

/* --- the kernel's half ------------------------------------------------------------------------ */

static int create_device(const struct kvm *kvm, uint32_t type, const char *name, int *fd,
			 struct fail *fail)
{
	*fd = kvm_device_create(kvm, type);
	if (*fd < 0)
		return fail_set(fail, EXIT_HOST, *fd, "cannot create the in-kernel %s: %s", name,
				strerror(-*fd));
	return 0;
}

static int set_address(int fd, const char *name, uint64_t attr, uint64_t value, struct fail *fail)
{
	int err = kvm_attr_set(fd, KVM_DEV_ARM_VGIC_GRP_ADDR, attr, &value);

	return err ? fail_set(fail, EXIT_HOST, err, "the kernel refuses the %s frame (0x%llx): %s",
			      name, (unsigned long long)value, strerror(-err))
		   : 0;
}

static int set_frames(struct vgic *vgic, struct fail *fail)
{
	const struct gic_layout *layout = &vgic->layout;
	int err = 0;

	for (int i = 0; !err && i < GIC_FRAMES; i++)
		if (layout->frames[i] != GIC_UNSET)
			err = set_address(i == GIC_V3_ITS ? vgic->its_fd : vgic->fd, frames[i].name,
					  frames[i].attr, layout->frames[i], fail);
	for (unsigned int i = 0; !err && i < layout->nregions; i++) {
		uint64_t region = 0;

		gic_layout_region_attr(layout, i, &region);
		err = set_address(vgic->fd, "GICR", KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION, region,
				  fail);
	}
	return err;
}

int vgic_attach(struct irqchip *chip, const struct kvm *kvm, struct fail *fail)
{
	struct vgic *vgic = container_of(chip, struct vgic, chip);
	uint32_t type = vgic->layout.model == GIC_MODEL_V2 ? KVM_DEV_TYPE_ARM_VGIC_V2
							   : KVM_DEV_TYPE_ARM_VGIC_V3;
	int err;

	vgic->kvm = kvm;
	err = create_device(kvm, type, gic_kind_words[vgic->kind], &vgic->fd, fail);
	if (!err && gic_kind_has_its(vgic->kind))
		err = create_device(kvm, KVM_DEV_TYPE_ARM_VGIC_ITS, "ITS", &vgic->its_fd, fail);
	if (!err)
		err = set_frames(vgic, fail);
	if (err)
		return err;
	err = kvm_attr_set(vgic->fd, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &vgic->nr_irqs);
	if (err)
		return fail_set(fail, EXIT_HOST, err, "the kernel refuses %u interrupts: %s",
				vgic->nr_irqs, strerror(-err));
	return 0;
}

static int init_device(int fd)
{
	if (fd < 0)
		return 0;
	return kvm_attr_set(fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
}

int vgic_start(struct irqchip *chip, struct fail *fail)
{
	struct vgic *vgic = container_of(chip, struct vgic, chip);
	int err = init_device(vgic->fd);

	if (!err)
		err = init_device(vgic->its_fd);
	if (!err && vgic->user_its)
		err = hidden_its_start(&vgic->hidden, vgic->kvm, vgic->its_fd);
	if (err)
		return fail_set(fail, EXIT_HOST, err, "cannot initialise the in-kernel %s: %s",
				gic_kind_words[vgic->kind], strerror(-err));
	vgic->started = true;
	vgic_routes_attach(&vgic->routes, vgic->kvm);
	for (const struct line *line = vgic->lines; line; line = line->next) {
		if (line->fd < 0)
			continue;
		err = kvm_irqfd(vgic->kvm, line->fd, line->spi, true);
		if (err)
			return fail_set(fail, EXIT_HOST, err, "cannot connect SPI %u: %s",
					line->spi, strerror(-err));
	}
	return 0;
}

static void close_device(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void vgic_detach(struct irqchip *chip)
{
	struct vgic *vgic = container_of(chip, struct vgic, chip);

	if (!vgic->kvm)
		return;
	vgic_routes_detach(&vgic->routes);
	for (const struct line *line = vgic->lines; vgic->started && line; line = line->next)
		if (line->fd >= 0)
			kvm_irqfd(vgic->kvm, line->fd, line->spi, false);
	hidden_its_stop(&vgic->hidden);
	close_device(&vgic->its_fd);
	close_device(&vgic->fd);
	vgic->started = false;
	vgic->kvm = NULL;
}

bool vgic_owns(struct irqchip *chip, uint64_t addr)
{
	return gic_layout_owns(&container_of(chip, struct vgic, chip)->layout, addr);
}

int vgic_device(struct irqchip *chip)
{
	return container_of(chip, struct vgic, chip)->fd;
}

int vgic_its_device(struct irqchip *chip)
{
	return container_of(chip, struct vgic, chip)->its_fd;
}

/* --- behind a userspace ITS -------------------------------------------------------------------- */

int vgic_hidden_restart(struct irqchip *chip)
{
	struct vgic *vgic = container_of(chip, struct vgic, chip);

	return vgic->started ? hidden_its_restart(&vgic->hidden) : -ENXIO;
}

int vgic_hidden_commands(struct irqchip *chip, const uint64_t (*commands)[4], size_t n,
			 bool enabled)
{
	struct vgic *vgic = container_of(chip, struct vgic, chip);
	int err = vgic->started ? hidden_its_run(&vgic->hidden, commands, n) : -ENXIO;

	return err ? err : hidden_its_enable(&vgic->hidden, enabled);
}

int vgic_hidden_intids(struct irqchip *chip, uint32_t *intids)
{
	enum { PROPBASER = 0x70, IDBITS = 0x1f, IDBITS_MAX = 15 };
	const struct vgic *vgic = container_of(chip, struct vgic, chip);
	uint32_t low = 0;
	/* It is the same register for all of KVM's redistributors. */
	int err = vgic->started ? kvm_attr_get(vgic->fd, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS,
					       vgic_redist_attr(0, PROPBASER), &low)
				: -ENXIO;

	low &= IDBITS;
	*intids = 2U << (low < IDBITS_MAX ? low : IDBITS_MAX);
	return err;
}

int vgic_hidden_message(struct irqchip *chip, uint32_t device, uint32_t event)
{
	const struct vgic *vgic = container_of(chip, struct vgic, chip);

	if (!vgic->started)
		return -ENXIO;
	return kvm_signal_msi(vgic->kvm, vgic->hidden.base + TRANSLATER, event, device);
}

/* --- life ------------------------------------------------------------------------------------- */

static void vgic_describe(struct irqchip *chip, struct fdt *fdt)
{
	const struct vgic *vgic = container_of(chip, struct vgic, chip);

	gic_describe(&vgic->layout, !vgic->user_its, &chip->frame, fdt);
}

/* The kernel delivers an irqfd's signal some time later; to take the irqfd away waits for that. */
static int flush_irqfds(struct vgic *vgic)
{
	int err = 0;

	for (const struct line *line = vgic->lines; !err && line; line = line->next) {
		if (line->fd < 0)
			continue;
		err = kvm_irqfd(vgic->kvm, line->fd, line->spi, false);
		if (!err)
			err = kvm_irqfd(vgic->kvm, line->fd, line->spi, true);
	}
	return err ? err : vgic_routes_flush(&vgic->routes);
}

static struct vgic_view view_of(const struct vgic *vgic)
{
	return (struct vgic_view){
		.fd = vgic->fd,
		.its_fd = vgic->its_fd,
		.hidden_its = vgic->user_its,
		.v3 = vgic->layout.model == GIC_MODEL_V3,
		.cpus = vgic->layout.ncpus,
		.irqs = vgic->nr_irqs,
	};
}

static void vgic_debug_op(struct irqchip *chip, struct json_out *out)
{
	struct vgic *vgic = container_of(chip, struct vgic, chip);
	const struct vgic_view view = view_of(vgic);

	if (vgic->started)
		vgic_debug(&view, out);
}

static void vgic_state_op(struct irqchip *chip, struct state *s, struct findings *refused)
{
	struct vgic *vgic = container_of(chip, struct vgic, chip);
	const struct vgic_view view = view_of(vgic);
	int err = s->loading ? 0 : flush_irqfds(vgic);

	if (err && !s->err)
		s->err = err;
	vgic_state(&view, s, refused);
}

static void vgic_check_op(struct irqchip *chip, struct state *s, struct findings *refused)
{
	struct vgic_view view = view_of(container_of(chip, struct vgic, chip));

	view.check = true;
	vgic_state(&view, s, refused);
}

static void vgic_destroy(struct irqchip *chip)
{
	struct vgic *vgic = container_of(chip, struct vgic, chip);

	vgic_detach(chip);
	vgic_routes_fini(&vgic->routes);
	hidden_its_fini(&vgic->hidden);
	while (vgic->lines) {
		struct line *line = vgic->lines;

		vgic->lines = line->next;
		if (line->fd >= 0)
			close(line->fd);
		free(line);
	}
	free(vgic);
}

static const struct irqchip_ops vgic_ops = {
	.connect = vgic_connect,
	.message = vgic_message,
	.route = vgic_route,
	.describe = vgic_describe,
	.state = vgic_state_op,
	.check = vgic_check_op,
	.debug = vgic_debug_op,
	.destroy = vgic_destroy,
};

const struct gic_half vgic_half = {
	.attach = vgic_attach,
	.start = vgic_start,
	.detach = vgic_detach,
	.owns = vgic_owns,
};

int vgic_create(const struct gic_want *want, struct irqchip **out, struct fail *fail)
{
	struct vgic *vgic = calloc(1, sizeof(*vgic));
	int err;

	if (!vgic)
		return fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory");
	vgic->chip.ops = &vgic_ops;
	vgic->chip.takes_messages = gic_kind_has_its(want->kind) || gic_kind_has_v2m(want->kind);
	vgic->kind = want->kind;
	vgic->nr_irqs = gic_plan_irqs(want->spis);
	vgic->fd = vgic->its_fd = -1;
	vgic_routes_init(&vgic->routes, vgic->nr_irqs - 32);
	vgic->user_its = want->user_its;
	err = gic_plan(want, &vgic->layout, fail);
	if (!err && want->user_its &&
	    hidden_its_init(&vgic->hidden, vgic->layout.frames[GIC_V3_ITS]))
		err = fail_set(fail, EXIT_HOST, -ENOMEM, "out of memory for the hidden ITS");
	if (err)
		vgic_destroy(&vgic->chip);
	else
		*out = &vgic->chip;
	return err;
}
