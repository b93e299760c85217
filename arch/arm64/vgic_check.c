// SPDX-License-Identifier: GPL-2.0-only
#include "arch/arm64/vgic_check.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch/arm64/cpu.h"
#include "arch/arm64/vgic.h"

enum { VCPUS = 16, IPA_BITS = 40, GICR_TYPER = 0x8 };

/* Between the frames of the table, which are in the low 8 MiB and at the top. */
#define RAM_BASE 0x40000000ULL

/* SYSTEM_OFF by HVC, which ends KVM_RUN. */
static const uint32_t program[] = {
	0x52b08000, /* movz w0, #0x8400, lsl #16 */
	0x72800100, /* movk w0, #8 */
	0xd4000002, /* hvc #0 */
};

struct subject {
	struct kvm kvm;
	struct cpu_model model;
	enum gic_model gic;
	unsigned int ipa_bits;
	int fd, its_fd;
	struct kvm_vcpu vcpus[VCPUS]; /* by id */
	void *ram;
	size_t ram_size;
};

/* --- a machine -------------------------------------------------------------------------------- */

static int map_program(struct subject *s)
{
	s->ram_size = (size_t)sysconf(_SC_PAGESIZE);
	s->ram =
		mmap(NULL, s->ram_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->ram == MAP_FAILED) {
		s->ram = NULL;
		return -errno;
	}
	memcpy(s->ram, program, sizeof(program));
	return kvm_memslot(&s->kvm, 0, 0, RAM_BASE, s->ram_size, s->ram);
}

static int begin(struct subject *s, const struct kvm *kvm, enum gic_model gic, struct fail *fail)
{
	unsigned int max = (unsigned int)kvm_cap(kvm, KVM_CAP_ARM_VM_IPA_SIZE);
	int err;

	*s = (struct subject){ .kvm = *kvm, .gic = gic, .fd = -1, .its_fd = -1 };
	s->kvm.vm_fd = -1;
	s->ipa_bits = max && max < IPA_BITS ? max : IPA_BITS;
	for (int i = 0; i < VCPUS; i++)
		s->vcpus[i].fd = -1;
	err = kvm_vm_open(&s->kvm, KVM_VM_TYPE_ARM_IPA_SIZE(s->ipa_bits));
	if (!err)
		err = map_program(s);
	if (!err)
		err = cpu_plan(&s->kvm, false, &s->model, fail);
	/* None waits for a CPU_ON. */
	s->model.user_psci = true;
	return err ? fail_set(fail, EXIT_HOST, err, "KVM cannot create a VM: %s", strerror(-err))
		   : 0;
}

static void end(struct subject *s)
{
	for (int i = 0; i < VCPUS; i++)
		if (s->vcpus[i].fd >= 0)
			kvm_vcpu_close(&s->vcpus[i]);
	if (s->its_fd >= 0)
		close(s->its_fd);
	if (s->fd >= 0)
		close(s->fd);
	kvm_vm_close(&s->kvm);
	if (s->ram)
		munmap(s->ram, s->ram_size);
}

/* --- steps ------------------------------------------------------------------------------------ */

static uint32_t device_type(const struct subject *s, uint64_t device)
{
	bool v2 = (s->gic == GIC_MODEL_V2) == (device == GIC_DEVICE_THIS);

	if (device == GIC_DEVICE_NONE)
		return 0;
	if (device == GIC_DEVICE_ITS)
		return KVM_DEV_TYPE_ARM_VGIC_ITS;
	return v2 ? KVM_DEV_TYPE_ARM_VGIC_V2 : KVM_DEV_TYPE_ARM_VGIC_V3;
}

/* What a successful creation gives is kept only from the first one of its kind. */
static int create(struct subject *s, uint64_t device)
{
	int *keep = device == GIC_DEVICE_ITS ? &s->its_fd : &s->fd;
	int fd = kvm_device_create(&s->kvm, device_type(s, device));

	if (fd < 0)
		return fd;
	if (*keep < 0)
		*keep = fd;
	else
		close(fd);
	return 0;
}

static int add_vcpu(struct subject *s, uint32_t id)
{
	struct kvm_vcpu vcpu = { .fd = -1 };
	int err = id < VCPUS ? kvm_vcpu_open(&s->kvm, id, &vcpu) : -ERANGE;

	if (err)
		return err;
	s->vcpus[id] = vcpu;
	return cpu_init(&s->vcpus[id], &s->model, NULL);
}

