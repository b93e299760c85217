// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arm64/gic_plan.h"
#include "arch/arm64/regs.h"
#include "arch/arm64/regs_record.h"
#include "firmware/psci.h"
#include "vmm/core/json.h"
#include "vmm/inspect.h"

/* Doubled until all fits: 4096 sections of a few hundred bytes, or 512 CPUs' registers. */
enum { TEXT_FIRST = 64 << 10, TEXT_MAX = 256 << 20 };

static void put_register(void *arg, uint64_t id, const uint8_t *value, uint32_t size)
{
	char name[32], digits[2 + 2 * 256 + 1] = "0x";
	size_t at = 2;

	regs_name(id, name, sizeof(name));
	while (size && at < sizeof(digits) - 2)
		at += (size_t)snprintf(digits + at, sizeof(digits) - at, "%02x", value[--size]);
	json_str(arg, name, digits);
}

static void put_section(const struct section *section, bool registers, struct json_out *out)
{
	int err;

	json_open(out, NULL, '{');
	json_str(out, "name", section->name);
	json_uint(out, "version", section->version);
	json_uint(out, "bytes", section->len);
	json_hex(out, "checksum", crc32c(0, section->data, section->len));
	json_bool(out, "optional", section->optional);
	if (registers && !strncmp(section->name, "vcpu/", 5)) {
		json_open(out, "registers", '{');
		err = inspect_registers(section, put_register, out);
		json_close(out, '}');
		if (err)
			json_str(out, "error", "what follows makes no sense");
	}
	json_close(out, '}');
}

static void put_machine(const struct machine_saved *saved, struct json_out *out)
{
	json_open(out, "machine", '{');
	json_str(out, "irqchip", gic_kind_words[saved->gic]);
	json_str(out, "psci_version", psci_version_name(saved->psci_version));
	json_str(out, "psci", saved->user_psci ? "user" : "kernel");
	json_uint(out, "counter_hz", saved->counter_hz);
	json_bool(out, "sve", saved->cpu.sve);
	json_bool(out, "pauth", saved->cpu.pauth);
	json_bool(out, "pvtime", saved->cpu.pvtime);
	json_str(out, "folder", saved->cwd);
	json_lines(out, "options", saved->options);
	json_close(out, '}');
}

static void put_all(const struct snapshot *snap, const struct machine_saved *saved, bool registers,
		    struct json_out *out)
{
	json_open(out, NULL, '{');
	put_machine(saved, out);
	json_open(out, "sections", '[');
	for (unsigned int i = 0; i < snap->n; i++)
		put_section(&snap->sections[i], registers, out);
	json_close(out, ']');
	json_open(out, "memory", '[');
	for (unsigned int i = 0; i < snap->nram; i++) {
		json_open(out, NULL, '{');
		json_hex(out, "address", snap->ram[i].gpa);
		json_uint(out, "bytes", snap->ram[i].size);
		json_close(out, '}');
	}
	json_close(out, ']');
	json_close(out, '}');
}

int inspect_json(const struct snapshot *snap, const struct machine_saved *saved, bool registers,
		 FILE *out)
{
	for (size_t cap = TEXT_FIRST; cap <= TEXT_MAX; cap *= 2) {
		char *text = malloc(cap);
		struct json_out json;

		if (!text)
			break;
		json_out_init(&json, text, cap);
		put_all(snap, saved, registers, &json);
		if (!json.full)
			fprintf(out, "%s\n", text);
		free(text);
		if (!json.full)
			return 0;
	}
	return -ENOMEM;
}
