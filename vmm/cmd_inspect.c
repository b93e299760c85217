// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/command_options.h"
#include "vmm/commands.h"
#include "vmm/core/opts.h"
#include "vmm/inspect.h"

static void inspect(const char *path, const struct inspect_args *args, struct fail *fail)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		fail_set(fail, EXIT_CONFIG, -errno, "cannot open %s: %s", path, strerror(errno));
		return;
	}
	inspect_file(fd, args->json, args->registers, stdout, fail);
	close(fd);
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
	if (fflush(stdout))
		fail_set(&fail, EXIT_HOST, -errno, "cannot write: %s", strerror(errno));
	if (fail.text[0])
		fprintf(stderr, "vmm: %s\n", fail.text);
	return fail.text[0] ? (int)fail.code : EXIT_OK;
}
