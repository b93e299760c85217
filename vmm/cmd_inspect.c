// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/arm64/regs.h"
#include "arch/arm64/regs_state.h"
#include "firmware/psci.h"
#include "vmm/command_options.h"
#include "vmm/commands.h"
#include "vmm/core/opts.h"
#include "vmm/inspect.h"

/* What a file says is shown, and never drives a terminal. */
static void print_plain(const char *text)
{
	for (; *text; text++)
		putchar(*text == '\n' || (unsigned char)*text >= ' ' ? *text : '?');
}

static void print_register(void *arg, uint64_t id, const uint8_t *value, uint32_t size)
{
	char name[32];

	(void)arg;
	regs_name(id, name, sizeof(name));
	printf("  %-20s 0x", name);
	while (size)
		printf("%02x", value[--size]);
	putchar('\n');
}

void inspect_registers(const struct section *section,
		       void (*fn)(void *arg, uint64_t id, const uint8_t *value, uint32_t size),
		       void *arg)
{
	uint8_t *record = malloc(REGS_STATE_MAX);
	struct stream stream;
	struct state s;
	uint32_t len = 0;

	stream_open_data(&stream, section->data, section->len);
	state_init_load(&s, &stream);
	if (record)
		state_blob(&s, "regs", record, &len, REGS_STATE_MAX);
	if (!s.err)
		regs_each(record, len, fn, arg);
	stream_close(&stream);
	free(record);
}

static void print_machine(const struct machine_saved *saved)
{
	printf("interrupt controller: %s\n", gic_kind_words[saved->gic]);
	printf("psci: %s, in %s\n", psci_version_name(saved->psci_version),
	       saved->user_psci ? "userspace" : "the kernel");
	printf("counter: %u Hz\n", saved->counter_hz);
	printf("cpu:%s%s%s\n", saved->cpu.sve ? " SVE" : "",
	       saved->cpu.pauth ? " pointer-authentication" : "",
	       saved->cpu.pvtime ? " stolen-time" : "");
	fputs("folder: ", stdout);
	print_plain(saved->cwd);
	fputs("\noptions:\n", stdout);
	print_plain(saved->options);
}

static void print_all(const struct snapshot *snap, const struct inspect_args *args)
{
	for (unsigned int i = 0; i < snap->n; i++) {
		const struct section *section = &snap->sections[i];

		printf("section: %s, version %u, %llu bytes, checksum %08x%s\n", section->name,
		       section->version, (unsigned long long)section->len,
		       crc32c(0, section->data, section->len),
		       section->optional ? ", optional" : "");
		if (args->registers && !strncmp(section->name, "vcpu/", 5))
			inspect_registers(section, print_register, NULL);
	}
	for (unsigned int i = 0; i < snap->nram; i++)
		printf("memory: %llu KiB at 0x%llx\n", (unsigned long long)snap->ram[i].size >> 10,
		       (unsigned long long)snap->ram[i].gpa);
}

static int inspect(const char *path, const struct inspect_args *args, struct fail *fail)
{
	struct machine_saved saved = { 0 };
	struct snapshot snap;
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return fail_set(fail, EXIT_CONFIG, -errno, "cannot open %s: %s", path,
				strerror(errno));
	err = snapshot_open(&snap, fd, fail);
	if (!err)
		err = machine_saved_read(&snap, &saved, fail);
	if (!err && args->json) {
		err = inspect_json(&snap, &saved, args->registers, stdout);
		if (err)
			fail_set(fail, EXIT_HOST, err, "out of memory");
	} else if (!err) {
		print_machine(&saved);
		print_all(&snap, args);
	}
	machine_saved_free(&saved);
	snapshot_free(&snap);
	close(fd);
	return err;
}

int cmd_inspect(int argc, char **argv)
{
	struct inspect_args args = { 0 };
	struct fail fail = { 0 };
	int words;

	if (argc == 1 && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))) {
		puts("usage: vmm inspect [OPTIONS] FILE\n");
		opts_help(inspect_options, stdout);
		return EXIT_OK;
	}
	words = opts_parse(inspect_options, argc, argv, &args, &fail);
	if (words >= 0 && words != 1)
		fail_set(&fail, EXIT_CONFIG, -EINVAL, "which file? usage: vmm inspect FILE");
	if (words == 1)
		inspect(argv[0], &args, &fail);
	fflush(stdout);
	if (fail.text[0])
		fprintf(stderr, "vmm: %s\n", fail.text);
	return fail.text[0] ? (int)fail.code : EXIT_OK;
}
