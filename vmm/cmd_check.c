// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arch/arm64/hypercall.h"
#include "arch/arm64/regs.h"
#include "arch/arm64/vgic.h"
#include "vmm/check.h"
#include "vmm/command_options.h"
#include "vmm/commands.h"
#include "vmm/core/json.h"
#include "vmm/core/log.h"
#include "vmm/core/opts.h"
#include "vmm/vm.h"

enum { JSON_MAX = 16384 };

/* Asks what everything else may depend on, as vmm run does: what fails here fails there. */
static int ask_host(struct vm *vm, struct check_host *host, struct fail *fail)
{
	int err = vm_open_kvm(vm, cpu_ipa_bits(1), fail);

	if (!err)
		err = cpu_plan(&vm->kvm, false, &host->model, fail);
	if (err)
		return err;
	host->kvm = &vm->kvm;
	host->gic = vgic_host(&vm->kvm);
	host->forwards = hypercall_supported(&vm->kvm);
	err = cpu_plan_psci(&vm->kvm, 0, &host->model, fail);
	host->kernel_psci = host->model.psci_version;
	return err;
}

static void print_items(const struct check_host *host, const struct check_item *items)
{
	for (const struct check_item *item = items; item->name; item++) {
		struct check_result result = { 0 };

		item->ask(host, item->arg, &result);
		printf("%s: %s", item->name, result.value);
		if (result.lacks)
			printf(" (%s)", item->lacking);
		putchar('\n');
	}
}

static void json_items(const struct check_host *host, const struct check_item *items,
		       struct json_out *out)
{
	for (const struct check_item *item = items; item->name; item++) {
		struct check_result result = { 0 };

		item->ask(host, item->arg, &result);
		json_open(out, NULL, '{');
		json_str(out, "name", item->name);
		json_str(out, "value", result.value);
		json_bool(out, "lacking", result.lacks);
		if (result.lacks)
			json_str(out, "consequence", item->lacking);
		json_close(out, '}');
	}
}

static void print_json(const struct check_host *host)
{
	struct json_out out;
	char buf[JSON_MAX];

	json_out_init(&out, buf, sizeof(buf));
	json_open(&out, NULL, '{');
	json_open(&out, "items", '[');
	json_items(host, check_kvm_items, &out);
	json_items(host, check_system_items, &out);
	json_close(&out, ']');
	json_close(&out, '}');
	puts(buf);
}

static int print_registers(const struct check_host *host, struct fail *fail)
{
	struct reg_value regs[REGS_FIRMWARE_MAX];
	struct kvm_vcpu vcpu = { .fd = -1 };
	int n = kvm_vcpu_open(host->kvm, 0, &vcpu);

	if (!n)
		n = cpu_init(&vcpu, &host->model, fail);
	if (!n)
		n = regs_firmware_read(&vcpu, regs);
	for (int i = 0; i < n; i++)
		printf("%s: 0x%llx\n", regs_firmware_name(regs[i].id),
		       (unsigned long long)regs[i].value);
	kvm_vcpu_close(&vcpu);
	return n < 0 ? fail_set(fail, EXIT_HOST, n, "KVM does not tell its firmware registers: %s",
				strerror(-n))
		     : 0;
}

static int check(const struct check_config *cfg, struct vm *vm, struct fail *fail)
{
	struct gic_want want = { .kind = GIC_AUTO, .cpus = 1 };
	struct check_host host = { 0 };

	if (cfg->gic)
		return check_gic(&vm->kvm, fail);
	if (ask_host(vm, &host, fail))
		return (int)fail->code;
	if (cfg->json) {
		print_json(&host);
	} else if (!cfg->registers) {
		print_items(&host, check_kvm_items);
		print_items(&host, check_system_items);
	}
	if ((!cfg->json && print_registers(&host, fail)) || gic_choose(&host.gic, &want, fail))
		return (int)fail->code;
	return EXIT_OK;
}

static int parse(int argc, char **argv, struct check_config *cfg, struct fail *fail)
{
	int words = opts_parse(check_options, argc, argv, cfg, fail);

	if (words > 0)
		return fail_set(fail, EXIT_CONFIG, -EINVAL, "'%s' is no option of vmm check",
				argv[0]);
	if (!words && cfg->gic + cfg->registers + cfg->json > 1)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"vmm check does one of --gic, --registers and --json");
	return words;
}

int cmd_check(int argc, char **argv)
{
	struct log log = { .fd = STDERR_FILENO, .level = LOG_WARNING, .prefix = "vmm: " };
	struct check_config cfg = { 0 };
	struct fail fail = { 0 };
	struct vm *vm = NULL;
	int code;

	if (argc == 1 && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))) {
		puts("usage: vmm check [OPTIONS]\n\n"
		     "Says what this host can do, a `name: value` a line, with the consequence of\n"
		     "what it lacks and what would help. Ends with 0 where `vmm run` works.\n");
		opts_help(check_options, stdout);
		return EXIT_OK;
	}
	if (parse(argc, argv, &cfg, &fail) || vm_create(&log, &vm, &fail))
		code = (int)fail.code;
	else
		code = check(&cfg, vm, &fail);
	vm_destroy(vm);
	if (fail.text[0])
		fprintf(stderr, "vmm: %s\n", fail.text);
	return code;
}
