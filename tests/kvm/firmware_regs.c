// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of the kernel's firmware services, as arch/arm64/regs knows them, against what this
 * host's KVM_GET_REG_LIST names: none is missed, each can be written back, also to another VM, and
 * what the host does not know is refused in words.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arm64/cpu.h"
#include "arch/arm64/regs.h"
#include "tests/kvm/check.h"
#include "vmm/kvm.h"

enum { PSCI_0_1 = 0x1, PSCI_0_2 = 0x2, NO_PSCI = 0x10077 };

/* A VM with two vCPUs, which have not run. */
struct machine {
	struct kvm kvm;
	struct cpu_model model;
	struct kvm_vcpu vcpu[2];
};

static void make(struct machine *m, uint32_t psci_version)
{
	struct fail fail = { 0 };

	*m = (struct machine){ .vcpu = { { .fd = -1 }, { .fd = -1 } } };
	need(kvm_open(&m->kvm), &fail, "/dev/kvm");
	need(kvm_vm_open(&m->kvm, KVM_VM_TYPE_ARM_IPA_SIZE(32)), &fail, "VM");
	need(cpu_plan(&m->kvm, false, &m->model, &fail), &fail, "CPU");
	need(cpu_plan_psci(&m->kvm, psci_version, &m->model, &fail), &fail, "PSCI");
	for (uint32_t i = 0; i < 2; i++) {
		need(kvm_vcpu_open(&m->kvm, i, &m->vcpu[i]), &fail, "vCPU");
		need(cpu_init(&m->vcpu[i], &m->model, &fail), &fail, "vCPU");
	}
}

static void destroy(struct machine *m)
{
	for (int i = 0; i < 2; i++)
		kvm_vcpu_close(&m->vcpu[i]);
	kvm_close(&m->kvm);
}

static int read_regs(const struct machine *m, struct reg_value regs[REGS_FIRMWARE_MAX])
{
	struct fail fail = { 0 };
	int n = regs_firmware_read(&m->vcpu[0], regs);

	need(n < 0 ? n : 0, &fail, "regs_firmware_read");
	return n;
}

static bool is_firmware(uint64_t id)
{
	uint64_t group = id & KVM_REG_ARM_COPROC_MASK;

	return (id & KVM_REG_ARCH_MASK) == KVM_REG_ARM64 &&
	       (group == KVM_REG_ARM_FW || group == KVM_REG_ARM_FW_FEAT_BMAP);
}

/* --- what there is ---------------------------------------------------------------------------- */

static bool contains(const struct reg_value *regs, int n, uint64_t id)
{
	for (int i = 0; i < n; i++)
		if (regs[i].id == id)
			return true;
	return false;
}

