// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "arch/arm64/hypercall.h"
#include "arch/arm64/layout.h"
#include "arch/arm64/vgic.h"
#include "vmm/core/findings.h"
#include "vmm/machine_priv.h"
#include "vmm/machine_state.h"
#include "vmm/user_gic.h"

/* --- what this host lacks of a saved machine --------------------------------------------------- */

/* The next best, to compare what is left: a GICv2 that is not the kernel's shows no GICv3 in the CPUs. */
static int other_gic(struct machine *m, const struct gic_host *host, struct fail *fail)
{
	bool v2 = gic_kind_model(m->gic.kind) == GIC_MODEL_V2;

	m->gic.kind = v2 && host->user ? GIC_V2_USER : GIC_AUTO;
	m->gic.user_its = false;
	m->gic.cpus = m->vm->ncpus = 1;
	m->left_out[m->nleft_out++] = LAYOUT_GICV2M_BASE;
	m->left_out[m->nleft_out++] = LAYOUT_ITS_BASE;
	return gic_choose(host, &m->gic, fail);
}

static int choose_gic(struct machine *m, struct fail *fail)
{
	struct gic_host host = vgic_host(&m->vm->kvm);
	char words[GIC_WORDS];
	int err = gic_choose(&host, &m->gic, m->like ? NULL : fail);

	if (!err || !m->like)
		return err;
	m->partial = true;
	gic_host_words(&host, words);
	if (err == -ENODEV)
		findings_add(m->like->refused,
			     "the guest's interrupt controller is a %s, this host's KVM can %s",
			     gic_kind_words[m->gic.kind], words);
	else
		findings_add(m->like->refused,
			     "the guest's interrupt controller is a %s of %u CPUs, this host's KVM "
			     "has at most %u",
			     gic_kind_words[m->gic.kind], m->gic.cpus,
			     gic_host_cpus(&host, m->gic.kind));
	return other_gic(m, &host, fail);
}

/* Without memory the controller's frames need fewer bits. */
static int open_kvm(struct machine *m, struct fail *fail)
{
	unsigned int bits = cpu_ipa_bits(gic_plan_end(&m->gic)), max = vm_ipa_max(m->vm);

	if (m->like && bits > max) {
		m->partial = true;
		findings_add(
			m->like->refused,
			"the guest's memory, to 0x%llx, needs addresses (IPA) of %u bits, this "
			"host's KVM has %u",
			(unsigned long long)m->gic.ram_end, bits, max);
		m->gic.ram_end = LAYOUT_RAM_BASE;
		m->gic.user_its = false;
		bits = cpu_ipa_bits(gic_plan_end(&m->gic));
	}
	m->gic.ipa_bits = bits;
	return vm_open_kvm(m->vm, bits, fail);
}

static int plan_cpu(struct machine *m, struct fail *fail)
{
	bool pmu = m->cfg->pmu;
	int err;

	if (m->like && pmu && !kvm_cap(&m->vm->kvm, KVM_CAP_ARM_PMU_V3)) {
		findings_add(m->like->refused, "the guest has a PMU, this host's KVM does not");
		pmu = false;
	}
	err = cpu_plan(&m->vm->kvm, pmu, &m->vm->model, fail);
	if (!err && m->like)
		cpu_plan_like(&m->vm->model, &m->like->saved->cpu, m->like->refused);
	return err;
}

/* --- what this host can ----------------------------------------------------------------------- */

int machine_plan_kvm(struct machine *m, struct fail *fail)
{
	int err;

	m->gic = (struct gic_want){
		.kind = m->cfg->irqchip,
		.cpus = m->cfg->cpus,
		.spis = m->cfg->spis,
		.ram_end = LAYOUT_RAM_BASE + m->cfg->mem,
		.user_its = m->cfg->its == CONFIG_ITS_USER,
	};
	m->vm->ncpus = m->cfg->cpus;
	m->vm->unmapped = m->cfg->unmapped;
	m->pages = m->cfg->mmio_pages;
	err = open_kvm(m, fail);
	if (!err)
		err = choose_gic(m, fail);
	if (!err)
		err = plan_cpu(m, fail);
	if (err)
		return err;
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

/* --- firmware --------------------------------------------------------------------------------- */

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
static int plan_kernel_psci(struct machine *m, uint32_t version, struct fail *fail)
{
	const struct machine_like *like = m->like;
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

int machine_plan_firmware(struct machine *m, struct fail *fail)
{
	const struct machine_like *like = m->like;
	unsigned int word = m->cfg->psci_version;
	uint32_t version = word ? psci_version_at(word - 1) : 0;
	bool can_forward = hypercall_supported(&m->vm->kvm);
	bool lost = like && like->saved->user_psci && !can_forward;
	int err = lost ? 0 : choose_psci(m, can_forward, fail);

	if (err)
		return err;
	m->vm->model.user_psci = m->user_psci;
	m->partial |= lost;
	if (lost)
		findings_add(like->refused,
			     "the guest's PSCI is vmm's own, to which this host's kernel "
			     "does not forward (Linux 6.4 and later do)");
	if (!m->user_psci)
		return plan_kernel_psci(m, lost ? 0 : version, fail);
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
