// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/inspect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arm64/gic_plan.h"
#include "arch/arm64/regs.h"
#include "arch/arm64/regs_record.h"
#include "firmware/psci.h"
#include "vmm/core/text.h"

/* A line; what a file says is shown, and never drives a terminal. */
static void print_plain(const char *text, FILE *out)
{
	char *copy = strdup(text);

	if (copy)
		text_plain(copy);
	fprintf(out, "%s\n", copy ? copy : "?");
	free(copy);
}

static void print_register(void *arg, uint64_t id, const uint8_t *value, uint32_t size)
{
	FILE *out = arg;
	char name[32];

	regs_name(id, name, sizeof(name));
	fprintf(out, "  %-20s 0x", name);
	while (size)
		fprintf(out, "%02x", value[--size]);
	fputc('\n', out);
}

int inspect_registers(const struct section *section,
		      void (*fn)(void *arg, uint64_t id, const uint8_t *value, uint32_t size),
		      void *arg)
{
	uint8_t *record = malloc(REGS_STATE_MAX);
	struct stream stream;
	struct state s;
	uint32_t len = 0;
	int err = record ? 0 : -ENOMEM;

	stream_open_data(&stream, section->data, section->len);
	state_init_load(&s, &stream);
	if (!err) {
		state_blob(&s, "regs", record, &len, REGS_STATE_MAX);
		err = s.err ? s.err : regs_each(record, len, fn, arg);
	}
	stream_close(&stream);
	free(record);
	return err;
}

static void print_machine(const struct machine_saved *saved, FILE *out)
{
	char *options = strdup(saved->options), *rest = options, *line;

	fprintf(out, "interrupt controller: %s\n", gic_kind_words[saved->gic]);
	fprintf(out, "psci: %s, in %s\n", psci_version_name(saved->psci_version),
		saved->user_psci ? "userspace" : "the kernel");
	fprintf(out, "counter: %u Hz\n", saved->counter_hz);
	fprintf(out, "cpu:%s%s%s\n", saved->cpu.sve ? " SVE" : "",
		saved->cpu.pauth ? " pointer-authentication" : "",
		saved->cpu.pvtime ? " stolen-time" : "");
	fputs("folder: ", out);
	print_plain(saved->cwd, out);
	fputs("options:\n", out);
	while (options && (line = strsep(&rest, "\n")))
		if (*line)
			print_plain(line, out);
	free(options);
}

static void print_all(const struct snapshot *snap, bool registers, FILE *out)
{
	for (unsigned int i = 0; i < snap->n; i++) {
		const struct section *section = &snap->sections[i];

		fprintf(out, "section: %s, version %u, %llu bytes, checksum %08x%s\n",
			section->name, section->version, (unsigned long long)section->len,
			crc32c(0, section->data, section->len),
			section->optional ? ", optional" : "");
		if (registers && !strncmp(section->name, "vcpu/", 5) &&
		    inspect_registers(section, print_register, out))
			fputs("  what follows makes no sense\n", out);
	}
	for (unsigned int i = 0; i < snap->nram; i++)
		fprintf(out, "memory: %llu KiB at 0x%llx\n",
			(unsigned long long)snap->ram[i].size >> 10,
			(unsigned long long)snap->ram[i].gpa);
}

int inspect_file(int fd, bool json, bool registers, FILE *out, struct fail *fail)
{
	struct machine_saved saved = { 0 };
	struct snapshot snap;
	int err = snapshot_open(&snap, fd, fail);

	if (!err)
		err = machine_saved_read(&snap, &saved, fail);
	if (!err && json) {
		err = inspect_json(&snap, &saved, registers, out);
		if (err)
			fail_set(fail, EXIT_HOST, err, "out of memory");
	} else if (!err) {
		print_machine(&saved, out);
		print_all(&snap, registers, out);
	}
	machine_saved_free(&saved);
	snapshot_free(&snap);
	return err;
}