static int run(struct subject *s, uint32_t id)
{
	struct kvm_vcpu *vcpu = id < VCPUS ? &s->vcpus[id] : NULL;
	int err;

	if (!vcpu || vcpu->fd < 0)
		return -ERANGE;
	err = cpu_set_boot(vcpu, RAM_BASE, 0, NULL);
	if (!err)
		err = kvm_vcpu_run(vcpu);
	if (!err && vcpu->run->exit_reason != KVM_EXIT_SYSTEM_EVENT)
		err = -EPROTO;
	return err;
}

static int has(const struct subject *s, enum gic_frame frame)
{
	uint64_t attr = frame == GIC_FRAMES ? ~0ULL : vgic_frame_attr(frame);

	return kvm_attr_test(s->fd, KVM_DEV_ARM_VGIC_GRP_ADDR, attr);
}

static int set_address(int fd, uint64_t attr, uint64_t addr)
{
	return kvm_attr_set(fd, KVM_DEV_ARM_VGIC_GRP_ADDR, attr, &addr);
}

static int region_get(const struct subject *s, uint64_t *value)
{
	return kvm_attr_get(s->fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION,
			    value);
}

static int typer_get(const struct subject *s, uint32_t id, uint64_t *value)
{
	uint32_t low = 0;
	int err = kvm_attr_get(s->fd, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS,
			       vgic_redist_attr(id, GICR_TYPER), &low);

	*value = low;
	return err;
}

static int do_step(struct subject *s, const struct gic_step *step, uint64_t *value)
{
	const uint64_t arg = gic_step_arg(step, s->ipa_bits);
	const uint32_t word = (uint32_t)arg;

	*value = 0;
	switch (step->op) {
	case GIC_OP_PROBE:
		return kvm_device_test(&s->kvm, device_type(s, arg));
	case GIC_OP_CREATE:
		return create(s, arg);
	case GIC_OP_VCPU:
		return add_vcpu(s, word);
	case GIC_OP_HAS:
		return has(s, step->frame);
	case GIC_OP_PLACE:
		return set_address(step->frame == GIC_V3_ITS ? s->its_fd : s->fd,
				   vgic_frame_attr(step->frame), arg);
	case GIC_OP_REGION:
		return set_address(s->fd, KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION, arg);
	case GIC_OP_REGION_GET:
		*value = arg;
		return region_get(s, value);
	case GIC_OP_NULL:
		return kvm_attr_set(s->fd, KVM_DEV_ARM_VGIC_GRP_ADDR,
				    KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION, NULL);
	case GIC_OP_IRQS:
		return kvm_attr_set(s->fd, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &word);
	case GIC_OP_INIT:
		return kvm_attr_set(s->fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT,
				    NULL);
	case GIC_OP_TYPER:
		return typer_get(s, word, value);
	case GIC_OP_RUN:
		return run(s, word);
	case GIC_OP_END:
		break;
	}
	return -EINVAL;
}

/* --- cases ------------------------------------------------------------------------------------ */

static const char *skip_case(const struct gic_host *host, const struct gic_case *c)
{
	if (c->model == GIC_MODEL_V2 && !host->v2)
		return "this host's KVM has no GICv2";
	if (c->model == GIC_MODEL_V3 && !host->v3)
		return "this host's KVM has no GICv3";
	return NULL;
}

static const char *skip_step(const struct gic_host *host, const struct gic_step *step)
{
	bool other = step->op == GIC_OP_CREATE && step->arg == GIC_DEVICE_OTHER;

	return other && !(host->v2 && host->v3) ? "this host's KVM has one GIC version" : NULL;
}

static int run_case(const struct kvm *kvm, const struct gic_host *host, const struct gic_case *c,
		    void (*report)(void *arg, const struct vgic_result *result), void *arg,
		    struct fail *fail)
{
	const char *skipped = skip_case(host, c);
	struct subject s;
	int err = begin(&s, kvm, c->model, fail);

	for (unsigned int part = 0; !err && c->parts[part]; part++) {
		for (const struct gic_step *step = c->parts[part]; step->op; step++) {
			struct vgic_result r = { .from = c, .step = step, .skipped = skipped };

			if (!skipped)
				r.skipped = skip_step(host, step);
			if (!r.skipped)
				r.answer = do_step(&s, step, &r.value);
			report(arg, &r);
		}
	}
	end(&s);
	return err;
}

int vgic_check(const struct kvm *kvm, void (*report)(void *arg, const struct vgic_result *result),
	       void *arg, struct fail *fail)
{
	struct subject probe;
	struct gic_host host;
	int err = begin(&probe, kvm, GIC_MODEL_V3, fail);

	if (!err)
		host = vgic_host(&probe.kvm);
	end(&probe);
	for (const struct gic_case *c = gic_table; !err && c->name; c++)
		err = run_case(kvm, &host, c, report, arg, fail);
	return err;
}