static void check_list(const struct machine *m)
{
	struct reg_value regs[REGS_FIRMWARE_MAX];
	int n = read_regs(m, regs), listed = 0, missed = 0, other = 0;
	struct kvm_reg_list *list;
	struct fail fail = { 0 };

	need(kvm_reg_list(&m->vcpu[0], &list), &fail, "KVM_GET_REG_LIST");
	for (uint64_t i = 0; i < list->n; i++) {
		if (!is_firmware(list->reg[i]))
			continue;
		listed++;
		if (!contains(regs, n, list->reg[i])) {
			missed++;
			printf("unknown 0x%llx\n", (unsigned long long)list->reg[i]);
		}
	}
	free(list);
	for (int i = 0; i < n; i++) {
		uint64_t value = ~0ULL;

		kvm_reg_get(&m->vcpu[0], regs[i].id, &value);
		other += value != regs[i].value;
		printf("listed %s: 0x%llx\n", regs_firmware_name(regs[i].id),
		       (unsigned long long)regs[i].value);
	}
	check(listed > 0 && n == listed && !missed, "the list", "KVM names %d, we %d; %d missed",
	      listed, n, missed);
	check(!other, "the values", "%d differ from KVM's", other);
	check(n && regs[0].id == KVM_REG_ARM_PSCI_VERSION, "the version comes first",
	      "%d registers", n);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void check_write_back(const struct machine *m, const char *title)
{
	struct reg_value regs[REGS_FIRMWARE_MAX], again[REGS_FIRMWARE_MAX];
	int n = read_regs(m, regs);
	struct fail fail = { 0 };
	int err = regs_firmware_write(&m->vcpu[0], regs, n, &fail);

	check(!err && read_regs(m, again) == n && !memcmp(regs, again, n * sizeof(regs[0])), title,
	      "%s", err ? fail.text : "they read otherwise after that");
}

/* Lowers what can be lowered: the change shows on the other vCPU, and goes over to another VM. */
static void check_move(void)
{
	struct reg_value regs[REGS_FIRMWARE_MAX], there[REGS_FIRMWARE_MAX];
	struct machine from, to;
	struct fail fail = { 0 };
	uint64_t value = 0;
	int n, m;

	make(&from, 0);
	n = read_regs(&from, regs);
	for (int i = 0; i < n; i++)
		if ((regs[i].id & KVM_REG_ARM_COPROC_MASK) == KVM_REG_ARM_FW_FEAT_BMAP)
			regs[i].value = 0;
	regs[0].value = PSCI_0_2;
	check(!regs_firmware_write(&from.vcpu[0], regs, n, &fail), "lower values", "%s", fail.text);
	kvm_reg_get(&from.vcpu[1], KVM_REG_ARM_PSCI_VERSION, &value);
	check(value == PSCI_0_2, "the other vCPU", "version 0x%llx", (unsigned long long)value);
	n = read_regs(&from, regs);
	make(&to, 0);
	check(!regs_firmware_write(&to.vcpu[0], regs, n, &fail), "to another VM", "%s", fail.text);
	m = read_regs(&to, there);
	check(m == n && !memcmp(regs, there, n * sizeof(regs[0])), "the other VM's values",
	      "they differ");
	destroy(&from);
	destroy(&to);
}

static void check_0_1(void)
{
	struct machine m;

	make(&m, PSCI_0_1);
	check_write_back(&m, "written back, version 0.1");
	destroy(&m);
}

/* --- refusals --------------------------------------------------------------------------------- */

static void check_refused(const struct machine *m, const struct reg_value *reg, const char *name)
{
	struct fail fail = { 0 };
	int err = regs_firmware_write(&m->vcpu[0], reg, 1, &fail);
	char id[32], value[32], title[64];

	snprintf(title, sizeof(title), "refused: %s", name);
	snprintf(id, sizeof(id), "0x%llx", (unsigned long long)reg->id);
	snprintf(value, sizeof(value), "0x%llx", (unsigned long long)reg->value);
	check(err < 0 && fail.code == EXIT_SNAPSHOT && strstr(fail.text, id) &&
		      strstr(fail.text, value) && strstr(fail.text, name),
	      title, "%s gives %d: %s", value, err, fail.text);
}

static void check_refusals(const struct machine *m)
{
	struct reg_value regs[REGS_FIRMWARE_MAX];
	const struct reg_value unknown = { KVM_REG_ARM_FW_REG(0xfff0), 1 };
	int n = read_regs(m, regs);

	for (int i = 0; i < n; i++) {
		regs[i].value = regs[i].id == KVM_REG_ARM_PSCI_VERSION ? NO_PSCI : 1ULL << 62;
		check_refused(m, &regs[i], regs_firmware_name(regs[i].id));
	}
	check_refused(m, &unknown, "unknown name");
}

int main(void)
{
	struct machine m;

	make(&m, 0);
	check_list(&m);
	check_write_back(&m, "written back");
	check_refusals(&m);
	destroy(&m);
	check_move();
	check_0_1();
	puts("done");
	return EXIT_OK;
}
